//! The disk of one node: what is in its engine's memory, and what is synced.
//!
//! ```text
//!   Apply -> memory, tail          answered Applied
//!   sync  -> tail moves to synced  answered Durable, many at once
//!   crash -> of the tail any subset stays; memory is what is synced then
//! ```
//!
//! Hints lie beside the node's own copies and go the same way. That a hint is gone is a change like
//! any other: until it is synced, a crash may bring the hint back.

mod commits;
mod confirm;
mod copies;
mod hints;
mod losses;
mod scans;
mod syncs;
mod temper;

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::{DurableMark, Key, NodeId, Remembered};
use quorate_core::machine::{HeldAs, Standing, StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;
use quorate_core::message::LayoutHistory;
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant, Now, UnixMs};

use crate::network::tail;
use commits::Commits;
use confirm::Confirm;
use copies::Copies;
pub(crate) use losses::Destroyed;
pub(crate) use syncs::Ended;
pub use temper::DiskTemper;

/// What one node stores.
///
/// Invariant: `memory` is `synced` with the entries of the tail on top, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    memory: Copies,
    synced: Copies,
    /// Changes that are not synced, oldest first.
    tail: Vec<Entry>,
    /// How many entries of the tail the sync under way covers.
    syncing: Option<usize>,
    /// What is told once the first so many entries of the tail are synced.
    confirms: Vec<Confirm>,
    /// The layouts that are synced.
    layouts: Option<LayoutHistory>,
    /// What is synced with the data.
    commits: Commits,
    /// What the node remembers of others and waits for a commit.
    to_keep: Option<Vec<(NodeId, Remembered)>>,
    /// The same of the sync under way, which is to store it.
    keeping: Option<Vec<(NodeId, Remembered)>>,
    /// Syncs that were ever begun.
    begun: u64,
    /// Which of them was the last that ended well.
    ended: u64,
    /// The last commit that the node was told of.
    marked: DurableMark,
    /// Whether a change or a sync has failed in the life that runs.
    has_failed: bool,
    /// What the clock of the node showed when it last asked for something.
    wall: UnixMs,
    /// Keys whose own copies cannot be read.
    damaged: BTreeSet<Key>,
    /// Keys whose hints cannot be read.
    damaged_hints: BTreeSet<Key>,
    /// A sync failed: no changes until the engine is opened again.
    poisoned: bool,
    /// What was synced at an earlier time.
    snapshot: Option<Snapshot>,
    /// What the last fault left that put another directory in the place of the one that was there,
    /// and what was taken in since by lives that ended before they had saved that it did.
    left: Option<Copies>,
    /// Whether a life has saved what others told of that fault.
    is_told: bool,
    /// Names the states of records.
    tree_key: TreeKey,
    temper: DiskTemper,
    /// When the device is done with what it was given.
    free_at: Instant,
    prng: Prng,
}

/// A copy of the directory.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    copies: Copies,
    layouts: Option<LayoutHistory>,
    commits: Commits,
}

/// A change that is not synced.
#[derive(Clone, Debug)]
struct Entry {
    change: Change,
    /// Who waits for it; a change that was kept though it failed has nobody.
    ticket: Option<Ticket>,
    /// When it is in the memory of the engine.
    applied_at: Instant,
}

/// What changes.
#[derive(Clone, Debug)]
enum Change {
    /// A copy; `None`: it is gone.
    Copy(HeldAs, Key, Option<Arc<Held>>),
    /// What is known of losses: with a number above one that others have heard of, and without own
    /// copies that cannot be read.
    Standing(Standing, Vec<Remembered>, Vec<Key>),
    /// The layouts in force: they are kept only after all changes before them.
    Layouts(LayoutHistory),
}

/// How an operation goes.
pub(crate) struct Ran {
    pub(crate) outcome: StoreOutcome,
    /// When the node is told.
    pub(crate) at: Instant,
}

