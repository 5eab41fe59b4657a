//! The thread that writes: everything queued is one turn, one batch.
//!
//! A turn stages all operations, commits what they changed in one batch, and gives their first
//! answers. Those that were promised `Durable` go to the syncer, and the next turn is staged while it
//! syncs. Where something is to be confirmed, the turn waits for a sync of its own, so that nothing
//! is told before it that came behind it. At its end a turn looks for the states that it was asked
//! for. What arrives meanwhile is the next turn.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use fjall::PersistMode;
use quorate_core::causality::{Payload, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StoreError, StoreOutcome, Ticket};
use quorate_core::message::LayoutHistory;
use quorate_core::ring::RingArc;

use super::failure::Failure;
use super::fjall::{Durability, Shared};
use super::layout_file;
use super::reader::scan_records;
use super::space::{FULL_INTERVAL, Room};
use super::turn::{Turn, WriteOp};
use super::watchdog::Task;
use super::{Answer, RecordKey, failed, scan};

/// The longest that an acknowledged write waits for its sync under [`Durability::Periodic`].
pub(super) const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// A turn ends here, so that its first answer does not wait for too many others.
const TURN_OPS_MAX: usize = 1024;

const TURN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an operation takes besides its value, give or take: its key, its clock, the engine's heads.
const OP_BYTES: u64 = 256;

/// An operation for the writer.
pub(super) struct WriteJob {
    pub(super) ticket: Ticket,
    pub(super) op: WriterOp,
}

