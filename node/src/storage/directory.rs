//! A data directory: open before its node knows which cluster it belongs to.
//!
//! ```text
//!   open --> node(), identity(), settings(), layout() --> adopt --> Storage::fjall
//!                  (ask a seed where there is no identity)
//! ```
//!
//! Invariant: the keyspaces of data are made after what the directory says of itself was synced. So
//! where they are and it is not, it was lost, and the directory is no new one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use quorate_core::codec;
use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::message::LayoutUpdate;

use super::identity::{Identity, OpenError, Settings};

/// Raised when a directory of the former version can no longer be read.
const FORMAT: &[u8] = b"quorate 2";

/// Of the value under [`CLUSTER`].
const SETTINGS_VERSION: u8 = 1;

const NODE_VERSION: u8 = 1;

/// Background threads of the engine. Its flushes compete with us for the cores; one alone could
/// leave a flush waiting behind a compaction.
const WORKER_THREADS: usize = 2;

/// Where a directory is only looked at: nothing is flushed or compacted then.
const NO_WORKER_THREADS: usize = 0;

/// A file that the engine puts into each of its directories.
const ENGINE_MARKER: &str = "version";

const RECORDS: &str = "records";

const HINTS: &str = "hints";

const META: &str = "meta";

/// Names in the keyspace `meta`.
const FORMAT_NAME: &str = "format";

const NODE: &str = "node";

const CLUSTER: &str = "cluster";

pub(super) const LAYOUT: &str = "layout";

/// There from a clean stop to the next start.
pub(super) const TREES: &str = "trees";

/// A data directory that this process holds, and nobody else.
pub struct Directory {
    path: PathBuf,
    database: Database,
    meta: Keyspace,
    node: NodeId,
    belongs: Option<Belongs>,
    layout: Option<Arc<LayoutUpdate>>,
}

/// A directory that belongs to a cluster: what a storage can be opened on.
pub struct AdoptedDirectory {
    pub(super) path: PathBuf,
    pub(super) database: Database,
    pub(super) meta: Keyspace,
    identity: Identity,
}

#[derive(Clone, Copy, Debug)]
struct Belongs {
    cluster: ClusterId,
    settings: Settings,
}

impl Directory {
    /// Opens a directory, or makes a new one, and draws its node's id, where there is none.
    ///
    /// # Errors
    /// All of [`OpenError`] but `Foreign`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Directory, OpenError> {
        let path = path.into();
        refuse_other_files(&path)
            .map_err(|error| engine_error(&path, &error))?
            .map_or(Ok(()), Err)?;
        let database = open_engine(&path, WORKER_THREADS)?;
        let meta = keyspace(&database, &path, META)?;
        let about = About { path: &path, meta: &meta };
        let Some(Told { node, belongs, layout }) = about.told(&database)? else {
            let node = NodeId(getrandom::u64().map_err(OpenError::Entropy)?);
            about.found(&database, node)?;
            return Ok(Directory { path, database, meta, node, belongs: None, layout: None });
        };
        Ok(Directory { path, database, meta, node, belongs, layout })
    }

    /// Opens a directory to look at what is in it. Makes nothing and changes nothing, but for what
    /// the engine does at each start: it cuts off what is not whole at the end of its journal.
    ///
    /// # Errors
    /// All of [`OpenError`] but `Foreign`, `NotEmpty` and `Entropy`.
    pub(super) fn open_to_read(path: impl Into<PathBuf>) -> Result<Directory, OpenError> {
        let path = path.into();
        let is_engine = path.join(ENGINE_MARKER).try_exists();
        if !is_engine.map_err(|error| engine_error(&path, &error))? {
            return Err(OpenError::NoData { directory: path });
        }
        let database = open_engine(&path, NO_WORKER_THREADS)?;
        if !database.keyspace_exists(META) {
            return Err(OpenError::NoData { directory: path });
        }
        let meta = keyspace(&database, &path, META)?;
        let told = About { path: &path, meta: &meta }.told(&database)?;
        let Some(Told { node, belongs, layout }) = told else {
            return Err(OpenError::NoData { directory: path });
        };
        Ok(Directory { path, database, meta, node, belongs, layout })
    }

    /// What a directory that this program can read says of its format.
    pub fn format() -> String {
        String::from_utf8_lossy(FORMAT).into_owned()
    }

    /// Whose data it holds; never changes.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The node and its cluster; `None` where no cluster has adopted it.
    pub fn identity(&self) -> Option<Identity> {
        self.belongs.map(|belongs| Identity { cluster: belongs.cluster, node: self.node })
    }

    /// What its cluster was told to be when the directory was adopted last.
    pub fn settings(&self) -> Option<Settings> {
        self.belongs.map(|belongs| belongs.settings)
    }

    /// What the newest layout calls its node; `None` where that is no member.
    pub fn label(&self) -> Option<&str> {
        let members = self.layout.as_ref()?.layout.members();
        members.iter().find(|member| member.id == self.node).map(|member| &*member.label)
    }

    /// The newest layout that was saved.
    pub fn layout(&self) -> Option<&Arc<LayoutUpdate>> {
        self.layout.as_ref()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of what it says of itself, with the bytes of each.
    pub(super) fn about(&self) -> Result<Vec<(String, u64)>, OpenError> {
        let entries = self.meta.iter().map(|entry| {
            let (name, value) = entry.into_inner()?;
            Ok((name.escape_ascii().to_string(), value.len() as u64))
        });
        let entries: fjall::Result<Vec<_>> = entries.collect();
        entries.map_err(|error| engine_error(&self.path, &error))
    }

    /// The own copies; `None` where nothing was ever stored.
    pub(super) fn stored_records(&self) -> Result<Option<Keyspace>, OpenError> {
        self.stored(RECORDS)
    }

    /// The hints; `None` where nothing was ever stored.
    pub(super) fn stored_hints(&self) -> Result<Option<Keyspace>, OpenError> {
        self.stored(HINTS)
    }

    fn stored(&self, name: &str) -> Result<Option<Keyspace>, OpenError> {
        let there = self.database.keyspace_exists(name);
        there.then(|| keyspace(&self.database, &self.path, name)).transpose()
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
        let Directory { path, database, meta, node, belongs, .. } = self;
        if let Some(belongs) = belongs.filter(|belongs| belongs.cluster != cluster) {
            let found = Identity { cluster: belongs.cluster, node };
            return Err(OpenError::Foreign { directory: path, found, wanted: cluster });
        }
        if belongs.is_none_or(|belongs| belongs.settings != settings) {
            let belongs = encode_belongs(&Belongs { cluster, settings });
            meta.insert(CLUSTER, belongs)
                .and_then(|()| database.persist(PersistMode::SyncAll))
                .map_err(|error| engine_error(&path, &error))?;
        }
        let identity = Identity { cluster, node };
        Ok(AdoptedDirectory { path, database, meta, identity })
    }
}

