//! The thread that reads what the cache does not hold, so that no read waits behind a sync.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use quorate_core::machine::{StoreError, StoreOutcome, Ticket};

use super::cache::Epoch;
use super::fjall::Shared;
use super::writer::load;
use super::{Answer, RecordKey, failed};
use crate::mailbox::lock;

/// A read that is to go to the engine.
pub(super) struct ReadJob {
    pub(super) ticket: Ticket,
    pub(super) key: RecordKey,
    /// Taken when the cache did not hold the key.
    pub(super) epoch: Epoch,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    jobs: Receiver<Vec<ReadJob>>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, jobs: Receiver<Vec<ReadJob>>) -> Reader {
        Reader { shared, jobs }
    }

    /// Reads until the other end is dropped.
    pub(super) fn run(self) {
        while let Ok(mut jobs) = self.jobs.recv() {
            // Whatever else is queued shares the answer's wake-up.
            while let Ok(more) = self.jobs.try_recv() {
                jobs.extend(more);
            }
            let answers = jobs.into_iter().map(|job| self.read(job)).collect();
            (self.shared.answers)(answers);
        }
    }

    fn read(&self, job: ReadJob) -> Answer {
        let ReadJob { ticket, key, epoch } = job;
        if self.shared.has_failed() {
            return failed(ticket, StoreError::Io);
        }
        match load(&self.shared, &key) {
            Ok(None) => (ticket, StoreOutcome::Read { record: None }),
            Ok(Some((held, bytes))) => {
                let record = Some(held.record().clone());
                lock(&self.shared.cache).offer(key, held, bytes, epoch);
                (ticket, StoreOutcome::Read { record })
            }
            Err(error) => failed(ticket, error),
        }
    }
}
