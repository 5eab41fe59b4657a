//! The folder of one run: the installed client, the data and logs of the nodes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

const PREFIX: &str = "run-";

/// Removed when it is dropped, or by a later run where this one was ended by force.
pub(crate) struct RunFolder {
    folder: TempDir,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl RunFolder {
    pub(crate) fn new(state: &Path) -> Result<RunFolder> {
        fs::create_dir_all(state)?;
        // So that nobody takes a folder for abandoned that is just being made.
        let one_at_a_time = File::create(state.join("runs"))?;
        one_at_a_time.lock()?;
        remove_abandoned(state)?;
        let folder = TempDir::with_prefix_in(PREFIX, state)?;
        let lock = File::create(folder.path().join("lock"))?;
        lock.lock()?;
        Ok(RunFolder { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder for good and says where it is.
    pub(crate) fn keep(self) -> Result<PathBuf> {
        let path = self.folder.keep();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kept = path.with_file_name(name.replacen(PREFIX, "kept-", 1));
        fs::rename(path, &kept)?;
        Ok(kept)
    }
}

fn remove_abandoned(state: &Path) -> Result<()> {
    for entry in fs::read_dir(state)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let lock = File::open(entry.path().join("lock"));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_folders_go_and_others_stay() {
        let state = tempfile::tempdir().unwrap();
        let running = RunFolder::new(state.path()).unwrap();
        let kept = RunFolder::new(state.path()).unwrap().keep().unwrap();
        // A run that was ended by force has let go of its lock, and removed nothing.
        let abandoned = state.path().join("run-abandoned");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("lock"), "").unwrap();
        let ended = RunFolder::new(state.path()).unwrap().path().to_owned();
        assert!(running.path().is_dir() && kept.is_dir());
        assert!(!abandoned.exists() && !ended.exists());
    }
}
