//! How a request ended, in a form that tests read easily.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{Context, Dot};
use quorate_core::client::{CallError, ErrorCode};
use quorate_core::ids::{Key, NodeId};
use quorate_core::message::{
    Answer, Entry, Failure, LayoutUpdate, Outcome as Effect, Receipt, Written,
};
use quorate_core::time::Duration;

use super::Node;

/// How a request ended: what the forms that begin with `try_` answer.
#[derive(Clone)]
#[must_use = "say what is expected: `ok`, `refused`, `unknown` or `failed`"]
pub enum Outcome {
    /// Well.
    Done(Done),
    /// Without success.
    Failed(Failed),
}

impl Outcome {
    /// Expects that it ended well.
    ///
    /// # Panics
    /// Where it failed.
    #[track_caller]
    pub fn ok(self) -> Done {
        match self {
            Outcome::Done(done) => done,
            Outcome::Failed(failed) => panic!("expected success, but {failed:?}"),
        }
    }

    /// Expects that it failed for the reason `code`, and that nothing was written.
    ///
    /// # Panics
    /// Where it ended in another way.
    #[track_caller]
    pub fn refused(self, code: ErrorCode) -> Failed {
        self.failed_as(code, Effect::None, "nothing is written")
    }

    /// Expects that it failed for the reason `code`, and that it is unknown whether it happened.
    ///
    /// # Panics
    /// Where it ended in another way.
    #[track_caller]
    pub fn unknown(self, code: ErrorCode) -> Failed {
        self.failed_as(code, Effect::Unknown, "the write may have happened")
    }

    /// Expects that it failed, for whatever reason.
    ///
    /// # Panics
    /// Where it ended well.
    #[track_caller]
    pub fn failed(self) -> Failed {
        match self {
            Outcome::Failed(failed) => failed,
            Outcome::Done(done) => panic!("expected a failure, but {done:?}"),
        }
    }

    /// Whether it ended well.
    pub fn is_ok(&self) -> bool {
        matches!(self, Outcome::Done(_))
    }

    #[track_caller]
    fn failed_as(self, code: ErrorCode, effect: Effect, meaning: &str) -> Failed {
        match self {
            Outcome::Failed(failed)
                if failed.error.code == code && failed.error.outcome == effect =>
            {
                failed
            }
            Outcome::Failed(failed) => {
                panic!("expected {} ({meaning}), but {failed:?}", code.as_str())
            }
            Outcome::Done(done) => panic!("expected {} ({meaning}), but {done:?}", code.as_str()),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done(done) => done.fmt(f),
            Outcome::Failed(failed) => failed.fmt(f),
        }
    }
}

/// A request that ended well.
#[derive(Clone)]
pub struct Done {
    /// The request, for panics: `put "k" = "milk" at n2`.
    pub(super) what: String,
    pub(super) key: Key,
    /// What the request had been shown.
    pub(super) shown: Bytes,
    pub(super) answer: Answer,
    pub(super) receipt: Option<Receipt>,
    pub(super) passed_on_by: Option<Node>,
    pub(super) layout: Option<Arc<LayoutUpdate>>,
    pub(super) attempts: u32,
    pub(super) took: Duration,
}

impl Done {
    /// The opaque context: of a get, all that it returned; of a write, what its writer had been
    /// shown and the write itself.
    pub fn context(&self) -> Bytes {
        match &self.answer {
            Answer::Entry(entry) => entry.context.clone(),
            Answer::Written(written) => written.context.clone(),
        }
    }

    /// The values that a get returned, as text, sorted.
    ///
    /// # Panics
    /// Where it was no get.
    #[track_caller]
    pub fn texts(&self) -> Vec<String> {
        let values = self.entry().values.iter();
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let mut texts: Vec<String> = values.map(|value| text(&value.payload)).collect();
        texts.sort();
        texts
    }

    /// Deletes that a get returned beside the values; those that are alike are one.
    ///
    /// # Panics
    /// Where it was no get.
    #[track_caller]
    pub fn tombstones(&self) -> u32 {
        self.entry().tombstones
    }

    /// Distinct values and tombstones: those that a get returned, or that stood at the coordinator
    /// after a write.
    pub fn siblings(&self) -> usize {
        match &self.answer {
            Answer::Entry(entry) => entry.values.len() + entry.tombstones as usize,
            Answer::Written(written) => written.siblings as usize,
        }
    }

    /// The name of a write: what its context has more than its writer had been shown.
    ///
    /// # Panics
    /// Where it was no write, or a delete without a context, which is not told its dot.
    #[track_caller]
    pub fn dot(&self) -> Dot {
        let Written { context, .. } = self.written();
        let decode = |token: &[u8]| {
            Context::from_token(&self.key, token).expect("a token that a node has made or read")
        };
        let (shown, told) = (decode(&self.shown), decode(context));
        let counters = told.iter().flat_map(|(actor, seen)| {
            let counters = (1..=seen.upto()).chain(seen.also().iter().copied());
            counters.map(move |counter| Dot {
                actor,
                counter: quorate_core::causality::Counter(counter),
            })
        });
        let new: Vec<Dot> = counters.filter(|dot| !shown.covers(*dot)).collect();
        match new[..] {
            [dot] => dot,
            _ => panic!(
                "{} does not tell its dot: its context has {} new ones",
                self.what,
                new.len()
            ),
        }
    }

