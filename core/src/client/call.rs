//! One call of a client, through all its attempts.

use bytes::Bytes;

use super::Link;
use crate::ids::{Key, NodeId, RequestId};
use crate::layout::LayoutVersion;
use crate::message::{
    Answer, CallId, Change, Failure, Get, Message, Outcome, Put, QuorumChoice, RequestHead,
};
use crate::time::{Duration, Instant};

use alloc::vec::Vec;

/// A call under way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) key: Key,
    pub(super) action: Action,
    pub(super) quorum: QuorumChoice,
    pub(super) receipt: bool,
    /// When it ends at the latest.
    pub(super) deadline: Instant,
    /// When something is to be done about it; at most `deadline`.
    /// Invariant: `(timer, id)` is among the client's timers.
    pub(super) timer: Instant,
    /// Where it stands.
    pub(super) stage: Stage,
    /// Nodes that refused it or kept silent.
    pub(super) tried: Vec<NodeId>,
    /// Links that it was sent on and that have not answered: the answer of each counts.
    pub(super) sent: Vec<Link>,
    /// Whether some node may carry it out although no answer came.
    pub(super) loose: bool,
    /// The last refusal, and whose it was.
    pub(super) refusal: Option<(Failure, NodeId)>,
    pub(super) attempts: u32,
    /// When it was last sent.
    pub(super) asked: Instant,
}

/// What a call does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Get,
    Put { context: Bytes, request: RequestId, change: Change },
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for a connection.
    Waiting,
    /// It waits behind others of the same connection.
    Queued(Link),
    /// It was sent and waits for the answer.
    Sent(Link),
}

impl Call {
    /// The frame for one attempt.
    pub(super) fn message(
        &self,
        call: CallId,
        now: Instant,
        layout_version: LayoutVersion,
    ) -> Message {
        let head = RequestHead {
            call,
            key: self.key.clone(),
            quorum: self.quorum,
            budget: budget(self.deadline.since(now)),
            layout_version,
            passed_on: false,
            receipt: self.receipt,
        };
        match &self.action {
            Action::Get => Message::Get(Get { head }),
            Action::Put { context, request, change } => Message::Put(Put {
                head,
                context: context.clone(),
                request: sane_or!(*request, ClientRenamesRetries => RequestId {
                    sequence: request.sequence + (u64::from(self.attempts - 1) << 32),
                    ..*request
                }),
                change: change.clone(),
            }),
        }
    }

    /// Whether an answer is of the kind that was asked for.
    pub(super) fn is_answered_by(&self, answer: &Answer) -> bool {
        match (&self.action, answer) {
            (Action::Get, Answer::Entry(_)) | (Action::Put { .. }, Answer::Written(_)) => true,
            (Action::Get, Answer::Written(_)) | (Action::Put { .. }, Answer::Entry(_)) => false,
        }
    }

    /// When to look for another node if this attempt, made at `now`, stays silent.
    pub(super) fn patience(&self, now: Instant) -> Instant {
        now + self.deadline.since(now) / 2
    }

    /// Whether a write may have happened or may yet happen.
    pub(super) fn outcome(&self) -> Outcome {
        match self.action {
            Action::Get => Outcome::None,
            Action::Put { .. } if sane_or!(self.loose, ClientCallsUnknownRefused => false) => {
                Outcome::Unknown
            }
            Action::Put { .. } => Outcome::None,
        }
    }
}

/// What a node is granted of the time that is left: a little less, so that its answer, which knows
/// more than "time is up", comes first.
fn budget(left: Duration) -> Duration {
    left - (left / 10).min(Duration::from_millis(100))
}
