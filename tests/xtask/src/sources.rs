//! Which files a folder holds. Paths are bytes: not every name is a text.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is built or fetched, and no source.
const NO_SOURCES: [&str; 3] = ["target", "node_modules", ".git"];

/// Sources below `root`, relative to it: what git tracks, or would; what a walk finds where there
/// is no git, or no checkout.
pub(crate) fn of_project(root: &Path) -> BTreeSet<Vec<u8>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    match git.current_dir(root).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            let paths = output.stdout.split(|byte| *byte == 0);
            paths.filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
        }
        _ => {
            walk(root, &|path| {
                path.file_name().is_some_and(|name| NO_SOURCES.iter().any(|other| name == *other))
            })
            .0
        }
    }
}

/// Everything below `root` that is no folder, relative to it; and folders that could not be listed.
pub(crate) fn walk(
    root: &Path,
    skipped: &dyn Fn(&Path) -> bool,
) -> (BTreeSet<Vec<u8>>, Vec<(PathBuf, io::Error)>) {
    let mut found = BTreeSet::new();
    let mut unreadable = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) => {
                unreadable.push((folder, error));
                continue;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            let path = folder.join(entry.file_name());
            if skipped(&entry.path()) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                found.insert(path.into_os_string().into_vec());
            }
        }
    }
    (found, unreadable)
}

/// Whether `file` is `pattern` or below it. A `*` stands for any one name, `.` for all files.
pub(crate) fn is_below(file: &str, pattern: &str) -> bool {
    let mut names = file.split('/');
    let mut patterns = pattern.split('/');
    pattern == "." || patterns.all(|one| names.next().is_some_and(|name| one == "*" || one == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_folders_and_one_level() {
        for (file, pattern, wanted) in [
            ("core/src/a.rs", "core", true),
            ("core/src/a.rs", "core/src/a.rs", true),
            ("core/src/a.rs", ".", true),
            ("core2/a.rs", "core", false),
            ("core", "core/src", false),
            ("examples/ring/package.json", "examples/*/package.json", true),
            ("examples/ring/src/package.json", "examples/*/package.json", false),
        ] {
            assert_eq!(is_below(file, pattern), wanted, "{file} {pattern}");
        }
    }

    #[test]
    fn without_a_checkout_what_is_built_or_fetched_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["src/a", "target/b", "npm/node_modules/c", ".git/d"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(of_project(folder.path()), BTreeSet::from([b"src/a".to_vec()]));
    }
}
