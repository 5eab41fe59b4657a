//! How a call ends: once, with an answer or an error.

use core::fmt;

use crate::ids::{NodeId, Text};
use crate::message::{Answer, Failure, FailureCode, Outcome, Receipt};
use crate::time::Duration;

/// A call that ended well.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Completion {
    /// What was read or written.
    pub answer: Answer,
    /// The node that answered.
    pub node: NodeId,
    /// Whether that node was a primary of the key; if not, it passed the request on.
    pub direct: bool,
    /// Who did what, where the call asked for it.
    pub receipt: Option<Receipt>,
    /// Nodes that were asked.
    pub attempts: u32,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallError {
    /// Why.
    pub code: ErrorCode,
    /// Whether a write may have happened.
    pub outcome: Outcome,
    /// The node that said so; `None`: the client itself.
    pub node: Option<NodeId>,
    /// Nodes that were asked.
    pub attempts: u32,
    /// Answers or acknowledgements that were needed.
    pub needed: u32,
    /// Answers or acknowledgements that there were.
    pub acked: u32,
    /// The limit that was exceeded, where there is one.
    pub limit: u64,
    /// The number that exceeded it.
    pub actual: u64,
    /// When it is worth while to try again, where a node that is overloaded or not ready said so.
    pub retry_after: Duration,
    /// What a node said when it refused the connection, or the zone in which alone was counted.
    pub text: Option<Text>,
}

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $number:literal $name:literal,)+) => {
        /// Why a call failed. The numbers and names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $code = $number,)+
        }

        impl ErrorCode {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code,)+];

            /// The name that users see.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$code => $name,)+
                }
            }

            /// The number on the way through a binding.
            pub fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

error_codes! {
    /// Fewer than R or W of the nodes that count can answer: the key's own replicas and, unless
    /// the call is strict, those that stand in for them.
    QuorumUnavailable = 1 "QUORUM_UNAVAILABLE",
    /// The time for the call is used up.
    Timeout = 2 "TIMEOUT",
    /// A table of the node or of the client is full.
    Overloaded = 3 "OVERLOADED",
    /// R + W <= N, and the cluster does not allow it.
    WeakQuorum = 4 "WEAK_QUORUM",
    /// R or W is larger than N.
    BadQuorum = 5 "BAD_QUORUM",
    /// A context that is damaged or belongs to another key.
    BadContext = 6 "BAD_CONTEXT",
    /// A key that is empty or too long.
    KeySize = 7 "KEY_SIZE",
    /// A value that is too long.
    ValueTooLarge = 8 "VALUE_TOO_LARGE",
    /// More siblings than a put may leave.
    TooManySiblings = 9 "TOO_MANY_SIBLINGS",
    /// A value does not match its checksum.
    Damaged = 10 "DAMAGED",
    /// The storage of a node failed.
    Storage = 11 "STORAGE",
    /// Nodes disagree on the layout.
    NotAPrimary = 12 "NOT_A_PRIMARY",
    /// All siblings together are longer than a put may leave.
    RecordTooLarge = 13 "RECORD_TOO_LARGE",
    /// No node could be reached before the deadline; nothing was sent.
    Unreachable = 14 "UNREACHABLE",
    /// Every node within reach refused the connection.
    Rejected = 15 "REJECTED",
    /// The caller took the call back.
    Aborted = 16 "ABORTED",
    /// The client is closed.
    Closed = 17 "CLOSED",
    /// A session read: no replica within reach holds what its context covers.
    Stale = 18 "STALE",
    /// The cluster has no layout yet: too few of its nodes have met.
    NotReady = 19 "NOT_READY",
    /// The node named a reason that this client does not know.
    Unrecognized = 20 "UNRECOGNIZED",
    /// A time to live that is zero or too long, or of a call that writes no value.
    BadTtl = 21 "BAD_TTL",
    /// The storage of a node has no room.
    StorageFull = 22 "STORAGE_FULL",
    /// A local call of a client without a zone, or with one whose name is empty or too long.
    BadZone = 23 "BAD_ZONE",
    /// No node is connected, and too many calls wait for one already.
    QueueFull = 24 "QUEUE_FULL",
}

impl ErrorCode {
    pub(super) fn of(code: FailureCode) -> ErrorCode {
        match code {
            FailureCode::QuorumUnavailable => ErrorCode::QuorumUnavailable,
            FailureCode::Timeout => ErrorCode::Timeout,
            FailureCode::Overloaded => ErrorCode::Overloaded,
            FailureCode::WeakQuorum => ErrorCode::WeakQuorum,
            FailureCode::BadQuorum => ErrorCode::BadQuorum,
            FailureCode::BadContext => ErrorCode::BadContext,
            FailureCode::KeySize => ErrorCode::KeySize,
            FailureCode::ValueTooLarge => ErrorCode::ValueTooLarge,
            FailureCode::TooManySiblings => ErrorCode::TooManySiblings,
            FailureCode::RecordTooLarge => ErrorCode::RecordTooLarge,
            FailureCode::Damaged => ErrorCode::Damaged,
            FailureCode::Storage => ErrorCode::Storage,
            FailureCode::StorageFull => ErrorCode::StorageFull,
            FailureCode::NotAPrimary => ErrorCode::NotAPrimary,
            FailureCode::Stale => ErrorCode::Stale,
            FailureCode::NotReady => ErrorCode::NotReady,
            FailureCode::BadTtl => ErrorCode::BadTtl,
            FailureCode::Unrecognized => ErrorCode::Unrecognized,
        }
    }
}

