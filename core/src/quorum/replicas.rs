//! A set of replicas, by their index in a preference list.

use core::fmt;

/// A set of indexes below [`Replicas::CAPACITY`]. Acknowledgements are counted by membership, so
/// a duplicate frame changes nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Replicas(u64);

impl Replicas {
    /// Indexes are below this; N is, too.
    pub const CAPACITY: usize = 64;

    /// The empty set.
    pub const fn new() -> Replicas {
        Replicas(0)
    }

    /// All indexes below `count`.
    pub fn first(count: usize) -> Replicas {
        // The set of none has no bits, and a shift by all 64 would overflow.
        let unused = Replicas::CAPACITY.saturating_sub(count) as u32;
        Replicas(u64::MAX.checked_shr(unused).unwrap_or(0))
    }

    /// Adds an index; false where it was there or is beyond the capacity.
    pub fn insert(&mut self, index: usize) -> bool {
        let bit = Replicas::bit(index);
        let fresh = bit != 0 && self.0 & bit == 0;
        self.0 |= bit;
        fresh
    }

    /// Whether `index` is in the set.
    pub fn contains(self, index: usize) -> bool {
        self.0 & Replicas::bit(index) != 0
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in `self` or in `other`.
    pub fn union(self, other: Replicas) -> Replicas {
        Replicas(self.0 | other.0)
    }

    /// Those that are in both.
    pub fn intersection(self, other: Replicas) -> Replicas {
        Replicas(self.0 & other.0)
    }

    /// Those that are in `self` and not in `other`.
    pub fn minus(self, other: Replicas) -> Replicas {
        Replicas(self.0 & !other.0)
    }

    /// The indexes, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let next = |left: u64| Some(left & (left - 1)).filter(|left| *left != 0);
        core::iter::successors(Some(self.0).filter(|all| *all != 0), move |left| next(*left))
            .map(|left| left.trailing_zeros() as usize)
    }

    fn bit(index: usize) -> u64 {
        if index < Replicas::CAPACITY { 1 << index } else { 0 }
    }
}

impl FromIterator<usize> for Replicas {
    fn from_iter<I: IntoIterator<Item = usize>>(indexes: I) -> Replicas {
        let mut set = Replicas::new();
        for index in indexes {
            set.insert(index);
        }
        set
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Replicas;

    #[test]
    fn a_duplicate_changes_nothing() {
        let mut set = Replicas::new();
        assert!(set.insert(2));
        assert!(!set.insert(2));
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn an_index_beyond_the_capacity_is_never_a_member() {
        let mut set = Replicas::new();
        assert!(!set.insert(Replicas::CAPACITY));
        assert!(set.is_empty() && !set.contains(Replicas::CAPACITY));
    }

    #[test]
    fn all_members_come_in_ascending_order() {
        let members = [0, 1, 31, 32, 62, 63];
        let set: Replicas = members.into_iter().rev().collect();
        assert!(set.iter().eq(members));
        assert_eq!(Replicas::new().iter().next(), None);
    }

    #[test]
    fn the_first_so_many_are_just_those() {
        for count in 0..=Replicas::CAPACITY {
            assert!(Replicas::first(count).iter().eq(0..count), "{count}");
        }
        assert_eq!(Replicas::first(Replicas::CAPACITY + 1), Replicas::first(Replicas::CAPACITY));
    }

    #[test]
    fn minus_keeps_what_the_other_lacks() {
        let rest = Replicas::first(3).minus([1].into_iter().collect());
        assert!(rest.iter().eq([0, 2]));
    }
}
