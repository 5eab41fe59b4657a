//! What a power loss or damage left of the engine's journals, and what is made of it before the
//! engine opens them.
//!
//! The engine (fjall 3.1.13, `src/journal/entry.rs` and `writer.rs`) appends each commit as a batch.
//! Numbers are little endian:
//!
//! ```text
//!   start   1, items u32, sequence number u64
//!   item    2, kind of value u8, compression u8, keyspace u64, key length u16,
//!           length of the value u32, bytes that are stored of it u32, key, those bytes
//!   clear   4, keyspace u64
//!   end     3, XXH3-64 of all items and clears u64, "FJL\x03"
//!
//!   N.jnl   batch | batch | .. | batch | zeros, up to 64 MiB from the journal's birth to the next start
//! ```
//!
//! It begins `N + 1.jnl` once a memtable is full, after a sync of all of `N.jnl` (`Writer::rotate`).
//! So only the newest journal may legally end in something that is not whole: pages of what was not
//! synced, some there and some not. In a sealed one that is damage.
//!
//! The engine itself stops reading at the first entry that does not decode, and cuts off the rest
//! without a word; and it refuses to open a journal with a batch that decodes and does not match its
//! checksum. So [`mend`] comes first. Invariant: a journal is cut only where a batch ends, only behind
//! an unbroken row of whole batches, and what is cut off is kept in a file.

mod batch;

mod scan;

mod aside;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub use self::scan::Scan;

pub(super) const EXTENSION: &str = "jnl";

/// What the engine locks while it has a directory open.
pub(super) const LOCK: &str = "lock";

/// One journal of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// Its number: journals are written in this order.
    pub id: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether a newer one was begun: then all of it had been synced.
    pub sealed: bool,
    /// How much of it is whole.
    pub scan: Scan,
}

/// A journal that was cut behind its whole batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// The newest one. A power loss may leave that; what was synced is lost only if it was damage,
    /// which the journal cannot tell.
    Tail(Cut),
    /// A sealed one: damage. What the node had promised to keep is missing.
    Damaged(Cut),
}

/// What was cut off a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The journal as it was found.
    pub journal: JournalState,
    /// The file that holds what was cut off.
    pub kept_in: PathBuf,
}

/// Cuts the journals of the engine's directory `store` where their whole batches end, and keeps what
/// it cuts off in files in `keep`. A directory that is open already is left as it is.
///
/// Afterwards nothing in a journal tells that it was damaged, so `damaged` is called with all sealed
/// ones that are, before the first cut: to write down that data is missing.
///
/// # Errors
/// What the file system or `damaged` says. Each journal is then either as it was or mended.
pub(super) fn mend(
    store: &Path,
    keep: &Path,
    damaged: impl FnOnce(&[&JournalState]) -> io::Result<()>,
) -> io::Result<Vec<Mended>> {
    let Some(_lock) = lock(store)? else { return Ok(Vec::new()) };
    let mut journals = look(store)?;
    journals.retain(|journal| !journal.scan.is_whole());
    let sealed: Vec<&JournalState> = journals.iter().filter(|journal| journal.sealed).collect();
    if !sealed.is_empty() {
        damaged(&sealed)?;
    }
    journals.into_iter().map(|journal| cut(journal, keep)).collect()
}

fn cut(journal: JournalState, keep: &Path) -> io::Result<Mended> {
    let kept_in = aside::keep(&journal, keep)?;
    let file = OpenOptions::new().write(true).open(&journal.path)?;
    file.set_len(journal.scan.whole_until)?;
    file.sync_all()?;
    tracing::warn!(
        journal = %journal.path.display(),
        sealed = journal.sealed,
        scan = ?journal.scan,
        kept_in = %kept_in.display(),
        "a journal was not whole, and was cut behind its whole batches"
    );
    let sealed = journal.sealed;
    let cut = Cut { journal, kept_in };
    Ok(if sealed { Mended::Damaged(cut) } else { Mended::Tail(cut) })
}

/// The journals of the engine's directory `store`, the oldest first. Changes nothing; what it says of
/// a directory that is in use may be wrong.
///
/// # Errors
/// What the file system says.
pub(super) fn look(store: &Path) -> io::Result<Vec<JournalState>> {
    let journals = journals(store)?;
    let newest = journals.last().map(|(id, _)| *id);
    let state = |(id, path): (u64, PathBuf)| {
        let scan = Scan::of(&File::open(&path)?)?;
        Ok(JournalState { id, path, sealed: Some(id) != newest, scan })
    };
    journals.into_iter().map(state).collect()
}

/// By their numbers. What has no number is left to the engine, which refuses it.
fn journals(store: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(id) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
        {
            journals.push((id, path));
        }
    }
    journals.sort_unstable();
    Ok(journals)
}

/// Keeps all others from opening the directory while the file is there; `None` where there is none,
/// or somebody has it open.
fn lock(store: &Path) -> io::Result<Option<File>> {
    let file = match File::open(store.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
