//! What travels between clients and nodes, as checked values.
//!
//! Invariant: a message that left the [`codec`](crate::codec) is well formed (ids present, sizes
//! within limits, records and layouts canonical), so no machine checks it again. The meaning of
//! each field is told once, in `core/proto/quorate.proto`.

mod change;
mod collection;
mod exchange;
mod handshake;
mod layouts;
mod membership;
mod repair;
mod replica;
mod reply;
mod request;
mod staging;
mod status;

pub use change::{
    ChangeRefusal, LayoutAnswer, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest,
    PAST_LAYOUTS_MAX, PastLayout, SlotFigures, SlotWaits,
};
pub use collection::{Collect, CollectAnswer, CollectStep, Collected, EpochOf};
pub use exchange::{
    BranchChildren, BranchHash, Compare, Compared, Comparison, Difference, Question,
};
pub use handshake::{Defaults, Hello, PROTOCOL_VERSION, Reject, RejectCode, Role, Welcome};
pub use layouts::{
    LIVE_LAYOUTS_MAX, LayoutHistory, LayoutHistoryError, LayoutId, LayoutSpan, Marks, MarksOf,
};
pub use membership::{Gossip, LayoutUpdate, MemberInfo, Pulse};
pub use repair::{RepairRefusal, RepairReply, RepairRequest};
pub use replica::{
    MergeReason, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
};
pub use reply::{
    Answer, Entry, EntryValue, Failure, FailureCode, Outcome, Receipt, Reply, StandIn, Written,
};
pub(crate) use request::bad_ttl;
pub use request::{Change, Get, Put, QuorumChoice, ReadKind, RequestHead, Strictness};
pub use staging::{STAGED_MAX, StagedChange, Staging, Target};
pub use status::{MemberState, MemberStatus, PairStatus, StatusReply, StatusRequest};

use alloc::string::String;

use crate::prng::Prng;

/// One frame.
#[derive(Clone, Debug, PartialEq, Hash)]
#[allow(missing_docs, reason = "each variant names the struct that carries the documentation")]
pub enum Message {
    Hello(Hello),
    Welcome(Welcome),
    Reject(Reject),
    Unsupported(Unsupported),
    Get(Get),
    Put(Put),
    Reply(Reply),
    ReplicaRead(ReplicaRead),
    ReplicaRecord(ReplicaRecord),
    ReplicaMerge(ReplicaMerge),
    ReplicaMerged(ReplicaMerged),
    Compare(Compare),
    Compared(Compared),
    StatusRequest(StatusRequest),
    StatusReply(StatusReply),
    Gossip(Gossip),
    RepairRequest(RepairRequest),
    RepairReply(RepairReply),
    Collect(Collect),
    Collected(Collected),
    LayoutRequest(LayoutRequest),
    LayoutReply(LayoutReply),
}

/// Names a request among those of its sender; the answer carries it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl CallId {
    /// Where the numbers of one life of a node begin: so far from those of its other lives that
    /// they never meet. Zero is left to frames that want no answer.
    pub(crate) fn first(prng: &mut Prng) -> CallId {
        CallId(sane_or!((prng.next_u64() >> 1) | 1, CallsFromOne => 0))
    }

    /// The one after it.
    pub(crate) fn next(self) -> CallId {
        CallId(self.0 + 1)
    }
}

/// A count as messages carry it.
pub(crate) fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The answer to a frame that could not be decoded or is not known; the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsupported {
    /// For people: what was wrong.
    pub text: String,
}
