//! The disk of one node: what is in its engine's memory, and what is synced.
//!
//! ```text
//!   Apply -> memory, tail          answered Applied
//!   sync  -> tail moves to synced  answered Durable, many at once
//!   crash -> of the tail any subset stays; memory is what is synced then
//! ```

mod temper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};

use crate::network::tail;
pub use temper::DiskTemper;

/// What one node stores.
///
/// Invariant: `memory` is `synced` with the entries of the tail on top, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    memory: BTreeMap<Key, Arc<Held>>,
    synced: BTreeMap<Key, Arc<Held>>,
    /// Changes that are not synced, oldest first.
    tail: Vec<Entry>,
    /// How many entries of the tail the sync under way covers.
    syncing: Option<usize>,
    /// Keys whose records cannot be read.
    damaged: BTreeSet<Key>,
    /// A sync failed: no changes until the engine is opened again.
    poisoned: bool,
    /// What was synced at an earlier time.
    snapshot: Option<BTreeMap<Key, Arc<Held>>>,
    temper: DiskTemper,
    /// When the device is done with what it was given.
    free_at: Instant,
    prng: Prng,
}

/// A change that is not synced.
#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    held: Arc<Held>,
    /// Who waits for it; a change that was kept though it failed has nobody.
    ticket: Option<Ticket>,
    /// When it is in the memory of the engine.
    applied_at: Instant,
}

/// How an operation goes.
pub(crate) struct Ran {
    pub(crate) outcome: StoreOutcome,
    /// When the node is told.
    pub(crate) at: Instant,
}

/// Data that was synced and is no more: not a crash's doing but a fault of the device.
pub(crate) struct Destroyed {
    pub(crate) key: Key,
    pub(crate) before: Record,
    pub(crate) after: Record,
}

impl Disk {
    pub(crate) fn new(node: usize, seed: u64, temper: DiskTemper) -> Disk {
        Disk {
            memory: BTreeMap::new(),
            synced: BTreeMap::new(),
            tail: Vec::new(),
            syncing: None,
            damaged: BTreeSet::new(),
            poisoned: false,
            snapshot: None,
            temper,
            free_at: Instant(0),
            prng: Prng::stream(seed, &format!("disk {node}")),
        }
    }

    /// Runs an operation.
    pub(crate) fn run(&mut self, now: Instant, ticket: Ticket, op: &StoreOp) -> Ran {
        let took = self.latency(self.temper.access);
        let at = self.free_at.max(now) + took;
        self.free_at = at;
        let outcome = match op {
            StoreOp::Read { key } if self.damaged.contains(key) => {
                StoreOutcome::Failed(StoreError::Damaged)
            }
            StoreOp::Read { .. } if self.draw(self.temper.read_fails) => {
                StoreOutcome::Failed(StoreError::Io)
            }
            StoreOp::Read { key } => StoreOutcome::Read { record: self.memory(key).cloned() },
            StoreOp::Apply { key, op } => self.apply(at, ticket, key, op),
        };
        Ran { outcome, at }
    }

