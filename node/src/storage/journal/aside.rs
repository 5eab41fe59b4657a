//! What is cut off a journal goes to a file of its own: no byte of a disk that may be read once more
//! is thrown away by a program that only found it to be unreadable.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::JournalState;
use crate::clock::{Clock, utc};

/// What the names of these files begin with; then come the time and the number of the journal.
pub(super) const PREFIX: &str = "journal-tail-";

/// Files that are kept; older ones go.
pub(super) const KEPT_MAX: usize = 8;

/// Copies what stands behind the whole batches of a journal to a new file in `directory`, synced.
pub(super) fn keep(journal: &JournalState, directory: &Path) -> io::Result<PathBuf> {
    // A colon is not for every tool.
    let now = utc(Clock::start().now().unix).replace(':', "-");
    let (path, mut kept) = create(directory, &now, journal.id)?;
    let mut file = File::open(&journal.path)?;
    file.seek(SeekFrom::Start(journal.scan.whole_until))?;
    io::copy(&mut file.take(journal.scan.broken_bytes()), &mut kept)?;
    kept.sync_all()?;
    File::open(directory)?.sync_all()?;
    forget_oldest(directory)?;
    Ok(path)
}

/// A file that was not there. Several journals, or two starts, may want one in the same second.
fn create(directory: &Path, now: &str, id: u64) -> io::Result<(PathBuf, File)> {
    let mut more = 0;
    loop {
        let again = if more == 0 { String::new() } else { format!("-{more}") };
        let path = directory.join(format!("{PREFIX}{now}-{id}{again}"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && more < KEPT_MAX => {
                more += 1;
            }
            created => return Ok((path, created?)),
        }
    }
}

fn forget_oldest(directory: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            kept.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    kept.sort_unstable();
    let more = kept.len().saturating_sub(KEPT_MAX);
    kept.iter().take(more).try_for_each(|(_, path)| fs::remove_file(path))
}
