//! The nodes of one request: the primaries of its key, and the fallbacks that were called in.

use alloc::vec::Vec;

use crate::ids::{NodeId, Text};
use crate::layout::Layout;
use crate::layouts::Layouts;
use crate::message::MemberState;
use crate::quorum::Replicas;
use crate::request::{Quota, Reach};
use crate::ring::Slot;
use crate::time::Instant;
use crate::turn::Turn;
use crate::verdicts::Standing;

/// Who takes part in a request, by the indexes that [`request`](crate::request) uses.
///
/// Invariant: each node has one seat, so one machine never counts twice.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) slot: Slot,
    seats: Vec<Seat>,
    /// How many of the seats are those of primaries; they come first.
    primaries: usize,
    /// The seat of this node. A guest has none: it asks others, and its own copy does not count.
    own: usize,
    /// Where several layouts are in force and this is a write, or the request is local, all that
    /// count of each of them.
    lists: Vec<Quota>,
    /// The zone of a local request; `None` where it has no primary of the key, and all count.
    zone: Option<Text>,
}

/// The seat of a guest: no node has it.
const NO_SEAT: usize = usize::MAX;

#[derive(Clone, Copy, Debug)]
struct Seat {
    node: NodeId,
    /// When it was asked; `None` where it was not, so no word of it counts.
    asked: Option<Instant>,
    /// Whether it has said something of what it was asked.
    answered: bool,
}

impl Seat {
    fn new(node: NodeId) -> Seat {
        Seat { node, asked: None, answered: false }
    }
}

impl Roster {
    /// Those who can answer a read: the primaries of the layout that reads go by. This node
    /// coordinates: as one of them, as a guest where it is a primary of another layout in force, or
    /// else as a fallback.
    pub(crate) fn for_read(
        slot: Slot,
        layouts: &Layouts,
        own: NodeId,
        zone: Option<&Text>,
    ) -> Option<Roster> {
        let layout = &layouts.read()?.layout;
        let primaries = layout.primaries(slot);
        let is_guest = !primaries.contains(&own) && layouts.is_primary(slot, own);
        let mut roster = Roster::new(slot, primaries, own);
        if is_guest {
            roster.seats.pop();
            roster.own = NO_SEAT;
        }
        if let Some(zone) = zone {
            roster.count_in(zone, core::iter::once(layout));
        }
        Some(roster)
    }

    /// Those who are to hold a write: the primaries of all layouts in force, but for those that were
    /// removed. Those of the oldest come first.
    pub(crate) fn for_write(
        slot: Slot,
        layouts: &Layouts,
        own: NodeId,
        zone: Option<&Text>,
    ) -> Option<Roster> {
        let head = layouts.head()?;
        let mut roster = if layouts.is_changing() {
            let mut roster = Roster::new(slot, &layouts.holders(slot), own);
            roster.lists = layouts.live().filter_map(|layout| roster.list(layout, None)).collect();
            roster
        } else {
            Roster::new(slot, head.layout.primaries(slot), own)
        };
        if let Some(zone) = zone {
            roster.count_in(zone, layouts.live());
        }
        Some(roster)
    }

