//! The engine of a store, opened: and whether one that does not open is damaged.
//!
//! Damage is what will be the same at each further attempt. Whatever may be otherwise after somebody
//! has done something about it is none: a directory in use, missing rights, a full disk, another
//! version of the engine.

use std::io;
use std::path::Path;
use std::thread;

use fjall::config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, LsmError};

use super::directory::ENGINE_MARKER;
use super::meta::{Meta, MetaError};

/// Background threads of the engine. Its flushes compete with us for the cores; one alone could
/// leave a flush waiting behind a compaction.
const WORKER_THREADS: usize = 2;

/// Where a store is only looked at: nothing is flushed or compacted then.
const NO_WORKER_THREADS: usize = 0;

pub(super) const RECORDS: &str = "records";

pub(super) const HINTS: &str = "hints";

pub(super) const META: &str = "meta";

/// How much the engine may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Bytes of blocks of tables that it keeps in memory.
    pub block_cache_bytes: u64,
    /// Bytes of a keyspace that it keeps in memory before it makes a table of them. A store keeps
    /// what it was made with.
    pub memtable_bytes: u64,
    /// Bytes of all journals, above which it makes tables sooner. All of them are read at a start.
    pub journal_bytes: u64,
}

impl EngineOptions {
    /// The least of `block_cache_bytes`.
    pub const BLOCK_CACHE_BYTES_MIN: u64 = 1 << 20;

    /// The least of `memtable_bytes`: with less there would be a table for every few writes.
    pub const MEMTABLE_BYTES_MIN: u64 = 1 << 20;

    /// The least of `journal_bytes`: the engine reserves as much for one.
    pub const JOURNAL_BYTES_MIN: u64 = 64 << 20;

    /// Each at least the least.
    fn clamped(self) -> EngineOptions {
        let EngineOptions { block_cache_bytes, memtable_bytes, journal_bytes } = self;
        EngineOptions {
            block_cache_bytes: block_cache_bytes.max(EngineOptions::BLOCK_CACHE_BYTES_MIN),
            memtable_bytes: memtable_bytes.max(EngineOptions::MEMTABLE_BYTES_MIN),
            journal_bytes: journal_bytes.max(EngineOptions::JOURNAL_BYTES_MIN),
        }
    }
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            block_cache_bytes: 32 << 20,
            memtable_bytes: 64 << 20,
            journal_bytes: 128 << 20,
        }
    }
}

/// An open engine with its keyspaces, and what it says of itself.
pub(super) struct Engine {
    pub(super) database: Database,
    pub(super) records: Keyspace,
    pub(super) hints: Keyspace,
    pub(super) meta: Keyspace,
    pub(super) said: Meta,
}

/// An engine that did not open.
#[derive(Debug)]
pub(super) enum EngineError {
    /// It is open already.
    Locked,
    /// Somebody has to do something about it.
    Refused(String),
    /// It will not open, whatever is done.
    Damaged(String),
}

/// Opens the engine of a store, or makes a new one where `store` does not exist.
pub(super) fn open(store: &Path, options: EngineOptions) -> Result<Engine, EngineError> {
    let store = store.to_owned();
    guarded(move || open_now(&store, options.clamped()))
}

/// The same, and reads everything in it once: a part that cannot be read is damage.
pub(super) fn open_and_look_through(
    store: &Path,
    options: EngineOptions,
) -> Result<Engine, EngineError> {
    tracing::warn!("the engine failed by itself: all that is stored is read once");
    let store = store.to_owned();
    guarded(move || {
        let engine = open_now(&store, options.clamped())?;
        for keyspace in [&engine.records, &engine.hints, &engine.meta] {
            for entry in keyspace.iter() {
                if let Err(error) = entry.into_inner()
                    && is_rot(&error)
                {
                    return Err(EngineError::Damaged(error.to_string()));
                }
            }
        }
        Ok(engine)
    })
}

/// Runs what may panic: the engine asserts what damage may have made untrue.
fn guarded<T: Send + 'static>(
    open: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let opening = thread::Builder::new().name("store-open".into()).spawn(open);
    let opening = opening.map_err(|error| EngineError::Refused(error.to_string()))?;
    opening.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(EngineError::Damaged(format!("the engine gave up: {text}")))
    })
}

fn open_now(store: &Path, options: EngineOptions) -> Result<Engine, EngineError> {
    let database = open_database(store, options, WORKER_THREADS)?;
    let keyspace = |name| database.keyspace(name, || keyspace_options(options));
    let (records, hints, meta) = (keyspace(RECORDS)?, keyspace(HINTS)?, keyspace(META)?);
    let said = Meta::read(&meta)?;
    Ok(Engine { database, records, hints, meta, said })
}

fn keyspace_options(options: EngineOptions) -> KeyspaceCreateOptions {
    // A read of what is not there, such as before the first write of a key, must not read tables.
    let young = FilterPolicyEntry::Bloom(BloomConstructionPolicy::FalsePositiveRate(0.0001));
    let old = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0));
    KeyspaceCreateOptions::default()
        .max_memtable_size(options.memtable_bytes)
        .filter_policy(FilterPolicy::new([young, old]))
        // The filter of a table is one block of some 600 KB. Where it has to compete for the block
        // cache, most reads among some million records load such a block.
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .index_block_pinning_policy(PinningPolicy::all(true))
}

/// Opens the engine to look at what is in it; `None` where there is no store.
pub(super) fn open_to_read(store: &Path) -> Result<Option<Database>, EngineError> {
    match store.try_exists() {
        Ok(true) => {
            let store = store.to_owned();
            let options = EngineOptions::default();
            guarded(move || open_database(&store, options, NO_WORKER_THREADS).map(Some))
        }
        Ok(false) => Ok(None),
        Err(error) => Err(fjall::Error::from(error).into()),
    }
}

