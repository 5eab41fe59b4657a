//! Carries out the [`StoreOp`]s of the core: one small executor over two engines.
//!
//! ```text
//!   driver --submit--> cache hit, memory engine ------------------> answer at once
//!             |  flush, once per turn
//!             |    loader: what the writer will look up, while it is in a turn
//!             +--> writer: load, Held::apply, one batch, commit --> Applied, Removed, HintRemoved
//!             |      syncer: one sync for all that is committed --> Durable
//!             |                             writer, synced, too --> Confirmed
//!             |                                           states -> StatesScanned
//!             +--> readers: what the cache does not hold, hints ---> Read, HintsFound, RecordsScanned
//! ```
//!
//! Invariant: a read error is `Failed`, never an absence; after a failed commit or sync everything
//! answers `Failed` until the store is opened again (DESIGN.md §13).

mod identity;

mod about;

mod atomic_file;

mod aside;

mod layout_file;

mod mark;

mod directory;

mod meta;

mod engine;

mod journal;

mod failure;

mod opening;

mod own_copy;

mod hints;

mod scan;

mod memory;

mod cache;

mod fjall;

mod space;

mod watchdog;

mod turn;

mod writer;

mod syncer;

mod reader;

mod loader;

mod threads;

pub mod offline;

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::causality::{Applied, Held, RecordOp};
use quorate_core::ids::{DurableMark, Incarnation, Key};
use quorate_core::machine::{
    Found, HintChange, StateChange, StoreError, StoreOp, StoreOutcome, Ticket,
};
use quorate_core::merkle::TreeKey;
use quorate_core::ring::Position;

pub use self::aside::Aside;
pub use self::directory::{AdoptedDirectory, Directory};
pub use self::engine::EngineOptions;
pub use self::fjall::{Durability, FjallOptions};
pub use self::identity::{Identity, OpenError, Settings};
pub use self::journal::{Cut, JournalState, Mended, Scan};

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
    Fjall(Box<Fjall>),
}

impl Storage {
    /// Storage that ends with the process: for tests and for trying things out. States are named
    /// with `tree_key`, that of the node's machine.
    pub fn memory(tree_key: TreeKey) -> Storage {
        Storage { engine: Engine::Memory(Memory::new(tree_key)) }
    }

    /// Storage on a disk. Sets a store that is damaged aside, and begins with an empty one. Starts
    /// some threads; `answers` is called on them. States are named with `tree_key`, that of the node's
    /// machine. One at a time may be open on a directory.
    ///
    /// # Errors
    /// `InUse`, `Engine`.
    pub fn fjall(
        directory: &AdoptedDirectory,
        options: FjallOptions,
        tree_key: TreeKey,
        answers: Answers,
    ) -> Result<Storage, OpenError> {
        let fjall = Fjall::open(directory, options, tree_key, answers)?;
        Ok(Storage { engine: Engine::Fjall(Box::new(fjall)) })
    }

    /// What was there when it was opened. Of a memory: nothing, and nothing is known to be lost.
    pub fn found(&self) -> Found {
        match &self.engine {
            Engine::Memory(_) => Found::default(),
            Engine::Fjall(fjall) => fjall.found().clone(),
        }
    }

    /// The number of the last commit that is synced; of a memory, of the last change.
    pub fn synced_mark(&self) -> DurableMark {
        match &self.engine {
            Engine::Memory(memory) => memory.mark(),
            Engine::Fjall(fjall) => fjall.synced_mark(),
        }
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

    /// Whether it can be used.
    pub fn health(&self) -> Health {
        match &self.engine {
            Engine::Memory(_) => Health::Sound,
            Engine::Fjall(fjall) => fjall.health(),
        }
    }

    /// Whether it answers anything but `Failed`.
    pub fn is_healthy(&self) -> bool {
        self.health() == Health::Sound
    }

    /// What a failed sync, or a table that cannot be read, leaves behind.
    #[cfg(test)]
    pub(crate) fn break_down(&self, health: Health) {
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::Fjall(fjall) => fjall.break_down(health),
        }
    }

    /// How it is with the disk; `None` of a memory.
    pub fn gauges(&self) -> Option<DiskGauges> {
        match &self.engine {
            Engine::Memory(_) => None,
            Engine::Fjall(fjall) => Some(fjall.gauges()),
        }
    }

    /// Whether what it holds is there when the process starts again.
    pub fn outlives_the_process(&self) -> bool {
        match &self.engine {
            Engine::Memory(_) => false,
            Engine::Fjall(_) => true,
        }
    }

    /// The trees that the last stop gave to [`stop`](Storage::stop): once, and only where nothing was
    /// opened or written since.
    pub fn take_trees(&mut self) -> Option<Bytes> {
        match &mut self.engine {
            Engine::Memory(_) => None,
            Engine::Fjall(fjall) => fjall.take_trees(),
        }
    }

    /// Finishes what was submitted, syncs, and ends the threads. False where that failed.
    #[must_use]
    pub fn close(self) -> bool {
        self.end(None)
    }

    /// The same, and saves for the next start that this was a clean stop: synced behind everything
    /// else, and not where it is unknown what became of an operation since the storage was opened.
    #[must_use]
    pub fn stop(self, stop: CleanStop<'_>) -> bool {
        self.end(Some(stop))
    }

    fn end(self, stop: Option<CleanStop<'_>>) -> bool {
        match self.engine {
            Engine::Memory(_) => true,
            Engine::Fjall(fjall) => fjall.close(stop),
        }
    }
}

/// What a clean stop leaves for the next start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanStop<'a> {
    /// The lives whose actors the next life may continue.
    pub lives: Vec<Incarnation>,
    /// The trees of all that is stored, where they are certain. Not saved where anything that is
    /// stored could not be read.
    pub trees: Option<&'a [u8]>,
}

/// Whether a storage can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Sound,
    /// A commit or a sync failed: everything is answered `Failed`. Opened again, it may be sound.
    Failed,
    /// The same, since a part of what is stored can never be read again: it is to be set aside.
    Damaged,
}

/// How it is with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskGauges {
    /// Bytes that were free when they were looked at last.
    pub free_bytes: u64,
    /// Whether what makes the data larger is refused, for want of room.
    pub is_full: bool,
    /// Turns of a storage thread that took longer than 10 s.
    pub stalls: u64,
    /// Whole seconds that they took beyond that.
    pub stalled_seconds: u64,
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
pub(crate) mod tests;
