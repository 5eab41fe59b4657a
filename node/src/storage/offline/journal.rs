//! What the engine cuts off its journals when it opens a directory.
//!
//! It reads each journal up to the first entry that is not whole, and cuts off the rest without a
//! word. That is what a process left that was killed while it wrote, or damage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const EXTENSION: &str = "jnl";

const BLOCK_BYTES: u64 = 64 * 1024;

/// Where the written part of each journal ends: behind it are only zeros, which the engine puts
/// there in advance.
pub(super) struct JournalEnds(BTreeMap<PathBuf, u64>);

impl JournalEnds {
    /// Before the engine opens the directory.
    pub(super) fn of(directory: &Path) -> io::Result<JournalEnds> {
        let mut ends = BTreeMap::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                ends.insert(path.clone(), written_end(&mut File::open(&path)?)?);
            }
        }
        Ok(JournalEnds(ends))
    }

    /// The written bytes that are missing since.
    pub(super) fn cut(&self) -> io::Result<u64> {
        let mut cut = 0;
        for (path, end) in &self.0 {
            let length = match fs::metadata(path) {
                Ok(metadata) => metadata.len(),
                // All that it held is in tables.
                Err(error) if error.kind() == io::ErrorKind::NotFound => *end,
                Err(error) => return Err(error),
            };
            cut += end.saturating_sub(length);
        }
        Ok(cut)
    }
}

/// Behind the last byte that is not zero.
fn written_end(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
