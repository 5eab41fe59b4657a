//! Whose data a directory holds, and why it may not be opened.

use std::fmt;
use std::path::PathBuf;

use quorate_core::ids::{ClusterId, NodeId};

/// Written into a directory when it is made; whoever opens it must be the same.
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

/// A data directory that was not opened. Nothing in it was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// It holds the data of another node or cluster.
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// Whose data it holds.
        found: Identity,
        /// Who wanted to open it.
        wanted: Identity,
    },
    /// It holds files, but no data of a node.
    NotEmpty {
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
    /// The engine or the device refuses it.
    Engine {
        /// The directory.
        directory: PathBuf,
        /// What the engine says.
        reason: String,
    },
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
                "data directory {} belongs to {found}, but this is {wanted}: give the directory of \
                 this node with --data",
                directory.display()
            ),
            OpenError::NotEmpty { directory } => write!(
                f,
                "data directory {} holds other files: give an empty or a new directory with --data",
                directory.display()
            ),
            OpenError::Format { directory, found } => write!(
                f,
                "data directory {} has format {found:?}, which this version cannot read: use the \
                 version that wrote it",
                directory.display()
            ),
            OpenError::Engine { directory, reason } => write!(
                f,
                "data directory {} does not open: {reason}. If it is damaged, move it away and \
                 start with an empty one: reads then repair it from its peers",
                directory.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}