impl Disk {
    pub(crate) fn new(node: usize, seed: u64, tree_key: TreeKey, temper: DiskTemper) -> Disk {
        Disk {
            memory: Copies::default(),
            synced: Copies::default(),
            tail: Vec::new(),
            syncing: None,
            confirms: Vec::new(),
            layouts: None,
            commits: Commits::default(),
            to_keep: None,
            keeping: None,
            begun: 0,
            ended: 0,
            marked: DurableMark(0),
            has_failed: false,
            wall: UnixMs(0),
            damaged: BTreeSet::new(),
            damaged_hints: BTreeSet::new(),
            poisoned: false,
            snapshot: None,
            left: None,
            is_told: false,
            tree_key,
            temper,
            free_at: Instant(0),
            prng: Prng::stream(seed, &format!("disk {node}")),
        }
    }

    /// Runs an operation; `None`: the answer comes with the end of a sync, or never.
    pub(crate) fn run(&mut self, now: Now, ticket: Ticket, op: &StoreOp) -> Option<Ran> {
        let Now { instant: now, unix } = now;
        self.wall = unix;
        if let StoreOp::Remember(peers) = op {
            self.to_keep = Some(peers.clone());
            return None;
        }
        let ran = self.carry_out(now, ticket, op);
        let is_failed = |ran: &Ran| matches!(ran.outcome, StoreOutcome::Failed(_));
        self.has_failed |= ran.as_ref().is_some_and(is_failed);
        ran
    }

    fn carry_out(&mut self, now: Instant, ticket: Ticket, op: &StoreOp) -> Option<Ran> {
        let took = self.latency(self.temper.access);
        if let StoreOp::CountHints = op {
            let (outcome, hints) = self.count_hints();
            return Some(Ran { outcome, at: now + took * (1 + hints) });
        }
        let at = self.free_at.max(now) + took;
        self.free_at = at;
        let outcome = match op {
            StoreOp::Read { key, hints } => self.read(key, hints),
            StoreOp::Apply { key, copy, op } => self.apply(at, ticket, (*copy, key), op),
            StoreOp::FindHints { target, after, bytes_max } => {
                self.find_hints(*target, after.as_ref(), *bytes_max)
            }
            StoreOp::RemoveHint { target, key, digest } => {
                self.remove_hint(at, *target, key, *digest)
            }
            StoreOp::CountHints => self.count_hints().0,
            StoreOp::ScanStates { arc, after, count_max } => {
                self.scan_states(*arc, after.as_ref(), *count_max)
            }
            StoreOp::ScanRecords { arc, after, bytes_max } => {
                self.scan_records(*arc, after.as_ref(), *bytes_max)
            }
            StoreOp::Confirm { keys, hints } => self.confirm(ticket, keys, hints)?,
            StoreOp::Remove { key, state } => self.remove(at, key, *state),
            StoreOp::SaveStanding { standing, above, discard } => {
                let change = Change::Standing(*standing, above.clone(), discard.clone());
                self.save(at, ticket, change)?
            }
            StoreOp::Remember(_) => return None,
            StoreOp::SaveLayouts(layouts) => {
                self.save(at, ticket, Change::Layouts(layouts.clone()))?
            }
        };
        Some(Ran { outcome, at })
    }

