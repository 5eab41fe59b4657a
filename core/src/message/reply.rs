//! How requests end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{CallId, LayoutUpdate};
use crate::causality::{Checksum, RecordDigest};
use crate::ids::{NodeId, Text};
use crate::layout::LayoutVersion;
use crate::time::{Duration, UnixMs};

/// The answer to a [`Get`](super::Get) or [`Put`](super::Put).
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Reply {
    /// The request's.
    pub call: CallId,
    /// Newest layout of the answering node.
    pub layout_version: LayoutVersion,
    /// That layout, where the request named an older one.
    pub layout: Option<Arc<LayoutUpdate>>,
    /// Who did what, where the request asked for it.
    pub receipt: Option<Receipt>,
    /// The node that passed the request on to a primary.
    pub passed_on_by: Option<NodeId>,
    /// Primaries of the key that the answering node cannot reach.
    pub down: Vec<NodeId>,
    /// How it ended.
    pub result: Result<Answer, Failure>,
    /// The answer is what one primary holds: the digest of its record. No quorum has said it.
    pub copy: Option<RecordDigest>,
}

/// How a request ended well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant names the struct that carries the documentation")]
pub enum Answer {
    Entry(Entry),
    Written(Written),
}

/// All concurrent values of a key; none where the key is absent or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Newest first.
    pub values: Vec<EntryValue>,
    /// Tombstones that are concurrent with the values, expired values among them.
    pub tombstones: u32,
    /// Opaque; covers exactly what was returned.
    pub context: Bytes,
}

/// One of the concurrent values of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryValue {
    /// The bytes.
    pub payload: Bytes,
    /// XXH64 of the bytes, as the writer computed it.
    pub checksum: Checksum,
    /// Wall clock of the coordinator that took it.
    pub written: UnixMs,
    /// From this moment on it reads as a tombstone; `None`: never.
    pub expires: Option<UnixMs>,
}

/// The acknowledgement of a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// The writer's own context and the new write, nothing else. Opaque.
    pub context: Bytes,
    /// Distinct values and tombstones that stand after this write, expired values among them; more
    /// than one is a conflict.
    pub siblings: u32,
}

/// How a request ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Why.
    pub code: FailureCode,
    /// Whether the write may have happened.
    pub outcome: Outcome,
    /// Answers or acknowledgements that were needed.
    pub needed: u32,
    /// Answers or acknowledgements that there were; before a start, replicas within reach.
    pub acked: u32,
    /// The limit that was exceeded, where there is one.
    pub limit: u64,
    /// The number that exceeded it.
    pub actual: u64,
    /// After an overload, when it is worth while to try the node again; in whole milliseconds on
    /// the wire.
    pub retry_after: Duration,
}

impl Failure {
    /// A refusal: nothing happened.
    pub fn refused(code: FailureCode) -> Failure {
        Failure {
            code,
            outcome: Outcome::None,
            needed: 0,
            acked: 0,
            limit: 0,
            actual: 0,
            retry_after: Duration::ZERO,
        }
    }

    /// The same with the number that was too large (or too small) and its limit.
    pub fn limit(self, limit: u64, actual: u64) -> Failure {
        Failure { limit, actual, ..self }
    }

    /// The same with what a quorum needed and had.
    pub fn quorum(self, needed: u32, acked: u32) -> Failure {
        Failure { needed, acked, ..self }
    }

    /// The same with the time after which it is worth while to try again.
    pub fn retry_after(self, retry_after: Duration) -> Failure {
        Failure { retry_after, ..self }
    }

    /// The same, but the write may have happened.
    pub fn unknown(self) -> Failure {
        Failure { outcome: Outcome::Unknown, ..self }
    }
}

/// Whether a request that failed may have had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It had none and will have none.
    None,
    /// A write may have happened or may yet happen.
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureCode {
    /// Fewer than R or W of the nodes that count can answer: the key's own replicas and, unless
    /// the request is strict, those that stand in for them.
    QuorumUnavailable,
    /// The budget is used up.
    Timeout,
    /// A table of the node is full.
    Overloaded,
    /// R + W <= N, and the configuration does not say `allow_weak`.
    WeakQuorum,
    /// R or W is larger than N.
    BadQuorum,
    /// A context that is damaged, belongs to another key, or is longer than any that was shown.
    BadContext,
    /// A key that is empty or too long.
    KeySize,
    /// A value that is too long.
    ValueTooLarge,
    /// More siblings than a put may leave: read, merge and write with the context.
    TooManySiblings,
    /// All siblings together are longer than a put may leave.
    RecordTooLarge,
    /// A value does not match its checksum.
    Damaged,
    /// The coordinator's own storage failed.
    Storage,
    /// The coordinator's own storage has no room.
    StorageFull,
    /// A request that was passed on came to a node that is no primary either: layouts differ.
    NotAPrimary,
    /// A session read: nobody within reach holds what its context covers.
    Stale,
    /// The cluster has no layout yet: too few of its nodes have met.
    NotReady,
    /// A time to live that is zero or longer than [`TTL_MAX`](crate::limits::TTL_MAX).
    BadTtl,
    /// A reason that this version of the protocol does not know.
    Unrecognized,
}

/// Who did what for one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The node that ran the request; where the client ran it, the primary whose values it shows.
    pub coordinator: NodeId,
    /// Primaries that answered, or acknowledged durably, before the request ended.
    pub primaries: Vec<NodeId>,
    /// Replicas found stale when the request ended, and repaired.
    pub repaired: Vec<NodeId>,
    /// R or W; of a local request, at most the primaries of its zone.
    pub needed: u8,
    /// The layout that named the replicas.
    pub layout_version: LayoutVersion,
    /// Fallbacks that answered, or acknowledged durably, before the request ended.
    pub fallbacks: Vec<StandIn>,
    /// The zone in which `needed` was counted; `None`: in all of them. Of those named above, others
    /// than its nodes answered as well, and did not count.
    pub zone: Option<Text>,
}

/// A fallback, and the primary that it stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StandIn {
    /// The fallback.
    pub node: NodeId,
    /// The primary.
    pub primary: NodeId,
}
