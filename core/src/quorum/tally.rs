//! The running count of one quorum.

use super::Replicas;

/// Counts acknowledgements of `asked` replicas towards `needed`.
///
/// Invariant: a replica is acked or failed, never both; the first word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    asked: usize,
    needed: usize,
    acked: Replicas,
    failed: Replicas,
    /// Those whose acknowledgement is noted and does not count.
    uncounted: Replicas,
}

/// What a [`Tally`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can still go either way.
    Open,
    /// Enough acknowledged.
    Reached,
    /// Too many failed.
    Impossible,
}

impl Tally {
    /// A count of `needed` out of the replicas with indexes below `asked`.
    pub fn new(asked: usize, needed: usize) -> Tally {
        assert!(asked <= Replicas::CAPACITY, "a preference list is longer than a set of replicas");
        let none = Replicas::new();
        Tally { asked, needed, acked: none, failed: none, uncounted: none }
    }

    /// One more replica, and its index; `None` where the set is full.
    pub fn add(&mut self, counts: bool) -> Option<usize> {
        if self.asked >= Replicas::CAPACITY {
            return None;
        }
        let index = self.asked;
        self.asked += 1;
        if !sane_or!(counts, StrictCountsFallback => true) {
            self.uncounted.insert(index);
        }
        Some(index)
    }

    /// Replica `index` does not count any more, whatever it says.
    pub fn discount(&mut self, index: usize) {
        self.uncounted.insert(index);
    }

    /// Replica `index` acknowledged.
    pub fn ack(&mut self, index: usize) {
        sane_or!(
            let index,
            DuplicatesCount => if self.acked.contains(index) {
                self.silent().iter().next().unwrap_or(index)
            } else {
                index
            }
        );
        if index < self.asked && !self.failed.contains(index) {
            self.acked.insert(index);
        }
    }

    /// Replica `index` will not acknowledge.
    pub fn fail(&mut self, index: usize) {
        if index < self.asked && !self.acked.contains(index) {
            self.failed.insert(index);
        }
    }

    /// Whether it is decided.
    pub fn verdict(&self) -> Verdict {
        if self.counted().len() >= self.needed {
            Verdict::Reached
        } else if self.asked - self.lost().len() < self.needed {
            Verdict::Impossible
        } else {
            Verdict::Open
        }
    }

    /// Those whose acknowledgement will never count.
    pub fn lost(&self) -> Replicas {
        self.failed.union(self.uncounted)
    }

    /// Acknowledgements that are needed.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Those that acknowledged.
    pub fn acked(&self) -> Replicas {
        self.acked
    }

    /// Those of them that count.
    pub fn counted(&self) -> Replicas {
        self.acked.minus(self.uncounted)
    }

    /// Those that will not acknowledge.
    pub fn failed(&self) -> Replicas {
        self.failed
    }

    /// Those that said nothing yet.
    pub fn silent(&self) -> Replicas {
        Replicas::first(self.asked).minus(self.acked).minus(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Impossible, Open, Reached};
    use super::{Replicas, Tally, Verdict};

    /// `a2` acknowledges replica 2, `f0` fails replica 0.
    fn verdict(asked: usize, needed: usize, words: &str) -> Verdict {
        let mut tally = Tally::new(asked, needed);
        for word in words.split_whitespace() {
            let index = word[1..].parse().unwrap();
            match &word[..1] {
                "a" => tally.ack(index),
                _ => tally.fail(index),
            }
        }
        tally.verdict()
    }

    #[test]
    fn table_of_quorums() {
        let table = [
            (3, 2, "", Open),
            (3, 2, "a0", Open),
            (3, 2, "a0 a1", Reached),
            (3, 2, "a0 a0 a0", Open),
            (3, 2, "a0 f1", Open),
            (3, 2, "a0 f1 f2", Impossible),
            (3, 2, "f1 f2", Impossible),
            (3, 2, "f1 f1 f1", Open),
            (3, 2, "a0 f1 a2", Reached),
            (3, 2, "a0 f0 f1", Open),
            (3, 2, "f0 a0 a1", Open),
            (3, 2, "a0 a3 a9", Open),
            (3, 2, "a0 a1 f2 f0 f1", Reached),
            (3, 3, "a0 a1", Open),
            (3, 3, "f2", Impossible),
            (3, 1, "f0 f1", Open),
            (3, 1, "f0 f1 f2", Impossible),
            (1, 1, "a0", Reached),
            (2, 3, "", Impossible),
        ];
        for (asked, needed, words, expected) in table {
            assert_eq!(verdict(asked, needed, words), expected, "{needed} of {asked}: {words}");
        }
    }

    #[test]
    fn a_replica_that_does_not_count_neither_helps_nor_hinders() {
        let mut tally = Tally::new(2, 2);
        tally.ack(0);
        assert_eq!(tally.add(false), Some(2));
        tally.ack(2);
        assert_eq!(tally.verdict(), Open);
        assert_eq!(tally.acked().len(), 2);
        tally.fail(1);
        assert_eq!(tally.verdict(), Impossible);
        assert_eq!(tally.add(true), Some(3));
        assert_eq!(tally.verdict(), Open);
        tally.ack(3);
        assert_eq!(tally.verdict(), Reached);
    }

    #[test]
    fn there_is_room_for_as_many_as_a_set_can_hold() {
        let mut tally = Tally::new(Replicas::CAPACITY - 1, 1);
        assert_eq!(tally.add(true), Some(Replicas::CAPACITY - 1));
        assert_eq!(tally.add(true), None);
    }

    #[test]
    fn whoever_said_nothing_is_silent() {
        let mut tally = Tally::new(3, 1);
        tally.ack(1);
        tally.fail(2);
        assert!(tally.silent().iter().eq([0]));
        tally.ack(0);
        assert!(tally.silent().is_empty());
    }
}
