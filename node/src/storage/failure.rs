//! What a storage that failed leaves for the next one, in this process or another: a note, and maybe
//! pages that the system takes for written and that are not on the disk.
//!
//! Until these are evicted every reader finds what they should say, also the engine that is opened
//! anew; and what it appends and syncs behind them would be lost with them, since a journal is read
//! up to the first place that is not whole. So all journals are copied before the engine opens them.
//! ("Can Applications Recover from fsync Failures?", Rebello et al., USENIX ATC 2020.)

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::atomic_file::{self, partial_name};
use super::journal;

/// There from a failure to the first sync of the next life.
const FILE: &str = "failed";

const BY_ITSELF: &[u8] = b"the engine, by itself";

const DEVICE: &[u8] = b"a commit or a sync";

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A commit or a sync, as far as is known.
    Device,
    /// One of the engine's threads, or one of ours in it: it may have met rot, and may do so again
    /// each time that it merges the same tables.
    ByItself,
}

/// Takes down that a storage has failed. Where that fails, too, nobody will know.
pub(super) fn note(directory: &Path, failure: Failure) {
    let text = match failure {
        Failure::Device => DEVICE,
        Failure::ByItself => BY_ITSELF,
    };
    if let Err(error) = fs::write(directory.join(FILE), text) {
        tracing::error!(%error, "that the storage failed cannot be taken down");
    }
}

/// What failed, unless a life has synced since.
pub(super) fn last(directory: &Path) -> io::Result<Option<Failure>> {
    let text = atomic_file::read(directory, FILE)?;
    Ok(text.map(|text| if text == BY_ITSELF { Failure::ByItself } else { Failure::Device }))
}

/// Copies the journals of a store that has failed, synced.
pub(super) fn write_anew(directory: &Path, store: &Path) -> io::Result<()> {
    for journal in journal::look(store)? {
        // Not in the store: the engine wonders about what it does not know.
        let copy = directory.join(partial_name("journal"));
        copy_bytes(&journal.path, &copy, journal.scan.written_until)?;
        fs::rename(&copy, &journal.path)?;
    }
    atomic_file::sync_directory(store)
}

/// A life has synced: nothing is left of the failure.
pub(super) fn forget(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Byte for byte through this process: a copy that the system makes may share the blocks of the
/// disk, which are those that were never written.
fn copy_bytes(from: &Path, to: &Path, length: u64) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?.take(length), File::create(to)?);
    let mut block = vec![0; 1 << 20];
    loop {
        match from.read(&mut block)? {
            0 => return to.sync_all(),
            read => to.write_all(&block[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn journals_are_copied_byte_for_byte_up_to_the_zeros() {
        let place = tempfile::tempdir().unwrap();
        let journal = place.path().join("0.jnl");
        fs::write(&journal, [&b"x".repeat(3 << 20)[..], &[0; 1_000]].concat()).unwrap();
        // Whoever still has it open has another file.
        let open = File::open(&journal).unwrap();
        let is_same = || {
            let inode = |metadata: fs::Metadata| metadata.ino();
            inode(open.metadata().unwrap()) == inode(journal.metadata().unwrap())
        };
        assert!(is_same());
        write_anew(place.path(), place.path()).unwrap();
        assert!(!is_same());
        assert!(fs::read(&journal).unwrap() == b"x".repeat(3 << 20));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn the_last_failure_is_known_until_it_is_forgotten() {
        let place = tempfile::tempdir().unwrap();
        forget(place.path()).unwrap();
        for failure in [Failure::Device, Failure::ByItself] {
            assert_eq!(last(place.path()).unwrap(), None);
            note(place.path(), failure);
            assert_eq!(last(place.path()).unwrap(), Some(failure));
            forget(place.path()).unwrap();
        }
    }
}
