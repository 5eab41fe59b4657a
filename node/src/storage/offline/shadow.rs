//! A second view of a directory whose journals are not whole.
//!
//! The engine opens no such directory, or cuts its journals first. What a journal says of damage is
//! for the next start of the node, so the cut is made in a copy: the files are linked, for the engine
//! writes none of them anew in its place, and the journals are copied as far as they are whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::storage::directory::{SECOND_VIEW, clear_second_view};
use crate::storage::journal::{EXTENSION, JournalState, LOCK};

/// Goes when it is dropped.
#[derive(Debug)]
pub(super) struct Shadow {
    path: PathBuf,
}

impl Shadow {
    /// Of the store, in the node's `directory`, which the caller holds.
    pub(super) fn of(
        store: &Path,
        directory: &Path,
        journals: &[JournalState],
    ) -> io::Result<Shadow> {
        clear_second_view(directory)?;
        let shadow = Shadow { path: directory.join(SECOND_VIEW) };
        link_all(store, &shadow.path)?;
        for journal in journals {
            let name = journal.path.file_name().expect("it is a file");
            let whole = File::open(&journal.path)?.take(journal.scan.whole_until);
            io::copy(&mut { whole }, &mut File::create(shadow.path.join(name))?)?;
        }
        Ok(shadow)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a second view is left behind");
        }
    }
}

/// All files but the journals and the lock.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            link_all(&path, &to.join(name))?;
        } else if name == LOCK {
            File::create(to.join(name))?;
        } else if path.extension().is_none_or(|extension| extension != EXTENSION) {
            fs::hard_link(&path, to.join(name))?;
        }
    }
    Ok(())
}
