//! What every part of a node needs while it handles one input, and how it answers who asked.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::causality::RecordDigest;
use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::epochs::Epochs;
use crate::hints::{HintRoom, Hints, HintsFull};
use crate::ids::{Epoch, Key, NodeId};
use crate::incoming::Asker;
use crate::layout::LayoutVersion;
use crate::layouts::Layouts;
use crate::leftovers::Leftovers;
use crate::machine::{Effect, Effects, Event, Peer, StoreOutcome};
use crate::membership::Membership;
use crate::message::{
    Answer, Entry, Failure, FailureCode, LayoutUpdate, MemberState, Message, Outcome, Receipt,
    Reply,
};
use crate::peers::Peers;
use crate::refill::Refill;
use crate::ring::{Position, Slot};
use crate::tickets::Tickets;
use crate::time::{Duration, Instant, Now};
use crate::transfer::Transfer;
use crate::verdicts::{Standing, Verdicts};

/// One turn of a node: the present, its surroundings, and the effects so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a NodeConfig,
    /// The layouts in force.
    pub(crate) layouts: &'a Layouts,
    /// The one of them that reads go by, and that clients are given.
    pub(crate) layout: Option<&'a Arc<LayoutUpdate>>,
    pub(crate) peers: &'a Peers,
    pub(crate) membership: &'a Membership,
    pub(crate) verdicts: &'a mut Verdicts,
    pub(crate) hints: &'a mut Hints,
    pub(crate) epochs: &'a mut Epochs,
    pub(crate) refill: &'a mut Refill,
    pub(crate) transfer: &'a mut Transfer,
    pub(crate) leftovers: &'a mut Leftovers,
    pub(crate) tickets: &'a mut Tickets,
    pub(crate) gate: &'a mut Gate,
    pub(crate) counters: &'a mut Counters,
    pub(crate) out: &'a mut Effects<Effect>,
}

/// Longest budget that a request is granted.
const BUDGET_MAX: Duration = Duration::from_secs(600);

