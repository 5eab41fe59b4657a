//! What this node holds of slots that moved away: it goes once those who are primaries now hold it.
//!
//! ```text
//!   a slot with records, of which this node is no primary
//!     │ compared with each primary, which is given what it lacks
//!     ▼
//!   removed, page by page
//! ```
//!
//! All that was acknowledged while this node was a primary is with the new primaries before the
//! layout is dropped. What was not, a late hint or a write that its client was told nothing of, may
//! be here alone, and somebody may have read it; so nothing is removed that a primary lacks. A
//! record that comes while a slot is being removed (this node is about to be a primary again, or a
//! write was on its way) ends the removal; the slot is compared once more.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};

use crate::ids::{Key, NodeId};
use crate::layouts::Layouts;
use crate::machine::{Effect, Effects, StoreOp, StoreOutcome};
use crate::merkle::{Forest, Piece};
use crate::message::MergeReason;
use crate::ring::{Slot, SlotCount};
use crate::tickets::{Purpose, Tickets};
use crate::time::{Duration, Instant};

/// Records that are removed in one go.
const PAGE: usize = 128;

/// The wait between two pages, and while the storage has too much to do: clients come first.
const PAUSE: Duration = Duration::from_millis(50);

/// The slots that moved away and are not empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leftovers {
    /// Those that are still to be compared, and with whom. Invariant: nobody is waited for in vain.
    waiting: BTreeMap<Slot, BTreeSet<NodeId>>,
    /// Those that are being removed.
    clearing: BTreeSet<Slot>,
    /// The page that is asked for or was, of the first slot of `clearing`.
    page: Page,
    /// When the next page is to be asked for.
    due: Option<Instant>,
    /// Whether slots are to be looked at: something has changed.
    is_to_look: bool,
}

#[derive(Clone, Debug, Default)]
struct Page {
    /// Names it; another one is of no use.
    number: u32,
    slot: Option<Slot>,
    after: Option<Key>,
}

impl Leftovers {
    /// Other layouts are in force.
    pub(crate) fn on_layouts(&mut self) {
        self.waiting.clear();
        self.clearing.clear();
        self.stop();
        self.is_to_look = true;
    }

    /// An own copy has changed in a slot of which this node is no primary.
    pub(crate) fn on_change(&mut self, slot: Slot) {
        self.is_to_look = true;
        // Whoever it was compared with may lack this.
        self.waiting.remove(&slot);
        if self.clearing.remove(&slot) {
            self.stop();
            self.due = (!self.clearing.is_empty()).then_some(Instant::default());
        }
    }

    /// Looks at all slots, where that is to be done. Answers whether others are to be compared.
    pub(crate) fn look(&mut self, own: NodeId, layouts: &Layouts, forest: Option<&Forest>) -> bool {
        let Some(forest) = forest.filter(|_| self.is_to_look) else { return false };
        self.is_to_look = false;
        let mut former = core::mem::take(&mut self.waiting);
        let mut is_changed = false;
        for slot in forest.slots().slots() {
            let is_empty = forest.hash(Piece::whole(slot)) == Some(0);
            if is_empty || layouts.is_primary(slot, own) || self.clearing.contains(&slot) {
                continue;
            }
            let primaries = former.remove(&slot).unwrap_or_else(|| {
                is_changed = true;
                layouts.holders(slot).into_iter().collect()
            });
            sane_or!(RemovesUncompared => {
                self.clearing.insert(slot);
                self.due.get_or_insert_default();
                continue
            });
            if !primaries.is_empty() {
                self.waiting.insert(slot, primaries);
            }
        }
        is_changed || !former.is_empty()
    }

    /// The slots that are to be compared, and with whom.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Slot, &BTreeSet<NodeId>)> {
        self.waiting.iter().map(|(slot, peers)| (*slot, peers))
    }

    /// The slots that are being removed.
    pub(crate) fn clearing(&self) -> impl Iterator<Item = Slot> + '_ {
        self.clearing.iter().copied()
    }

    /// Whether a slot is to be compared with a peer.
    pub(crate) fn is_waiting(&self, slot: Slot, peer: NodeId) -> bool {
        self.waiting.get(&slot).is_some_and(|peers| peers.contains(&peer))
    }

    /// How many slots are not empty yet.
    pub(crate) fn slots(&self) -> usize {
        self.waiting.len() + self.clearing.len()
    }

    /// Whether nothing is left to be looked at.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_to_look && self.slots() == 0
    }

    /// Slots were compared with a peer, which holds all that is here.
    pub(crate) fn on_compared(&mut self, now: Instant, peer: NodeId, slots: &[Slot]) {
        for slot in slots {
            let Some(peers) = self.waiting.get_mut(slot) else { continue };
            peers.remove(&peer);
            if sane_or!(peers.is_empty(), RemovesAfterOne => true) {
                self.waiting.remove(slot);
                self.clearing.insert(*slot);
                self.due.get_or_insert(now);
            }
        }
    }

    /// When something is to be removed.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.due
    }

    /// Something may be due.
    pub(crate) fn on_wake(
        &mut self,
        now: Instant,
        slots: SlotCount,
        (tickets, out): (&mut Tickets, &mut Effects<Effect>),
    ) {
        if self.due.take_if(|at| *at <= now).is_none() {
            return;
        }
        let Some(slot) = self.clearing.first().copied() else { return };
        if tickets.is_full_for(MergeReason::AntiEntropy) {
            self.due = Some(now + PAUSE);
            return;
        }
        if self.page.slot != Some(slot) {
            self.page.after = None;
        }
        self.page.slot = Some(slot);
        self.page.number = self.page.number.wrapping_add(1);
        let (arc, after) = (slots.arc(slot), self.page.after.clone());
        let op = StoreOp::ScanStates { arc, after, count_max: PAGE };
        let purpose = Purpose::Leftovers { page: self.page.number };
        tickets.store(purpose, None, op, out);
    }

    /// A page of what is to be removed is there; answers how many records it names.
    pub(crate) fn on_scanned(
        &mut self,
        now: Instant,
        (tickets, out): (&mut Tickets, &mut Effects<Effect>),
        page: u32,
        outcome: StoreOutcome,
    ) -> u64 {
        let Some(slot) = self.page.slot.filter(|slot| self.clearing.contains(slot)) else {
            return 0;
        };
        if page != self.page.number {
            return 0;
        }
        self.due = Some(now + PAUSE);
        let StoreOutcome::StatesScanned { states, more } = outcome else { return 0 };
        let count = states.len() as u64;
        self.page.after = states.last().map(|(key, _)| key.clone()).filter(|_| more);
        if self.page.after.is_none() {
            self.clearing.remove(&slot);
            if self.clearing.is_empty() {
                self.due = None;
            }
            // What could not be removed is found.
            self.is_to_look = true;
        }
        for (key, state) in states {
            let op = StoreOp::Remove { key, state: state.hash };
            tickets.store(Purpose::Leftover, slot, op, out);
        }
        count
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.waiting.values().all(|peers| !peers.is_empty()), "somebody is waited for");
        assert!(self.waiting.keys().all(|slot| !self.clearing.contains(slot)), "one or the other");
    }

    /// A page under way is of no use any more.
    fn stop(&mut self) {
        self.page = Page { number: self.page.number.wrapping_add(1), ..Page::default() };
        self.due = None;
    }
}