impl CallError {
    pub(super) fn new(code: ErrorCode) -> CallError {
        CallError {
            code,
            outcome: Outcome::None,
            node: None,
            attempts: 0,
            needed: 0,
            acked: 0,
            limit: 0,
            actual: 0,
            retry_after: Duration::ZERO,
            text: None,
        }
    }

    /// What a node's refusal is to a caller; `node` is who said so. Attempts are left at 0.
    pub fn of(failure: Failure, node: Option<NodeId>) -> CallError {
        CallError {
            outcome: failure.outcome,
            node,
            needed: failure.needed,
            acked: failure.acked,
            limit: failure.limit,
            actual: failure.actual,
            retry_after: failure.retry_after,
            ..CallError::new(ErrorCode::of(failure.code))
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        match self.code {
            ErrorCode::QuorumUnavailable
            | ErrorCode::Timeout
            | ErrorCode::Overloaded
            | ErrorCode::Storage
            | ErrorCode::StorageFull
            | ErrorCode::NotAPrimary
            | ErrorCode::Damaged
            | ErrorCode::Stale
            | ErrorCode::NotReady
            | ErrorCode::QueueFull
            | ErrorCode::Unreachable => true,
            ErrorCode::WeakQuorum
            | ErrorCode::BadQuorum
            | ErrorCode::BadContext
            | ErrorCode::BadTtl
            | ErrorCode::KeySize
            | ErrorCode::ValueTooLarge
            | ErrorCode::TooManySiblings
            | ErrorCode::RecordTooLarge
            | ErrorCode::BadZone
            | ErrorCode::Rejected
            | ErrorCode::Aborted
            | ErrorCode::Unrecognized
            | ErrorCode::Closed => false,
        }
    }
}

impl fmt::Display for CallError {
    #[cold]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallError { needed, acked, limit, actual, attempts, .. } = self;
        match self.code {
            ErrorCode::QuorumUnavailable => write!(
                f,
                "{acked} of the nodes that count answered, {needed} are needed: bring nodes back \
                 or ask for a smaller quorum"
            ),
            ErrorCode::Timeout => {
                write!(f, "time is up after {attempts} attempts: {acked} of {needed} answered")
            }
            ErrorCode::Overloaded => {
                write!(f, "too many requests are under way (limit {limit}): try again later")
            }
            ErrorCode::WeakQuorum => write!(
                f,
                "R + W = {actual} breaks the rule R + W > N with N = {limit}: raise r or w, or \
                 found the cluster with --allow-weak to accept reads that miss acknowledged writes"
            ),
            ErrorCode::BadQuorum => {
                write!(f, "r and w must be 1 to {limit}, the replicas of a key")
            }
            ErrorCode::BadContext => {
                f.write_str("the context is damaged or belongs to another key: read the key again")
            }
            ErrorCode::BadTtl => write!(
                f,
                "the time to live of a value is 1 to {limit} ms, this one {actual}; a get and a \
                 delete have none"
            ),
            ErrorCode::BadZone => write!(
                f,
                "a local call is counted in the zone of its client: give the client a `zone` of 1 to \
                 {limit} bytes, or leave `local` out"
            ),
            ErrorCode::KeySize => write!(f, "a key has 1 to {limit} bytes, this one {actual}"),
            ErrorCode::ValueTooLarge => {
                write!(f, "the value has {actual} bytes, {limit} is the limit: split it")
            }
            ErrorCode::TooManySiblings => write!(
                f,
                "{actual} siblings would stand, {limit} may: read, merge, write with the context"
            ),
            ErrorCode::RecordTooLarge => write!(
                f,
                "the siblings would have {actual} bytes together, {limit} is the limit: read, \
                 merge, write with the context"
            ),
            ErrorCode::Damaged => f.write_str("a value does not match its checksum"),
            ErrorCode::Storage => f.write_str("the storage of the node failed: see its log"),
            ErrorCode::StorageFull => f.write_str(
                "the storage of the node has no room for more: free some, or add nodes",
            ),
            ErrorCode::NotAPrimary => {
                f.write_str("the nodes disagree on the layout: try again in a moment")
            }
            ErrorCode::Unreachable => {
                f.write_str("no node could be reached: check the seeds and that a node is up")
            }
            ErrorCode::QueueFull => write!(
                f,
                "no node is connected, and {limit} calls wait for one already: try again later"
            ),
            ErrorCode::Rejected => f.write_str("the node refused the connection"),
            ErrorCode::Aborted => f.write_str("the call was taken back"),
            ErrorCode::Closed => f.write_str("the client is closed"),
            ErrorCode::Stale => f.write_str(
                "no replica within reach holds what the context covers: try again, or read without it",
            ),
            ErrorCode::NotReady => f.write_str(
                "the cluster has no layout yet: start its other nodes, and try again in a moment",
            ),
            ErrorCode::Unrecognized => {
                f.write_str("the node gave a reason that this client does not know: upgrade it")
            }
        }?;
        if let Some(text) = &self.text {
            write!(f, ": {text}")?;
        }
        match self.outcome {
            Outcome::None => Ok(()),
            Outcome::Unknown => f.write_str(" (the write may have happened)"),
        }
    }
}

impl core::error::Error for CallError {}
