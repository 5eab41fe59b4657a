//! How a driver ends: as it was asked to, or so that another life can begin.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quorate_core::merkle::SavedTrees;
use tokio::time::{self, Instant};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Driver;
use crate::server::Event;
use crate::server::lives::Ending;
use crate::storage::{Aside, CleanStop, Health};

/// How long connections may take to close after that.
const HANGUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The same, where the node starts over: clients wait for it.
const RESTART_HANGUP_TIMEOUT: Duration = Duration::from_millis(200);

/// How long the storage may then take to answer what is under way, so that the trees tell it all.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

impl Driver {
    /// To be broken.
    #[cfg(test)]
    pub(in crate::server) fn storage(&mut self) -> &mut crate::storage::Storage {
        &mut self.storage
    }

    /// As if the machine wanted something.
    #[cfg(test)]
    pub(in crate::server) fn effect(&mut self, effect: quorate_core::machine::Effect) {
        self.effects.push(effect);
    }

    /// Why this life cannot go on, and whether the store is to be set aside.
    pub(super) fn is_over(&self) -> Option<(&'static str, Option<Aside>)> {
        match self.storage.health() {
            Health::Damaged => Some(("a part of the store is damaged", Some(Aside::Damaged))),
            Health::Failed => Some(("the storage failed", None)),
            Health::Sound if self.is_outdated => {
                Some(("the store is an old copy", Some(Aside::Outdated)))
            }
            Health::Sound => None,
        }
    }

    pub(super) async fn end_life(mut self, why: &'static str, aside: Option<Aside>) -> Ending {
        self.hang_up("the node starts over", RESTART_HANGUP_TIMEOUT).await;
        let layouts = self.node.view().history();
        // This life ends without a clean stop, whatever becomes of it.
        let _ = self.storage.close();
        Ending::Over { why, aside, layouts }
    }

    pub(super) async fn finish(mut self) -> bool {
        self.hang_up("the node stops", HANGUP_TIMEOUT).await;
        let trees = self.settled_trees().await;
        // Who held back until the end leaves what it found, as old as it was.
        let synced = match self.is_outdated || self.node.view().holds_back() {
            true => self.storage.close(),
            false => {
                let lives = self.node.view().lives();
                self.storage.stop(CleanStop { lives, trees: trees.as_deref() })
            }
        };
        tracing::info!(on = &*self.label, synced, "stopped");
        synced
    }

    /// Closes all connections, and waits for the other ends.
    async fn hang_up(&mut self, why: &'static str, timeout: Duration) {
        for outbox in self.registry.outboxes() {
            outbox.close(CloseCode::Away, why);
        }
        let hung_up = async {
            while self.shared.connections.load(Ordering::Acquire) > 0 {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Whoever has not closed by then is cut.
        let _ = time::timeout(timeout, hung_up).await;
    }

    /// The trees of all that the storage will still hold when the process starts again. `None`
    /// where nothing says so for certain.
    async fn settled_trees(&mut self) -> Option<Vec<u8>> {
        if !self.storage.outlives_the_process() {
            return None;
        }
        let settled = self.settle().await;
        let trees = self.node.view().trees().filter(|_| self.storage.is_healthy());
        let saved = match trees {
            Some(_) if !settled => Err("the storage takes too long"),
            Some(trees) => SavedTrees::encode(trees).ok_or("they are too big"),
            None => Err("they are being counted, or in doubt"),
        };
        saved.inspect_err(|why| tracing::info!(on = &*self.label, "no trees are saved: {why}")).ok()
    }

    /// Hears of nothing but the storage, until that has nothing to do. False where it goes on for
    /// too long, or counts: a count may take a minute.
    async fn settle(&mut self) -> bool {
        let by = Instant::now() + SETTLE_TIMEOUT;
        let shared = Arc::clone(&self.shared);
        let mut events = VecDeque::new();
        while self.node.view().storage_operations_under_way() > 0 {
            if self.node.view().trees().is_none() {
                return false;
            }
            let heard = time::timeout_at(by, shared.mailbox.take(&mut events)).await;
            if heard.is_err() || Instant::now() >= by {
                return false;
            }
            for event in events.drain(..) {
                if let Event::Stored(answers) = event {
                    self.answered.extend(answers);
                }
            }
            self.now = self.clock.now();
            self.carry_out();
            self.storage.flush();
        }
        true
    }
}
