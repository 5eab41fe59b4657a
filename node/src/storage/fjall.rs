//! The engine on a disk: starting it, and the way to its threads.
//!
//! One thread writes, one reads. Two writers are slower than one, and a read never waits behind a
//! sync. The engine's own journal is never synced by itself; the writer does it once per turn.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fmt, io, mem};

use bytes::Bytes;
use fjall::{Database, Keyspace, PersistMode};
use quorate_core::machine::{HeldAs, StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;

use super::cache::RecordCache;
use super::directory::{AdoptedDirectory, engine_error, save_trees};
use super::identity::OpenError;
use super::reader::{ReadJob, ReadOp, Reader};
use super::turn::WriteOp;
use super::writer::{StateScan, WriteJob, Writer, WriterOp};
use super::{Answer, Answers, RecordKey, failed};
use crate::mailbox::lock;

/// How a directory is used.
#[derive(Clone, Copy, Debug)]
pub struct FjallOptions {
    /// When a write counts as stored.
    pub durability: Durability,
    /// Bytes of records kept in memory above the engine.
    pub cache_bytes: usize,
}

/// When a write counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once it is synced; writes that arrive together share a sync.
    #[default]
    Group,
    /// At once; a sync follows within 100 ms.
    Periodic,
}

/// The engine, its two threads, and what is to be handed to them at the end of the turn.
pub(super) struct Fjall {
    shared: Arc<Shared>,
    writes: Sender<Vec<WriteJob>>,
    reads: Sender<Vec<ReadJob>>,
    threads: [JoinHandle<()>; 2],
    next_writes: Vec<WriteJob>,
    next_reads: Vec<ReadJob>,
    /// What the last stop saved, and the directory has no more.
    trees: Option<Bytes>,
}

/// What the threads and the driver see.
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) records: Keyspace,
    pub(super) hints: Keyspace,
    pub(super) meta: Keyspace,
    pub(super) cache: Mutex<RecordCache>,
    pub(super) tree_key: TreeKey,
    /// Set by the first commit or sync that failed, and never taken back.
    pub(super) failed: AtomicBool,
    /// Whether any operation was answered `Failed`: something may be stored that cannot be read, and
    /// to find it the records are to be counted again.
    pub(super) doubtful: AtomicBool,
    /// An estimate: at the start the engine counts rewritten records twice, and removed ones, until
    /// it compacts them.
    pub(super) record_count: AtomicU64,
    answers: Answers,
}

impl Fjall {
    pub(super) fn open(
        directory: AdoptedDirectory,
        options: FjallOptions,
        tree_key: TreeKey,
        answers: Answers,
    ) -> Result<Fjall, OpenError> {
        let FjallOptions { durability, cache_bytes } = options;
        let trees = directory.take_trees()?;
        let (records, hints) = (directory.records()?, directory.hints()?);
        let AdoptedDirectory { path, database, meta, .. } = directory;
        let record_count = AtomicU64::new(records.approximate_len() as u64);
        let shared = Arc::new(Shared {
            database,
            records,
            hints,
            meta,
            cache: Mutex::new(RecordCache::new(cache_bytes)),
            tree_key,
            failed: AtomicBool::new(false),
            doubtful: AtomicBool::new(false),
            record_count,
            answers,
        });
        Fjall::start(shared, durability, trees).map_err(|error| engine_error(&path, &error))
    }

