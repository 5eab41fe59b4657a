//! A write: apply at home, send what came of it, end with W durable acknowledgements.

use alloc::vec::Vec;

use super::copies::{Copies, Quota};
use super::{Reach, Short};
use crate::quorum::{Replicas, Verdict};

/// A write over one preference list. One of its nodes is the coordinator.
///
/// Invariant: nothing is sent before the coordinator's own storage has applied the write, so a
/// write that it refuses leaves no trace anywhere.
#[derive(Clone, Debug)]
pub struct Put {
    /// The coordinator's index.
    own: usize,
    copies: Copies,
    /// Whether the coordinator's storage has applied the write.
    applied: bool,
    /// Whether the end was announced.
    ended: bool,
}

/// How a write ended; announced once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutEnd {
    /// W copies are durable.
    Done {
        /// Those who acknowledged.
        acked: Replicas,
    },
    /// Fewer than W acknowledged; some replica may hold it.
    Unknown {
        /// Those who acknowledged.
        acked: Replicas,
        /// The deadline came first.
        late: bool,
    },
}

impl Put {
    /// Starts a write of `w` copies over so many `primaries`. The first thing to do is to apply it
    /// at the coordinator: the primary of index `own` or, with `None`, a fallback, which stands in
    /// for the first primary that is not reached.
    ///
    /// # Errors
    /// Fewer than `w` are within reach.
    ///
    /// # Panics
    /// Where a fallback coordinates although all primaries are to be asked.
    pub fn start(
        primaries: usize,
        w: usize,
        own: Option<usize>,
        reach: Reach,
    ) -> Result<Put, Short> {
        sane_or!(let w, WriteQuorumShort => (w - 1).max(1));
        check(Quota { primaries: Replicas::first(primaries), needed: w }, reach)?;
        Put::begin(Copies::new(primaries, w, reach), own)
    }

    /// The same while several layouts are in force: so many copies are needed of each of them. The
    /// primaries are those of all, each once.
    ///
    /// # Errors
    /// Of a layout fewer than are needed are within reach.
    ///
    /// # Panics
    /// As [`start`](Put::start).
    pub fn start_in_all(
        primaries: usize,
        quotas: Vec<Quota>,
        own: Option<usize>,
        reach: Reach,
    ) -> Result<Put, Short> {
        sane_or!(let quotas, WritesToNewestOnly => quotas.into_iter().skip(1).collect::<Vec<_>>());
        sane_or!(let quotas, WritesToOldestOnly => quotas.into_iter().take(1).collect::<Vec<_>>());
        for quota in &quotas {
            check(*quota, reach)?;
        }
        let needed = quotas.iter().map(|quota| quota.needed).max().unwrap_or(1);
        Put::begin(Copies::new(primaries, needed, reach).with_quotas(quotas), own)
    }

    fn begin(mut copies: Copies, own: Option<usize>) -> Result<Put, Short> {
        let own = own.unwrap_or_else(|| {
            let primary = copies.wants_stand_in().expect("a fallback stands in for a primary");
            copies.stand_in(primary).expect("there is room for the first stand-in")
        });
        Ok(Put { own, copies, applied: false, ended: false })
    }

    /// The coordinator's index.
    pub fn own(&self) -> usize {
        self.own
    }

    /// The coordinator's storage has applied the write: the primaries to send the record to.
    pub fn on_applied(&mut self) -> Replicas {
        self.applied = true;
        self.copies.awaited().minus([self.own].into_iter().collect())
    }

    /// Replica `index` holds the write durably. Before it was applied nobody can.
    pub fn on_ack(&mut self, index: usize) {
        if self.applied {
            self.copies.ack(index);
        }
    }

    /// Replica `index` is gone or could not store it.
    pub fn on_fail(&mut self, index: usize) {
        self.copies.fail(index);
    }

