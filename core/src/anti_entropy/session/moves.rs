//! Records on their way, in both directions.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::anti_entropy::surroundings::Surroundings;
use crate::anti_entropy::weight;
use crate::causality::{Record, RecordOp};
use crate::ids::{Epoch, Key, NodeId};
use crate::machine::{Event, HeldAs, Peer, StoreOp, StoreOutcome};
use crate::message::{CallId, MergeReason, Message, ReplicaMerge};
use crate::ring::Slot;
use crate::tickets::Purpose;

/// Records that are given and not acknowledged at one time.
const GIVES_AT_ONCE: usize = 32;

/// Records that the peer has given, and those that it wants.
#[derive(Clone, Debug)]
pub(super) struct Moves {
    takes: Vec<(Key, Record)>,
    /// The peer's epoch before it read them.
    taken: Epoch,
    /// Those that the own storage has not answered for.
    taking: BTreeMap<u32, Key>,
    gives: VecDeque<(Key, Record)>,
    /// This node's epoch before it read them.
    given: Epoch,
    /// Those that the peer has not acknowledged. Invariant: no more than [`GIVES_AT_ONCE`].
    giving: BTreeMap<CallId, Key>,
    /// Whether something was not given, since it was read too long ago.
    is_cut_off: bool,
}

impl Moves {
    pub(super) fn new(
        (taken, takes): (Epoch, Vec<(Key, Record)>),
        (given, gives): (Epoch, Vec<(Key, Record)>),
    ) -> Moves {
        let (taking, giving) = (BTreeMap::new(), BTreeMap::new());
        Moves { takes, taken, taking, gives: gives.into(), given, giving, is_cut_off: false }
    }

    /// What the peer gives is not for this node.
    pub(super) fn take_nothing(&mut self) {
        self.takes.clear();
    }

    /// Whether something was not given, since it was read too long ago.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// False where what one of the two has read is of no use any more.
    pub(super) fn begin(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        step: (NodeId, CallId),
    ) -> bool {
        let (peer, call) = step;
        let admitted = around.turn.admits(peer, self.taken);
        if !admitted {
            self.takes.clear();
        }
        for (item, (key, record)) in (0..).zip(self.takes.drain(..)) {
            let slot = around.turn.slot_of(&key);
            self.taking.insert(item, key.clone());
            let apply = StoreOp::Apply { key, copy: HeldAs::Own, op: RecordOp::Merge(record) };
            let purpose = Purpose::Asker { peer, call, item };
            around.turn.tickets.store(purpose, slot, apply, around.turn.out);
        }
        self.give_on(around, peer);
        admitted && !self.is_cut_off
    }

    /// The own storage has answered for a record. Only what is synced is taken. Answers the slot of
    /// one that is damaged, and so is not taken.
    pub(super) fn on_stored(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        peer: NodeId,
        item: u32,
        outcome: &StoreOutcome,
    ) -> Option<Slot> {
        match outcome {
            StoreOutcome::Durable => {
                if let Some(key) = self.taking.remove(&item) {
                    around.turn.counters.records_taken += 1;
                    around.turn.out.observe(Event::RecordTaken { key, from: peer });
                }
            }
            StoreOutcome::Refused(_) => {
                if let Some(key) = self.taking.remove(&item) {
                    let slot = around.turn.slot_of(&key);
                    around.turn.counters.damaged += 1;
                    around.turn.out.observe(Event::Damaged { key, node: Some(peer) });
                    return slot;
                }
            }
            StoreOutcome::Applied { .. }
            | StoreOutcome::Read { .. }
            | StoreOutcome::HintsFound { .. }
            | StoreOutcome::HintRemoved { .. }
            | StoreOutcome::HintsCounted(_)
            | StoreOutcome::StatesScanned { .. }
            | StoreOutcome::RecordsScanned { .. }
            | StoreOutcome::Confirmed(_)
            | StoreOutcome::Removed { .. }
            | StoreOutcome::Failed(_) => {}
        }
        None
    }

    /// The key that was given under a call.
    pub(super) fn on_merged(&mut self, call: CallId) -> Option<Key> {
        self.giving.remove(&call)
    }

    /// The peer holds a record that it was given.
    pub(super) fn on_given(&mut self, around: &mut Surroundings<'_, '_>, peer: NodeId, key: Key) {
        around.turn.counters.records_given += 1;
        around.turn.out.observe(Event::RecordGiven { key, to: peer });
        self.give_on(around, peer);
    }

    pub(super) fn is_done(&self) -> bool {
        self.takes.is_empty()
            && self.taking.is_empty()
            && self.gives.is_empty()
            && self.giving.is_empty()
    }

    fn give_on(&mut self, around: &mut Surroundings<'_, '_>, peer: NodeId) {
        if !around.turn.epochs.is_fresh(self.given) {
            self.is_cut_off |= !self.gives.is_empty();
            self.gives.clear();
        }
        while self.giving.len() < GIVES_AT_ONCE
            && let Some((key, record)) = self.gives.pop_front()
        {
            let call = around.next_call();
            around.spend(weight::of_record(&key, &record));
            self.giving.insert(call, key.clone());
            let reason = MergeReason::AntiEntropy;
            let epoch = self.given;
            let layout_version = around.turn.layouts.head_version();
            let merge =
                ReplicaMerge { call, key, record, hint_for: None, reason, epoch, layout_version };
            around.turn.out.send(Peer::Node(peer), Message::ReplicaMerge(merge));
        }
    }
}
