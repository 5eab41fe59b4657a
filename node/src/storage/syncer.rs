//! The thread that syncs for the writer, which goes on with its next turn meanwhile.
//!
//! All that was committed when a sync begins shares it. What waits is promised in the order of the
//! turns, so a write that changed nothing is promised behind those that it repeats.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use fjall::PersistMode;
use quorate_core::machine::{StoreError, StoreOutcome, Ticket};

use super::failed;
use super::fjall::Shared;
use super::watchdog::{Doing, Task};

pub(super) struct Syncer {
    shared: Arc<Shared>,
    doing: Arc<Doing>,
    /// What is committed and to be answered once it is synced.
    promised: Receiver<Vec<Ticket>>,
}

impl Syncer {
    pub(super) fn new(
        shared: Arc<Shared>,
        doing: Arc<Doing>,
        promised: Receiver<Vec<Ticket>>,
    ) -> Syncer {
        Syncer { shared, doing, promised }
    }

    /// Syncs until the other end is dropped.
    pub(super) fn run(self) {
        while let Ok(mut tickets) = self.promised.recv() {
            tickets.extend(self.promised.try_iter().flatten());
            self.doing.begin(Task::Sync);
            let synced = self.shared.sync(PersistMode::SyncData);
            self.doing.end();
            let answer = |ticket| match synced {
                true => (ticket, StoreOutcome::Durable),
                false => failed(ticket, StoreError::Io),
            };
            if !tickets.is_empty() {
                self.shared.answer(tickets.into_iter().map(answer).collect());
            }
        }
    }
}