    /// Only those of a zone count, of each layout that has any there for the key.
    fn count_in<'a>(&mut self, zone: &Text, layouts: impl Iterator<Item = &'a Layout>) {
        let list = |layout| self.list(layout, Some(zone)).or_else(|| self.list(layout, None));
        let lists: Vec<Quota> = layouts.filter_map(list).collect();
        if lists.iter().any(|list| list.local) {
            (self.lists, self.zone) = (lists, Some(zone.clone()));
        }
    }

    /// The seats of those primaries of a layout that count; `None` where there are none.
    fn list(&self, layout: &Layout, zone: Option<&Text>) -> Option<Quota> {
        let counts = |node: &&NodeId| zone.is_none_or(|zone| layout.is_in(**node, zone));
        let nodes = layout.primaries(self.slot).iter().filter(counts);
        let seats = nodes.filter_map(|node| self.index_of(*node));
        let primaries: Replicas = seats.filter(|seat| *seat < self.primaries).collect();
        let needed = primaries.len();
        (needed > 0).then_some(Quota { primaries, needed, local: zone.is_some() })
    }

    fn new(slot: Slot, primaries: &[NodeId], own: NodeId) -> Roster {
        let mut seats: Vec<Seat> = primaries.iter().copied().map(Seat::new).collect();
        let place = primaries.iter().position(|node| *node == own);
        if place.is_none() {
            seats.push(Seat::new(own));
        }
        let own = place.unwrap_or(primaries.len());
        Roster { slot, seats, primaries: primaries.len(), own, lists: Vec::new(), zone: None }
    }

    /// How many copies a request of R or W needs of each layout; empty where all primaries of one
    /// layout count. Of a layout from which members were removed no more can be had than are left of
    /// it, and of a zone no more than it has.
    pub(super) fn quotas(&self, needed: usize) -> Vec<Quota> {
        let quota = |list: &Quota| Quota { needed: needed.min(list.needed), ..*list };
        self.lists.iter().map(quota).collect()
    }

    /// How many copies a request of R or W needs: the most of all layouts.
    pub(super) fn needed(&self, needed: usize) -> usize {
        if self.zone.is_none() {
            return needed;
        }
        self.lists.iter().map(|list| needed.min(list.needed)).max().unwrap_or(needed)
    }

    /// The zone in which alone is counted.
    pub(super) fn zone(&self) -> Option<&Text> {
        self.zone.as_ref()
    }

    /// Whether what a node does counts: in a local request, only in its zone.
    pub(super) fn is_near(&self, turn: &Turn<'_>, node: NodeId) -> bool {
        let Some(zone) = &self.zone else { return true };
        // Of one that is on its way out an older layout says where it is.
        let mut layouts = turn.layouts.live().rev();
        let layout = layouts.find(|layout| layout.member(node).is_some());
        layout.is_some_and(|layout| layout.is_in(node, zone))
    }

    /// Whether this node has no seat.
    pub(super) fn is_guest(&self) -> bool {
        self.own == NO_SEAT
    }

    pub(super) fn primaries(&self) -> usize {
        self.primaries
    }

    pub(super) fn own(&self) -> usize {
        self.own
    }

    /// This node's index, if it is a primary.
    pub(super) fn own_primary(&self) -> Option<usize> {
        (self.own < self.primaries).then_some(self.own)
    }

    pub(super) fn node(&self, index: usize) -> NodeId {
        self.seats[index].node
    }

    /// The index of `node`.
    fn index_of(&self, node: NodeId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.node == node)
    }

    /// All indexes of `node`.
    #[cfg(feature = "mutants")]
    pub(super) fn indexes_of(&self, node: NodeId) -> Replicas {
        let seats = self.seats.iter().enumerate();
        seats.filter(|(_, seat)| seat.node == node).map(|(index, _)| index).collect()
    }

    /// The ids of those of `indexes` that are primaries.
    pub(super) fn primaries_of(&self, indexes: Replicas) -> Vec<NodeId> {
        let primary = |index: &usize| *index < self.primaries;
        indexes.iter().filter(primary).map(|index| self.node(index)).collect()
    }

    /// The primaries that can be asked, and whether there are fallbacks where those are too few.
    pub(super) fn reach(&self, turn: &mut Turn<'_>, needed: usize, sloppy: bool) -> Reach {
        let mut reach = Reach { sloppy, ..Reach::default() };
        for index in 0..self.primaries {
            let node = self.node(index);
            if !turn.is_reachable(node) {
                continue;
            }
            reach.reachable.insert(index);
            if turn.is_avoided(node) {
                reach.spared.insert(index);
            }
        }
        let as_fallback = self.own_primary().is_none() && !self.is_guest();
        if !sloppy {
            // Fallbacks do not count, so whoever can be asked is.
            reach.spared = Replicas::new();
        } else if as_fallback {
            // None of them has answered before.
            reach.spared = reach.reachable;
        }
        if sloppy && (reach.reachable.len() < needed || as_fallback) {
            reach.fallbacks = usize::from(as_fallback) + self.fallbacks(turn).take(needed).count();
        }
        if self.zone.is_some() {
            let near = self.lists.iter().filter(|list| list.local).map(|list| list.primaries);
            let near = near.fold(Replicas::new(), Replicas::union);
            reach.outsiders = Replicas::first(self.primaries).minus(near);
            reach.own_is_outside = as_fallback && !self.is_near(turn, turn.config.id);
            let fallbacks = self.fallbacks(turn).filter(|node| self.is_near(turn, *node));
            let own = usize::from(as_fallback && !reach.own_is_outside);
            reach.near_fallbacks = own + fallbacks.take(needed).count();
        }
        reach
    }

    /// Primaries of which witnesses say that they are down.
    pub(super) fn found_down(&self, turn: &Turn<'_>) -> Replicas {
        let down =
            |index: &usize| turn.membership.state(self.node(*index)) == Some(MemberState::Down);
        (0..self.primaries).filter(down).collect()
    }

    /// Gives the next fallback that is trusted the next seat; `None` where there is none. `near`: it
    /// is in the zone of the local request.
    pub(super) fn call_in_trusted(&mut self, turn: &Turn<'_>, near: bool) -> Option<NodeId> {
        let serves =
            |node: &NodeId| is_trusted(turn, *node) && (!near || self.is_near(turn, *node));
        let node = self.fallbacks(turn).find(serves)?;
        self.seat(node)
    }

    /// The same; one that is avoided is the last resort.
    pub(super) fn call_in(&mut self, turn: &Turn<'_>, near: bool) -> Option<NodeId> {
        let trusted = self.call_in_trusted(turn, near);
        trusted.or_else(|| {
            let node = self.fallbacks(turn).find(|node| !near || self.is_near(turn, *node))?;
            self.seat(node)
        })
    }

    fn seat(&mut self, node: NodeId) -> Option<NodeId> {
        self.seats.push(Seat::new(node));
        Some(node)
    }

    /// The index of `node`, if it was asked. Words are taken from nobody else.
    pub(super) fn asked(&self, node: NodeId) -> Option<usize> {
        let index = self.index_of(node)?;
        self.seats[index].asked.is_some().then_some(index)
    }

    /// The index of `node`, if it was asked and has not answered.
    pub(super) fn awaited(&self, node: NodeId) -> Option<usize> {
        let index = self.index_of(node)?;
        let seat = &self.seats[index];
        (seat.asked.is_some() && !seat.answered).then_some(index)
    }

    /// When a node that was asked takes too long.
    pub(super) fn patience_ends(&self, turn: &Turn<'_>, index: usize) -> Instant {
        let Seat { node, asked, .. } = self.seats[index];
        asked.unwrap_or(turn.now.instant) + turn.verdicts.patience(node)
    }

    /// A node was asked something.
    pub(super) fn on_asked(&mut self, turn: &mut Turn<'_>, index: usize) {
        let seat = &mut self.seats[index];
        seat.asked = Some(turn.now.instant);
        turn.verdicts.on_asked(turn.now.instant, seat.node);
    }

    /// A node answers what it was asked; only its first answer says how long it takes.
    pub(super) fn on_answer(&mut self, turn: &mut Turn<'_>, index: usize) {
        let seat = &mut self.seats[index];
        if let Some(asked) = seat.asked
            && !core::mem::replace(&mut seat.answered, true)
        {
            turn.verdicts.on_answer(turn.now.instant, seat.node, asked);
        }
    }

    /// Nodes that are behind the primaries in the preference list, can be asked, and have no seat.
    fn fallbacks<'a>(&'a self, turn: &'a Turn<'_>) -> impl Iterator<Item = NodeId> + 'a {
        let newest = turn.layouts.head();
        let list = newest.into_iter().flat_map(|update| update.layout.preference_list(self.slot));
        // While a layout changes, its first nodes need not be those that have seats.
        let seated = if turn.layouts.is_changing() { 0 } else { self.primaries };
        list.skip(seated).filter(|node| {
            turn.is_reachable(*node)
                && !(self.is_guest() && *node == turn.config.id)
                && sane_or!(
                    self.index_of(*node).is_none(),
                    FallbackCountsTwice => *node != turn.config.id,
                    FallbacksEndEarly => self.index_of(*node).is_none() && is_trusted(turn, *node)
                )
        })
    }
}

fn is_trusted(turn: &Turn<'_>, node: NodeId) -> bool {
    turn.verdicts.standing(turn.now.instant, node) == Standing::Trusted
}