    /// Some that are silent take too long: others are to stand in for them.
    pub fn on_patience_over(&mut self, overdue: Replicas) {
        if self.applied {
            self.copies.on_patience_over(overdue.minus([self.own].into_iter().collect()));
        }
    }

    /// The first primary that somebody is to stand in for, once there is something to send.
    pub fn wants_stand_in(&self) -> Option<usize> {
        self.copies.wants_stand_in().filter(|_| self.applied)
    }

    /// A fallback is sent the record as a hint for `primary`; answers the fallback's index.
    pub fn stand_in(&mut self, primary: usize) -> Option<usize> {
        self.copies.stand_in(primary)
    }

    /// Primaries that were not asked, and can be.
    pub fn spared(&self) -> Replicas {
        self.copies.spared()
    }

    /// A primary that was spared is sent the record after all.
    pub fn call_up(&mut self, primary: usize) {
        self.copies.call_up(primary);
    }

    /// No fallback is left for `primary`.
    pub fn give_up(&mut self, primary: usize) {
        self.copies.give_up(primary);
    }

    /// The coordinator's storage refused the write. True where that is the end of it: nothing
    /// happened and nothing will.
    pub fn on_refused(&mut self) -> bool {
        let ends = !self.ended && !self.applied;
        self.ended |= ends;
        ends
    }

    /// Time is up.
    pub fn on_deadline(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(PutEnd::Unknown { acked: self.copies.tally().acked(), late: true })
    }

    /// The end, when it is reached. To be asked after everything that happened, once no stand-in
    /// is wanted any more.
    pub fn end(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        let acked = self.copies.tally().acked();
        let end = match self.copies.verdict() {
            Verdict::Open => return None,
            Verdict::Reached => PutEnd::Done { acked },
            Verdict::Impossible => PutEnd::Unknown { acked, late: false },
        };
        self.ended = true;
        Some(end)
    }

    /// Those who were sent the write and said nothing yet.
    pub fn awaited(&self) -> Replicas {
        self.copies.expected()
    }

    /// Whether each primary holds the write, or somebody in its place, or nobody will.
    pub fn is_covered(&self) -> bool {
        self.copies.is_covered()
    }

    /// Those whose acknowledgements count.
    pub fn counted(&self) -> Replicas {
        self.copies.tally().counted()
    }

    /// For each stand-in its index and its primary's.
    pub fn stand_ins(&self) -> impl Iterator<Item = (usize, usize)> {
        self.copies.stand_ins()
    }
}

