//! At most one demo stays up per target folder. The operating system ends a claim with its
//! process, so none is ever stale.

use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;
use std::process;

use anyhow::{Context, Result, bail};

/// The right to be the demo that stays up.
pub(super) struct Claim {
    file: File,
}

impl Claim {
    /// An error that says what is up already, where something is.
    pub(super) fn take(folder: &Path) -> Result<Claim> {
        fs::create_dir_all(folder)?;
        let path = folder.join("lock");
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {
                let mut claim = Claim { file };
                claim.write("is being started")?;
                Ok(claim)
            }
            Err(TryLockError::WouldBlock) => {
                let found = fs::read_to_string(&path).unwrap_or_default();
                let (id, state) = found.trim().split_once(' ').unwrap_or(("", "is up already"));
                bail!(
                    "a demo {state} (process {id}), so nothing was changed. Ctrl-C stops it where \
                     it runs, `kill {id}` does from anywhere"
                );
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| path.display().to_string())
            }
        }
    }

    /// Tells others where the demo is.
    pub(super) fn announce(&mut self, page: &str) -> Result<()> {
        self.write(&format!("is up already at {page}"))
    }

    fn write(&mut self, state: &str) -> Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{} {state}", process::id())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_is_told_of_the_first_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || Claim::take(folder.path()).err().map(|error| error.to_string());
        let mut first = Claim::take(folder.path()).unwrap();
        assert!(refused().unwrap().starts_with("a demo is being started (process "));
        first.announce("http://127.0.0.1:7101/").unwrap();
        assert!(refused().unwrap().starts_with("a demo is up already at http://127.0.0.1:7101/"));
        drop(first);
        assert_eq!(refused(), None);
    }
}