impl AdoptedDirectory {
    /// Whose data it holds.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Takes out the trees that the last stop saved, synced: an end that is no clean stop leaves
    /// none. `None` where there are none, or where they cannot be read.
    pub(super) fn take_trees(&self) -> Result<Option<Bytes>, OpenError> {
        let trees = self.meta.get(TREES).unwrap_or_else(|error| {
            tracing::warn!(%error, "the saved trees cannot be read");
            Some(Default::default())
        });
        if trees.is_some() {
            let removed = self.meta.remove(TREES);
            removed
                .and_then(|()| self.database.persist(PersistMode::SyncAll))
                .map_err(|error| engine_error(&self.path, &error))?;
        }
        Ok(trees.map(Bytes::from))
    }

    pub(super) fn records(&self) -> Result<Keyspace, OpenError> {
        keyspace(&self.database, &self.path, RECORDS)
    }

    pub(super) fn hints(&self) -> Result<Keyspace, OpenError> {
        keyspace(&self.database, &self.path, HINTS)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("path", &self.path)
            .field("node", &self.node)
            .field("belongs", &self.belongs)
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

/// A directory with files in it that are not the engine's is somebody else's.
fn refuse_other_files(directory: &Path) -> io::Result<Option<OpenError>> {
    if !directory.try_exists()? || directory.join(ENGINE_MARKER).try_exists()? {
        return Ok(None);
    }
    let empty = directory.read_dir()?.next().is_none();
    Ok((!empty).then(|| OpenError::NotEmpty { directory: directory.to_owned() }))
}

fn open_engine(path: &Path, worker_threads: usize) -> Result<Database, OpenError> {
    let opened = Database::builder(path)
        .manual_journal_persist(true)
        .worker_threads_unchecked(worker_threads)
        .open();
    opened.map_err(|error| match matches!(error, fjall::Error::Locked) {
        true => OpenError::InUse { directory: path.to_owned() },
        false => engine_error(path, &error),
    })
}

fn keyspace(database: &Database, path: &Path, name: &str) -> Result<Keyspace, OpenError> {
    let opened = database.keyspace(name, KeyspaceCreateOptions::default);
    opened.map_err(|error| engine_error(path, &error))
}

pub(super) fn engine_error(path: &Path, reason: &dyn fmt::Display) -> OpenError {
    OpenError::Engine { directory: path.to_owned(), reason: reason.to_string() }
}

/// Saves trees of all that is stored, synced. Nothing may be written after them.
///
/// All keyspaces share one journal, which the engine reads in its order up to the first entry that
/// is not whole. So where the trees are found, nothing that was written before them is lost: no
/// count or number of the engine has to be compared.
pub(super) fn save_trees(database: &Database, meta: &Keyspace, trees: &[u8]) -> fjall::Result<()> {
    meta.insert(TREES, trees).and_then(|()| database.persist(PersistMode::SyncAll))
}

/// What a directory says about itself.
struct About<'a> {
    path: &'a Path,
    meta: &'a Keyspace,
}

/// All of it, in one.
struct Told {
    node: NodeId,
    belongs: Option<Belongs>,
    layout: Option<Arc<LayoutUpdate>>,
}

impl About<'_> {
    /// `None`: it says nothing, and nothing was ever stored.
    fn told(&self, database: &Database) -> Result<Option<Told>, OpenError> {
        let Some(format) = self.get(FORMAT_NAME)? else {
            if database.keyspace_exists(RECORDS) || self.get(NODE)?.is_some() {
                return Err(self.damaged("its format"));
            }
            return Ok(None);
        };
        if format != FORMAT {
            let found = String::from_utf8_lossy(&format).into_owned();
            return Err(OpenError::Format { directory: self.path.to_owned(), found });
        }
        let told = Told { node: self.node()?, belongs: self.belongs()?, layout: self.layout()? };
        let has_data = database.keyspace_exists(RECORDS) || told.layout.is_some();
        if has_data && told.belongs.is_none() {
            return Err(self.damaged("its cluster"));
        }
        Ok(Some(told))
    }

