//! The engine on a disk: starting it, and the way to its threads.
//!
//! The engine's own journal is never synced by itself; the writer does it once per turn.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::{fmt, mem};

use bytes::Bytes;
use fjall::{Database, Keyspace, PersistMode};
use quorate_core::ids::{DurableMark, Incarnation, NodeId, Remembered};
use quorate_core::machine::{Found, HeldAs, StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;

use super::cache::RecordCache;
use super::directory::{AdoptedDirectory, io_error};
use super::engine::{Engine, EngineOptions, is_rot};
use super::failure::{self, Failure};
use super::identity::OpenError;
use super::mark::Marks;
use super::meta::{self, Committed, LIVES, MARK, PEERS, Past, TREES};
use super::opening::{self, Opened};
use super::reader::{ReadJob, ReadOp};
use super::space::{Room, SpaceGauge, SpaceSource, default_reserve, space_of};
use super::threads::Threads;
use super::turn::WriteOp;
use super::watchdog::{Doing, Stalls};
use super::writer::{StateScan, WriteJob, WriterOp};
use super::{Answer, Answers, CleanStop, DiskGauges, Health, RecordKey, failed};
use crate::clock::Clock;
use crate::mailbox::lock;

/// How a directory is used.
#[derive(Clone, Copy, Debug)]
pub struct FjallOptions {
    /// When a write counts as stored.
    pub durability: Durability,
    /// Bytes of records kept in memory above the engine.
    pub cache_bytes: usize,
    /// How much the engine may take.
    pub engine: EngineOptions,
    /// Bytes of the disk that are left to the engine: with less, what makes the data larger is
    /// refused. At most a quarter of the file system. `None`: as much as the engine may need to go
    /// on by itself.
    pub reserve_bytes: Option<u64>,
    /// The life of the node that writes.
    pub life: Incarnation,
}

impl Default for FjallOptions {
    fn default() -> FjallOptions {
        FjallOptions {
            durability: Durability::default(),
            cache_bytes: 64 << 20,
            engine: EngineOptions::default(),
            reserve_bytes: None,
            life: Incarnation::default(),
        }
    }
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

/// A smaller cache would drop what is loaded for the writer before the writer comes to it.
const LOAD_CACHE_BYTES_MIN: usize = 1 << 20;

/// An idle writer comes to so many records as soon as they could be loaded for it.
const LOADED_BY_WRITER: usize = 8;

/// The engine, its threads, and what is to be handed to them at the end of the turn.
pub(super) struct Fjall {
    shared: Arc<Shared>,
    threads: Threads,
    loads_ahead: bool,
    next_writes: Vec<WriteJob>,
    next_reads: Vec<ReadJob>,
    found: Found,
    /// What the last stop saved, and the directory has no more.
    trees: Option<Bytes>,
}

/// What the threads and the driver see.
pub(super) struct Shared {
    /// The data directory, which holds more than the engine's.
    pub(super) path: PathBuf,
    /// Keeps everybody else out of it.
    _lock: Arc<File>,
    pub(super) database: Database,
    pub(super) records: Keyspace,
    pub(super) hints: Keyspace,
    pub(super) meta: Keyspace,
    pub(super) cache: Mutex<RecordCache>,
    pub(super) tree_key: TreeKey,
    pub(super) marks: Marks,
    /// Held by who syncs.
    syncing: Mutex<()>,
    /// Who has written. Only the writer changes it.
    past: Mutex<Past>,
    /// What the node remembers of others and waits for a commit; `None`: that was stored, or nothing
    /// was said.
    peers: Mutex<Option<Vec<(NodeId, Remembered)>>>,
    /// Set by the first commit or sync that failed, and never taken back.
    failed: AtomicBool,
    /// Set where the engine met bytes that are not what it once wrote. Implies `failed`.
    damaged: AtomicBool,
    /// Whether any operation was answered `Failed` for another reason than one record's: it may have
    /// been done or not.
    uncertain: AtomicBool,
    /// Whether any operation was answered `Failed`: something may be stored that cannot be read, and
    /// to find it the records are to be counted again.
    doubtful: AtomicBool,
    /// An estimate: at the start the engine counts rewritten records twice, and removed ones, until
    /// it compacts them.
    pub(super) record_count: AtomicU64,
    space: Arc<SpaceGauge>,
    /// What the writer does.
    pub(super) writing: Arc<Doing>,
    stalls: Arc<Stalls>,
    answers: Answers,
}

impl Fjall {
    pub(super) fn open(
        directory: &AdoptedDirectory,
        options: FjallOptions,
        tree_key: TreeKey,
        answers: Answers,
    ) -> Result<Fjall, OpenError> {
        Fjall::open_in(space_of(directory.path()), directory, options, tree_key, answers)
    }

    /// The same, with a file system that `space` tells of.
    pub(super) fn open_in(
        space: SpaceSource,
        directory: &AdoptedDirectory,
        options: FjallOptions,
        tree_key: TreeKey,
        answers: Answers,
    ) -> Result<Fjall, OpenError> {
        let FjallOptions { durability, cache_bytes, engine, reserve_bytes, life } = options;
        let reserve = reserve_bytes.unwrap_or_else(|| default_reserve(&engine));
        let opened = opening::open(directory, engine, life)?;
        let Opened { engine, found, past, trees, mark, mark_file } = opened;
        let Engine { database, records, hints, meta, .. } = engine;
        let record_count = AtomicU64::new(records.approximate_len() as u64);
        let shared = Arc::new(Shared {
            path: directory.path().to_owned(),
            _lock: directory.lock(),
            database,
            records,
            hints,
            meta,
            cache: Mutex::new(RecordCache::new(cache_bytes)),
            tree_key,
            marks: Marks::new(mark, mark_file),
            syncing: Mutex::default(),
            past: Mutex::new(past),
            peers: Mutex::default(),
            failed: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            uncertain: AtomicBool::new(false),
            doubtful: AtomicBool::new(false),
            record_count,
            space: Arc::default(),
            writing: Arc::new(Doing::new("store-write")),
            stalls: Arc::default(),
            answers,
        });
        let room = Room::new(space, reserve, Arc::clone(&shared.space));
        let threads = Threads::start(&shared, durability, room);
        let threads = threads.map_err(|error| io_error(directory.path(), &error))?;
        let loads_ahead = cache_bytes >= LOAD_CACHE_BYTES_MIN;
        let (next_writes, next_reads) = (Vec::new(), Vec::new());
        Ok(Fjall { shared, threads, loads_ahead, next_writes, next_reads, found, trees })
    }

    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        match op {
            StoreOp::Remember(peers) => *lock(&self.shared.peers) = Some(peers),
            _ if self.shared.has_failed() => answered.push(failed(ticket, StoreError::Io)),
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
            StoreOp::SaveLayouts(layouts) => {
                self.next_writes.push(WriteJob { ticket, op: WriterOp::SaveLayouts(layouts) });
            }
            StoreOp::SaveStanding { standing, above, discard } => {
                self.write(ticket, WriteOp::SaveStanding { standing, above, discard });
            }
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
        drop(cache);
        self.read_engine(ticket, ReadOp::Record { key });
        None
    }

    pub(super) fn flush(&mut self) {
        // A thread that is gone has panicked; what it was to answer is answered here.
        let mut lost = Vec::new();
        if !self.next_writes.is_empty() {
            self.load_ahead();
            lost.extend(self.threads.write(mem::take(&mut self.next_writes)).err());
        }
        if !self.next_reads.is_empty() {
            lost.extend(self.threads.read(mem::take(&mut self.next_reads)).err());
        }
        if !lost.is_empty() {
            self.shared.fail(Failure::ByItself, "a storage thread is gone");
            let answers =
                lost.concat().into_iter().map(|ticket| failed(ticket, StoreError::Closed));
            self.shared.answer(answers.collect());
        }
    }

    /// Has loaded what the writer will not come to at once.
    fn load_ahead(&self) {
        if !self.loads_ahead {
            return;
        }
        let at_once = if self.shared.writing.is_under_way() { 0 } else { LOADED_BY_WRITER };
        if self.next_writes.len() <= at_once {
            return;
        }
        let cache = lock(&self.shared.cache);
        let waiting = self.next_writes.iter().skip(at_once).filter_map(WriteJob::record);
        let keys = waiting.filter(|key| !cache.holds(key)).cloned().collect();
        drop(cache);
        self.threads.load(keys);
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    pub(super) fn synced_mark(&self) -> DurableMark {
        self.shared.marks.synced()
    }

    pub(super) fn take_trees(&mut self) -> Option<Bytes> {
        self.trees.take()
    }

    pub(super) fn records(&self) -> u64 {
        self.shared.record_count.load(Ordering::Relaxed)
    }

    pub(super) fn gauges(&self) -> DiskGauges {
        let Shared { space, stalls, .. } = &*self.shared;
        DiskGauges {
            free_bytes: space.free(),
            is_full: space.is_full(),
            stalls: stalls.count(),
            stalled_seconds: stalls.seconds(),
        }
    }

    pub(super) fn health(&self) -> Health {
        match self.shared.has_failed() {
            _ if self.shared.damaged.load(Ordering::Acquire) => Health::Damaged,
            true => Health::Failed,
            false => Health::Sound,
        }
    }

    /// What a failed sync, or a table that cannot be read, leaves behind.
    #[cfg(test)]
    pub(super) fn break_down(&self, health: Health) {
        self.shared.damaged.store(health == Health::Damaged, Ordering::Release);
        if health != Health::Sound {
            self.shared.fail(Failure::Device, "a test");
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(super) fn close(mut self, stop: Option<CleanStop<'_>>) -> bool {
        self.flush();
        let Fjall { shared, threads, .. } = self;
        let ended = threads.join();
        let closed = shared.sync(PersistMode::SyncAll) && ended;
        if let Some(stop) = stop.filter(|_| closed) {
            shared.save_stop(&stop);
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
        for (_, outcome) in &answers {
            if let StoreOutcome::Failed(error) = outcome {
                self.doubtful.store(true, Ordering::Release);
                let of_one_record = matches!(error, StoreError::Damaged | StoreError::Full);
                self.uncertain.fetch_or(!of_one_record, Ordering::AcqRel);
            }
        }
        (self.answers)(answers);
    }

    /// What a read of the engine that failed is answered with. One that met rot ends the storage:
    /// the engine would meet it again at each read of the same block, and when it compacts.
    pub(super) fn on_read_error(&self, error: &fjall::Error) -> StoreError {
        if !is_rot(error) {
            tracing::error!(%error, "the engine could not read");
            return StoreError::Io;
        }
        self.damaged.store(true, Ordering::Release);
        self.fail(Failure::ByItself, &format!("a table is damaged: {error}"));
        StoreError::Damaged
    }

    /// What is stored and cannot be read was left out of a scan.
    pub(super) fn note_left_out(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    /// The engine refuses a commit or a sync.
    pub(super) fn fail_with(&self, what: &str, error: &fjall::Error) {
        let failure = match matches!(error, fjall::Error::Poisoned) {
            true => Failure::ByItself,
            false => Failure::Device,
        };
        self.fail(failure, &format!("{what}: {error}"));
    }

    /// From here on everything is answered `Failed`.
    pub(super) fn fail(&self, failure: Failure, reason: &str) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(
                reason,
                "STORAGE FAILED: nothing is acknowledged until the store is opened again; check the \
                 device and the free space"
            );
            failure::note(&self.path, failure);
        }
    }

    /// What others remember is accounted for.
    pub(super) fn account(&self, above: &[Remembered]) -> Past {
        let mut past = lock(&self.past);
        above.iter().for_each(|told| past.before.account(*told));
        past.clone()
    }

    /// What the node remembers of others and is to be stored in the commit that is made.
    pub(super) fn take_peers(&self) -> Option<Vec<(NodeId, Remembered)>> {
        lock(&self.peers).take()
    }

    pub(super) fn stalls(&self) -> Arc<Stalls> {
        Arc::clone(&self.stalls)
    }

    /// Takes in what a commit made and removed. Only the writer does.
    pub(super) fn count_records(&self, made: u64, removed: u64) {
        let before = self.record_count.load(Ordering::Relaxed);
        self.record_count.store((before + made).saturating_sub(removed), Ordering::Relaxed);
    }

    /// Syncs all commits, as far as they are not. False where it failed, now or earlier.
    pub(super) fn sync(&self, mode: PersistMode) -> bool {
        // One after the other: marks only rise.
        let _syncing = lock(&self.syncing);
        if self.has_failed() {
            return false;
        }
        let mark = self.marks.committed();
        if mode == PersistMode::SyncData && mark == self.marks.synced() {
            return true;
        }
        // The engine looks whether it has failed only before it syncs. A sync of its own that fails
        // meanwhile takes the one report of the system for both, so it is asked once more.
        let synced = self.database.persist(mode);
        if let Err(error) = synced.and_then(|()| self.database.persist(PersistMode::Buffer)) {
            self.fail_with("sync", &error);
            return false;
        }
        self.marks.on_sync(mark);
        true
    }

    /// No sync begins before this is dropped.
    #[cfg(test)]
    pub(super) fn hold_syncs(&self) -> std::sync::MutexGuard<'_, ()> {
        lock(&self.syncing)
    }

    /// Saves what a clean stop leaves for the next start, synced, behind everything else. Where that
    /// does not succeed, what was acknowledged is synced all the same.
    fn save_stop(&self, stop: &CleanStop<'_>) {
        let mut batch = self.database.batch();
        if !self.uncertain.load(Ordering::Acquire) {
            batch.insert(&self.meta, LIVES, meta::encode_lives(&stop.lives));
        }
        if let Some(trees) = stop.trees.filter(|_| !self.doubtful.load(Ordering::Acquire)) {
            batch.insert(&self.meta, TREES, trees);
        }
        if let Some(peers) = self.take_peers() {
            batch.insert(&self.meta, PEERS, meta::encode_peers(&peers));
        }
        if batch.is_empty() {
            return;
        }
        let mark = DurableMark(self.marks.committed().0 + 1);
        let committed = Committed { mark, written: Clock::start().now().unix };
        batch.insert(&self.meta, MARK, meta::encode_committed(&committed));
        let saved = batch.commit().and_then(|()| self.database.persist(PersistMode::SyncAll));
        match saved {
            Ok(()) => {
                self.marks.on_commit(mark);
                self.marks.on_sync(mark);
            }
            Err(error) => tracing::warn!(%error, "the clean stop could not be saved"),
        }
    }
}
