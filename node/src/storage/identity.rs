//! Whose data a directory holds, under which settings, and why it may not be opened.

use std::fmt;
use std::path::PathBuf;

use quorate_core::ids::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};

use super::about;

/// Whose data a directory holds, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of cluster {}", self.node, self.cluster)
    }
}

/// What holds in the cluster, as far as a node must know it to start again without its peers. N and
/// Q of a cluster that has a layout stand in the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Answers that end a read which does not say otherwise.
    pub r: u8,
    /// Acknowledgements that end a write which does not say otherwise.
    pub w: u8,
    /// Whether only a key's own replicas count, where a request does not say otherwise.
    pub strict: bool,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// N of the first layout; `None` where another node makes that.
    #[serde(default)]
    pub replication: Option<u8>,
    /// Q of the first layout; `None` where another node makes that.
    #[serde(default)]
    pub slots: Option<u32>,
}

/// A data directory that cannot be used. What it held before is unchanged.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// It holds the data of a node of another cluster.
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// Whose data it holds.
        found: Identity,
        /// The cluster that its node should belong to.
        wanted: ClusterId,
    },
    /// It holds files, but no data of a node.
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// It is no directory of a node, or there is none.
    NoData {
        /// The directory.
        directory: PathBuf,
    },
    /// It was written by another version of the program.
    Format {
        /// The directory.
        directory: PathBuf,
        /// What stands in it.
        found: String,
    },
    /// What it says of itself, in its file `node.json`, is damaged or missing.
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its store is damaged, and was only to be looked at.
    Store {
        /// The directory.
        directory: PathBuf,
        /// What the engine says.
        reason: String,
    },
    /// The engine, the device or the operating system refuses it.
    Engine {
        /// The directory.
        directory: PathBuf,
        /// What they say.
        reason: String,
    },
    /// The operating system has no random number for a new node's id.
    Entropy(getrandom::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse { directory } => write!(
                f,
                "data directory {} is in use by another process: stop that one, or give each node \
                 its own --data",
                directory.display()
            ),
            OpenError::Foreign { directory, found, wanted } => write!(
                f,
                "data directory {} belongs to {found}, but cluster {wanted} is wanted: give the \
                 directory of a node of that cluster, or a new one, with --data",
                directory.display()
            ),
            OpenError::NotEmpty { directory } => write!(
                f,
                "data directory {} holds other files: give an empty or a new directory with --data",
                directory.display()
            ),
            OpenError::NoData { directory } => {
                write!(f, "{} is no data directory of a node", directory.display())
            }
            OpenError::Format { directory, found } => write!(
                f,
                "data directory {} has format {found:?}, which this version cannot read: use the \
                 version that wrote it",
                directory.display()
            ),
            OpenError::Damaged { directory, reason } => write!(
                f,
                "{} does not say whose directory it is: {reason}. All else in it is unharmed. Put \
                 a copy of the file there: that of another node of the cluster will do, with the \
                 id of this node, which `quorate members` tells, and without its checksum",
                directory.join(about::FILE).display()
            ),
            OpenError::Store { directory, reason } => write!(
                f,
                "the store in data directory {} is damaged and does not open: {reason}. When its \
                 node starts, it sets the store aside and refills itself from its peers",
                directory.display()
            ),
            OpenError::Engine { directory, reason } => write!(
                f,
                "data directory {} does not open: {reason}. Check its device, the free space, and \
                 who may write to it",
                directory.display()
            ),
            OpenError::Entropy(error) => write!(f, "no random number for the node's id: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}