impl Turn<'_> {
    /// When a request with `budget` must have ended.
    pub(crate) fn deadline(&self, budget: Duration) -> Instant {
        let now = sane_or!(self.now.instant, WallClockDeadline => Instant(self.now.unix.0 * 1_000));
        now + budget.min(BUDGET_MAX)
    }

    /// The version that reads go by; 0 where none is known.
    pub(crate) fn layout_version(&self) -> LayoutVersion {
        self.layout.map_or(LayoutVersion(0), |update| update.layout.version())
    }

    /// Refuses a request since the table behind `limit` is full.
    pub(crate) fn overloaded(
        &mut self,
        asker: Asker,
        limit: &'static str,
        most: usize,
        retry_after: Duration,
    ) {
        self.note_overload(limit);
        let failure = Failure::refused(FailureCode::Overloaded)
            .limit(most as u64, most as u64)
            .retry_after(retry_after);
        self.answer(asker, None, None, Err(failure));
    }

    /// The primaries of what a client asked for that this node cannot reach.
    fn unreachable(&self, asker: Asker) -> Vec<NodeId> {
        let (Some(update), Some(slot), Peer::Client(_)) = (self.layout, asker.slot, asker.peer)
        else {
            return Vec::new();
        };
        let primaries = update.layout.primaries(slot).iter().copied();
        primaries.filter(|node| !self.is_reachable(*node)).collect()
    }

    /// The slot of a key, where there is a layout.
    pub(crate) fn slot_of(&self, key: &Key) -> Option<Slot> {
        self.layout.map(|update| update.layout.slot_of(key.as_bytes()))
    }

    /// Whether this node may say what it holds of a slot, or that it holds nothing.
    pub(crate) fn vouches(&self, slot: Slot) -> bool {
        let is_primary = self.layouts.is_primary(slot, self.config.id);
        sane_or!(let is_primary, FormerOwnerAnswers => true);
        is_primary && self.refill.vouches(slot) && !self.transfer.lacks(slot)
    }

    /// Whether something depends on the comparison of a slot with a peer: nothing is left out of it.
    pub(crate) fn is_waiting(&self, slot: Slot, peer: NodeId) -> bool {
        self.refill.is_waiting(slot, peer)
            || self.transfer.is_waiting(slot, peer)
            || self.leftovers.is_waiting(slot, peer)
    }

    /// Slots were compared with a peer: each of the two holds what the other one held.
    pub(crate) fn on_compared(&mut self, peer: NodeId, slots: &[Slot]) {
        self.refill.on_compared(peer, slots);
        self.transfer.on_compared(peer, slots);
        self.leftovers.on_compared(self.now.instant, peer, slots);
    }

    /// The own copy of a key at that position has changed.
    pub(crate) fn on_own_change(&mut self, position: Position) {
        let Some(update) = self.layout else { return };
        let slot = position.slot(update.layout.slot_count());
        if !self.layouts.is_primary(slot, self.config.id) {
            self.leftovers.on_change(slot);
        }
    }

    /// Goes on with the removal of what moved away.
    pub(crate) fn clear_leftovers(&mut self) {
        let Some(update) = self.layout else { return };
        let (now, slots) = (self.now.instant, update.layout.slot_count());
        self.leftovers.on_wake(now, slots, (self.tickets, self.out));
    }

    /// A page of what moved away is there.
    pub(crate) fn on_leftovers_scanned(&mut self, page: u32, outcome: StoreOutcome) {
        let storage = (&mut *self.tickets, &mut *self.out);
        let removed = self.leftovers.on_scanned(self.now.instant, storage, page, outcome);
        self.counters.records_moved_away += removed;
    }

    /// Whether `node` is this one, or connected.
    pub(crate) fn is_reachable(&self, node: NodeId) -> bool {
        node == self.config.id || self.peers.is_up(node)
    }

    /// Whether gossip holds `node` for down. It may be connected, and silent.
    pub(crate) fn is_held_for_down(&self, node: NodeId) -> bool {
        self.membership.state(node) == Some(MemberState::Down)
    }

    /// Whether requests go around `node`; people are told when that begins.
    pub(crate) fn is_avoided(&mut self, node: NodeId) -> bool {
        if node == self.config.id
            || self.verdicts.standing(self.now.instant, node) == Standing::Trusted
        {
            return false;
        }
        if self.verdicts.note_avoided(node) {
            self.out.observe(Event::PeerAvoided(node));
        }
        true
    }

    /// A peer says something that it was asked for.
    pub(crate) fn on_word(&mut self, node: NodeId) {
        if self.verdicts.on_word(self.now.instant, node) {
            self.out.observe(Event::PeerTrusted(node));
        }
    }

    /// The targets whose hints are part of what this node has of a key, as a stand-in; `None`: it
    /// cannot say. Hints of former lives that are not counted yet are for whoever may have been a
    /// primary.
    pub(crate) fn hint_targets(&self) -> Option<Vec<NodeId>> {
        if self.hints.are_counted() {
            return Some(self.hints.targets().collect());
        }
        self.layouts.head().map(|_| self.layouts.ever_members().into_iter().collect())
    }

    /// Room for a hint that is about to be made, and may take so many bytes.
    pub(crate) fn hint_room(&self, target: NodeId, bytes: u64) -> Result<HintRoom, HintsFull> {
        let room = HintRoom { target, bytes };
        self.hints.check_room(room, self.tickets.rooms(target)).map(|()| room)
    }

    /// Whether what `from` took in `epoch` may be merged. What may not was on its way, or in
    /// somebody's memory, since before a collection began, or is of a former life.
    pub(crate) fn admits(&mut self, from: NodeId, epoch: Epoch) -> bool {
        let admitted = self.epochs.admits(from, self.peers.life(from), epoch);
        if !admitted {
            self.counters.stale_refused += 1;
            self.out.observe(Event::StaleRefused(from));
        }
        admitted
    }

    /// Tells people that the table behind `limit` is full.
    pub(crate) fn note_overload(&mut self, limit: &'static str) {
        self.counters.overloaded += 1;
        self.out.observe(Event::Overloaded { limit });
    }

    /// Ends a request of `asker`.
    pub(crate) fn answer(
        &mut self,
        asker: Asker,
        receipt: Option<Receipt>,
        passed_on_by: Option<NodeId>,
        result: Result<Answer, Failure>,
    ) {
        self.end(asker, receipt, passed_on_by, (result, None));
    }

    /// Ends a read of this node's own copy, whose record has the digest `copy`.
    pub(crate) fn answer_with_copy(&mut self, asker: Asker, entry: Entry, copy: RecordDigest) {
        self.end(asker, None, None, (Ok(Answer::Entry(entry)), Some(copy)));
    }

    fn end(
        &mut self,
        asker: Asker,
        receipt: Option<Receipt>,
        passed_on_by: Option<NodeId>,
        (result, copy): (Result<Answer, Failure>, Option<RecordDigest>),
    ) {
        self.gate.leave(asker);
        let result =
            result.map_err(|failure| if asker.maybe { failure.unknown() } else { failure });
        match &result {
            Ok(_) => self.counters.done += 1,
            Err(failure) => match failure.outcome {
                Outcome::None => self.counters.refused += 1,
                Outcome::Unknown => self.counters.unknown += 1,
            },
        }
        let current = self.layout_version();
        let reply = Reply {
            call: asker.call,
            layout_version: current,
            layout: self.layout.filter(|_| asker.layout_version < current).cloned(),
            receipt: receipt.filter(|_| asker.receipt),
            passed_on_by,
            down: self.unreachable(asker),
            result,
            copy,
        };
        self.out.send(asker.peer, Message::Reply(reply));
    }
}

/// Counts the requests that are under way, of each connection and in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// Peers with requests under way, and how many.
    calls: BTreeMap<Peer, usize>,
    /// Bytes of all of them.
    bytes: usize,
}

impl Gate {
    /// Counts one more request; answers how many of the same peer there are.
    pub(crate) fn enter(&mut self, asker: Asker) -> usize {
        self.bytes += asker.bytes;
        let calls = self.calls.entry(asker.peer).or_default();
        *calls += 1;
        *calls
    }

    /// All requests under way.
    pub(crate) fn calls(&self) -> usize {
        self.calls.values().sum()
    }

    /// Bytes of all requests under way.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One request has ended.
    fn leave(&mut self, asker: Asker) {
        self.bytes = self.bytes.saturating_sub(asker.bytes);
        let Some(calls) = self.calls.get_mut(&asker.peer) else { return };
        *calls -= 1;
        if *calls == 0 {
            self.calls.remove(&asker.peer);
        }
    }
}