    fn start(
        shared: Arc<Shared>,
        durability: Durability,
        trees: Option<Bytes>,
    ) -> io::Result<Fjall> {
        let (writes, write_jobs) = mpsc::channel();
        let (reads, read_jobs) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), durability, write_jobs);
        let reader = Reader::new(Arc::clone(&shared), read_jobs);
        let threads = [
            thread::Builder::new().name("store-write".into()).spawn(move || writer.run())?,
            thread::Builder::new().name("store-read".into()).spawn(move || reader.run())?,
        ];
        let (next_writes, next_reads) = (Vec::new(), Vec::new());
        Ok(Fjall { shared, writes, reads, threads, next_writes, next_reads, trees })
    }

    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        if !self.is_healthy() {
            answered.push(failed(ticket, StoreError::Io));
            return;
        }
        match op {
            StoreOp::Apply { key, copy: HeldAs::Own, op } => {
                self.write(ticket, WriteOp::Apply { key: RecordKey::of(&key), op });
            }
            StoreOp::Apply { key, copy: HeldAs::Hint { target }, op } => {
                self.write(ticket, WriteOp::ApplyHint { target, key, op });
            }
            StoreOp::Remove { key, state } => {
                self.write(ticket, WriteOp::Remove { key: RecordKey::of(&key), state });
            }
            StoreOp::Confirm { keys, hints } => {
                self.write(ticket, WriteOp::Confirm { keys, hints });
            }
            StoreOp::RemoveHint { target, key, digest } => {
                self.write(ticket, WriteOp::RemoveHint { target, key, digest });
            }
            StoreOp::SaveLayout(update) => self.write(ticket, WriteOp::SaveLayout(update)),
            StoreOp::Read { key, hints } if hints.is_empty() => {
                answered.extend(self.read(ticket, RecordKey::of(&key)));
            }
            StoreOp::Read { key, hints } => {
                self.read_engine(ticket, ReadOp::Merged { key, hints });
            }
            StoreOp::FindHints { target, after, bytes_max } => {
                self.read_engine(ticket, ReadOp::FindHints { target, after, bytes_max });
            }
            StoreOp::CountHints => self.read_engine(ticket, ReadOp::CountHints),
            StoreOp::ScanStates { arc, after, count_max } => {
                let scan = StateScan { arc, after, count_max };
                self.next_writes.push(WriteJob { ticket, op: WriterOp::ScanStates(scan) });
            }
            StoreOp::ScanRecords { arc, after, bytes_max } => {
                self.read_engine(ticket, ReadOp::ScanRecords { arc, after, bytes_max });
            }
        }
    }

    fn write(&mut self, ticket: Ticket, op: WriteOp) {
        self.next_writes.push(WriteJob { ticket, op: WriterOp::Change(op) });
    }

    fn read_engine(&mut self, ticket: Ticket, op: ReadOp) {
        self.next_reads.push(ReadJob { ticket, op });
    }

    /// Answers at once what the cache holds.
    fn read(&mut self, ticket: Ticket, key: RecordKey) -> Option<Answer> {
        let mut cache = lock(&self.shared.cache);
        if let Some(copy) = cache.get(&key) {
            let record = copy.record().cloned();
            return Some((ticket, StoreOutcome::Read { record }));
        }
        let epoch = cache.epoch(&key);
        drop(cache);
        self.read_engine(ticket, ReadOp::Record { key, epoch });
        None
    }

    pub(super) fn flush(&mut self) {
        // A thread that is gone has panicked; what it was to answer is answered here.
        let mut lost = Vec::new();
        if !self.next_writes.is_empty() {
            let sent = self.writes.send(mem::take(&mut self.next_writes));
            lost.extend(sent.err().into_iter().flat_map(|jobs| jobs.0).map(|job| job.ticket));
        }
        if !self.next_reads.is_empty() {
            let sent = self.reads.send(mem::take(&mut self.next_reads));
            lost.extend(sent.err().into_iter().flat_map(|jobs| jobs.0).map(|job| job.ticket));
        }
        if !lost.is_empty() {
            self.shared.fail("a storage thread is gone");
            let answers = lost.into_iter().map(|ticket| failed(ticket, StoreError::Closed));
            self.shared.answer(answers.collect());
        }
    }

    pub(super) fn take_trees(&mut self) -> Option<Bytes> {
        self.trees.take()
    }

    pub(super) fn records(&self) -> u64 {
        self.shared.record_count.load(Ordering::Relaxed)
    }

    pub(super) fn is_healthy(&self) -> bool {
        !self.shared.has_failed()
    }

    /// What a failed sync leaves behind.
    #[cfg(test)]
    pub(super) fn break_down(&self) {
        self.shared.fail("a test");
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(super) fn close(mut self, trees: Option<&[u8]>) -> bool {
        self.flush();
        let Fjall { shared, writes, reads, threads, .. } = self;
        drop((writes, reads));
        let ended = threads.map(|thread| thread.join().is_ok());
        let synced = shared.sync(PersistMode::SyncAll);
        let closed = ended == [true, true] && synced;
        let doubtful = shared.doubtful.load(Ordering::Acquire);
        if let Some(trees) = trees.filter(|_| closed && !doubtful)
            && let Err(error) = save_trees(&shared.database, &shared.meta, trees)
        {
            // What was acknowledged is synced all the same.
            tracing::warn!(%error, "the trees could not be saved");
        }
        closed
    }
}

impl fmt::Debug for Fjall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fjall").field("records", &self.records()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn answer(&self, answers: Vec<Answer>) {
        if answers.iter().any(|(_, outcome)| matches!(outcome, StoreOutcome::Failed(_))) {
            self.doubtful.store(true, Ordering::Release);
        }
        (self.answers)(answers);
    }

    /// What is stored and cannot be read was left out of a scan.
    pub(super) fn note_left_out(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    /// From here on everything is answered `Failed`.
    pub(super) fn fail(&self, reason: &str) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(
                reason,
                "STORAGE FAILED: this node acknowledges nothing until it is restarted; check the \
                 device and the free space"
            );
        }
    }

    /// Takes in what a commit made and removed. Only the writer does.
    pub(super) fn count_records(&self, made: u64, removed: u64) {
        let before = self.record_count.load(Ordering::Relaxed);
        self.record_count.store((before + made).saturating_sub(removed), Ordering::Relaxed);
    }

    /// Syncs all commits. False where it failed, now or earlier.
    pub(super) fn sync(&self, mode: PersistMode) -> bool {
        if self.has_failed() {
            return false;
        }
        if let Err(error) = self.database.persist(mode) {
            self.fail(&format!("sync: {error}"));
            return false;
        }
        true
    }
}