/// What the writer is to do.
pub(super) enum WriterOp {
    /// A part of its next turn.
    Change(WriteOp),
    /// The layouts in force, which lie in a file of their own.
    SaveLayouts(LayoutHistory),
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
    /// To the syncer.
    promised: Sender<Vec<Ticket>>,
    /// When the first commit was made that nobody was asked to sync. Always `None` between two turns
    /// under [`Durability::Group`].
    unsynced_since: Option<Instant>,
    room: Room,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        durability: Durability,
        room: Room,
        jobs: Receiver<Vec<WriteJob>>,
        promised: Sender<Vec<Ticket>>,
    ) -> Writer {
        Writer { shared, durability, jobs, promised, unsynced_since: None, room }
    }

    /// Writes until the other end is dropped.
    pub(super) fn run(mut self) {
        loop {
            match self.next_jobs() {
                Ok(jobs) => self.run_jobs(jobs),
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next_jobs(&self) -> Result<Vec<WriteJob>, RecvTimeoutError> {
        let mut jobs = match self.unsynced_since {
            None => self.jobs.recv_timeout(FULL_INTERVAL)?,
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
            self.shared.writing.begin(Task::Stage);
            self.turn(jobs);
            self.shared.writing.end();
            jobs = rest;
        }
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_INTERVAL) {
            self.sync_late();
        }
    }

    fn idle(&mut self) {
        self.room.look_if_due(Instant::now());
        if self.unsynced_since.is_some() {
            self.sync_late();
        }
    }

    fn turn(&mut self, jobs: Vec<WriteJob>) {
        let tickets: Vec<Ticket> = jobs.iter().map(|job| job.ticket).collect();
        if self.shared.has_failed() {
            return self.fail_all(tickets);
        }
        let growth = jobs.iter().filter(|job| job.grows()).map(|job| job.bytes() as u64 + OP_BYTES);
        let has_room = self.room.admits(growth.sum(), Instant::now());
        let shared = Arc::clone(&self.shared);
        let mut turn = Turn::new(&shared, jobs.len());
        let mut answers = Vec::with_capacity(2 * jobs.len());
        let mut promised = Vec::with_capacity(jobs.len());
        let mut confirmed = Vec::new();
        let mut scans = Vec::new();
        let mut layouts = Vec::new();
        for job in jobs {
            if !has_room && job.grows() {
                answers.push(failed(job.ticket, StoreError::Full));
                continue;
            }
            let WriteJob { ticket, op } = job;
            let op = match op {
                WriterOp::Change(op) => op,
                WriterOp::SaveLayouts(layout) => {
                    layouts.push((ticket, layout));
                    continue;
                }
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
        // Layouts say that what was taken in before is here to stay.
        let waits = turn.saves_standing() || !confirmed.is_empty() || !layouts.is_empty();
        self.shared.writing.go_on(Task::Commit);
        match turn.commit() {
            Ok(false) => {}
            Ok(true) => {
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
            Err(error) => {
                self.shared.fail_with("commit", &error);
                return self.fail_all(tickets);
            }
        }
        if waits {
            self.answer(answers);
            self.sync_and_answer(promised, confirmed);
        } else if self.durability == Durability::Group {
            self.answer(answers);
            self.promise(promised);
        } else {
            answers.extend(promised.into_iter().map(|ticket| (ticket, StoreOutcome::Durable)));
            self.answer(answers);
        }
        self.answer(self.save_layouts(layouts));
        self.shared.writing.go_on(Task::Scan);
        self.answer(scans.into_iter().map(|(ticket, scan)| (ticket, self.scan(scan))).collect());
    }

    /// Has all that is committed synced, and them answered then.
    fn promise(&mut self, promised: Vec<Ticket>) {
        if self.unsynced_since.take().is_none() && promised.is_empty() {
            return;
        }
        if let Err(promised) = self.promised.send(promised) {
            self.shared.fail(Failure::ByItself, "the storage thread that syncs is gone");
            self.fail_all(promised.0);
        }
    }

    fn sync_and_answer(&mut self, promised: Vec<Ticket>, confirmed: Vec<Answer>) {
        self.unsynced_since = None;
        self.shared.writing.go_on(Task::Sync);
        let synced = self.shared.sync(PersistMode::SyncData);
        let promised = promised.into_iter().map(|ticket| (ticket, StoreOutcome::Durable));
        let all = promised.chain(confirmed).map(|(ticket, outcome)| match synced {
            true => (ticket, outcome),
            false => failed(ticket, StoreError::Io),
        });
        self.answer(all.collect());
    }

    /// Saves the last one, which is the newest, for all of them.
    fn save_layouts(&self, layouts: Vec<(Ticket, LayoutHistory)>) -> Vec<Answer> {
        let Some((_, newest)) = layouts.last() else { return Vec::new() };
        let saved = match self.shared.has_failed() {
            true => false,
            false => layout_file::save(&self.shared.path, newest)
                .inspect_err(|error| tracing::error!(%error, "the layout could not be saved"))
                .is_ok(),
        };
        let answer = |(ticket, _)| match saved {
            true => (ticket, StoreOutcome::Durable),
            false => failed(ticket, StoreError::Io),
        };
        layouts.into_iter().map(answer).collect()
    }

    fn scan(&self, scan: StateScan) -> StoreOutcome {
        if self.shared.has_failed() {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let StateScan { arc, after, count_max } = scan;
        let tree_key = self.shared.tree_key;
        let records = scan_records(&self.shared, arc, after);
        let state = |(key, record): (Key, Record)| {
            let state = tree_key.sized_state(&key, &record);
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
        self.shared.writing.begin(Task::Sync);
        self.shared.sync(PersistMode::SyncData);
        self.shared.writing.end();
    }
}

impl WriteJob {
    /// The record that it will look up.
    pub(super) fn record(&self) -> Option<&RecordKey> {
        match &self.op {
            WriterOp::Change(WriteOp::Apply { key, .. } | WriteOp::Remove { key, .. }) => Some(key),
            WriterOp::Change(
                WriteOp::ApplyHint { .. }
                | WriteOp::RemoveHint { .. }
                | WriteOp::Confirm { .. }
                | WriteOp::SaveStanding { .. },
            )
            | WriterOp::SaveLayouts(_)
            | WriterOp::ScanStates(_) => None,
        }
    }

    /// Whether it makes the data larger.
    fn grows(&self) -> bool {
        match &self.op {
            WriterOp::Change(WriteOp::Apply { .. } | WriteOp::ApplyHint { .. }) => true,
            WriterOp::Change(
                WriteOp::Remove { .. }
                | WriteOp::RemoveHint { .. }
                | WriteOp::Confirm { .. }
                | WriteOp::SaveStanding { .. },
            )
            | WriterOp::SaveLayouts(_)
            | WriterOp::ScanStates(_) => false,
        }
    }

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
            | WriteOp::SaveStanding { .. } => 0,
        }
    }
}
