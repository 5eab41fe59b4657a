//! What clients ask for.

use bytes::Bytes;

use super::{CallId, Failure, FailureCode};
use crate::causality::Checksum;
use crate::ids::{Key, RequestId, Text};
use crate::layout::LayoutVersion;
use crate::limits::TTL_MAX;
use crate::time::{self, Duration};

/// R and W as a request asks for them; 0 stands for the cluster's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QuorumChoice {
    /// Answers that end a read.
    pub r: u8,
    /// Durable acknowledgements that end a write.
    pub w: u8,
}

/// Which nodes a request may make do with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// What the cluster is configured for.
    #[default]
    Configured,
    /// Only the key's own replicas count.
    Strict,
    /// Fallbacks stand in for those that cannot be reached.
    Sloppy,
}

/// What every request carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestHead {
    /// Names the request among those of its sender.
    pub call: CallId,
    /// The key.
    pub key: Key,
    /// R and W.
    pub quorum: QuorumChoice,
    /// Whether fallbacks count.
    pub strictness: Strictness,
    /// Time left for the whole operation, in whole milliseconds on the wire.
    pub budget: Duration,
    /// Newest layout that the sender holds.
    pub layout_version: LayoutVersion,
    /// Set by a node that is no primary of the key and hands the request to one.
    pub passed_on: bool,
    /// Whether the answer is to carry a [`Receipt`](super::Receipt).
    pub receipt: bool,
    /// Set in a local request, and never empty: R and W count primaries of this zone alone, so many
    /// of them at most as the key has there; those of all zones where it has none. At most
    /// [`ZONE_BYTES_MAX`](crate::limits::ZONE_BYTES_MAX).
    pub zone: Option<Text>,
}

/// Reads a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Get {
    /// Key, quorum, budget.
    pub head: RequestHead,
    /// The opaque context of an earlier answer: the read is answered as soon as a replica descends
    /// from it. Empty: no such wish.
    pub context: Bytes,
    /// Who is to be read.
    pub read: ReadKind,
}

/// Whose copies a [`Get`] asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadKind {
    /// Those of a quorum, which the node that is asked coordinates.
    #[default]
    Quorum,
    /// The own copy of the primary that is asked: its values, and the digest of its record. It
    /// answers when its storage does, whatever the budget. Who
    /// asks R primaries so and is given one digest by all has read with a quorum.
    Data,
    /// The digest of that copy alone.
    Digest,
}

/// Writes or deletes a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Put {
    /// Key, quorum, budget.
    pub head: RequestHead,
    /// The opaque context of an earlier answer; empty for a blind put.
    pub context: Bytes,
    /// The same in all retries of one write.
    pub request: RequestId,
    /// What is written.
    pub change: Change,
}

/// What a [`Put`] does to its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A value, with the checksum that the client computed.
    Value {
        /// The bytes.
        payload: Bytes,
        /// XXH64 of the bytes.
        checksum: Checksum,
        /// Time after which the value reads as a tombstone, from the moment at which its
        /// coordinator applies it, in whole milliseconds on the wire; `None`: never.
        ttl: Option<Duration>,
    },
    /// A tombstone. Without a context it covers what a quorum read by the coordinator returns.
    Delete,
}

impl Change {
    /// Refuses a time to live that is zero or longer than [`TTL_MAX`].
    pub fn check_ttl(&self) -> Result<(), Failure> {
        match self {
            Change::Value { ttl: Some(ttl), .. } if ttl.is_zero() || *ttl > TTL_MAX => {
                Err(bad_ttl(*ttl))
            }
            Change::Value { .. } | Change::Delete => Ok(()),
        }
    }
}

/// The refusal of a time to live.
pub(crate) fn bad_ttl(ttl: Duration) -> Failure {
    Failure::refused(FailureCode::BadTtl).limit(time::millis(TTL_MAX), time::millis(ttl))
}
