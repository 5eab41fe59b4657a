//! The thread that writes: everything queued is one turn, one batch, one sync.
//!
//! A turn stages all operations, commits what they changed in one batch, gives their first answers,
//! syncs, and answers `Durable` for all that were promised it, and what it was to confirm. Then it
//! looks for the states that it was asked for in this turn. What arrives meanwhile is the next turn.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fjall::PersistMode;
use quorate_core::causality::{Payload, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StoreError, StoreOutcome, Ticket};
use quorate_core::ring::RingArc;

use super::fjall::{Durability, Shared};
use super::reader::scan_records;
use super::turn::{Turn, WriteOp};
use super::{Answer, failed, scan};

/// The longest that an acknowledged write waits for its sync under [`Durability::Periodic`].
pub(super) const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// A turn ends here, so that its first answer does not wait for too many others.
const TURN_OPS_MAX: usize = 1024;

const TURN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An operation for the writer.
pub(super) struct WriteJob {
    pub(super) ticket: Ticket,
    pub(super) op: WriterOp,
}

/// What the writer is to do.
pub(super) enum WriterOp {
    /// A part of its next turn.
    Change(WriteOp),
    /// A look at what a turn leaves: between two turns nothing changes.
    ScanStates(StateScan),
}

/// Which states are looked for.
pub(super) struct StateScan {
    pub(super) arc: RingArc,
    pub(super) after: Option<Key>,
    pub(super) count_max: usize,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    durability: Durability,
    jobs: Receiver<Vec<WriteJob>>,
    /// When the first commit that is not synced was made. Always `None` between two turns under
    /// [`Durability::Group`].
    unsynced_since: Option<Instant>,
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
        let tickets: Vec<Ticket> = jobs.iter().map(|job| job.ticket).collect();
        if self.shared.has_failed() {
            return self.fail_all(tickets);
        }
        let shared = Arc::clone(&self.shared);
        let mut turn = Turn::new(&shared);
        let mut answers = Vec::with_capacity(2 * jobs.len());
        let mut promised = Vec::with_capacity(jobs.len());
        let mut confirmed = Vec::new();
        let mut scans = Vec::new();
        for WriteJob { ticket, op } in jobs {
            let op = match op {
                WriterOp::Change(op) => op,
                WriterOp::ScanStates(scan) => {
                    scans.push((ticket, scan));
                    continue;
                }
            };
            match turn.stage(op) {
                Ok(Some(told @ StoreOutcome::Confirmed(_))) => confirmed.push((ticket, told)),
                Ok(outcome) => {
                    if matches!(outcome, None | Some(StoreOutcome::Applied { .. })) {
                        promised.push(ticket);
                    }
                    answers.extend(outcome.map(|outcome| (ticket, outcome)));
                }
                Err(error) => answers.push(failed(ticket, error)),
            }
        }
        let sync =
            self.durability == Durability::Group || turn.saves_layout() || !confirmed.is_empty();
        match turn.commit() {
            Ok(false) => {}
            Ok(true) => {
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
            Err(error) => {
                self.shared.fail(&format!("commit: {error}"));
                return self.fail_all(tickets);
            }
        }
        if !sync {
            answers.extend(promised.into_iter().map(|ticket| (ticket, StoreOutcome::Durable)));
            self.answer(answers);
        } else {
            self.answer(answers);
            let synced =
                self.unsynced_since.take().is_none() || self.shared.sync(PersistMode::SyncData);
            let promised = promised.into_iter().map(|ticket| (ticket, StoreOutcome::Durable));
            let all = promised.chain(confirmed);
            let all = all.map(|(ticket, outcome)| match synced {
                true => (ticket, outcome),
                false => failed(ticket, StoreError::Io),
            });
            self.answer(all.collect());
        }
        self.answer(scans.into_iter().map(|(ticket, scan)| (ticket, self.scan(scan))).collect());
    }

    fn scan(&self, scan: StateScan) -> StoreOutcome {
        if self.shared.has_failed() {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let StateScan { arc, after, count_max } = scan;
        let tree_key = self.shared.tree_key;
        let records = scan_records(&self.shared, arc, after);
        let state = |(key, record): (Key, Record)| {
            let state = tree_key.state(&key, &record);
            (key, state)
        };
        scan::states(records.map(|found| Ok(found?.map(state))), count_max)
    }

    fn answer(&self, answers: Vec<Answer>) {
        if !answers.is_empty() {
            self.shared.answer(answers);
        }
    }

    fn fail_all(&self, tickets: Vec<Ticket>) {
        let answers = tickets.into_iter().map(|ticket| failed(ticket, StoreError::Io)).collect();
        self.shared.answer(answers);
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
        let WriterOp::Change(op) = &self.op else { return 0 };
        match op {
            WriteOp::Apply { op, .. } | WriteOp::ApplyHint { op, .. } => match op {
                RecordOp::Write(write) => payload_bytes(&write.payload),
                RecordOp::Merge(record) => {
                    record.siblings().map(|(_, sibling)| payload_bytes(&sibling.payload)).sum()
                }
            },
            WriteOp::Remove { .. }
            | WriteOp::RemoveHint { .. }
            | WriteOp::Confirm { .. }
            | WriteOp::SaveLayout(_) => 0,
        }
    }
}