/// Whether as many as are needed of the primaries of a layout are within reach.
fn check(Quota { primaries, needed }: Quota, reach: Reach) -> Result<(), Short> {
    let others = reach.reachable.minus(primaries).len();
    let spare = if reach.sloppy { reach.fallbacks + others } else { 0 };
    let reachable = reach.reachable.intersection(primaries).len() + spare;
    if reachable < needed { Err(Short { needed, reachable }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Put, PutEnd};
    use crate::quorum::Replicas;
    use crate::request::{Quota, Reach, Short};

    fn set(indexes: &[usize]) -> Replicas {
        indexes.iter().copied().collect()
    }

    /// Two of each of two lists of three.
    fn quotas(lists: [&[usize]; 2]) -> Vec<Quota> {
        lists.map(|list| Quota { primaries: set(list), needed: 2 }).to_vec()
    }

    /// A put over two lists, coordinated by the index 0 and applied there. `a1`: index 1
    /// acknowledges; `f1`: it fails; `o1`: all but it and the coordinator are overdue; `s`: a
    /// fallback stands in for whoever wants that first; `n`: none is left for it.
    fn put(lists: [&[usize]; 2], primaries: usize, reach: Reach, words: &str) -> Put {
        let put = Put::start_in_all(primaries, quotas(lists), Some(0), reach);
        let mut put = put.expect("enough are within reach");
        put.on_applied();
        for word in words.split_whitespace() {
            let index = word[1..].parse().unwrap_or(usize::MAX);
            match &word[..1] {
                "a" => put.on_ack(index),
                "f" => put.on_fail(index),
                "o" => put.on_patience_over(put.awaited().minus(set(&[index]))),
                "s" => {
                    let primary = put.wants_stand_in().expect("somebody is missing");
                    put.stand_in(primary).expect("there is room");
                }
                "n" => {
                    let primary = put.wants_stand_in().expect("somebody is missing");
                    put.give_up(primary);
                }
                _ => panic!("no such word: {word}"),
            }
        }
        put
    }

    fn end(put: &mut Put) -> Option<bool> {
        put.end().map(|end| matches!(end, PutEnd::Done { .. }))
    }

    const OPEN: Option<bool> = None;
    const DONE: Option<bool> = Some(true);
    const UNKNOWN: Option<bool> = Some(false);

    #[test]
    fn table_of_writes_over_two_lists() {
        // One node goes and one comes; all go and others come.
        let one: [&[usize]; 2] = [&[0, 1, 2], &[0, 1, 3]];
        let all: [&[usize]; 2] = [&[0, 1, 2], &[3, 4, 5]];
        type Row<'a> = ([&'a [usize]; 2], bool, &'a str, Option<bool>);
        let table: [Row<'_>; 40] = [
            // lists, sloppy, words: how it ends
            (one, false, "a0", OPEN),
            (one, false, "a0 a1", DONE),
            (one, false, "a0 a2", OPEN),
            (one, false, "a0 a3", OPEN),
            (one, false, "a0 a2 a3", DONE),
            (one, false, "a2 a3", OPEN),
            (one, false, "a0 a2 a2 a2", OPEN),
            (one, false, "a0 f1", OPEN),
            (one, false, "a0 f1 a2", OPEN),
            (one, false, "a0 f1 a2 a3", DONE),
            (one, false, "a0 f1 f2", UNKNOWN),
            (one, false, "a0 f1 f3", UNKNOWN),
            (one, false, "a0 f2 f3", OPEN),
            (one, false, "a0 f2 f3 a1", DONE),
            (one, false, "a0 a2 a3 f1", DONE),
            (all, false, "a0 a1", OPEN),
            (all, false, "a0 a1 a2", OPEN),
            (all, false, "a0 a1 a2 a3", OPEN),
            (all, false, "a0 a1 a3 a4", DONE),
            (all, false, "a3 a4 a5", OPEN),
            (all, false, "a0 a1 a2 f3 f4", UNKNOWN),
            (all, false, "f1 f2 a3 a4 a5", UNKNOWN),
            // A stand-in counts in the lists of the primary that it stands in for: that of 6 is 1.
            (all, false, "a0 o0 s a6 a3 a4", OPEN),
            (all, true, "a0 o0 s a6", OPEN),
            (all, true, "a0 o0 s a6 a3 a4", DONE),
            (all, true, "a0 a1 o0 s a6", OPEN),
            (all, true, "a0 a1 a2 o0 s s a6", OPEN),
            (all, true, "a0 a1 a2 o0 s s a6 a7", DONE),
            (one, true, "a0 o0 s a4", DONE),
            (one, true, "a0 a1 o0 s a4", DONE),
            // It and its primary are one.
            (all, true, "a3 a4 o0 s a1 a6", OPEN),
            (all, true, "a3 a4 o0 s a1 a6 a0", DONE),
            // One that fails is not the end as long as another can be found.
            (one, true, "a0 f1 f2 f3", OPEN),
            (one, true, "a0 f1 f2 f3 s s s f4", OPEN),
            // Where no fallback is left, a primary of the other list stands in, and each for one.
            (all, true, "a0 a1 a2 f4 n f5 n a3", DONE),
            (all, true, "a0 a1 f4 n f5 n f3 n", DONE),
            (all, true, "a0 f1 n f2 n a3", OPEN),
            (all, true, "a0 f1 n f2 n a3 a4", DONE),
            (one, true, "a0 f1 n f2 n f3 n", UNKNOWN),
            (all, false, "a0 f1 n f2 n a3 a4", UNKNOWN),
        ];
        for (lists, sloppy, words, expected) in table {
            let primaries = if lists == one { 4 } else { 6 };
            let reachable = Replicas::first(primaries);
            let reach = Reach { reachable, sloppy, fallbacks: 9, ..Reach::default() };
            let mut put = put(lists, primaries, reach, words);
            assert_eq!(end(&mut put), expected, "{lists:?} {sloppy} {words}");
            assert_eq!(end(&mut put), None, "an end is announced once: {words}");
        }
    }

    #[test]
    fn a_list_that_lost_members_needs_those_that_are_left() {
        let quotas = vec![
            Quota { primaries: set(&[0]), needed: 1 },
            Quota { primaries: set(&[1, 2, 3]), needed: 2 },
        ];
        let reach = Reach { reachable: Replicas::first(4), ..Reach::default() };
        let mut put = Put::start_in_all(4, quotas, Some(0), reach).expect("all are there");
        put.on_applied();
        for index in [1, 2] {
            put.on_ack(index);
            assert_eq!(end(&mut put), OPEN);
        }
        put.on_ack(0);
        assert_eq!(end(&mut put), DONE);
    }

    #[test]
    fn one_copy_stands_in_for_one_primary() {
        let quotas = vec![
            Quota { primaries: set(&[0]), needed: 1 },
            Quota { primaries: set(&[1, 2, 3]), needed: 2 },
        ];
        let reach = Reach { reachable: Replicas::first(4), sloppy: true, ..Reach::default() };
        let mut put = Put::start_in_all(4, quotas, Some(0), reach).expect("all are there");
        put.on_applied();
        put.on_ack(0);
        for index in [1, 2, 3] {
            put.on_fail(index);
            put.give_up(index);
        }
        assert_eq!(end(&mut put), UNKNOWN);
    }

    #[test]
    fn a_write_is_refused_where_one_list_is_short() {
        let lists: [&[usize]; 2] = [&[0, 1, 2], &[3, 4, 5]];
        let table: [(&[usize], bool, usize, Option<usize>); 7] = [
            // within reach, sloppy, fallbacks: how many there are of the list that is short
            (&[0, 1, 3, 4], false, 0, None),
            (&[0, 1, 2, 3], false, 9, Some(1)),
            (&[0, 3, 4, 5], false, 9, Some(1)),
            (&[0, 1, 2], false, 9, Some(0)),
            (&[0, 1, 2, 3], true, 0, None),
            (&[0], true, 0, Some(1)),
            (&[0], true, 1, None),
        ];
        for (reachable, sloppy, fallbacks, short) in table {
            let reach = Reach { reachable: set(reachable), sloppy, fallbacks, ..Reach::default() };
            let put = Put::start_in_all(6, quotas(lists), Some(0), reach);
            let expected = short.map(|reachable| Short { needed: 2, reachable });
            assert_eq!(put.err(), expected, "{reachable:?} {sloppy} {fallbacks}");
        }
    }

    #[test]
    fn a_write_is_covered_once_each_primary_of_both_lists_has_it() {
        let lists: [&[usize]; 2] = [&[0, 1, 2], &[0, 1, 3]];
        let reach =
            Reach { reachable: Replicas::first(4), sloppy: true, fallbacks: 9, ..Reach::default() };
        let is_covered = |words| put(lists, 4, reach, words).is_covered();
        assert!(!is_covered("a0 a1 a2") && !is_covered("a0 a1 a3"));
        assert!(is_covered("a0 a1 a2 a3") && is_covered("a0 a1 a2 f3 s a4"));
        assert!(is_covered("a0 a1 a2 f3 n"));
    }
}
