//! One life of a node after the other, on one port: where the storage fails, or holds an old copy,
//! the node starts over in the same process.
//!
//! ```text
//!   begin: storage, machine, runtime --> driver runs --> Stopped: the end
//!     ^                                      |
//!     |                                      v
//!     +---- pause, set the store aside <-- Over: connections and storage are closed
//! ```
//!
//! Invariant: nothing of one life reaches the next one. Its connections and tasks end with its
//! runtime, its storage is closed, and what is left in the mailbox is dropped.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use quorate_core::ids::{Incarnation, Text};
use quorate_core::merkle::SavedTrees;
use quorate_core::message::LayoutHistory;
use quorate_core::node::{Node, NodeConfig};
use tokio::runtime::{Builder, Runtime};

use super::driver::Driver;
use super::{Event, Shared, StartError, StorageChoice};
use crate::clock::Clock;
use crate::storage::{Aside, FjallOptions, OpenError, Storage};

/// Failed tries, one after the other, after which the node gives up.
const TRIES_MAX: u32 = 5;

/// Between two tries, at least.
const TRY_INTERVAL: Duration = Duration::from_secs(1);

/// A life that ends by itself before this was a failed try: whatever was wrong still is.
const STEADY: Duration = Duration::from_secs(60);

/// How soon a node that waits for its next try hears that it is to stop.
const LISTEN_INTERVAL: Duration = Duration::from_millis(20);

/// How a life ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// As it was asked to.
    Stopped {
        /// Whether everything that it had acknowledged is synced.
        synced: bool,
    },
    /// It cannot go on with its storage; another life can. The storage is closed.
    Over {
        /// Why, for the log.
        why: &'static str,
        /// Whether the store is to be set aside first.
        aside: Option<Aside>,
        /// The layouts in force, as it knew them.
        layouts: Option<LayoutHistory>,
    },
}

/// All that the lives of a node have in common.
pub(super) struct Lives {
    pub(super) config: NodeConfig,
    pub(super) label: Text,
    pub(super) storage: StorageChoice,
    pub(super) listener: TcpListener,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
}

/// A life that is about to run.
pub(super) struct Life {
    driver: Driver,
    runtime: Runtime,
}

impl Lives {
    /// Opens the storage, and begins a life with what it holds.
    pub(super) fn begin(&self, rebirths: u64) -> Result<Life, StartError> {
        let seed = getrandom::u64().map_err(|error| StartError::Io(error.into()))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Io)?;
        let mut storage = self.open_storage().map_err(StartError::Storage)?;
        let trees = saved_trees(&self.label, &mut storage);
        let config = NodeConfig { trees, found: storage.found(), ..self.config.clone() };
        let node = Node::new(config, seed).map_err(StartError::Config)?;
        let (label, shared) = (Text::clone(&self.label), Arc::clone(&self.shared));
        let driver = Driver::new(node, label, storage, shared, self.clock, rebirths);
        Ok(Life { driver, runtime })
    }

    /// Runs this life, and others where it ends by itself, until the node was stopped. True where
    /// everything that it had acknowledged is synced.
    pub(super) fn run(mut self, mut life: Life) -> bool {
        let (mut failed, mut rebirths) = (0, 0);
        let mut tried = Instant::now();
        loop {
            let (why, mut aside, layouts) = match self.live(life) {
                Ending::Stopped { synced } => return synced,
                Ending::Over { why, aside, layouts } => (why, aside, layouts),
            };
            tracing::warn!(on = &*self.label, "{why}: the node starts over");
            failed = if tried.elapsed() < STEADY { failed + 1 } else { 0 };
            self.config.founding = self.config.founding.filter(|_| layouts.is_none());
            self.config.layouts = layouts;
            life = loop {
                if failed >= TRIES_MAX {
                    tracing::error!(
                        on = &*self.label,
                        "the node gives up: {TRIES_MAX} times in a row it could not go on with its \
                         storage. Look at what was logged before this, at the device and its free \
                         space, and start the node again"
                    );
                    return false;
                }
                if self.is_stopped_before(tried + TRY_INTERVAL) {
                    return false;
                }
                tried = Instant::now();
                match self.begin_again(&mut aside, rebirths + 1) {
                    Ok(life) => break life,
                    Err(error) => {
                        failed += 1;
                        tracing::error!(on = &*self.label, failed, "the next life fails: {error}");
                    }
                }
            };
            rebirths += 1;
        }
    }

    fn live(&self, life: Life) -> Ending {
        let Life { driver, runtime } = life;
        let ending = match self.listener.try_clone() {
            Ok(listener) => runtime.block_on(driver.run(listener)),
            Err(error) => driver.cannot_listen(&error),
        };
        // A look-up of a name may take long, and nobody waits for it.
        runtime.shutdown_background();
        ending
    }

    fn begin_again(
        &mut self,
        aside: &mut Option<Aside>,
        rebirths: u64,
    ) -> Result<Life, StartError> {
        if let Some(why) = *aside {
            self.set_store_aside(why).map_err(StartError::Storage)?;
            *aside = None;
        }
        let life = getrandom::u32().map_err(|error| StartError::Io(error.into()))?;
        self.config.incarnation = Incarnation(life);
        self.begin(rebirths)
    }

    fn set_store_aside(&self, why: Aside) -> Result<(), OpenError> {
        let StorageChoice::Fjall(directory, _) = &self.storage else { return Ok(()) };
        if let Some(aside) = directory.set_store_aside(why)? {
            let on = &*self.label;
            tracing::error!(
                on,
                "the store is kept as {}, and the node begins with an empty one and refills itself \
                 from its peers",
                aside.display()
            );
        }
        Ok(())
    }

    fn open_storage(&self) -> Result<Storage, OpenError> {
        let tree_key = self.config.tree_key();
        match &self.storage {
            StorageChoice::Memory => Ok(Storage::memory(tree_key)),
            StorageChoice::Fjall(directory, options) => {
                let shared = Arc::clone(&self.shared);
                let answers = move |answers| shared.mailbox.push(Event::Stored(answers));
                let options = FjallOptions { life: self.config.incarnation, ..*options };
                Storage::fjall(directory, options, tree_key, Arc::new(answers))
            }
        }
    }

    /// Waits, and drops what is in the mailbox. Answers whether the node was asked to stop.
    fn is_stopped_before(&self, until: Instant) -> bool {
        loop {
            let stale = self.shared.mailbox.drain();
            if stale.iter().any(|event| matches!(event, Event::Stop)) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(LISTEN_INTERVAL));
        }
    }
}

/// The trees that the last stop saved. `None`: they are counted, and why is in the log.
fn saved_trees(on: &str, storage: &mut Storage) -> Option<SavedTrees> {
    if !storage.outlives_the_process() {
        return None;
    }
    let Some(bytes) = storage.take_trees() else {
        tracing::info!(on, "the trees are counted: no clean stop has saved any");
        return None;
    };
    let saved = SavedTrees::decode(&bytes);
    saved.inspect_err(|error| tracing::info!(on, "the trees are counted: {error}")).ok()
}

#[cfg(test)]
mod tests;
