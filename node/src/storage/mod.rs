//! Carries out the [`StoreOp`]s of the core: one small executor over two engines.
//!
//! ```text
//!   driver --submit--> cache hit, memory engine ------------------> answer at once
//!             |  flush, once per turn
//!             +--> writer: load, Held::apply, one batch, commit --> Applied, Removed, HintRemoved
//!             |                                 one sync for all -> Durable, Confirmed
//!             |                                           states -> StatesScanned
//!             +--> reader: what the cache does not hold, hints ---> Read, HintsFound, RecordsScanned
//! ```
//!
//! Invariant: a read error is `Failed`, never an absence; after a failed commit or sync everything
//! answers `Failed` until the process starts again (DESIGN.md §13).

mod identity;

mod directory;

mod own_copy;

mod hints;

mod scan;

mod memory;

mod cache;

mod fjall;

mod turn;

mod writer;

mod reader;

pub mod offline;

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::causality::{Applied, Held, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{HintChange, StateChange, StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;
use quorate_core::ring::Position;

pub use self::directory::{AdoptedDirectory, Directory};
pub use self::fjall::{Durability, FjallOptions};
pub use self::identity::{Identity, OpenError, Settings};

use self::fjall::Fjall;
use self::memory::Memory;

/// The ticket of an operation and one of its outcomes.
pub type Answer = (Ticket, StoreOutcome);

/// Takes answers from the threads of an engine.
pub type Answers = Arc<dyn Fn(Vec<Answer>) + Send + Sync>;

/// The storage of one node.
#[derive(Debug)]
pub struct Storage {
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Memory(Memory),
    Fjall(Fjall),
}

impl Storage {
    /// Storage that ends with the process: for tests and for trying things out. States are named
    /// with `tree_key`, that of the node's machine.
    pub fn memory(tree_key: TreeKey) -> Storage {
        Storage { engine: Engine::Memory(Memory::new(tree_key)) }
    }

    /// Storage on a disk. Starts two threads; `answers` is called on them. States are named with
    /// `tree_key`, that of the node's machine.
    ///
    /// # Errors
    /// `Engine`.
    pub fn fjall(
        directory: AdoptedDirectory,
        options: FjallOptions,
        tree_key: TreeKey,
        answers: Answers,
    ) -> Result<Storage, OpenError> {
        let fjall = Fjall::open(directory, options, tree_key, answers)?;
        Ok(Storage { engine: Engine::Fjall(fjall) })
    }

    /// Runs an operation. What is known at once is added to `answered`; the rest comes later,
    /// after [`flush`](Storage::flush).
    pub fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        match &mut self.engine {
            Engine::Memory(memory) => memory.submit(ticket, op, answered),
            Engine::Fjall(fjall) => fjall.submit(ticket, op, answered),
        }
    }

    /// Hands what was submitted to the threads of the engine: once per turn of the driver.
    pub fn flush(&mut self) {
        match &mut self.engine {
            Engine::Memory(_) => {}
            Engine::Fjall(fjall) => fjall.flush(),
        }
    }

    /// The name of the engine.
    pub fn name(&self) -> &'static str {
        match &self.engine {
            Engine::Memory(_) => "memory",
            Engine::Fjall(_) => "fjall",
        }
    }

    /// How many records there are, as far as the engine knows without counting.
    pub fn records(&self) -> u64 {
        match &self.engine {
            Engine::Memory(memory) => memory.records(),
            Engine::Fjall(fjall) => fjall.records(),
        }
    }

    /// Whether it answers anything but `Failed`.
    pub fn is_healthy(&self) -> bool {
        match &self.engine {
            Engine::Memory(_) => true,
            Engine::Fjall(fjall) => fjall.is_healthy(),
        }
    }

    /// Whether what it holds is there when the process starts again.
    pub fn outlives_the_process(&self) -> bool {
        match &self.engine {
            Engine::Memory(_) => false,
            Engine::Fjall(_) => true,
        }
    }

    /// What the last stop gave to [`close_with_trees`](Storage::close_with_trees): once, and only
    /// where nothing was opened or written since.
    pub fn take_trees(&mut self) -> Option<Bytes> {
        match &mut self.engine {
            Engine::Memory(_) => None,
            Engine::Fjall(fjall) => fjall.take_trees(),
        }
    }

    /// Finishes what was submitted, syncs, and ends the threads. False where that failed.
    #[must_use]
    pub fn close(self) -> bool {
        match self.engine {
            Engine::Memory(_) => true,
            Engine::Fjall(fjall) => fjall.close(None),
        }
    }

    /// The same, and saves `trees` of all that is stored for the next start: synced behind
    /// everything else, and not where an operation has failed since the storage was opened.
    #[must_use]
    pub fn close_with_trees(self, trees: &[u8]) -> bool {
        match self.engine {
            Engine::Memory(_) => true,
            Engine::Fjall(fjall) => fjall.close(Some(trees)),
        }
    }
}

/// Where a record lies in an engine: the position of its key and the key itself, so that a slot is
/// one range, and its records stand in the order of the ring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RecordKey(Bytes);

impl RecordKey {
    fn of(key: &Key) -> RecordKey {
        let key = key.as_bytes();
        let position = Position::of(key).to_be_bytes();
        let mut bytes = BytesMut::with_capacity(position.len() + key.len());
        bytes.put_slice(&position);
        bytes.put_slice(key);
        RecordKey(bytes.freeze())
    }

    /// Not behind any key of this position.
    fn first_at(position: Position) -> RecordKey {
        RecordKey(Bytes::copy_from_slice(&position.to_be_bytes()))
    }

    /// The position and the key; `None` for bytes that no key has as its place.
    fn parts(&self) -> Option<(Position, Key)> {
        let (position, key) = self.0.split_first_chunk()?;
        let position = Position(u128::from_be_bytes(*position));
        Some((position, Key(self.0.slice_ref(key))))
    }
}

/// The first answer to an `Apply` that went well.
fn applied_outcome(
    applied: Applied,
    op: &RecordOp,
    held: &Held,
    hint: Option<HintChange>,
    state: Option<StateChange>,
) -> StoreOutcome {
    let record = match op {
        RecordOp::Write(_) => Some(held.record().clone()),
        RecordOp::Merge(_) => None,
    };
    StoreOutcome::Applied { applied, record, hint, state }
}

/// The answer of an operation that the storage cannot vouch for.
fn failed(ticket: Ticket, error: StoreError) -> Answer {
    (ticket, StoreOutcome::Failed(error))
}

#[cfg(test)]
mod tests;
