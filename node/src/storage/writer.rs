//! The thread that writes: everything queued is one turn, one batch, one sync.
//!
//! A turn loads each record once, applies all its operations in their order to the copy in memory,
//! commits the copies in one batch, answers `Applied` for all, syncs, and answers `Durable` for
//! all. What arrives meanwhile is the next turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fjall::PersistMode;
use quorate_core::causality::{Held, Payload, RecordOp};
use quorate_core::codec;
use quorate_core::machine::{StoreError, StoreOutcome, Ticket};

use super::fjall::{Durability, Shared};
use super::memory::applied_outcome;
use super::{RecordKey, failed};
use crate::mailbox::lock;

/// The longest that an acknowledged write waits for its sync under [`Durability::Periodic`].
pub(super) const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// A turn ends here, so that its first answer does not wait for too many others.
const TURN_OPS_MAX: usize = 1024;

const TURN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An operation for the writer.
pub(super) struct WriteJob {
    pub(super) ticket: Ticket,
    pub(super) key: RecordKey,
    pub(super) op: RecordOp,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    durability: Durability,
    jobs: Receiver<Vec<WriteJob>>,
    /// When the first commit that is not synced was made. Always `None` between two turns under
    /// [`Durability::Group`].
    unsynced_since: Option<Instant>,
}