    fn read(&mut self, key: &Key, hints: &[NodeId]) -> StoreOutcome {
        let hint = |target: &NodeId| self.memory.get(HeldAs::Hint { target: *target }, key);
        let is_hinted =
            self.damaged_hints.contains(key) && hints.iter().any(|to| hint(to).is_some());
        if self.damaged.contains(key) || is_hinted {
            return StoreOutcome::Failed(StoreError::Damaged);
        }
        if self.draw(self.temper.read_fails) {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let mut record = self.memory(key).cloned();
        for target in hints {
            if let Some(hint) = self.memory.get(HeldAs::Hint { target: *target }, key) {
                record.get_or_insert_default().merge(hint.record());
            }
        }
        StoreOutcome::Read { record }
    }

    /// Takes a change that is told of once it is synced; the answer comes then, unless it fails.
    fn save(&mut self, at: Instant, ticket: Ticket, change: Change) -> Option<StoreOutcome> {
        if let Some(error) = self.why_no_change() {
            return Some(StoreOutcome::Failed(error));
        }
        self.tail.push(Entry { change, ticket: Some(ticket), applied_at: at });
        None
    }

    /// Why a change that is not even begun fails, if it does.
    fn why_no_change(&mut self) -> Option<StoreError> {
        if self.poisoned {
            return Some(StoreError::Closed);
        }
        if self.temper.full {
            return Some(StoreError::Full);
        }
        self.draw(self.temper.write_fails).then_some(StoreError::Io)
    }

    fn apply(
        &mut self,
        at: Instant,
        ticket: Ticket,
        (copy, key): (HeldAs, &Key),
        op: &RecordOp,
    ) -> StoreOutcome {
        if self.is_damaged(copy, key) {
            return StoreOutcome::Failed(StoreError::Damaged);
        }
        if self.poisoned {
            return StoreOutcome::Failed(StoreError::Closed);
        }
        if self.temper.full {
            return StoreOutcome::Failed(StoreError::Full);
        }
        let fails = self.draw(self.temper.write_fails);
        if fails && self.prng.chance(1, 2) {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let before = self.memory.get(copy, key).cloned();
        let hint = self.hint_change(copy, key);
        let before = before.unwrap_or_default();
        let state = self.state_before(copy, key, before.record());
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
        let same = !applied.changed && held == *before;
        let held = if same { before } else { Arc::new(held) };
        let after = (!same).then(|| held.record());
        let state = state.map(|before| self.state_change(before, key, after));
        let hint = hint.map(|change| change.became(key, held.record()));
        let ticket = (!fails).then_some(ticket);
        let change = Change::Copy(copy, key.clone(), Some(held.clone()));
        self.tail.push(Entry { change, ticket, applied_at: at });
        self.memory.set(copy, key.clone(), Some(held));
        if fails {
            return StoreOutcome::Failed(StoreError::Io);
        }
        StoreOutcome::Applied { applied, record, hint, state }
    }

    /// The layouts that are synced.
    pub(crate) fn layouts(&self) -> Option<&LayoutHistory> {
        self.layouts.as_ref()
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
        self.copy(HeldAs::Own, key)
    }

    /// What the engine shows of a copy, damaged or not.
    pub(crate) fn copy(&self, copy: HeldAs, key: &Key) -> Option<&Arc<Held>> {
        self.memory.get(copy, key)
    }

    /// What the platter holds of a key, damaged or not.
    pub(crate) fn synced(&self, key: &Key) -> Option<&Record> {
        self.copy_synced(HeldAs::Own, key).map(|held| held.record())
    }

    /// What the platter holds of a copy, damaged or not.
    pub(crate) fn copy_synced(&self, copy: HeldAs, key: &Key) -> Option<&Arc<Held>> {
        self.synced.get(copy, key)
    }

    /// What the platter holds of a key in all copies, damaged or not.
    pub(crate) fn copies_synced<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Record> {
        self.synced_as(key).map(|(_, record)| record)
    }

    /// The same, with what each copy is.
    pub(crate) fn synced_as<'a>(
        &'a self,
        key: &'a Key,
    ) -> impl Iterator<Item = (HeldAs, &'a Record)> {
        let hints = self.synced.targets_of(key).map(|target| HeldAs::Hint { target });
        let copies = std::iter::once(HeldAs::Own).chain(hints);
        copies.filter_map(|copy| Some((copy, self.synced.get(copy, key)?.record())))
    }

    /// The hints that the engine shows.
    pub(crate) fn hints(&self) -> impl Iterator<Item = (NodeId, &Key, &Arc<Held>)> {
        self.memory.hints()
    }

    /// Whether a failed sync keeps the engine from taking changes.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// How long the device needs for what it was given.
    pub(crate) fn backlog(&self, now: Instant) -> Duration {
        self.free_at.since(now)
    }

    /// When the device is done with what it was given.
    pub(crate) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// Changes that are not synced.
    pub(crate) fn unsynced(&self) -> usize {
        self.tail.len()
    }

    /// The keys of the node's own copies.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.memory.own_keys()
    }

    fn latency(&mut self, base: Duration) -> Duration {
        let more = tail(&mut self.prng, self.temper.tail, self.temper.tail_max);
        base * self.temper.slowness.max(1) + more
    }

    fn draw(&mut self, chance: u32) -> bool {
        chance > 0 && self.prng.chance(chance.into(), 1_000)
    }
}

#[cfg(test)]
mod tests;
