//! What cannot be used, or is not to be used, and is kept beside it: nothing is ever deleted.
//!
//! ```text
//!   store  -->  store.damaged-2026-11-21T19-38-04Z
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::atomic_file::sync_directory;
use crate::clock::{Clock, utc};

/// Why something was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It cannot be read.
    Damaged,
    /// It can be read, but what it says is too old to be used.
    Outdated,
}

impl Aside {
    const ALL: [Aside; 2] = [Aside::Damaged, Aside::Outdated];

    fn word(self) -> &'static str {
        match self {
            Aside::Damaged => "damaged",
            Aside::Outdated => "outdated",
        }
    }
}

/// Gives a file or directory a name that says since when it is not in use, synced; answers it.
pub(super) fn set_aside(directory: &Path, name: &str, why: Aside) -> io::Result<PathBuf> {
    // A colon is not for every tool.
    let since = utc(Clock::start().now().unix).replace(':', "-");
    let stem = format!("{name}.{}-{since}", why.word());
    let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
    let mut names = [stem.clone()].into_iter().chain(numbered);
    let free = names.find(|name| directory.join(name).symlink_metadata().is_err());
    let aside = directory.join(free.expect("the numbers do not end"));
    fs::rename(directory.join(name), &aside)?;
    sync_directory(directory)?;
    Ok(aside)
}

/// All that was set aside under `name`, in the order of the names.
pub(super) fn list(directory: &Path, name: &str) -> io::Result<Vec<String>> {
    let beginnings = Aside::ALL.map(|why| format!("{name}.{}-", why.word()));
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if beginnings.iter().any(|beginning| name.starts_with(beginning)) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_set_aside_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let mut asides = Vec::new();
        for content in ["one", "two", "three"] {
            fs::write(directory.path().join("layout"), content).unwrap();
            asides.push(set_aside(directory.path(), "layout", Aside::Damaged).unwrap());
        }
        let contents: Vec<String> =
            asides.iter().map(|aside| fs::read_to_string(aside).unwrap()).collect();
        assert_eq!(contents, ["one", "two", "three"]);
        let mut names = list(directory.path(), "layout").unwrap();
        assert_eq!((names.len(), list(directory.path(), "store").unwrap()), (3, Vec::new()));
        assert!(names.remove(0).starts_with("layout.damaged-20"));
    }
}