/// A keyspace of an engine that is only looked at; `None` where it was never made.
pub(super) fn existing(database: &Database, name: &str) -> fjall::Result<Option<Keyspace>> {
    let there = database.keyspace_exists(name);
    there.then(|| database.keyspace(name, KeyspaceCreateOptions::default)).transpose()
}

fn open_database(
    store: &Path,
    options: EngineOptions,
    worker_threads: usize,
) -> Result<Database, EngineError> {
    let is_new = match store.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(fjall::Error::from(error).into()),
    };
    // Without it the engine would begin anew on top of what is there.
    if !is_new && !store.join(ENGINE_MARKER).try_exists().map_err(fjall::Error::from)? {
        return Err(EngineError::Damaged(format!("its file {ENGINE_MARKER:?} is missing")));
    }
    let opened = Database::builder(store)
        .manual_journal_persist(true)
        .cache_size(options.block_cache_bytes)
        .max_journaling_size(options.journal_bytes)
        // Of what it compresses, it compares checksums after compressing it once more at each start:
        // another release of the library that compresses otherwise would make a whole journal broken.
        .journal_compression(CompressionType::None)
        .worker_threads_unchecked(worker_threads)
        .open();
    Ok(opened?)
}

impl From<fjall::Error> for EngineError {
    fn from(error: fjall::Error) -> EngineError {
        let reason = error.to_string();
        match is_damage(&error) {
            _ if matches!(error, fjall::Error::Locked) => EngineError::Locked,
            true => EngineError::Damaged(reason),
            false => EngineError::Refused(reason),
        }
    }
}

impl From<MetaError> for EngineError {
    fn from(error: MetaError) -> EngineError {
        match error {
            MetaError::Engine(error) => error.into(),
            MetaError::Damaged(part) => {
                EngineError::Damaged(format!("what it keeps as its {part} does not decode"))
            }
        }
    }
}

/// Whether an engine that refuses to open with this error will always do so.
fn is_damage(error: &fjall::Error) -> bool {
    if let Some(error) = io_error(error) {
        return !is_circumstance(error);
    }
    // The engine has met an error of the device, or is one of another version.
    !matches!(error, fjall::Error::Poisoned | fjall::Error::InvalidVersion(Some(_)))
}

fn io_error(error: &fjall::Error) -> Option<&io::Error> {
    if let fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) = error {
        return Some(error);
    }
    None
}

/// What may be otherwise the next time, or after somebody has done something about it.
fn is_circumstance(error: &io::Error) -> bool {
    /// Too many open files: in this process, and in all.
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::PermissionDenied,
        Kind::ReadOnlyFilesystem,
        Kind::StorageFull,
        Kind::QuotaExceeded,
        Kind::OutOfMemory,
        Kind::Interrupted,
        Kind::ResourceBusy,
        Kind::WouldBlock,
        Kind::TimedOut,
    ];
    kinds.contains(&error.kind()) || matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Whether a read met bytes that are not what was once written: it will do so each time.
pub(super) fn is_rot(error: &fjall::Error) -> bool {
    use fjall::Error as Wrong;
    if let Some(error) = io_error(error) {
        return matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData);
    }
    matches!(
        error,
        Wrong::Storage(_)
            | Wrong::Decompress(_)
            | Wrong::InvalidTrailer
            | Wrong::InvalidTag(_)
            | Wrong::Unrecoverable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_otherwise_the_next_time_is_no_damage() {
        let io = |code| fjall::Error::Io(io::Error::from_raw_os_error(code));
        let in_table =
            |code| fjall::Error::Storage(LsmError::Io(io::Error::from_raw_os_error(code)));
        // EPERM, EACCES, EROFS, ENOSPC, EDQUOT, ENOMEM, EINTR, EBUSY, ENFILE, EMFILE.
        for code in [1, 13, 30, 28, 122, 12, 4, 16, 23, 24] {
            assert!(!is_damage(&io(code)) && !is_damage(&in_table(code)), "{code}");
        }
        assert!(!is_damage(&fjall::Error::Poisoned));
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let damage = [
            // ENOENT, EIO.
            io(2),
            in_table(5),
            fjall::Error::Io(end()),
            fjall::Error::Unrecoverable,
            fjall::Error::InvalidVersion(None),
            fjall::Error::Storage(LsmError::InvalidHeader("a block")),
        ];
        for error in damage {
            assert!(is_damage(&error), "{error:?}");
        }
    }

    #[test]
    fn only_bytes_that_changed_are_rot() {
        let of_table = fjall::Error::Storage;
        assert!(is_rot(&of_table(LsmError::InvalidTrailer)));
        assert!(is_rot(&of_table(LsmError::Io(io::ErrorKind::UnexpectedEof.into()))));
        // EIO, ENOSPC: the device may answer the next time.
        for code in [5, 28] {
            assert!(!is_rot(&of_table(LsmError::Io(io::Error::from_raw_os_error(code)))));
        }
        assert!(!is_rot(&fjall::Error::Poisoned) && !is_rot(&fjall::Error::Locked));
    }

    #[test]
    fn an_engine_that_panics_is_damaged() {
        let opened: Result<(), _> = guarded(|| panic!("page {} is odd", 7));
        match opened {
            Err(EngineError::Damaged(reason)) => assert!(reason.ends_with("page 7 is odd")),
            other => panic!("{other:?}"),
        }
    }
}
