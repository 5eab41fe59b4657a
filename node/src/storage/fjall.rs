//! The engine on a disk: opening it, and the way to its threads.
//!
//! One thread writes, one reads. Two writers are slower than one, and a read never waits behind a
//! sync. The engine's own journal is never synced by itself; the writer does it once per turn.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fmt, io, mem};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, UserValue};
use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::machine::{StoreError, StoreOp, StoreOutcome, Ticket};

use super::cache::RecordCache;
use super::identity::{Identity, OpenError};
use super::reader::{ReadJob, Reader};
use super::writer::{WriteJob, Writer};
use super::{Answer, Answers, RecordKey, failed};
use crate::mailbox::lock;

/// Raised when a directory of the former version can no longer be read.
const FORMAT: &[u8] = b"quorate 1";

/// Background threads of the engine. Its flushes compete with us for the cores; one alone could
/// leave a flush waiting behind a compaction.
const WORKER_THREADS: usize = 2;

/// A file that the engine puts into each of its directories.
const ENGINE_MARKER: &str = "version";

/// What it takes to open a directory.
#[derive(Clone, Debug)]
pub struct FjallOptions {
    /// Where the data is; made where it does not exist.
    pub directory: PathBuf,
    /// Whose data it is.
    pub identity: Identity,
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
}

/// What the threads and the driver see.
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) records: Keyspace,
    pub(super) cache: Mutex<RecordCache>,
    /// Set by the first commit or sync that failed, and never taken back.
    pub(super) failed: AtomicBool,
    /// An estimate: the engine counts rewritten records twice until it compacts them.
    pub(super) record_count: AtomicU64,
    pub(super) answers: Answers,
}

impl Fjall {
    pub(super) fn open(options: FjallOptions, answers: Answers) -> Result<Fjall, OpenError> {
        let FjallOptions { directory, identity, durability, cache_bytes } = options;
        let engine_error = |reason: &dyn fmt::Display| OpenError::Engine {
            directory: directory.clone(),
            reason: reason.to_string(),
        };
        refuse_other_files(&directory)
            .map_err(|error| engine_error(&error))?
            .map_or(Ok(()), Err)?;
        let opened = Database::builder(&directory)
            .manual_journal_persist(true)
            .worker_threads(WORKER_THREADS)
            .open();
        let database = match opened {
            Ok(database) => database,
            Err(fjall::Error::Locked) => return Err(OpenError::InUse { directory }),
            Err(error) => return Err(engine_error(&error)),
        };
        check_identity(&database, &directory, identity)?;
        let records = database
            .keyspace("records", KeyspaceCreateOptions::default)
            .map_err(|error| engine_error(&error))?;
        let record_count = AtomicU64::new(records.approximate_len() as u64);
        let shared = Arc::new(Shared {
            database,
            records,
            cache: Mutex::new(RecordCache::new(cache_bytes)),
            failed: AtomicBool::new(false),
            record_count,
            answers,
        });
        Fjall::start(shared, durability).map_err(|error| engine_error(&error))
    }

    fn start(shared: Arc<Shared>, durability: Durability) -> io::Result<Fjall> {
        let (writes, write_jobs) = mpsc::channel();
        let (reads, read_jobs) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), durability, write_jobs);
        let reader = Reader::new(Arc::clone(&shared), read_jobs);
        let threads = [
            thread::Builder::new().name("store-write".into()).spawn(move || writer.run())?,
            thread::Builder::new().name("store-read".into()).spawn(move || reader.run())?,
        ];
        let (next_writes, next_reads) = (Vec::new(), Vec::new());
        Ok(Fjall { shared, writes, reads, threads, next_writes, next_reads })
    }

    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        if !self.is_healthy() {
            answered.push(failed(ticket, StoreError::Io));
            return;
        }
        match op {
            StoreOp::Apply { key, op } => {
                self.next_writes.push(WriteJob { ticket, key: RecordKey::of(&key), op });
            }
            StoreOp::Read { key } => {
                let key = RecordKey::of(&key);
                let mut cache = lock(&self.shared.cache);
                match cache.get(&key) {
                    Some(held) => {
                        let record = Some(held.record().clone());
                        answered.push((ticket, StoreOutcome::Read { record }));
                    }
                    None => {
                        let epoch = cache.epoch(&key);
                        self.next_reads.push(ReadJob { ticket, key, epoch });
                    }
                }
            }
        }
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
            (self.shared.answers)(answers.collect());
        }
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

    pub(super) fn close(mut self) -> bool {
        self.flush();
        let Fjall { shared, writes, reads, threads, .. } = self;
        drop((writes, reads));
        let ended = threads.map(|thread| thread.join().is_ok());
        let synced = shared.sync(PersistMode::SyncAll);
        ended == [true, true] && synced
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

/// A directory with files in it that are not the engine's is somebody else's.
fn refuse_other_files(directory: &Path) -> io::Result<Option<OpenError>> {
    if !directory.try_exists()? || directory.join(ENGINE_MARKER).try_exists()? {
        return Ok(None);
    }
    let empty = directory.read_dir()?.next().is_none();
    Ok((!empty).then(|| OpenError::NotEmpty { directory: directory.to_owned() }))
}

/// Writes the identity into a new directory; refuses one of another identity or format.
fn check_identity(
    database: &Database,
    directory: &Path,
    wanted: Identity,
) -> Result<(), OpenError> {
    let engine_error = |error: fjall::Error| OpenError::Engine {
        directory: directory.to_owned(),
        reason: error.to_string(),
    };
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(engine_error)?;
    let Some(format) = meta.get("format").map_err(engine_error)? else {
        let mut batch = database.batch();
        batch.insert(&meta, "format", FORMAT);
        batch.insert(&meta, "cluster", wanted.cluster.0.to_be_bytes());
        batch.insert(&meta, "node", wanted.node.0.to_be_bytes());
        batch.commit().map_err(engine_error)?;
        return database.persist(PersistMode::SyncAll).map_err(engine_error);
    };
    let number = |name: &str| -> Result<Option<u64>, OpenError> {
        Ok(meta.get(name).map_err(engine_error)?.and_then(as_number))
    };
    let parts = (number("cluster")?, number("node")?);
    let (true, (Some(cluster), Some(node))) = (&*format == FORMAT, parts) else {
        let found = String::from_utf8_lossy(&format).into_owned();
        return Err(OpenError::Format { directory: directory.to_owned(), found });
    };
    let found = Identity { cluster: ClusterId(cluster), node: NodeId(node) };
    if found != wanted {
        return Err(OpenError::Foreign { directory: directory.to_owned(), found, wanted });
    }
    Ok(())
}

fn as_number(value: UserValue) -> Option<u64> {
    value.as_ref().try_into().ok().map(u64::from_be_bytes)
}
