//! What is known of the keys and of the copies that nodes hold of them.

use std::hash::{Hash, Hasher};

use quorate_core::causality::{Applied, Payload, Record, RecordOp, Write};
use quorate_core::ids::{Key, RequestId};
use quorate_core::message::CallId;
use quorate_core::time::{Instant, UnixMs};

use super::{Mark, Marks};
use crate::observation::Caller;
use crate::recent::Table;
use crate::trace::TraceHasher;

/// Acknowledged writes of one key that are compared with later ones.
const ACKNOWLEDGED_KEPT: usize = 8;

/// The keys of a run.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Table<Key, KeyState>,
    /// Deletes without a context that are under way.
    deletes: Vec<BlindDelete>,
    /// Links between nodes that are cut, and since when.
    cuts: Vec<(usize, usize, Instant)>,
}

#[derive(Debug, Default)]
struct KeyState {
    copies: Vec<Copy>,
    /// When the last acknowledged writes began, and who acknowledged them, since the last healing.
    acknowledged: Vec<(Instant, Vec<usize>)>,
    /// Whether a record of it was collected, and nothing written since.
    collected: bool,
}

/// What one node holds of a key.
#[derive(Clone, Copy, Debug, Default)]
struct Copy {
    /// The wall clock at its last write.
    written: UnixMs,
    /// The device lost all of it.
    emptied: bool,
    /// The device lost some of it.
    taken_back: bool,
}

#[derive(Debug)]
struct BlindDelete {
    caller: Caller,
    call: CallId,
    key: Key,
    wrote: bool,
    raced: bool,
}

impl Keys {
    /// A node's storage carried out a change.
    pub(super) fn on_applied(
        &mut self,
        node: usize,
        key: &Key,
        op: &RecordOp,
        applied: Applied,
        record: &Record,
        marks: &mut Marks,
    ) {
        marks.add(Mark::ManyActors, applied.changed && record.actors() > 10);
        match op {
            RecordOp::Merge(_) => marks.add(Mark::MergeChangesNothing, !applied.changed),
            RecordOp::Write(write) => self.on_write(node, key, write, applied, record, marks),
        }
    }

    fn on_write(
        &mut self,
        node: usize,
        key: &Key,
        write: &Write,
        applied: Applied,
        record: &Record,
        marks: &mut Marks,
    ) {
        for delete in self.deletes.iter_mut().filter(|delete| delete.key == *key) {
            match &write.payload {
                Payload::Tombstone => delete.wrote |= write.request == RequestId::default(),
                Payload::Value(_) => {
                    marks.add(Mark::BlindDeleteRacesPut, !delete.raced);
                    delete.raced = true;
                }
            }
        }
        if !applied.changed {
            return;
        }
        let collected = std::mem::take(&mut state(&mut self.keys, key).collected);
        marks.add(Mark::CollectedKeyWritten, collected);
        let gap = write.context.iter().any(|(_, seen)| !seen.also().is_empty());
        marks.add(Mark::ContextWithGap, gap);
        marks.add(Mark::ActorsTruncated, applied.truncated > 0);
        let minted = applied.dot.map(|dot| dot.actor).filter(|_| applied.newborn);
        let older = minted.is_some_and(|newborn| {
            let mut actors = record.histories().map(|(actor, _)| actor);
            actors.any(|actor| actor.node == newborn.node && actor != newborn)
        });
        marks.add(Mark::BornBesideOlder, older);
        let copy = self.copy(node, key);
        marks.add(Mark::ClockWentBack, write.written < copy.written);
        copy.written = write.written;
        marks.add(Mark::RolledBackNodeWrites, copy.taken_back && applied.newborn);
        copy.taken_back = false;
    }

    /// The device of a node destroyed what was synced.
    pub(super) fn on_destroyed(&mut self, node: usize, key: &Key, after: &Record) {
        let copy = self.copy(node, key);
        copy.emptied = after.is_empty();
        copy.taken_back = !after.is_empty();
    }

    /// A node removed its copy for good.
    pub(super) fn on_collected(&mut self, key: &Key, marks: &mut Marks) {
        marks.add(Mark::RecordCollected, true);
        state(&mut self.keys, key).collected = true;
    }

