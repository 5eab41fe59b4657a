//! Which files of a folder go into the cluster. Paths are bytes, for so are keys.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::sources;
use crate::workspace::Workspace;

/// The regular files of a folder, and what else was met there.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) root: PathBuf,
    /// Relative to the root, in order.
    pub(crate) files: BTreeSet<Vec<u8>>,
    /// Symbolic links are not followed.
    pub(crate) links: usize,
    /// Pipes, sockets and devices.
    pub(crate) special: usize,
    /// Folders that could not be listed, and why.
    pub(crate) unreadable: Vec<(String, String)>,
}

impl Listing {
    /// The project's own sources: what git tracks or would, or what a walk finds.
    pub(crate) fn of_project(workspace: &Workspace) -> Listing {
        let mut listing = Listing::empty(&workspace.root);
        sources::of_project(&workspace.root).into_iter().for_each(|path| listing.push(path));
        listing
    }

    /// Everything below `path`, without the folder `except`.
    pub(crate) fn of_folder(path: &Path, except: &Path) -> Result<Listing> {
        let root = path.canonicalize().with_context(|| path.display().to_string())?;
        ensure!(root.is_dir(), "{} is no folder", path.display());
        let except = except.canonicalize().unwrap_or_else(|_| except.to_owned());
        let mut listing = Listing::empty(&root);
        let (files, unreadable) = sources::walk(&root, &|path| path == except);
        files.into_iter().for_each(|path| listing.push(path));
        let unreadable = unreadable.into_iter();
        listing.unreadable = unreadable
            .map(|(folder, error)| (folder.display().to_string(), error.to_string()))
            .collect();
        Ok(listing)
    }

    /// All paths, each ended by a NUL.
    pub(crate) fn manifest(&self) -> Vec<u8> {
        self.files.iter().flat_map(|path| [path.as_slice(), b"\0"].concat()).collect()
    }

    fn empty(root: &Path) -> Listing {
        Listing {
            root: root.to_owned(),
            files: BTreeSet::new(),
            links: 0,
            special: 0,
            unreadable: Vec::new(),
        }
    }

    /// Takes a path that is no folder, as what it is.
    fn push(&mut self, path: Vec<u8>) {
        match fs::symlink_metadata(self.root.join(OsStr::from_bytes(&path))) {
            Ok(found) if found.is_symlink() => self.links += 1,
            Ok(found) if found.is_file() => {
                self.files.insert(path);
            }
            // A repository inside of this one.
            Ok(found) if found.is_dir() => {}
            Ok(_) => self.special += 1,
            // Tracked, and removed by hand.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_walk_takes_files_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        for made in ["a/b", "state", "empty"] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        for file in ["top", "a/b/deep", "state/secret"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        symlink("top", folder.path().join("link")).unwrap();
        symlink("..", folder.path().join("a/loop")).unwrap();
        let listing = Listing::of_folder(folder.path(), &state).unwrap();
        assert_eq!(listing.manifest(), b"a/b/deep\0top\0");
        assert_eq!((listing.links, listing.special, listing.unreadable.len()), (2, 0, 0));
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let none = Path::new("/nowhere");
        let refused = |path: &Path| format!("{:#}", Listing::of_folder(path, none).unwrap_err());
        assert!(refused(file.path()).contains("is no folder"));
        assert!(refused(Path::new("/no/such/folder")).contains("/no/such/folder: No such file"));
    }
}
