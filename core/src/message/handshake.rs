//! The first frames of a connection.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::LayoutUpdate;
use crate::ids::{ClusterId, Incarnation, NodeId, Text};
use crate::layout::LayoutVersion;

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The first frame of whoever dialled.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Hello {
    /// Oldest protocol version that the sender speaks.
    pub version_min: u32,
    /// Newest protocol version that the sender speaks.
    pub version_max: u32,
    /// `None`: the client joins whatever cluster it meets.
    pub cluster: Option<ClusterId>,
    /// Who dials.
    pub role: Role,
    /// Newest layout that the sender holds; version 0 where it holds none.
    pub layout_version: LayoutVersion,
    /// Secret shared with the cluster; empty where it wants none.
    pub credentials: Bytes,
}

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A client: it may send requests.
    Client,
    /// A node: it may also read and merge records.
    Node {
        /// The dialler's id.
        id: NodeId,
        /// The life of the dialler's data.
        incarnation: Incarnation,
    },
}

/// The answer to an accepted [`Hello`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Welcome {
    /// The protocol version that both ends use from here on.
    pub version: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The answering node.
    pub node: NodeId,
    /// Its name for people.
    pub label: Text,
    /// The life of its data.
    pub incarnation: Incarnation,
    /// What holds for requests that do not say otherwise.
    pub defaults: Defaults,
    /// The layout, where the dialler's is older. None, too, as long as the cluster has none.
    pub layout: Option<Arc<LayoutUpdate>>,
    /// Members that the answering node holds for down.
    pub down: Vec<NodeId>,
}

/// What holds for a request that does not say otherwise, and what is accepted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defaults {
    /// Answers that end a read.
    pub r: u8,
    /// Durable acknowledgements that end a write.
    pub w: u8,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// Longest key in bytes.
    pub key_bytes_max: u32,
    /// Longest value in bytes.
    pub value_bytes_max: u32,
    /// Requests of one connection that may be under way.
    pub calls_max: u32,
    /// Whether requests are strict.
    pub strict: bool,
}

/// The answer to a refused [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// Why.
    pub code: RejectCode,
    /// For people: what was wrong and what to do.
    pub text: String,
}

/// Why a [`Hello`] was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// No common protocol version.
    Version,
    /// Another cluster.
    Cluster,
    /// Wrong or missing credentials.
    Credentials,
    /// A node id that is unknown, the receiver's own, or already living elsewhere.
    Identity,
    /// The limit of connections is reached.
    Full,
    /// The first frame was no HELLO.
    Malformed,
}
