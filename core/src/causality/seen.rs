//! An exact set of the counters of one actor.
//!
//! ```text
//! upto: 3   also: [5, 8]      1 2 3 . 5 . . 8
//! ```
//!
//! Invariant: `also` is strictly ascending and greater than `upto + 1`, so equal sets have equal
//! bytes.

use alloc::vec::Vec;

use super::Counter;

/// An exact set of counters: all from 1 up to `upto`, and single ones above a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// All counters from 1 up to this one are in the set; 0 where 1 is not.
    upto: u64,
    /// The rest. Invariant: strictly ascending, each greater than `upto + 1`.
    also: Vec<u64>,
}

impl Seen {
    /// The empty set.
    pub fn new() -> Seen {
        Seen::default()
    }

    /// The set with these parts; `None` where they are not the canonical ones (see the module).
    pub fn from_parts(upto: u64, also: Vec<u64>) -> Option<Seen> {
        let above_gap = also
            .first()
            .is_none_or(|first| upto.checked_add(1).is_some_and(|missing| *first > missing));
        let canonical = above_gap && also.is_sorted_by(|a, b| a < b);
        canonical.then_some(Seen { upto, also })
    }

    /// All counters from 1 up to this one are in the set; 0 where 1 is not.
    pub fn upto(&self) -> u64 {
        self.upto
    }

    /// The counters above the first gap, ascending.
    pub fn also(&self) -> &[u64] {
        &self.also
    }

    /// The greatest counter; 0 where the set is empty.
    pub fn max(&self) -> Counter {
        Counter(self.also.last().copied().unwrap_or(self.upto))
    }

    /// Whether the set has no counter.
    pub fn is_empty(&self) -> bool {
        self.upto == 0 && self.also.is_empty()
    }

    /// Whether `counter` is in the set. Zero never is.
    pub fn contains(&self, counter: Counter) -> bool {
        let Counter(counter) = counter;
        let in_run = sane_or!(counter <= self.upto, SeenEndsEarly => counter < self.upto);
        counter != 0 && (in_run || self.also.binary_search(&counter).is_ok())
    }

    /// Whether all of `other` is in the set.
    pub fn covers(&self, other: &Seen) -> bool {
        // `upto + 1` is not in the set, so a greater `other.upto` is decisive.
        self.upto >= other.upto && other.also.iter().all(|also| self.contains(Counter(*also)))
    }

    /// Puts `counter` into the set; answers whether it is new there. Zero is left out.
    pub fn insert(&mut self, counter: Counter) -> bool {
        match self.also.binary_search(&counter.0) {
            Err(place) if counter.0 > self.upto => {
                self.also.insert(place, counter.0);
                self.compact();
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Puts all of `other` into the set; answers whether anything of it is new there.
    pub fn union(&mut self, other: &Seen) -> bool {
        if self.covers(other) {
            return false;
        }
        self.upto = self.upto.max(other.upto);
        self.also.extend_from_slice(&other.also);
        // The sort is stable and run-aware: two ascending runs cost one merge.
        self.also.sort();
        self.also.dedup();
        let swallowed = self.also.partition_point(|also| *also <= self.upto);
        self.also.drain(..swallowed);
        self.compact();
        true
    }

    fn compact(&mut self) {
        let mut joined = 0;
        for also in &self.also {
            if self.upto.checked_add(1) != Some(*also) {
                break;
            }
            self.upto = *also;
            joined += 1;
        }
        self.also.drain(..joined);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{Counter, Seen};

    fn seen_of(counters: &[u64]) -> Seen {
        let mut seen = Seen::new();
        for counter in counters {
            seen.insert(Counter(*counter));
        }
        seen
    }

    fn few_counters() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(1..24_u64, 0..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_an_explicit_set(ours in few_counters(), theirs in few_counters()) {
            let (left, right) = (seen_of(&ours), seen_of(&theirs));
            let left_set: BTreeSet<u64> = ours.iter().copied().collect();
            let right_set: BTreeSet<u64> = theirs.iter().copied().collect();
            prop_assert!((0..30).all(|n| left.contains(Counter(n)) == left_set.contains(&n)));
            prop_assert_eq!(left.covers(&right), left_set.is_superset(&right_set));
            prop_assert_eq!(left.is_empty(), left_set.is_empty());
            prop_assert_eq!(left.max().0, left_set.last().copied().unwrap_or(0));

            let mut union = left.clone();
            let grew = union.union(&right);
            let union_set: Vec<u64> = left_set.union(&right_set).copied().collect();
            prop_assert_eq!(grew, union_set.len() > left_set.len());
            prop_assert_eq!(&union, &seen_of(&union_set));

            // Whatever was built is canonical.
            let parts = Seen::from_parts(union.upto(), union.also().to_vec());
            prop_assert_eq!(parts, Some(union));
        }

        #[test]
        fn insert_says_whether_a_counter_is_new(counters in few_counters()) {
            let (mut seen, mut set) = (Seen::new(), BTreeSet::new());
            for counter in counters {
                prop_assert_eq!(seen.insert(Counter(counter)), set.insert(counter));
            }
        }
    }

    #[test]
    fn zero_is_never_seen() {
        let mut seen = Seen::new();
        assert!(!seen.insert(Counter(0)));
        assert!(!seen.contains(Counter(0)));
        assert!(seen.is_empty());
    }

    #[test]
    fn the_greatest_counters_do_not_overflow() {
        let mut seen = Seen::from_parts(u64::MAX - 2, vec![u64::MAX]).expect("canonical parts");
        assert!(seen.insert(Counter(u64::MAX - 1)));
        assert_eq!((seen.upto(), seen.also()), (u64::MAX, &[][..]));
        assert!(!seen.union(&seen.clone()));
    }

    #[test]
    fn parts_that_are_not_canonical_are_refused() {
        for (upto, also) in [
            (0, vec![0]),
            (0, vec![1]),
            (3, vec![2]),
            (3, vec![3]),
            (3, vec![4]),
            (3, vec![6, 6]),
            (3, vec![7, 6]),
            (u64::MAX, vec![1]),
            (u64::MAX, vec![u64::MAX]),
        ] {
            assert_eq!(Seen::from_parts(upto, also.clone()), None, "{upto} {also:?}");
        }
    }
}