    fn apply(&mut self, at: Instant, ticket: Ticket, key: &Key, op: &RecordOp) -> StoreOutcome {
        if self.damaged.contains(key) {
            return StoreOutcome::Failed(StoreError::Damaged);
        }
        if self.poisoned {
            return StoreOutcome::Failed(StoreError::Closed);
        }
        let fails = self.temper.full || self.draw(self.temper.write_fails);
        if self.temper.full || fails && self.prng.chance(1, 2) {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let before = self.memory.get(key).cloned().unwrap_or_default();
        let mut held = Held::clone(&before);
        let applied = match held.apply(op) {
            Ok(applied) => applied,
            Err(refusal) => return StoreOutcome::Refused(refusal),
        };
        held.check_invariants();
        let record = match op {
            RecordOp::Write(_) => Some(held.record().clone()),
            RecordOp::Merge(_) => None,
        };
        // One copy for all who hold the same.
        let held = if !applied.changed && held == *before { before } else { Arc::new(held) };
        let ticket = (!fails).then_some(ticket);
        self.tail.push(Entry { key: key.clone(), held: held.clone(), ticket, applied_at: at });
        self.memory.insert(key.clone(), held);
        if fails {
            return StoreOutcome::Failed(StoreError::Io);
        }
        StoreOutcome::Applied { applied, record }
    }

    /// Begins a sync of all that is applied, unless one is under way; answers when it ends.
    pub(crate) fn begin_sync(&mut self, now: Instant) -> Option<Instant> {
        let covered = self.tail.iter().take_while(|entry| entry.applied_at <= now).count();
        if self.syncing.is_some() || self.poisoned || covered == 0 {
            return None;
        }
        self.syncing = Some(covered);
        Some(now + self.latency(self.temper.sync))
    }

    /// Ends the sync under way: who is told, what, and which keys it synced.
    pub(crate) fn end_sync(&mut self) -> (Vec<Ticket>, StoreOutcome, Vec<Key>) {
        let covered = self.syncing.take().unwrap_or(0);
        if self.draw(self.temper.sync_fails) {
            // What became of the entries shows after a crash.
            self.poisoned = true;
            let told = self.tail.iter_mut().filter_map(|entry| entry.ticket.take()).collect();
            return (told, StoreOutcome::Failed(StoreError::Io), Vec::new());
        }
        let mut told = Vec::new();
        let mut keys = Vec::new();
        for Entry { key, held, ticket, .. } in self.tail.drain(..covered) {
            told.extend(ticket);
            keys.push(key.clone());
            self.synced.insert(key, held);
        }
        (told, StoreOutcome::Durable, keys)
    }

    /// Of what was not synced, each change stays with a chance of `kept` in a thousand. Answers the
    /// keys that lost something.
    pub(crate) fn crash(&mut self, kept: u32) -> Vec<Key> {
        let mut lost = Vec::new();
        for Entry { key, held, .. } in std::mem::take(&mut self.tail) {
            if self.prng.chance(kept.into(), 1_000) {
                self.synced.insert(key, held);
            } else {
                lost.push(key);
            }
        }
        self.syncing = None;
        self.poisoned = false;
        self.free_at = Instant(0);
        self.memory = self.synced.clone();
        lost
    }

    /// Everything is gone.
    pub(crate) fn wipe(&mut self) -> Vec<Destroyed> {
        self.damaged.clear();
        self.snapshot = None;
        self.replace(BTreeMap::new())
    }

    /// Keeps a copy of what is synced.
    pub(crate) fn take_snapshot(&mut self) {
        self.snapshot = Some(self.synced.clone());
    }

    /// Goes back to the copy, or to nothing where there is none.
    pub(crate) fn roll_back(&mut self) -> Vec<Destroyed> {
        let snapshot = self.snapshot.clone().unwrap_or_default();
        self.replace(snapshot)
    }

    /// The record of `key` can no longer be read.
    pub(crate) fn damage(&mut self, key: &Key) -> Option<Destroyed> {
        let before = self.synced.get(key).map(|held| held.record().clone());
        self.damaged.insert(key.clone());
        before.map(|before| Destroyed { key: key.clone(), before, after: Record::new() })
    }

    pub(crate) fn temper(&self) -> DiskTemper {
        self.temper
    }

    pub(crate) fn set_temper(&mut self, temper: DiskTemper) {
        self.temper = temper;
    }

    /// What the engine shows of a key, damaged or not.
    pub(crate) fn memory(&self, key: &Key) -> Option<&Record> {
        self.held(key).map(|held| held.record())
    }

    /// The same with the right to mint, to be shared.
    pub(crate) fn held(&self, key: &Key) -> Option<&Arc<Held>> {
        self.memory.get(key)
    }

    /// What the platter holds of a key, damaged or not.
    pub(crate) fn synced(&self, key: &Key) -> Option<&Record> {
        self.held_synced(key).map(|held| held.record())
    }

    /// The same with the right to mint, to be shared.
    pub(crate) fn held_synced(&self, key: &Key) -> Option<&Arc<Held>> {
        self.synced.get(key)
    }

    /// Whether the record of `key` cannot be read.
    pub(crate) fn is_damaged(&self, key: &Key) -> bool {
        self.damaged.contains(key)
    }

    /// Whether any record cannot be read.
    pub(crate) fn has_damage(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// Whether a failed sync keeps the engine from taking changes.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// How long the device needs for what it was given.
    pub(crate) fn backlog(&self, now: Instant) -> Duration {
        self.free_at.since(now)
    }

    /// Changes that are not synced.
    pub(crate) fn unsynced(&self) -> usize {
        self.tail.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.memory.keys()
    }

    fn replace(&mut self, by: BTreeMap<Key, Arc<Held>>) -> Vec<Destroyed> {
        let before = std::mem::replace(&mut self.synced, by);
        self.memory = self.synced.clone();
        self.tail.clear();
        self.syncing = None;
        let destroyed = before.into_iter().filter_map(|(key, held)| {
            let after = self.synced(&key).cloned().unwrap_or_default();
            let before = held.record().clone();
            (before != after).then_some(Destroyed { key, before, after })
        });
        destroyed.collect()
    }

    fn latency(&mut self, base: Duration) -> Duration {
        let more = tail(&mut self.prng, self.temper.tail, self.temper.tail_max);
        base * self.temper.slowness.max(1) + more
    }

    fn draw(&mut self, chance: u32) -> bool {
        chance > 0 && self.prng.chance(chance.into(), 1_000)
    }
}