/// A record as the running turn leaves it.
struct Staged {
    held: Held,
    /// Whether the engine holds the key.
    stored: bool,
    changed: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        durability: Durability,
        jobs: Receiver<Vec<WriteJob>>,
    ) -> Writer {
        Writer { shared, durability, jobs, unsynced_since: None }
    }

    /// Writes until the other end is dropped.
    pub(super) fn run(mut self) {
        loop {
            match self.next_jobs() {
                Ok(jobs) => self.run_jobs(jobs),
                Err(RecvTimeoutError::Timeout) => self.sync_late(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next_jobs(&self) -> Result<Vec<WriteJob>, RecvTimeoutError> {
        let mut jobs = match self.unsynced_since {
            None => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
            Some(since) => self.jobs.recv_timeout(SYNC_INTERVAL.saturating_sub(since.elapsed()))?,
        };
        let mut bytes: usize = jobs.iter().map(WriteJob::bytes).sum();
        while jobs.len() < TURN_OPS_MAX && bytes < TURN_BYTES_MAX {
            let Ok(more) = self.jobs.try_recv() else { break };
            bytes += more.iter().map(WriteJob::bytes).sum::<usize>();
            jobs.extend(more);
        }
        Ok(jobs)
    }

    fn run_jobs(&mut self, mut jobs: Vec<WriteJob>) {
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(TURN_OPS_MAX));
            self.turn(jobs);
            jobs = rest;
        }
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_INTERVAL) {
            self.sync_late();
        }
    }

    fn turn(&mut self, jobs: Vec<WriteJob>) {
        if self.shared.has_failed() {
            let answers = jobs.iter().map(|job| failed(job.ticket, StoreError::Io)).collect();
            (self.shared.answers)(answers);
            return;
        }
        let mut staged = HashMap::new();
        let mut answers = Vec::with_capacity(2 * jobs.len());
        let mut applied = Vec::with_capacity(jobs.len());
        for job in jobs {
            let ticket = job.ticket;
            match self.stage(&mut staged, job) {
                Ok(outcome) => {
                    if matches!(outcome, StoreOutcome::Applied { .. }) {
                        applied.push(ticket);
                    }
                    answers.push((ticket, outcome));
                }
                Err(error) => answers.push(failed(ticket, error)),
            }
        }
        if !self.commit(staged) {
            let all = answers.into_iter().map(|(ticket, _)| failed(ticket, StoreError::Io));
            (self.shared.answers)(all.collect());
            return;
        }
        match self.durability {
            Durability::Group => {
                (self.shared.answers)(answers);
                let synced =
                    self.unsynced_since.take().is_none() || self.shared.sync(PersistMode::SyncData);
                let outcome = if synced {
                    StoreOutcome::Durable
                } else {
                    StoreOutcome::Failed(StoreError::Io)
                };
                let all = applied.into_iter().map(|ticket| (ticket, outcome.clone()));
                (self.shared.answers)(all.collect());
            }
            Durability::Periodic => {
                let durable = applied.into_iter().map(|ticket| (ticket, StoreOutcome::Durable));
                answers.extend(durable);
                (self.shared.answers)(answers);
            }
        }
    }

    /// Applies one operation to the turn's copy of its record.
    fn stage(
        &self,
        staged: &mut HashMap<RecordKey, Staged>,
        job: WriteJob,
    ) -> Result<StoreOutcome, StoreError> {
        let entry = match staged.entry(job.key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let cached = lock(&self.shared.cache).get(entry.key()).cloned();
                let held = match cached {
                    Some(held) => Some(held),
                    None => load(&self.shared, entry.key())?.map(|(held, _)| held),
                };
                let stored = held.is_some();
                let held = held.unwrap_or_default();
                entry.insert(Staged { held, stored, changed: false })
            }
        };
        Ok(match entry.held.apply(&job.op) {
            Ok(applied) => {
                entry.changed |= applied.changed;
                applied_outcome(applied, &job.op, &entry.held)
            }
            Err(refusal) => StoreOutcome::Refused(refusal),
        })
    }

    /// Makes the turn's changes visible to all reads. False where the engine refused them.
    fn commit(&mut self, staged: HashMap<RecordKey, Staged>) -> bool {
        let mut batch = self.shared.database.batch();
        let mut committed = Vec::new();
        for (key, entry) in staged.into_iter().filter(|(_, entry)| entry.changed) {
            let value = Bytes::from(codec::encode_held(&entry.held));
            let bytes = value.len();
            batch.insert(&self.shared.records, key.0.clone(), value);
            committed.push((key, entry, bytes));
        }
        if committed.is_empty() {
            return true;
        }
        if let Err(error) = batch.commit() {
            self.shared.fail(&format!("commit: {error}"));
            return false;
        }
        self.unsynced_since.get_or_insert_with(Instant::now);
        let newborn = committed.iter().filter(|(_, entry, _)| !entry.stored).count() as u64;
        self.shared.record_count.fetch_add(newborn, Ordering::Relaxed);
        let mut cache = lock(&self.shared.cache);
        for (key, entry, bytes) in committed {
            cache.committed(key, entry.held, bytes);
        }
        true
    }

    fn sync_late(&mut self) {
        self.unsynced_since = None;
        self.shared.sync(PersistMode::SyncData);
    }
}

impl WriteJob {
    /// Bytes of the values, near enough to bound a turn.
    fn bytes(&self) -> usize {
        let payload_bytes = |payload: &Payload| match payload {
            Payload::Value(value) => value.len(),
            Payload::Tombstone => 0,
        };
        match &self.op {
            RecordOp::Write(write) => payload_bytes(&write.payload),
            RecordOp::Merge(record) => {
                record.siblings().map(|(_, sibling)| payload_bytes(&sibling.payload)).sum()
            }
        }
    }
}

/// What the engine holds of a key, and how many bytes it takes there.
pub(super) fn load(shared: &Shared, key: &RecordKey) -> Result<Option<(Held, usize)>, StoreError> {
    let value = match shared.records.get(&key.0) {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => Bytes::from(value),
        Err(error) => {
            tracing::error!(%error, "a record could not be read");
            return Err(StoreError::Io);
        }
    };
    let bytes = value.len();
    match codec::decode_held(value) {
        Ok(held) => Ok(Some((held, bytes))),
        Err(error) => {
            tracing::error!(%error, "a record on this disk is damaged; its peers still hold it");
            Err(StoreError::Damaged)
        }
    }
}