    /// Who did what.
    ///
    /// # Panics
    /// Where the answer came from the memory of the coordinator, which keeps no receipts.
    #[track_caller]
    pub fn receipt(&self) -> &Receipt {
        match &self.receipt {
            Some(receipt) => receipt,
            None => panic!("{} was answered without a receipt", self.what),
        }
    }

    /// The node that ran the request.
    ///
    /// # Panics
    /// As [`receipt`](Done::receipt).
    #[track_caller]
    pub fn coordinator(&self) -> Node {
        Node::of(self.receipt().coordinator)
    }

    /// The primaries that answered, or acknowledged durably, before the request ended; sorted.
    ///
    /// # Panics
    /// As [`receipt`](Done::receipt).
    #[track_caller]
    pub fn answered(&self) -> Vec<Node> {
        nodes(&self.receipt().primaries)
    }

    /// The fallbacks that answered, or acknowledged durably, before the request ended, and the
    /// primary that each stood in for; in the order in which they were called in.
    ///
    /// # Panics
    /// As [`receipt`](Done::receipt).
    #[track_caller]
    pub fn stand_ins(&self) -> Vec<(Node, Node)> {
        let stand_ins = self.receipt().fallbacks.iter();
        stand_ins.map(|one| (Node::of(one.node), Node::of(one.primary))).collect()
    }

    /// The replicas that the receipt says were found stale; sorted. Those that answer later are
    /// repaired, too: [`Scenario::repaired`](super::Scenario::repaired) has them.
    ///
    /// # Panics
    /// As [`receipt`](Done::receipt).
    #[track_caller]
    pub fn repaired(&self) -> Vec<Node> {
        nodes(&self.receipt().repaired)
    }

    /// The node that was no primary of the key and passed the request on.
    pub fn passed_on_by(&self) -> Option<Node> {
        self.passed_on_by
    }

    /// The layout that came with the reply to a request at a node.
    pub fn layout(&self) -> Option<&Arc<LayoutUpdate>> {
        self.layout.as_ref()
    }

    /// Nodes that a client asked; 1 for a request at a node.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Time from its beginning to its end.
    pub fn took(&self) -> Duration {
        self.took
    }

    #[track_caller]
    fn entry(&self) -> &Entry {
        match &self.answer {
            Answer::Entry(entry) => entry,
            Answer::Written(_) => panic!("{} is a write: it returns no values", self.what),
        }
    }

    #[track_caller]
    fn written(&self) -> &Written {
        match &self.answer {
            Answer::Written(written) => written,
            Answer::Entry(_) => panic!("{} is a read: it has no dot", self.what),
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Answer::Entry(entry) => {
                let (texts, tombstones) = (self.texts(), entry.tombstones);
                write!(f, "{} returned {texts:?} and {tombstones} tombstones", self.what)
            }
            Answer::Written(written) => {
                write!(f, "{} was acknowledged with {} siblings", self.what, written.siblings)
            }
        }?;
        match &self.receipt {
            Some(receipt) => write!(f, " by {:?}", nodes(&receipt.primaries)),
            None => Ok(()),
        }
    }
}

/// A request that failed.
#[derive(Clone)]
pub struct Failed {
    pub(super) what: String,
    /// Why, with all its numbers.
    pub error: CallError,
    pub(super) receipt: Option<Receipt>,
    pub(super) took: Duration,
}

impl Failed {
    /// Answers or acknowledgements that there were; before a start, replicas within reach.
    pub fn acked(&self) -> u32 {
        self.error.acked
    }

    /// Answers or acknowledgements that were needed.
    pub fn needed(&self) -> u32 {
        self.error.needed
    }

    /// The limit that was exceeded.
    pub fn limit(&self) -> u64 {
        self.error.limit
    }

    /// The number that exceeded it.
    pub fn actual(&self) -> u64 {
        self.error.actual
    }

    /// The primaries that did answer, where there is a receipt; sorted.
    pub fn answered(&self) -> Vec<Node> {
        self.receipt.as_ref().map(|receipt| nodes(&receipt.primaries)).unwrap_or_default()
    }

    /// Time from its beginning to its end.
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallError { code, needed, acked, limit, actual, .. } = &self.error;
        write!(
            f,
            "{} failed as {} after {:?}: {}",
            self.what,
            code.as_str(),
            self.took,
            self.error
        )?;
        write!(f, " [acked {acked}, needed {needed}, limit {limit}, actual {actual}]")
    }
}

/// A failure as a node tells it, in the words of a client that asked nobody else.
pub(super) fn call_error(failure: Failure) -> CallError {
    CallError { attempts: 1, ..CallError::of(failure, None) }
}

fn nodes(ids: &[NodeId]) -> Vec<Node> {
    let mut nodes: Vec<Node> = ids.iter().map(|id| Node::of(*id)).collect();
    nodes.sort();
    nodes
}
