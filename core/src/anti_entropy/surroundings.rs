//! What every part of a comparison needs while it handles one input.

use alloc::vec::Vec;

use super::budget::ByteBudget;
use super::schedule::Schedule;
use super::trees::Trees;
use crate::ids::{Key, NodeId};
use crate::machine::StoreOp;
use crate::message::{CallId, MergeReason};
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::time::{Duration, Instant};
use crate::turn::Turn;

/// Requests of clients under way, above which comparisons give way.
const CALLS_MANY: usize = 32;

/// Then they get such a part of their bytes per second.
const YIELDED_PART: u64 = 10;

/// The wait while the storage has too much to do.
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// What all comparisons of a node share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) trees: Trees,
    pub(super) schedule: Schedule,
    pub(super) budget: ByteBudget,
    /// The last call number that was given.
    pub(super) last_call: CallId,
}

pub(super) struct Surroundings<'a, 't> {
    pub(super) turn: &'a mut Turn<'t>,
    pub(super) trees: &'a Trees,
    pub(super) schedule: &'a mut Schedule,
    pub(super) budget: &'a mut ByteBudget,
    /// The last call number that was given.
    pub(super) last_call: &'a mut CallId,
}

impl Shared {
    pub(super) fn around<'a, 't>(&'a mut self, turn: &'a mut Turn<'t>) -> Surroundings<'a, 't> {
        let Shared { trees, schedule, budget, last_call } = self;
        Surroundings { turn, trees, schedule, budget, last_call }
    }
}

impl Surroundings<'_, '_> {
    /// Whether a peer may ask about a slot: it holds it, too, or this node is a primary now of what
    /// moved away from there.
    pub(super) fn compares(&self, peer: NodeId, slot: Slot) -> bool {
        self.schedule.contains(peer, slot)
            || self.turn.layouts.is_primary(slot, self.turn.config.id)
    }

    /// Whether this node takes what others hold of a slot. What moved away it only gives.
    pub(super) fn takes(&self, slot: Slot) -> bool {
        self.turn.layouts.is_primary(slot, self.turn.config.id)
    }

    /// A number that nothing else has.
    pub(super) fn next_call(&mut self) -> CallId {
        *self.last_call = self.last_call.next();
        *self.last_call
    }

    /// Until when nothing may be begun; `None`: it may.
    pub(super) fn holds_until(&mut self) -> Option<Instant> {
        let now = self.turn.now.instant;
        if self.turn.tickets.is_full_for(MergeReason::AntiEntropy) {
            return Some(now + BUSY_PAUSE);
        }
        self.budget.holds_until(now, self.rate())
    }

    /// Bytes per second.
    pub(super) fn rate(&self) -> u64 {
        let rate = self.turn.config.anti_entropy.bytes_per_second;
        if self.turn.gate.calls() > CALLS_MANY { rate.div_ceil(YIELDED_PART) } else { rate }
    }

    pub(super) fn spend(&mut self, bytes: u64) {
        self.turn.counters.anti_entropy_bytes += bytes;
        self.budget.spend(bytes);
    }

    /// Reads an own copy.
    pub(super) fn read(&mut self, purpose: Purpose, key: &Key) {
        let slot = self.turn.slot_of(key);
        let op = StoreOp::Read { key: key.clone(), hints: Vec::new() };
        self.turn.tickets.store(purpose, slot, op, self.turn.out);
    }
}
