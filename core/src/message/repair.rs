//! An operator asks a node to compare what it holds with the other replicas.

use super::CallId;
use crate::ring::Slot;
use crate::time::UnixMs;

/// Compares what a node holds with the other primaries, as soon as it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepairRequest {
    /// Names the request.
    pub call: CallId,
    /// `None`: all slots of which the node is a primary.
    pub slot: Option<Slot>,
}

/// The answer to a [`RepairRequest`]: the comparisons are due, and not yet done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepairReply {
    /// The request's.
    pub call: CallId,
    /// The wall clock of the answering node: what was compared since then (see
    /// [`PairStatus`](super::PairStatus)) was compared after the request.
    pub now: UnixMs,
    /// How many pairs of a slot and another primary are due.
    pub result: Result<u32, RepairRefusal>,
}

/// Why nothing is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RepairRefusal {
    /// The cluster has no layout yet.
    NoLayout,
    /// The layout has fewer slots.
    NoSuchSlot,
    /// The node is no primary of the slot.
    NotAPrimary,
    /// The node is configured to compare nothing.
    Off,
    /// A reason that this version of the protocol does not know.
    Unrecognized,
}
