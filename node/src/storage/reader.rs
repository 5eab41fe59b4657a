//! A thread that reads what the cache does not hold, so that no read waits behind a sync.

use std::sync::Arc;

use bytes::Bytes;
use fjall::Guard;
use quorate_core::causality::{Held, Record};
use quorate_core::codec;
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{StoreError, StoreOutcome, Ticket};
use quorate_core::ring::{Position, RingArc};

use super::fjall::Shared;
use super::hints::{self, Hint, HintKey};
use super::own_copy::OwnCopy;
use super::scan::{self, Found};
use super::turn::load;
use super::watchdog::{Doing, Task};
use super::{Answer, RecordKey, failed};
use crate::mailbox::lock;

/// A read that is to go to the engine.
pub(super) struct ReadJob {
    pub(super) ticket: Ticket,
    pub(super) op: ReadOp,
}

pub(super) enum ReadOp {
    /// The own copy.
    Record {
        key: RecordKey,
    },
    /// The own copy and the hints for some targets.
    Merged {
        key: Key,
        hints: Vec<NodeId>,
    },
    FindHints {
        target: NodeId,
        after: Option<Key>,
        bytes_max: usize,
    },
    CountHints,
    ScanRecords {
        arc: RingArc,
        after: Option<Key>,
        bytes_max: usize,
    },
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    doing: Arc<Doing>,
    jobs: flume::Receiver<Vec<ReadJob>>,
}

impl Reader {
    pub(super) fn new(
        shared: Arc<Shared>,
        doing: Arc<Doing>,
        jobs: flume::Receiver<Vec<ReadJob>>,
    ) -> Reader {
        Reader { shared, doing, jobs }
    }

    /// Reads until the other end is dropped.
    pub(super) fn run(self) {
        while let Ok(jobs) = self.jobs.recv() {
            let answers = jobs.into_iter().map(|job| self.run_job(job)).collect();
            self.doing.end();
            self.shared.answer(answers);
        }
    }

    fn run_job(&self, job: ReadJob) -> Answer {
        let ReadJob { ticket, op } = job;
        if self.shared.has_failed() {
            return failed(ticket, StoreError::Io);
        }
        let task = match op {
            ReadOp::Record { .. } | ReadOp::Merged { .. } => Task::Read,
            ReadOp::FindHints { .. } | ReadOp::CountHints | ReadOp::ScanRecords { .. } => {
                Task::Scan
            }
        };
        self.doing.begin(task);
        let outcome = match op {
            ReadOp::Record { key } => self.read(key),
            ReadOp::Merged { key, hints } => self.read_merged(&key, &hints),
            ReadOp::FindHints { target, after, bytes_max } => {
                let (start, end) = hints::range(target, after.as_ref());
                let bounds = (start.map(|place| place.0), end.map(|place| place.0));
                let found = self.shared.hints.range(bounds);
                hints::page(found.filter_map(|it| decode_hint(&self.shared, it)), bytes_max)
            }
            ReadOp::CountHints => {
                let found = self.shared.hints.iter();
                hints::count(found.filter_map(|it| decode_hint(&self.shared, it)))
            }
            ReadOp::ScanRecords { arc, after, bytes_max } => {
                scan::records(scan_records(&self.shared, arc, after), bytes_max)
            }
        };
        (ticket, outcome)
    }

    fn read(&self, key: RecordKey) -> StoreOutcome {
        let epoch = lock(&self.shared.cache).epoch(&key);
        match load(&self.shared, &self.shared.records, &key.0) {
            Ok(None) => StoreOutcome::Read { record: None },
            Ok(Some((held, bytes))) => {
                let record = Some(held.record().clone());
                lock(&self.shared.cache).offer(key, OwnCopy::new(held), bytes, epoch);
                StoreOutcome::Read { record }
            }
            Err(error) => StoreOutcome::Failed(error),
        }
    }

    /// The hints come first: one that is gone by then was merged into the own copy before, so the
    /// copy that the engine holds after it has what the hint had.
    fn read_merged(&self, key: &Key, hints: &[NodeId]) -> StoreOutcome {
        match self.load_copies(key, hints) {
            Ok(copies) => StoreOutcome::Read { record: hints::merged(copies.into_iter()) },
            Err(error) => StoreOutcome::Failed(error),
        }
    }

    fn load_copies(&self, key: &Key, hints: &[NodeId]) -> Result<Vec<Record>, StoreError> {
        let mut copies = Vec::with_capacity(hints.len() + 1);
        for target in hints {
            copies.extend(load(&self.shared, &self.shared.hints, &HintKey::of(*target, key).0)?);
        }
        copies.extend(load(&self.shared, &self.shared.records, &RecordKey::of(key).0)?);
        Ok(copies.into_iter().map(|(held, _)| held.into_record()).collect())
    }
}

/// The own copies in an arc, behind a key, in the order of the ring.
pub(super) fn scan_records(
    shared: &Shared,
    arc: RingArc,
    after: Option<Key>,
) -> impl Iterator<Item = Found<(Key, Record)>> {
    let range = scan::range(arc, after.map(|key| RecordKey::of(&key)), RecordKey::first_at);
    let range = range.map(|(start, end)| (start.map(|place| place.0), end.map(|place| place.0)));
    let stored = range.into_iter().flat_map(|range| shared.records.range(range));
    stored.map(|it| decode_record(shared, it)).inspect(|found| {
        if matches!(found, Ok(None)) {
            shared.note_left_out();
        }
    })
}

/// `None` where no read of any key would find what is stored.
fn decode_record(shared: &Shared, stored: Guard) -> Found<(Key, Record)> {
    let (place, value) = stored.into_inner().map_err(|error| shared.on_read_error(&error))?;
    let key = RecordKey(Bytes::from(place)).parts();
    let key = key.filter(|(position, key)| Position::of(key.as_bytes()) == *position);
    let held = codec::decode_held(value.into()).ok();
    Ok(key.zip(held).map(|((_, key), held)| (key, held.into_record())))
}

/// `None` where what is stored is no hint at all.
fn decode_hint(shared: &Shared, stored: Guard) -> Option<Result<Hint, StoreError>> {
    let (place, value) = match stored.into_inner() {
        Ok(stored) => stored,
        Err(error) => return Some(Err(shared.on_read_error(&error))),
    };
    let place = HintKey(Bytes::from(place));
    let held = codec::decode_held(value.into()).ok();
    let entry = place.key().zip(held.map(Held::into_record));
    if entry.is_none() {
        // The machine counts it and tells people; it is met at each pass.
        tracing::debug!(?place, "a hint on this disk is damaged, and cannot be handed over");
    }
    Some(Ok(Hint { target: place.target()?, entry }))
}