    /// A read repairs a copy.
    pub(super) fn on_repaired(&mut self, node: usize, key: &Key, marks: &mut Marks) {
        let copy = self.copy(node, key);
        marks.add(Mark::WipedNodeRepaired, copy.emptied);
        copy.emptied = false;
    }

    /// A comparison brought what a copy lacked.
    pub(super) fn on_taken(&mut self, node: usize, key: &Key, marks: &mut Marks) {
        let copy = self.copy(node, key);
        marks.add(Mark::ComparisonBrings, true);
        marks.add(Mark::WipedNodeRefilled, copy.emptied);
        copy.emptied = false;
    }

    pub(super) fn on_blind_delete(&mut self, caller: Caller, call: CallId, key: &Key) {
        let key = key.clone();
        self.deletes.push(BlindDelete { caller, call, key, wrote: false, raced: false });
    }

    /// A call ended, `well` or not.
    pub(super) fn on_end(&mut self, caller: Caller, call: CallId, well: bool, marks: &mut Marks) {
        let is_it = |delete: &BlindDelete| delete.caller == caller && delete.call == call;
        if let Some(index) = self.deletes.iter().position(is_it) {
            let delete = self.deletes.swap_remove(index);
            marks.add(Mark::BlindDeleteFindsNothing, well && !delete.wrote);
        }
    }

    /// A caller will never hear how its calls ended.
    pub(super) fn on_gone(&mut self, caller: Caller) {
        self.deletes.retain(|delete| delete.caller != caller);
    }

    /// Nothing gets from one node to another.
    pub(super) fn on_cut(&mut self, from: usize, to: usize, now: Instant) {
        if !self.cuts.iter().any(|(a, b, _)| (*a, *b) == (from, to)) {
            self.cuts.push((from, to, now));
        }
    }

    pub(super) fn on_healed(&mut self) {
        if self.cuts.is_empty() {
            return;
        }
        self.cuts.clear();
        self.keys.values_mut().for_each(|state| state.acknowledged.clear());
    }

    /// A write that began at `began` is acknowledged by `nodes`.
    pub(super) fn on_acknowledged(
        &mut self,
        key: &Key,
        began: Instant,
        nodes: &[usize],
        marks: &mut Marks,
    ) {
        if self.cuts.is_empty() {
            return;
        }
        let Keys { keys, cuts, .. } = self;
        let is_cut = |a: usize, b: usize, since: Instant| {
            let between = |(from, to): (usize, usize)| (from, to) == (a, b) || (to, from) == (a, b);
            cuts.iter().any(|(from, to, at)| between((*from, *to)) && *at <= since)
        };
        let state = state(keys, key);
        let apart = state.acknowledged.iter().any(|(earlier, others)| {
            let since = began.min(*earlier);
            nodes.iter().all(|a| others.iter().all(|b| is_cut(*a, *b, since)))
        });
        marks.add(Mark::BothSidesAcknowledge, apart);
        if state.acknowledged.len() == ACKNOWLEDGED_KEPT {
            state.acknowledged.remove(0);
        }
        state.acknowledged.push((began, nodes.to_vec()));
    }

    fn copy(&mut self, node: usize, key: &Key) -> &mut Copy {
        let state = state(&mut self.keys, key);
        if state.copies.len() <= node {
            state.copies.resize(node + 1, Copy::default());
        }
        &mut state.copies[node]
    }
}

/// The state of a key; its bytes are counted again only where it is new.
fn state<'a>(keys: &'a mut Table<Key, KeyState>, key: &Key) -> &'a mut KeyState {
    if !keys.contains_key(key) {
        keys.insert(key.clone(), KeyState::default());
    }
    keys.get_mut(key).expect("it was just made")
}

/// Tells records apart that name different writes; of an empty one 0.
pub(super) fn writes_in(record: &Record) -> u64 {
    if record.is_empty() {
        return 0;
    }
    let mut hasher = TraceHasher::default();
    for (actor, history) in record.histories() {
        actor.hash(&mut hasher);
        history.superseded().hash(&mut hasher);
        for (counter, _) in history.live() {
            counter.hash(&mut hasher);
        }
    }
    hasher.finish()
}
