//! For which keys hints were made of late (DESIGN.md §12).
//!
//! A collection wants to know of a key whether a hint was made between two of its questions, be it
//! there still or not. So the keys of the last hints are remembered, in the order in which the
//! storage was asked to keep them.
//!
//! Invariant: whatever was made since [`known_since`](RecentHints) is listed.

use alloc::collections::{BTreeMap, VecDeque};

use crate::ids::Key;
use crate::ring::Position;

/// Hints that are remembered. With more of them between its questions, a collection begins anew.
const REMEMBERED_MAX: usize = 65_536;

/// The positions of the keys of the last hints.
#[derive(Clone, Debug)]
pub(crate) struct RecentHints {
    /// Names the next hint. Lives begin far apart, so that a moment of one is unknown to another.
    next: u64,
    /// The first moment since which every hint is listed.
    known_since: u64,
    /// Invariant: strictly ascending, and the last hint of each key is in `last`.
    made: VecDeque<(u64, Position)>,
    last: BTreeMap<Position, u64>,
}

impl RecentHints {
    /// `first` must be random.
    pub(crate) fn new(first: u64) -> RecentHints {
        let first = first >> 1;
        let (made, last) = (VecDeque::new(), BTreeMap::new());
        RecentHints { next: first, known_since: first, made, last }
    }

    /// The storage is asked to keep a hint.
    pub(crate) fn note(&mut self, key: &Key) {
        let position = Position::of(key.as_bytes());
        self.made.push_back((self.next, position));
        self.last.insert(position, self.next);
        self.next += 1;
        while self.made.len() > REMEMBERED_MAX
            && let Some((number, position)) = self.made.pop_front()
        {
            self.known_since = number + 1;
            if self.last.get(&position) == Some(&number) {
                self.last.remove(&position);
            }
        }
    }

    /// This moment.
    pub(crate) fn moment(&self) -> u64 {
        self.next
    }

    /// Whether it is certain that no hint for `key` was made since a moment.
    pub(crate) fn none_since(&self, moment: u64, key: &Key) -> bool {
        let known = (self.known_since..=self.next).contains(&moment);
        let last = self.last.get(&Position::of(key.as_bytes()));
        known && last.is_none_or(|last| *last < moment)
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.made.len() <= REMEMBERED_MAX && self.last.len() <= self.made.len());
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{REMEMBERED_MAX, RecentHints};
    use crate::ids::Key;

    #[test]
    fn a_hint_is_known_to_whoever_asked_before_it() {
        let (one, two) = (Key::from("one"), Key::from("two"));
        let mut hints = RecentHints::new(42);
        let before = hints.moment();
        hints.note(&one);
        let after = hints.moment();
        assert!(!hints.none_since(before, &one) && hints.none_since(before, &two));
        assert!(hints.none_since(after, &one));
    }

    #[test]
    fn nobody_vouches_for_what_is_forgotten_or_of_another_life() {
        let mut hints = RecentHints::new(42);
        let first = hints.moment();
        for number in 0..=REMEMBERED_MAX {
            hints.note(&Key::from(format!("{number}").into_bytes()));
        }
        hints.check_invariants();
        let never_hinted = Key::from("another");
        assert!(!hints.none_since(first, &never_hinted), "one hint is forgotten");
        assert!(hints.none_since(first + 1, &never_hinted));
        assert!(!hints.none_since(u64::MAX, &never_hinted));
    }
}
