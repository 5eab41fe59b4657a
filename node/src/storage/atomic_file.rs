//! Files that are there whole or not at all, wherever a process or the power ends.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The name of a file until it is whole. One that is found was never in use.
pub(super) fn partial_name(name: &str) -> String {
    format!("{name}.new")
}

/// Puts a file in the place of the one of that name, synced. Two callers must not do so at once.
pub(super) fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = directory.join(partial_name(name));
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, directory.join(name))?;
    sync_directory(directory)
}

/// What is in a file; `None` where there is none.
pub(super) fn read(directory: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(directory.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes names that were given or taken in a directory outlive the power.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