    fn found(&self, database: &Database, node: NodeId) -> Result<(), OpenError> {
        let node = codec::seal(NODE_VERSION, size_of::<u64>(), |bytes| {
            bytes.extend_from_slice(&node.0.to_be_bytes());
        });
        let mut batch = database.batch();
        batch.insert(self.meta, FORMAT_NAME, FORMAT);
        batch.insert(self.meta, NODE, node);
        batch
            .commit()
            .and_then(|()| database.persist(PersistMode::SyncAll))
            .map_err(|error| engine_error(self.path, &error))
    }

    fn node(&self) -> Result<NodeId, OpenError> {
        let node = self.get(NODE)?.and_then(|bytes| codec::unseal(NODE_VERSION, &bytes).ok());
        let number = node.and_then(|bytes| (*bytes).try_into().ok());
        let number = number.ok_or_else(|| self.damaged("the id of its node"))?;
        Ok(NodeId(u64::from_be_bytes(number)))
    }

    fn belongs(&self) -> Result<Option<Belongs>, OpenError> {
        let Some(bytes) = self.get(CLUSTER)? else { return Ok(None) };
        decode_belongs(&bytes).map(Some).ok_or_else(|| self.damaged("its cluster"))
    }

    fn layout(&self) -> Result<Option<Arc<LayoutUpdate>>, OpenError> {
        let Some(bytes) = self.get(LAYOUT)? else { return Ok(None) };
        let layout = codec::decode_layout(bytes).map_err(|_| self.damaged("its layout"))?;
        Ok(Some(Arc::new(layout)))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, OpenError> {
        let value = self.meta.get(name).map_err(|error| engine_error(self.path, &error))?;
        Ok(value.map(Bytes::from))
    }

    fn damaged(&self, part: &'static str) -> OpenError {
        OpenError::Damaged { directory: self.path.to_owned(), part }
    }
}

/// The cluster in 8 bytes, big endian, then the settings as JSON.
fn encode_belongs(belongs: &Belongs) -> Vec<u8> {
    let settings = serde_json::to_vec(&belongs.settings).expect("numbers under names");
    codec::seal(SETTINGS_VERSION, size_of::<u64>() + settings.len(), |bytes| {
        bytes.extend_from_slice(&belongs.cluster.0.to_be_bytes());
        bytes.extend_from_slice(&settings);
    })
}

fn decode_belongs(bytes: &Bytes) -> Option<Belongs> {
    let body = codec::unseal(SETTINGS_VERSION, bytes).ok()?;
    let (cluster, settings) = body.split_first_chunk()?;
    let cluster = ClusterId(u64::from_be_bytes(*cluster));
    Some(Belongs { cluster, settings: serde_json::from_slice(settings).ok()? })
}
