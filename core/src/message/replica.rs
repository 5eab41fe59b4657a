//! What coordinators and replicas say to each other.

use super::CallId;
use crate::causality::{Record, RecordDigest};
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;

/// Asks a replica for its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaRead {
    /// The coordinator's call.
    pub call: CallId,
    /// The key.
    pub key: Key,
    /// What the coordinator has already.
    pub digest: Option<RecordDigest>,
    /// Whether the receiver is a fallback: hints that it holds for the key are part of what it has.
    pub stand_in: bool,
}

/// The answer to a [`ReplicaRead`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct ReplicaRecord {
    /// The coordinator's call.
    pub call: CallId,
    /// What the replica holds.
    pub state: ReplicaState,
}

/// What a replica holds of a key.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum ReplicaState {
    /// It cannot say: a read error is not an absence.
    Unreadable,
    /// Exactly what the coordinator has already.
    Same,
    /// This; an empty record where it holds nothing.
    Record(Record),
}

/// Asks a replica to merge a record into its own.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct ReplicaMerge {
    /// The coordinator's call.
    pub call: CallId,
    /// The key.
    pub key: Key,
    /// The record.
    pub record: Record,
    /// The receiver is a fallback: it stores the record as a hint for this primary.
    pub hint_for: Option<NodeId>,
    /// What it is sent for.
    pub reason: MergeReason,
    /// The sender's epoch before it took the record from a storage or an answer: what was taken too
    /// long ago is not merged (see [`Collect`](super::Collect)).
    pub epoch: Epoch,
    /// Of a write, the newest layout that its coordinator writes to.
    pub layout_version: LayoutVersion,
}

/// What a record is sent for. Under load the receiver refuses the later ones first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MergeReason {
    /// A write that a client waits for.
    #[default]
    Write,
    /// A read that found the receiver stale.
    Repair,
    /// A hint that comes home.
    Handoff,
    /// What a comparison of two replicas found.
    AntiEntropy,
}

/// The answer to a [`ReplicaMerge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaMerged {
    /// The coordinator's call.
    pub call: CallId,
    /// True once the merge is synced; false where the replica could not store it.
    pub durable: bool,
}
