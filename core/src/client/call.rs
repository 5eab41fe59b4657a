//! One call of a client, through all its attempts.

use bytes::Bytes;

use super::Link;
use super::copies::Copies;
use crate::ids::{Key, NodeId, RequestId, Text};
use crate::layout::LayoutVersion;
use crate::message::{
    Answer, CallId, Change, Failure, FailureCode, Get, Message, Outcome, Put, QuorumChoice,
    ReadKind, RequestHead, Strictness,
};
use crate::time::{Duration, Instant};

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A call under way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) key: Key,
    pub(super) action: Action,
    pub(super) quorum: QuorumChoice,
    pub(super) strictness: Strictness,
    pub(super) receipt: bool,
    /// The zone in which it is counted, if it is local.
    pub(super) zone: Option<Text>,
    /// When it ends at the latest.
    pub(super) deadline: Instant,
    /// When something is to be done about it; at most `deadline`.
    /// Invariant: `(timer, id)` is among the client's timers.
    pub(super) timer: Instant,
    /// Where it stands.
    pub(super) stage: Stage,
    /// Whom it has asked for their copies. Invariant: there in the stage `Reading`, and in no other.
    pub(super) copies: Option<Box<Copies>>,
    /// Nodes that refused it, or took too long, in this round.
    pub(super) tried: Vec<NodeId>,
    /// Links that it was sent on and that have not answered: the answer of each counts.
    pub(super) sent: Vec<Link>,
    /// Whether some node may carry it out although no answer came.
    pub(super) loose: bool,
    /// The refusal that says most, and whose it was.
    pub(super) refusal: Option<(Failure, NodeId)>,
    /// How soon one of those that refused it in this round can be asked again.
    pub(super) retry_after: Option<Duration>,
    /// Rounds over all nodes that ended in a pause.
    pub(super) rounds: u32,
    pub(super) attempts: u32,
}

/// What a call does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// `context`: a session read; empty: a plain one.
    Get {
        context: Bytes,
    },
    Put {
        context: Bytes,
        request: RequestId,
        change: Change,
    },
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
    /// The client has asked R primaries for their copies.
    Reading,
    /// Everyone was asked: its timer begins the next round.
    Paused,
}

impl Call {
    /// The frame for one attempt.
    pub(super) fn message(
        &self,
        call: CallId,
        now: Instant,
        layout_version: LayoutVersion,
    ) -> Message {
        let head = self.head(call, now, layout_version);
        match &self.action {
            Action::Get { context } => {
                let (context, read) = (context.clone(), ReadKind::Quorum);
                Message::Get(Get { head, context, read })
            }
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

    /// What every frame of it begins with.
    pub(super) fn head(
        &self,
        call: CallId,
        now: Instant,
        layout_version: LayoutVersion,
    ) -> RequestHead {
        RequestHead {
            call,
            key: self.key.clone(),
            quorum: self.quorum,
            strictness: self.strictness,
            budget: budget(self.deadline.since(now)),
            layout_version,
            passed_on: false,
            receipt: self.receipt,
            zone: self.zone.clone(),
        }
    }

    /// Whether an answer is of the kind that was asked for.
    pub(super) fn is_answered_by(&self, answer: &Answer) -> bool {
        match (&self.action, answer) {
            (Action::Get { .. }, Answer::Entry(_)) | (Action::Put { .. }, Answer::Written(_)) => {
                true
            }
            (Action::Get { .. }, Answer::Written(_)) | (Action::Put { .. }, Answer::Entry(_)) => {
                false
            }
        }
    }

    /// When to look for another node if this attempt, made at `now`, stays silent.
    pub(super) fn patience(&self, now: Instant) -> Instant {
        now + self.deadline.since(now) / 2
    }

    /// Whether it was sent on a link and not answered, or waits in its backlog.
    pub(super) fn is_at(&self, link: Link) -> bool {
        self.stage == Stage::Sent(link)
            || self.stage == Stage::Queued(link)
            || self.copies.as_ref().is_some_and(|copies| copies.awaits(link))
    }

    /// Takes down a refusal. One that counts replicas is kept: it says more than any other.
    pub(super) fn on_refused(&mut self, failure: Failure, node: NodeId) {
        self.tried.push(node);
        let rank = |failure: &Failure| {
            let counts = failure.code == FailureCode::QuorumUnavailable;
            if counts { 1 + failure.acked } else { 0 }
        };
        if self.refusal.is_none_or(|(known, _)| rank(&known) <= rank(&failure)) {
            self.refusal = Some((failure, node));
        }
    }

    /// Whether nodes that are down should be tried after all: not where the refusal speaks for all.
    pub(super) fn is_worth_waiting(&self) -> bool {
        self.refusal.is_none_or(|(failure, _)| match failure.code {
            FailureCode::Damaged
            | FailureCode::Storage
            | FailureCode::StorageFull
            | FailureCode::NotAPrimary
            | FailureCode::Stale => true,
            FailureCode::QuorumUnavailable
            | FailureCode::Timeout
            | FailureCode::Overloaded
            | FailureCode::NotReady
            | FailureCode::WeakQuorum
            | FailureCode::BadQuorum
            | FailureCode::BadContext
            | FailureCode::BadTtl
            | FailureCode::KeySize
            | FailureCode::ValueTooLarge
            | FailureCode::TooManySiblings
            | FailureCode::RecordTooLarge
            | FailureCode::Unrecognized => false,
        })
    }

    /// Whether a write may have happened or may yet happen.
    pub(super) fn outcome(&self) -> Outcome {
        match self.action {
            Action::Get { .. } => Outcome::None,
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
