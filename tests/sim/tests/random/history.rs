//! What happened in a run, as its clients saw it.

use std::collections::BTreeMap;

use quorate_core::causality::{Context, Dot, Payload};
use quorate_core::client::CallError;
use quorate_core::ids::RequestId;
use quorate_core::message::Outcome;
use quorate_core::time::{Duration, Instant};

/// A whole run.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) timeout: Duration,
    pub(crate) ops: Vec<Op>,
    /// From when an emptied disk was in use until its repair was through.
    pub(crate) wiped: Vec<(Instant, Instant)>,
    /// Every dot that any disk ever held, and what stood under it.
    pub(crate) dots: BTreeMap<(String, Dot), (Payload, RequestId)>,
    /// What all primaries hold of each key in the end: the live dots, and all that is known.
    pub(crate) last: BTreeMap<String, (Vec<Dot>, Context)>,
}

/// One call of a client.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) key: String,
    pub(crate) action: Action,
    pub(crate) r: u8,
    pub(crate) w: u8,
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: Result<Seen, CallError>,
}

#[derive(Debug)]
pub(crate) enum Action {
    Get,
    /// No text of two puts is the same.
    Put {
        text: String,
        given: Context,
    },
    Delete {
        given: Context,
    },
}

/// What a client was told.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) context: Context,
    /// Of a get.
    pub(crate) texts: Vec<String>,
    /// Whether one coordinator alone ran it.
    pub(crate) once: bool,
}

impl Op {
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// Whether it may have had an effect.
    pub(crate) fn may_have_happened(&self) -> bool {
        self.is_write()
            && self.result.as_ref().err().is_none_or(|error| error.outcome == Outcome::Unknown)
    }

    /// What the writer had been shown; `None` where only its coordinator knows.
    pub(crate) fn given(&self) -> Option<&Context> {
        match &self.action {
            Action::Get => None,
            Action::Put { given, .. } => Some(given),
            Action::Delete { given } => (!given.is_empty()).then_some(given),
        }
    }

    /// The one dot that an acknowledged write added to what it was given. A delete without context
    /// may add none, and nobody knows which one.
    pub(crate) fn dot(&self) -> Option<Dot> {
        let (given, seen) = (self.given()?, self.result.as_ref().ok()?);
        let fresh: Vec<Dot> =
            dots(&seen.context).into_iter().filter(|dot| !given.covers(*dot)).collect();
        assert!(seen.context.descends(given), "a writer forgot what it was shown: {self:?}");
        assert_eq!(fresh.len(), 1, "one write is one dot: {self:?}");
        Some(fresh[0])
    }
}

/// All dots of a context.
pub(crate) fn dots(context: &Context) -> Vec<Dot> {
    let of = |(actor, seen): (_, &quorate_core::causality::Seen)| {
        let also = seen.also().iter().copied();
        let counters: Vec<u64> = (1..=seen.upto()).chain(also).collect();
        counters
            .into_iter()
            .map(move |counter| Dot { actor, counter: quorate_core::causality::Counter(counter) })
    };
    context.iter().flat_map(of).collect()
}
