//! Damages the files of a node that does not run.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::disks::random::Random;

/// Damages a data directory and says what it did.
pub(super) type Harm = fn(&Path, &mut Random) -> Result<String>;

const ZEROS: usize = 512;
const JOURNAL: &str = "jnl";
/// Of the folders that hold tables.
const TABLES: &str = "tables";

pub(super) fn flip_journal_bit(data: &Path, random: &mut Random) -> Result<String> {
    flip_bit(data, &largest_journal(data)?, random)
}

pub(super) fn clear_journal_bytes(data: &Path, random: &mut Random) -> Result<String> {
    let journal = largest_journal(data)?;
    let at = middle(&journal, random)?;
    writable(&journal)?.write_all_at(&[0; ZEROS], at)?;
    Ok(format!("{ZEROS} zeros at {at} of {}", name(data, &journal)))
}

pub(super) fn cut_journal(data: &Path, random: &mut Random) -> Result<String> {
    let journal = largest_journal(data)?;
    let at = middle(&journal, random)?;
    writable(&journal)?.set_len(at)?;
    Ok(format!("{} ends at {at}", name(data, &journal)))
}

pub(super) fn flip_table_bit(data: &Path, random: &mut Random) -> Result<String> {
    let is_table = |file: &PathBuf| {
        let parent = file.parent().and_then(Path::file_name);
        parent.is_some_and(|parent| parent == TABLES)
    };
    let table = largest(data, is_table).context("there is no table")?;
    flip_bit(data, &table, random)
}

/// The directory stays, all that is in it goes.
pub(super) fn empty(data: &Path, _: &mut Random) -> Result<String> {
    let mut entries = 0;
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?
        } else {
            fs::remove_file(path)?
        }
        entries += 1;
    }
    ensure!(entries > 0, "{} was empty", data.display());
    Ok(format!("{entries} entries removed"))
}

/// Copies a directory with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}

/// Bytes of all files below a folder.
pub(super) fn bytes(folder: &Path) -> u64 {
    let lengths = files(folder).into_iter().filter_map(|file| Some(file.metadata().ok()?.len()));
    lengths.sum()
}

fn flip_bit(data: &Path, file: &Path, random: &mut Random) -> Result<String> {
    let at = middle(file, random)?;
    let opened = writable(file)?;
    let mut byte = [0];
    opened.read_exact_at(&mut byte, at)?;
    opened.write_all_at(&[byte[0] ^ (1 << random.below(8))], at)?;
    Ok(format!("a bit at {at} of {}", name(data, file)))
}

/// A place in the middle third of what is written of a file: room that was taken in advance is
/// zero.
fn middle(file: &Path, random: &mut Random) -> Result<u64> {
    let bytes = fs::read(file)?;
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    ensure!(written > 8 * ZEROS as u64, "{} holds {written} bytes only", file.display());
    Ok(random.between(written / 3, 2 * written / 3))
}

fn largest_journal(data: &Path) -> Result<PathBuf> {
    let is_journal =
        |file: &PathBuf| file.extension().is_some_and(|extension| extension == JOURNAL);
    largest(data, is_journal).context("there is no journal")
}

fn largest(folder: &Path, wanted: impl Fn(&PathBuf) -> bool) -> Option<PathBuf> {
    let found = files(folder).into_iter().filter(wanted);
    found.max_by_key(|file| file.metadata().map_or(0, |file| file.len()))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files
}

fn writable(file: &Path) -> Result<File> {
    Ok(File::options().read(true).write(true).open(file)?)
}

/// A file's path in its data directory.
fn name(data: &Path, file: &Path) -> String {
    file.strip_prefix(data).unwrap_or(file).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with a journal of which the second half is room taken in advance.
    fn data() -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        let mut journal = vec![7; 64 * 1024];
        journal.resize(128 * 1024, 0);
        fs::create_dir_all(data.path().join("store")).unwrap();
        fs::write(data.path().join("store/0.jnl"), journal).unwrap();
        fs::write(data.path().join("store/1.jnl"), [1]).unwrap();
        data
    }

    #[test]
    fn harm_is_done_where_something_is_written() {
        let mut random = Random::new(1);
        for _ in 0..20 {
            for (harm, bytes) in [(flip_journal_bit as Harm, 1), (clear_journal_bytes, ZEROS)] {
                let data = data();
                harm(data.path(), &mut random).unwrap();
                let journal = fs::read(data.path().join("store/0.jnl")).unwrap();
                let changed = journal[..64 * 1024].iter().filter(|byte| **byte != 7).count();
                assert_eq!(changed, bytes);
            }
            let data = data();
            cut_journal(data.path(), &mut random).unwrap();
            assert!(fs::read(data.path().join("store/0.jnl")).unwrap().len() < 64 * 1024);
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_harmed() {
        let data = data();
        assert!(flip_table_bit(data.path(), &mut Random::new(1)).is_err());
        empty(data.path(), &mut Random::new(1)).unwrap();
        assert!(cut_journal(data.path(), &mut Random::new(1)).is_err());
        assert!(empty(data.path(), &mut Random::new(1)).is_err());
    }

    #[test]
    fn a_copy_holds_what_the_original_holds() {
        let (data, to) = (data(), tempfile::tempdir().unwrap());
        copy(data.path(), to.path()).unwrap();
        assert_eq!(bytes(to.path()), 128 * 1024 + 1);
        assert!(to.path().join("store/1.jnl").is_file());
    }
}
