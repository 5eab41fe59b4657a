//! The durable mark on the disk: the number of a commit, and when it was made (DESIGN.md §13).
//!
//! ```text
//!   engine, keyspace meta   in each commit's own batch: what the store itself can say
//!   DIR/mark                after each sync, never synced: evidence against the store
//! ```
//!
//! A store whose mark is below that of the file has lost commits that were synced, though the engine
//! may have opened it without a word. A file that is behind says nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes};
use quorate_core::codec;
use quorate_core::ids::DurableMark;

use super::atomic_file;

/// The file.
pub(super) const FILE: &str = "mark";

const VERSION: u8 = 1;

/// Whether the store was found to lack something.
const WHOLE: u8 = 0;
const LACKS: u8 = 1;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// There is none: nothing was ever committed in this directory.
    None,
    /// Something was committed; up to where cannot be read.
    Unreadable,
    /// The commit of this mark was synced.
    Synced(DurableMark),
    /// The same, and what is left of the store was found to lack something, whatever its mark.
    Lost(DurableMark),
}

impl Evidence {
    /// Less than any commit: it says only that there was one.
    pub(super) const UNKNOWN: DurableMark = DurableMark(0);

    pub(super) fn of(directory: &Path) -> io::Result<Evidence> {
        let Some(bytes) = atomic_file::read(directory, FILE)? else { return Ok(Evidence::None) };
        Ok(decode(&Bytes::from(bytes)).unwrap_or(Evidence::Unreadable))
    }

    /// Whether a store that says `mark`, or `None` where it knows of no commit, has lost some.
    pub(super) fn contradicts(self, mark: Option<DurableMark>) -> bool {
        match self {
            Evidence::None => false,
            Evidence::Unreadable => mark.is_none(),
            Evidence::Synced(synced) => mark.is_none_or(|mark| mark < synced),
            Evidence::Lost(_) => true,
        }
    }

    /// The mark, as far as it is known.
    pub(super) fn mark(self) -> DurableMark {
        match self {
            Evidence::None | Evidence::Unreadable => DurableMark(0),
            Evidence::Synced(mark) | Evidence::Lost(mark) => mark,
        }
    }
}

/// The file, open to be written in place.
pub(super) struct MarkFile {
    file: File,
    /// Whether people were told that it cannot be written.
    told: AtomicBool,
}

impl MarkFile {
    /// Opens the file of a directory in which a commit was synced. One that is made is there when
    /// the power comes back.
    pub(super) fn open(directory: &Path, mark: DurableMark) -> io::Result<MarkFile> {
        ensure(directory, mark)?;
        let file = OpenOptions::new().write(true).open(directory.join(FILE))?;
        let mark_file = MarkFile { file, told: AtomicBool::new(false) };
        mark_file.write(mark);
        // A file that was damaged may be longer.
        mark_file.file.set_len(encode(mark, WHOLE).len() as u64)?;
        Ok(mark_file)
    }

    /// Takes down that a commit is synced. Where it cannot be written the file is behind, which
    /// harms nothing.
    pub(super) fn write(&self, mark: DurableMark) {
        if let Err(error) = self.file.write_all_at(&encode(mark, WHOLE), 0)
            && !self.told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the durable mark cannot be written beside the store");
        }
    }
}

/// The marks of a store that is in use. One thread commits, one at a time syncs; all may look.
pub(super) struct Marks {
    committed: AtomicU64,
    /// Invariant: at most `committed`.
    synced: AtomicU64,
    file: MarkFile,
}

impl Marks {
    /// Those of a store whose last commit is synced.
    pub(super) fn new(mark: DurableMark, file: MarkFile) -> Marks {
        Marks { committed: AtomicU64::new(mark.0), synced: AtomicU64::new(mark.0), file }
    }

    /// The number of the last commit.
    pub(super) fn committed(&self) -> DurableMark {
        DurableMark(self.committed.load(Ordering::Acquire))
    }

    /// The number of the last commit that is synced.
    pub(super) fn synced(&self) -> DurableMark {
        DurableMark(self.synced.load(Ordering::Acquire))
    }

    /// Takes in a commit.
    pub(super) fn on_commit(&self, mark: DurableMark) {
        self.committed.store(mark.0, Ordering::Release);
    }

    /// Takes in a sync that was begun after the commit of this number.
    pub(super) fn on_sync(&self, mark: DurableMark) {
        if mark > self.synced() {
            self.file.write(mark);
            self.synced.store(mark.0, Ordering::Release);
        }
    }
}

/// Makes the file where there is none, synced.
pub(super) fn ensure(directory: &Path, mark: DurableMark) -> io::Result<()> {
    match directory.join(FILE).try_exists()? {
        true => Ok(()),
        false => atomic_file::write(directory, FILE, &encode(mark, WHOLE)),
    }
}

/// Takes down that the store lacks something, synced: until the next life has done so itself.
pub(super) fn note_loss(directory: &Path) -> io::Result<()> {
    let mark = Evidence::of(directory)?.mark();
    atomic_file::write(directory, FILE, &encode(mark, LACKS))
}

fn encode(mark: DurableMark, lacks: u8) -> Vec<u8> {
    codec::seal(VERSION, size_of::<u64>() + 1, |bytes| {
        bytes.put_u64(mark.0);
        bytes.put_u8(lacks);
    })
}

fn decode(bytes: &Bytes) -> Option<Evidence> {
    let mut body = codec::unseal(VERSION, bytes).ok()?;
    let mark = DurableMark(body.try_get_u64().ok()?);
    match *body {
        [WHOLE] => Some(Evidence::Synced(mark)),
        [LACKS] => Some(Evidence::Lost(mark)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_contradicted_by_a_greater_mark_only() {
        let cases = [
            (Evidence::None, None, false),
            (Evidence::None, Some(3), false),
            (Evidence::Unreadable, None, true),
            (Evidence::Unreadable, Some(3), false),
            (Evidence::Synced(DurableMark(3)), None, true),
            (Evidence::Synced(DurableMark(3)), Some(2), true),
            (Evidence::Synced(DurableMark(3)), Some(3), false),
            (Evidence::Synced(DurableMark(3)), Some(4), false),
            (Evidence::Lost(DurableMark(3)), Some(4), true),
        ];
        for (evidence, mark, contradicts) in cases {
            let mark = mark.map(DurableMark);
            assert_eq!(evidence.contradicts(mark), contradicts, "{evidence:?} {mark:?}");
        }
    }

    #[test]
    fn the_file_says_what_was_written_last_and_damage_is_found() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Evidence::of(directory.path()).unwrap(), Evidence::None);
        let file = MarkFile::open(directory.path(), DurableMark(1)).unwrap();
        for mark in [2, 300, u64::MAX, 4] {
            file.write(DurableMark(mark));
            let found = Evidence::of(directory.path()).unwrap();
            assert_eq!(found, Evidence::Synced(DurableMark(mark)));
        }
        note_loss(directory.path()).unwrap();
        assert_eq!(Evidence::of(directory.path()).unwrap(), Evidence::Lost(DurableMark(4)));
        std::fs::write(directory.path().join(FILE), "a text that is longer than a mark").unwrap();
        assert_eq!(Evidence::of(directory.path()).unwrap(), Evidence::Unreadable);
        drop(MarkFile::open(directory.path(), DurableMark(5)).unwrap());
        assert_eq!(Evidence::of(directory.path()).unwrap(), Evidence::Synced(DurableMark(5)));
    }
}
