//! What is known of one call.

use std::fmt;

use bytes::Bytes;
use quorate_core::causality::{Context, Dot};
use quorate_core::client::{CallError, Completion};
use quorate_core::ids::{Key, RequestId};
use quorate_core::message::{Answer, CallId, EntryValue, Outcome, Reply};
use quorate_core::time::Instant;

use super::dots::difference;
use super::names::Seconds;
use crate::observation::{Asked, Caller, Ending};

/// A call, by the order of the beginnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpId(pub(crate) usize);

/// One call, from its beginning.
#[derive(Clone)]
pub(crate) struct Op {
    pub(crate) caller: Caller,
    pub(crate) call: CallId,
    pub(crate) key: Key,
    pub(crate) wish: Wish,
    /// R and W, defaults filled in.
    pub(crate) r: u8,
    pub(crate) w: u8,
    /// Whether only primaries count.
    pub(crate) strict: bool,
    pub(crate) started: Instant,
    /// The number of the observation that began it.
    pub(crate) began: u64,
    /// When it has to have ended. Invariant: at once, where it is taken back.
    pub(crate) deadline: Instant,
    /// The request id of its first PUT frame.
    pub(crate) request: Option<RequestId>,
    /// Another request id that a later frame of it had.
    pub(crate) other_request: Option<RequestId>,
    /// Whether a PUT frame of it, or an answer to it, reached somebody twice.
    pub(crate) again: bool,
    /// Whether its caller took it back before it ended.
    pub(crate) cancelled: bool,
    /// Whether its caller died before it ended.
    pub(crate) gone: bool,
    /// Its first end.
    pub(crate) end: Option<Ended>,
    /// How often it ended.
    pub(crate) ends: u32,
}

/// What a call asks for, with its context read.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// A read that is to show what is `given`, where it is not empty.
    Get {
        given: Context,
    },
    Put {
        value: Bytes,
        given: Context,
    },
    Delete {
        given: Context,
    },
}

/// The end of a call.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) at: Instant,
    pub(crate) how: How,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// A get's answer.
    Found { context: Context, values: Vec<EntryValue>, tombstones: u32 },
    /// The acknowledgement of a write.
    Written {
        /// The context of the answer.
        context: Context,
        /// What the answer covers beyond what its caller gave.
        fresh: Vec<Dot>,
        /// The write that it acknowledges; the facts fill it in.
        dot: Option<Dot>,
    },
    /// An answer whose context is no token of the key.
    Garbled,
    /// Nothing happened.
    Refused,
    /// It may have happened.
    Unknown,
}

impl Wish {
    /// The wish with its context read; one that cannot be read is taken for none.
    pub(crate) fn of(key: &Key, asked: &Asked) -> Wish {
        let read = |token: &Bytes| Context::from_token(key, token).unwrap_or_default();
        match asked {
            Asked::Get => Wish::Get { given: Context::new() },
            Asked::Session { context } => Wish::Get { given: read(context) },
            Asked::Put { value, context } => {
                Wish::Put { value: value.clone(), given: read(context) }
            }
            Asked::Delete { context } => Wish::Delete { given: read(context) },
        }
    }

    pub(crate) fn is_write(&self) -> bool {
        !matches!(self, Wish::Get { .. })
    }

    /// A delete of whatever a quorum holds: only its coordinator knows what it covers.
    pub(crate) fn is_blind_delete(&self) -> bool {
        matches!(self, Wish::Delete { given } if given.is_empty())
    }

    /// What the caller had been shown.
    pub(crate) fn given(&self) -> Option<&Context> {
        match self {
            Wish::Get { .. } => None,
            Wish::Put { given, .. } | Wish::Delete { given } => Some(given),
        }
    }
}

impl Op {
    /// Reads how it ended.
    pub(super) fn ending(&self, ending: Ending<'_>) -> How {
        match ending {
            Ending::Client(Ok(Completion { answer, .. })) => self.answered(answer),
            Ending::Client(Err(CallError { outcome, .. })) => failed(*outcome),
            Ending::Hand(Reply { result, .. }) => match result {
                Ok(answer) => self.answered(answer),
                Err(failure) => failed(failure.outcome),
            },
        }
    }

    fn answered(&self, answer: &Answer) -> How {
        let token = match answer {
            Answer::Entry(entry) => &entry.context,
            Answer::Written(written) => &written.context,
        };
        let Ok(context) = Context::from_token(&self.key, token) else { return How::Garbled };
        match answer {
            Answer::Entry(entry) => {
                How::Found { context, values: entry.values.clone(), tombstones: entry.tombstones }
            }
            Answer::Written(_) => {
                let nothing = Context::new();
                let fresh = difference(&context, self.wish.given().unwrap_or(&nothing));
                How::Written { context, fresh, dot: None }
            }
        }
    }

    /// Whether it is a read that is content with one replica which knows what it was shown.
    pub(crate) fn is_session(&self) -> bool {
        matches!(&self.wish, Wish::Get { given } if !given.is_empty())
    }

    /// How it ended, if it has.
    pub(crate) fn how(&self) -> Option<&How> {
        self.end.as_ref().map(|end| &end.how)
    }
}

fn failed(outcome: Outcome) -> How {
    match outcome {
        Outcome::None => How::Refused,
        Outcome::Unknown => How::Unknown,
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Op { caller, call: CallId(call), r, w, .. } = self;
        match &self.wish {
            Wish::Get { given } if given.is_empty() => f.write_str("the get")?,
            Wish::Get { .. } => f.write_str("the session get")?,
            Wish::Put { value, given } => {
                let blind = if given.is_empty() { "blind " } else { "" };
                write!(f, "the {blind}put of {:?}", String::from_utf8_lossy(value))?;
            }
            Wish::Delete { given } if given.is_empty() => f.write_str("the blind delete")?,
            Wish::Delete { .. } => f.write_str("the delete")?,
        }
        write!(f, " (call {call} of {caller:?}, R={r} W={w}, begun at {}", Seconds(self.started))?;
        match &self.end {
            Some(end) => write!(f, ", ended at {})", Seconds(end.at)),
            None => f.write_str(", not ended)"),
        }
    }
}
