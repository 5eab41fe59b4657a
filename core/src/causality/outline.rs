//! What a record knows, without what it holds: enough to see which of two replicas lacks something.

use alloc::vec::Vec;

use super::{Actor, ByActor, Counter, Record, Seen};
use crate::time::UnixMs;

/// The causal half of a [`Record`]: no payloads, no checksums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outline {
    histories: ByActor<HistoryOutline>,
}

/// The causal half of a [`History`](super::History).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HistoryOutline {
    /// What was overwritten.
    pub superseded: Seen,
    /// The wall clock of the last write that added to it.
    pub at: UnixMs,
    /// What stands, strictly ascending.
    pub live: Vec<Counter>,
}

impl Outline {
    /// The outline with these parts; `None` where an actor comes twice.
    pub fn from_histories(
        histories: impl IntoIterator<Item = (Actor, HistoryOutline)>,
    ) -> Option<Outline> {
        let mut outline = Outline::default();
        for (actor, history) in histories {
            if !history.live.is_sorted_by(|one, next| one < next)
                || !outline.histories.insert(actor, history)
            {
                return None;
            }
        }
        Some(outline)
    }

    /// What is known of each actor, in their order.
    pub fn histories(&self) -> impl Iterator<Item = (Actor, &HistoryOutline)> {
        self.histories.iter()
    }

    /// Whether merging `record` into the record of this outline would change nothing, as far as an
    /// outline can tell: a sibling that differs under one dot, which only damage brings about, does
    /// not show.
    pub fn takes_nothing_from(&self, record: &Record) -> bool {
        record.histories().all(|(actor, theirs)| {
            self.histories.get(actor).is_some_and(|ours| {
                ours.at >= theirs.at()
                    && ours.superseded.covers(theirs.superseded())
                    && theirs.live().iter().all(|(counter, _)| ours.knows(*counter))
            })
        })
    }
}

impl HistoryOutline {
    fn knows(&self, counter: Counter) -> bool {
        self.superseded.contains(counter) || self.live.binary_search(&counter).is_ok()
    }
}

impl Record {
    /// What the record knows.
    pub fn outline(&self) -> Outline {
        let mut outline = Outline::default();
        for (actor, history) in self.histories() {
            let live = history.live().iter().map(|(counter, _)| *counter).collect();
            let superseded = history.superseded().clone();
            outline.histories.insert(actor, HistoryOutline { superseded, at: history.at(), live });
        }
        outline
    }

    /// Whether merging the record of `outline` into this one would change nothing; see
    /// [`Outline::takes_nothing_from`].
    pub fn takes_nothing_from(&self, outline: &Outline) -> bool {
        outline.histories().all(|(actor, theirs)| {
            self.history(actor).is_some_and(|ours| {
                ours.at() >= theirs.at
                    && ours.superseded().covers(&theirs.superseded)
                    && theirs.live.iter().all(|counter| ours.knows(*counter))
            })
        })
    }
}
