//! A data directory: open before its node knows which cluster it belongs to.
//!
//! ```text
//!   DIR/lock          held for as long as the process uses the directory
//!   DIR/node.json     whose directory it is: about.rs
//!   DIR/layout        the layouts in force: layout_file.rs
//!   DIR/mark          evidence against the store: mark.rs
//!   DIR/store/        the engine's files
//!   DIR/looked-at/       while `quorate store` looks at a damaged store: offline/shadow.rs
//!   DIR/store.damaged-2026-11-21T19-38-04Z/     what was set aside: aside.rs
//!
//!   open --> node(), identity(), settings(), layout() --> adopt --> Storage::fjall
//!                  (ask a seed where there is no identity)
//! ```
//!
//! Invariant: what the directory says of itself is synced before anything else is made in it. So
//! where other files of ours are and it is not, it was lost, and the directory is no new one.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::message::{LayoutHistory, LayoutUpdate};

use super::about::{self, About, Belongs, Unreadable};
use super::aside::{self, Aside, set_aside};
use super::atomic_file::{self, partial_name};
use super::identity::{Identity, OpenError, Settings};
use super::layout_file::{self, LayoutFile};
use super::mark;

/// The engine's directory.
pub(super) const STORE: &str = "store";

/// Links to the engine's files, and its journals as far as they are whole, for as long as somebody
/// looks at a damaged store. Here, for links do not reach another file system.
pub(super) const SECOND_VIEW: &str = "looked-at";

const LOCK: &str = "lock";

/// Whoever held a directory may be about to end.
const LOCK_TRIES: u32 = 4;

const LOCK_INTERVAL: Duration = Duration::from_millis(100);

/// A file that the engine puts into each of its directories.
pub(super) const ENGINE_MARKER: &str = "version";

/// The last format whose engine lay in the directory itself.
const ENGINE_AT_TOP: &str = "quorate 2 or older";

/// A data directory that this process holds, and nobody else.
pub struct Directory {
    path: PathBuf,
    lock: Arc<File>,
    about: About,
    layout: LayoutFile,
}

/// A directory that belongs to a cluster: what a storage can be opened on, and, once that is closed,
/// another one. Held until the last clone, and the last storage, is dropped.
#[derive(Clone)]
pub struct AdoptedDirectory {
    path: PathBuf,
    lock: Arc<File>,
    identity: Identity,
}

impl Directory {
    /// Opens a directory, or makes a new one, and draws its node's id, where there is none. No
    /// engine is started.
    ///
    /// # Errors
    /// All of [`OpenError`] but `Foreign` and `NoData`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Directory, OpenError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|error| io_error(&path, &error))?;
        refuse_other_files(&path)?;
        let lock = lock(&path)?;
        let about = match read_about(&path)? {
            Some(about) => about,
            None => {
                // Whoever held it before may have made it since.
                refuse_other_files(&path)?;
                let node = NodeId(getrandom::u64().map_err(OpenError::Entropy)?);
                let about = About { node, belongs: None };
                write_about(&path, &about)?;
                about
            }
        };
        clear_second_view(&path).map_err(|error| io_error(&path, &error))?;
        let layout = layout_file::take(&path).map_err(|error| io_error(&path, &error))?;
        Ok(Directory { path, lock, about, layout })
    }

    /// Opens a directory to look at what is in it. Makes nothing and changes nothing.
    ///
    /// # Errors
    /// All of [`OpenError`] but `Foreign`, `NotEmpty` and `Entropy`.
    pub(super) fn open_to_read(path: impl Into<PathBuf>) -> Result<Directory, OpenError> {
        let path = path.into();
        let there = path.join(about::FILE).try_exists().map_err(|error| io_error(&path, &error))?;
        if !there {
            return Err(match path.is_dir() {
                // It may be of another format, or damaged.
                true => match refuse_other_files(&path) {
                    Err(OpenError::NotEmpty { .. }) | Ok(()) => {
                        OpenError::NoData { directory: path }
                    }
                    Err(error) => error,
                },
                false => OpenError::NoData { directory: path },
            });
        }
        let lock = lock(&path)?;
        let about = read_about(&path)?.ok_or(OpenError::NoData { directory: path.clone() })?;
        let layout = LayoutFile::read(&path).map_err(|error| io_error(&path, &error))?;
        Ok(Directory { path, lock, about, layout })
    }

    /// What a directory that this program can read says of its format.
    pub fn format() -> String {
        about::FORMAT.to_owned()
    }

    /// Whose data it holds; never changes.
    pub fn node(&self) -> NodeId {
        self.about.node
    }

    /// The node and its cluster; `None` where no cluster has adopted it.
    pub fn identity(&self) -> Option<Identity> {
        let belongs = self.about.belongs?;
        Some(Identity { cluster: belongs.cluster, node: self.about.node })
    }

    /// What its cluster was told to be when the directory was adopted last.
    pub fn settings(&self) -> Option<Settings> {
        self.about.belongs.map(|belongs| belongs.settings)
    }

    /// What the newest layout calls its node; `None` where that is no member.
    pub fn label(&self) -> Option<&str> {
        let members = self.layout()?.layout.members();
        members.iter().find(|member| member.id == self.about.node).map(|member| &*member.label)
    }

    /// The layouts in force that were saved last.
    pub fn layouts(&self) -> Option<&LayoutHistory> {
        self.layout.layouts()
    }

    /// The newest of them.
    pub fn layout(&self) -> Option<&Arc<LayoutUpdate>> {
        self.layouts().map(LayoutHistory::head)
    }

    /// Whether its node has ever had a layout, be it one that is damaged: the cluster is founded.
    pub fn has_had_layout(&self) -> bool {
        let damaged = aside::list(&self.path, layout_file::FILE);
        self.layout != LayoutFile::None || !damaged.is_ok_and(|damaged| damaged.is_empty())
    }

    /// Whether the layout that was saved cannot be read.
    pub fn is_layout_damaged(&self) -> bool {
        self.layout == LayoutFile::Damaged
    }

    /// The names of what was set aside in it, in their order.
    ///
    /// # Errors
    /// `Engine`.
    pub fn asides(&self) -> Result<Vec<String>, OpenError> {
        let list = |name| aside::list(&self.path, name).map_err(|e| io_error(&self.path, &e));
        Ok([list(layout_file::FILE)?, list(STORE)?].concat())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a new directory to a node that there was before, and has lost all that it held. Synced
    /// when it is adopted.
    ///
    /// # Errors
    /// `Engine`.
    ///
    /// # Panics
    /// Where the directory belongs to a cluster.
    pub fn taken_over(self, node: NodeId) -> Result<Directory, OpenError> {
        assert!(self.about.belongs.is_none(), "what belongs to a cluster keeps its node");
        mark::note_loss(&self.path).map_err(|error| io_error(&self.path, &error))?;
        let about = About { node, ..self.about };
        Ok(Directory { about, ..self })
    }

    /// Makes it the directory of a node of `cluster`, synced. Where it is that already, only the
    /// settings take the place of the former ones.
    ///
    /// # Errors
    /// `Foreign` where it belongs to another cluster; `Engine`.
    pub fn adopt(
        self,
        cluster: ClusterId,
        settings: Settings,
    ) -> Result<AdoptedDirectory, OpenError> {
        let Directory { path, lock, about: About { node, belongs }, .. } = self;
        if let Some(belongs) = belongs.filter(|belongs| belongs.cluster != cluster) {
            let found = Identity { cluster: belongs.cluster, node };
            return Err(OpenError::Foreign { directory: path, found, wanted: cluster });
        }
        let wanted = Belongs { cluster, settings };
        if belongs != Some(wanted) {
            write_about(&path, &About { node, belongs: Some(wanted) })?;
        }
        Ok(AdoptedDirectory { path, lock, identity: Identity { cluster, node } })
    }
}

