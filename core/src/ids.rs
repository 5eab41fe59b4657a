//! The names of things: newtypes, so that a slot is never taken for a count.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

/// The random identity of a node, made together with its data directory. Labels are for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// A text that is no [`NodeId`]: 16 hexadecimal digits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseNodeIdError;

impl fmt::Display for ParseNodeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node id is 16 hexadecimal digits")
    }
}

impl core::error::Error for ParseNodeIdError {}

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<NodeId, ParseNodeIdError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits {
            return Err(ParseNodeIdError);
        }
        u64::from_str_radix(text, 16).map(NodeId).map_err(|_| ParseNodeIdError)
    }
}

/// The random identity of a cluster: nodes and clients of another one are refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

/// One life of a node's data, drawn at random: a new one begins where something may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// The number of a commit of a node's storage, the last one that is synced unless said otherwise.
/// It grows through all lives of the node's data; 0 where nothing was ever stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurableMark(pub u64);

/// The greatest durable mark of a node that others have heard of, and the life that said so. Of two
/// lives that say the same the first one counts: the other has begun with less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// The number of a commit; 0: nobody has heard of one.
    pub mark: DurableMark,
    /// The life of the node in which that was its last synced one.
    pub life: Incarnation,
}

/// A key: bytes, at least one and at most [`Limits::key_bytes_max`](crate::limits::Limits).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Bytes);

impl Key {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&'static str> for Key {
    fn from(text: &'static str) -> Key {
        Key(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Key {
        Key(Bytes::from(bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0)
    }
}

/// Names one write of one client through all its retries: two of the same are one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Drawn at random by the client when it starts.
    pub client: u64,
    /// Counts the client's writes from 1.
    pub sequence: u64,
}

/// A name for people or an address for sockets: shared text that is cloned freely.
pub type Text = Arc<str>;

/// A stretch of one life of a node: what it took from a storage before an epoch began is told from
/// what it took later (see [`Collect`](crate::message::Collect)). The upper half is the incarnation,
/// the lower half counts from 1; 0 where none is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first one of a life.
    pub fn first(incarnation: Incarnation) -> Epoch {
        Epoch(u64::from(incarnation.0) << 32 | 1)
    }

    /// The one after it.
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }

    /// The life that it is of.
    pub fn incarnation(self) -> Incarnation {
        Incarnation((self.0 >> 32) as u32)
    }
}
