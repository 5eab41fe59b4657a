//! What a record knows of one actor.

use alloc::vec::Vec;

use super::{Counter, Seen, Sibling};
use crate::time::UnixMs;

/// The writes of one actor that a record knows: those overwritten and those that stand.
///
/// Invariant: `live` is strictly ascending, has no counter 0 and none that is superseded; not both
/// parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// Overwritten by someone who had been shown them.
    superseded: Seen,
    /// The wall clock of the last write that added to the history; truncation drops the oldest.
    at: UnixMs,
    /// The siblings that stand.
    live: Vec<(Counter, Sibling)>,
}

impl History {
    /// The history with these parts; `None` where they break its invariant.
    pub fn from_parts(
        superseded: Seen,
        at: UnixMs,
        live: Vec<(Counter, Sibling)>,
    ) -> Option<History> {
        let history = History { superseded, at, live };
        history.is_valid().then_some(history)
    }

    /// The counters that were overwritten by someone who had been shown them.
    pub fn superseded(&self) -> &Seen {
        &self.superseded
    }

    /// The wall clock of the last write that added to the history.
    pub fn at(&self) -> UnixMs {
        self.at
    }

    /// The siblings that stand, ascending.
    pub fn live(&self) -> &[(Counter, Sibling)] {
        &self.live
    }

    /// All counters: superseded and live.
    pub fn known(&self) -> Seen {
        let mut known = self.superseded.clone();
        for (counter, _) in &self.live {
            known.insert(*counter);
        }
        known
    }

    /// Whether `counter` is superseded or live.
    pub fn knows(&self, counter: Counter) -> bool {
        self.superseded.contains(counter) || self.find(counter).is_ok()
    }

    /// The greatest counter known.
    pub(super) fn max(&self) -> Counter {
        let live = self.live.last().map_or(Counter(0), |(counter, _)| *counter);
        self.superseded.max().max(live)
    }

    /// Whether merging `other` would add neither a supersession nor a sibling.
    pub(super) fn descends(&self, other: &History) -> bool {
        self.superseded.covers(&other.superseded)
            && other.live.iter().all(|(counter, _)| self.knows(*counter))
    }

    pub(super) fn is_valid(&self) -> bool {
        let ascending = self.live.is_sorted_by(|(a, _), (b, _)| a < b);
        let apart = self
            .live
            .iter()
            .all(|(counter, _)| *counter != Counter(0) && !self.superseded.contains(*counter));
        let some = !(self.superseded.is_empty() && self.live.is_empty());
        ascending && apart && some
    }

    /// Marks `seen` as overwritten by a write at `at`; what is overwritten already is no news.
    pub(super) fn supersede(&mut self, seen: &Seen, at: UnixMs) {
        if self.superseded.union(seen) {
            self.at = self.at.max(at);
            self.drop_superseded();
        }
    }

    /// Adds the sibling of a write. `counter` must be greater than all that are known.
    pub(super) fn push(&mut self, counter: Counter, sibling: Sibling) {
        assert!(counter > self.max(), "a counter was given twice");
        self.at = self.at.max(sibling.written);
        self.live.push((counter, sibling));
    }

    /// Adds what `other` knows; answers whether anything changed.
    pub(super) fn merge(&mut self, other: &History) -> bool {
        let mut changed = sane_or!(
            self.superseded.union(&other.superseded),
            MergeForgetsSuperseded => {
                let known = !(self.superseded.is_empty() && self.live.is_empty());
                let both = super::wrong::superseded_by_both(self, other);
                self.superseded = if known { both } else { other.superseded.clone() };
                true
            }
        );
        if changed {
            self.drop_superseded();
        }
        if self.at < other.at {
            self.at = other.at;
            changed = true;
        }
        for (counter, sibling) in &other.live {
            if self.superseded.contains(*counter) {
                continue;
            }
            match self.find(*counter) {
                Ok(index) => {
                    let (_, ours) = &mut self.live[index];
                    if sibling.outranks(ours) {
                        *ours = sibling.clone();
                        changed = true;
                    }
                }
                Err(index) => {
                    sane_or!(MergeDropsConcurrent => if !self.live.is_empty() { continue });
                    self.live.insert(index, (*counter, sibling.clone()));
                    changed = true;
                }
            }
        }
        changed
    }

    fn find(&self, counter: Counter) -> Result<usize, usize> {
        self.live.binary_search_by_key(&counter, |(counter, _)| *counter)
    }

    fn drop_superseded(&mut self) {
        let superseded = &self.superseded;
        self.live.retain(|(counter, _)| !superseded.contains(*counter));
    }
}