impl AdoptedDirectory {
    /// Whose data it holds.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Gives the store, which no engine may have open, a name that says why it is not in use, and
    /// answers that. `None` where there is no store. The next storage begins with an empty one, and
    /// knows that something was lost.
    ///
    /// # Errors
    /// `Engine`.
    pub fn set_store_aside(&self, why: Aside) -> Result<Option<PathBuf>, OpenError> {
        let there = self.store().symlink_metadata();
        if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        // Whatever happens from here on, what is opened next knows that there was something.
        mark::ensure(&self.path, mark::Evidence::UNKNOWN)
            .and_then(|()| set_aside(&self.path, STORE, why))
            .map(Some)
            .map_err(|error| io_error(&self.path, &error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the engine's files are.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Keeps everybody else out while it lives.
    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("path", &self.path)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AdoptedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedDirectory")
            .field("path", &self.path)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// A directory that does not say whose it is, is new, or somebody else's, or has lost what it said.
fn refuse_other_files(path: &Path) -> Result<(), OpenError> {
    let names: io::Result<Vec<OsString>> =
        path.read_dir().and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let names = names.map_err(|error| io_error(path, &error))?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(about::FILE) {
        return Ok(());
    }
    let directory = path.to_owned();
    if has(ENGINE_MARKER) && has("keyspaces") {
        return Err(OpenError::Format { directory, found: ENGINE_AT_TOP.to_owned() });
    }
    if [STORE, layout_file::FILE, mark::FILE].into_iter().any(has) {
        let reason = "it is missing".to_owned();
        return Err(OpenError::Damaged { directory, reason });
    }
    // A process that ended at once leaves these.
    let begun = [LOCK.to_owned(), partial_name(about::FILE)];
    match names.iter().all(|name| begun.iter().any(|begun| name == &**begun)) {
        true => Ok(()),
        false => Err(OpenError::NotEmpty { directory }),
    }
}

fn lock(path: &Path) -> Result<Arc<File>, OpenError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK));
    let file = file.map_err(|error| io_error(path, &error))?;
    for _ in 1..LOCK_TRIES {
        if file.try_lock().is_ok() {
            return Ok(Arc::new(file));
        }
        thread::sleep(LOCK_INTERVAL);
    }
    match file.try_lock() {
        Ok(()) => Ok(Arc::new(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_error(path, &error)),
    }
}

fn read_about(path: &Path) -> Result<Option<About>, OpenError> {
    let bytes = atomic_file::read(path, about::FILE).map_err(|error| io_error(path, &error))?;
    let about = bytes.map(|bytes| About::decode(&bytes)).transpose();
    about.map_err(|error| {
        let directory = path.to_owned();
        match error {
            Unreadable::Format(found) => OpenError::Format { directory, found },
            Unreadable::Damaged(reason) => OpenError::Damaged { directory, reason },
        }
    })
}

fn write_about(path: &Path, about: &About) -> Result<(), OpenError> {
    let written = atomic_file::write(path, about::FILE, &about.encode());
    written.map_err(|error| io_error(path, &error))
}

/// Removes the second view that a killed process left in a directory which the caller holds. Its
/// links would keep the room of files that the engine has removed.
pub(super) fn clear_second_view(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory.join(SECOND_VIEW)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn io_error(path: &Path, reason: &dyn fmt::Display) -> OpenError {
    OpenError::Engine { directory: path.to_owned(), reason: reason.to_string() }
}
