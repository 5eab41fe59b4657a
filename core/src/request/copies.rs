//! The copies that one request works with: the primaries, and the fallbacks that stand in for
//! some of them.
//!
//! ```text
//!   index   0  1  2 | 3      4        primaries first, in the order of the preference list, then
//!           a  -  - | for 1  for 2    the stand-ins, in the order in which they were called in
//! ```
//!
//! Of a local request the primaries of one zone count, and stand-ins for them that are in it. At
//! first nobody else is stood in for, so that fallbacks of the zone are left for its own primaries;
//! once the request has ended, anybody is, by anybody.
//!
//! Invariant: a primary has at most one stand-in that is neither failed nor overdue, beside one that
//! does not count.

use alloc::vec::Vec;

use super::Short;
use crate::quorum::{Replicas, Tally, Verdict};

/// Who was asked, who answered, who stands in for whom.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    tally: Tally,
    /// How many primaries there are.
    primaries: usize,
    /// For each stand-in the primary that it stands in for.
    stand_ins: Vec<usize>,
    /// Whether stand-ins count.
    sloppy: bool,
    /// Primaries that are within reach and were not asked, since they are slow or not needed yet.
    spared: Replicas,
    /// Those that were asked and take too long.
    overdue: Replicas,
    /// Primaries that nobody stands in for: there is no fallback left.
    given_up: Replicas,
    /// What is needed of each layout in force, where there are several or the request is local;
    /// empty: of all alike.
    quotas: Vec<Quota>,
    /// Of a local request, those that are not in its zone.
    outsiders: Replicas,
    /// Whether this is a local request that has not ended.
    is_near_first: bool,
    /// The primaries that are to be stood in for: those that count as long as `is_near_first`, else
    /// all.
    wanted: Replicas,
}

/// The primaries of one layout, and how many of them are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Those of its primaries that count.
    pub primaries: Replicas,
    /// How many of them end the request.
    pub needed: usize,
    /// Whether they are those of the zone of a local request: nobody else stands in for them.
    pub local: bool,
}

/// Which of the primaries can be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// Those within reach.
    pub reachable: Replicas,
    /// Those among them that are not asked at first.
    pub spared: Replicas,
    /// Fallbacks within reach; it does not matter by how much they are more than needed.
    pub fallbacks: usize,
    /// Whether fallbacks count.
    pub sloppy: bool,
    /// Of a local request, the primaries that are not in its zone.
    pub outsiders: Replicas,
    /// Of a local request, those of the fallbacks that are in its zone.
    pub near_fallbacks: usize,
    /// The coordinator is a fallback that is not in the zone of the local request.
    pub own_is_outside: bool,
}

impl Quota {
    /// Whether as many as are needed are within reach.
    pub(super) fn check(self, reach: Reach) -> Result<(), Short> {
        let Quota { primaries, needed, local } = self;
        let others = reach.reachable.minus(primaries);
        let spare = match (reach.sloppy, local) {
            (false, _) => 0,
            (true, false) => reach.fallbacks + sane_or!(others.len(), RefusesByOneLayout => 0),
            (true, true) => reach.near_fallbacks + others.minus(reach.outsiders).len(),
        };
        let reachable = reach.reachable.intersection(primaries).len() + spare;
        if reachable < needed { Err(Short { needed, reachable }) } else { Ok(()) }
    }
}

impl Copies {
    pub(super) fn new(primaries: usize, needed: usize, reach: Reach) -> Copies {
        let mut tally = Tally::new(primaries, needed);
        for index in Replicas::first(primaries).minus(reach.reachable).iter() {
            tally.fail(index);
        }
        Copies {
            tally,
            primaries,
            stand_ins: Vec::new(),
            sloppy: reach.sloppy,
            spared: reach.spared,
            overdue: Replicas::new(),
            given_up: Replicas::new(),
            quotas: Vec::new(),
            outsiders: reach.outsiders,
            is_near_first: false,
            wanted: Replicas::first(primaries),
        }
    }

    /// So many are needed of each of several layouts, or of one zone.
    pub(super) fn with_quotas(mut self, quotas: Vec<Quota>) -> Copies {
        self.quotas = quotas;
        self.is_near_first = self.is_local();
        if self.is_near_first {
            let lists = self.quotas.iter().map(|quota| quota.primaries);
            self.wanted = lists.fold(Replicas::new(), Replicas::union);
        }
        self
    }

    /// Whether those of one zone count alone.
    pub(super) fn is_local(&self) -> bool {
        self.quotas.iter().any(|quota| quota.local)
    }

    /// The request has ended: whoever is missing may be stood in for, by anybody.
    pub(super) fn on_ended(&mut self) {
        if core::mem::take(&mut self.is_near_first) {
            self.wanted = Replicas::first(self.primaries);
            self.given_up = Replicas::new();
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Of a primary and those that stand in for it one counts: what they hold goes to one place.
    pub(super) fn ack(&mut self, index: usize) {
        self.tally.ack(index);
        let primary = self.primary_of(index);
        // Quotas of a local request count primaries, so nobody counts twice.
        if !self.tally.acked().contains(index) || !self.sloppy || self.is_local() {
            return;
        }
        let acked = self.tally.counted();
        let group = || core::iter::once(primary).chain(self.stand_ins_of(primary));
        let first = group().find(|index| acked.contains(*index));
        let others: Replicas = group().filter(|index| Some(*index) != first).collect();
        for other in others.iter() {
            self.tally.discount(other);
        }
    }

    /// Whether those in `set` are enough, each for itself or for the primary that it stands in for.
    pub(super) fn are_enough(&self, set: Replicas) -> bool {
        if !self.quotas.is_empty() {
            return self.quotas.iter().all(|quota| self.of_quota(quota, set) >= quota.needed);
        }
        let served = |primary: &usize| {
            set.contains(*primary) || self.stand_ins_of(*primary).any(|index| set.contains(index))
        };
        (0..self.primaries).filter(served).count() >= self.tally.needed()
    }

    /// How many are needed, and how many of those in `set` count: of several quotas the first that
    /// is not reached.
    pub(super) fn count(&self, set: Replicas) -> (usize, usize) {
        if !self.is_local() {
            return (self.tally.needed(), set.len());
        }
        let count = |quota: &Quota| (quota.needed, self.of_quota(quota, set));
        let short = self.quotas.iter().map(count).find(|(needed, counted)| counted < needed);
        short.or_else(|| self.quotas.first().map(count)).unwrap_or_default()
    }

    pub(super) fn fail(&mut self, index: usize) {
        self.spared = self.spared.minus([index].into_iter().collect());
        self.tally.fail(index);
    }

    /// Primaries that could still be asked.
    pub(super) fn spared(&self) -> Replicas {
        self.spared
    }

    /// A primary that was spared is asked after all.
    pub(super) fn call_up(&mut self, primary: usize) {
        self.spared = self.spared.minus([primary].into_iter().collect());
    }

    /// Those that were asked and said nothing yet.
    pub(super) fn awaited(&self) -> Replicas {
        self.tally.silent().minus(self.spared)
    }

    /// Those of them that do not take too long.
    pub(super) fn expected(&self) -> Replicas {
        self.awaited().minus(self.overdue)
    }

    /// Those of `overdue` that were asked and say nothing take too long.
    pub(super) fn on_patience_over(&mut self, overdue: Replicas) {
        self.overdue = self.overdue.union(overdue.intersection(self.awaited()));
    }

    /// The first primary that needs a stand-in and has none.
    pub(super) fn wants_stand_in(&self) -> Option<usize> {
        let missing = self.lost().intersection(self.wanted).minus(self.given_up);
        missing.iter().find(|primary| !self.is_stood_in_for(*primary))
    }

    /// Whether only a fallback in the zone is of use in the place of `primary`.
    pub(super) fn wants_near(&self, primary: usize) -> bool {
        self.is_near_first
            && self.quotas.iter().any(|quota| quota.local && quota.primaries.contains(primary))
    }

    /// The coordinator is a fallback: it stands in for the first primary that it is of use for.
    /// Where all can be asked, since the layout has changed meanwhile or they came back, that is the
    /// last one: of the two one counts. Answers its index.
    pub(super) fn seat_own(&mut self, is_outside: bool) -> usize {
        let lost = self.lost();
        let elsewhere = lost.intersection(self.outsiders).iter().next().filter(|_| is_outside);
        let primary = elsewhere.or_else(|| self.wants_stand_in());
        let primary = primary.unwrap_or(self.primaries.saturating_sub(1));
        let index = self.stand_in(primary).expect("there is room for the first stand-in");
        if is_outside {
            self.note_outsider(index);
        }
        index
    }

    /// A fallback stands in for `primary`; answers its index, `None` where there are too many.
    pub(super) fn stand_in(&mut self, primary: usize) -> Option<usize> {
        let index = self.tally.add(self.sloppy)?;
        self.stand_ins.push(primary);
        Some(index)
    }

    /// The stand-in `index` is not in the zone of the local request.
    pub(super) fn note_outsider(&mut self, index: usize) {
        self.outsiders.insert(index);
    }

    /// There is no fallback left for `primary`.
    pub(super) fn give_up(&mut self, primary: usize) {
        self.given_up.insert(primary);
    }

    /// Whether enough answered. `Impossible` stands only where no stand-in is wanted any more.
    pub(super) fn verdict(&self) -> Verdict {
        let verdict = if self.quotas.is_empty() {
            self.tally.verdict()
        } else {
            let lost = self.tally.lost();
            let left = Replicas::first(self.primaries + self.stand_ins.len()).minus(lost);
            if self.are_enough(self.tally.counted()) {
                Verdict::Reached
            } else if self.are_enough(left) {
                Verdict::Open
            } else {
                Verdict::Impossible
            }
        };
        let helpless = !self.sloppy || self.wants_stand_in().is_none();
        if verdict == Verdict::Impossible && !helpless { Verdict::Open } else { verdict }
    }

    /// Whether each primary has acknowledged, or somebody in its place, or nobody will.
    pub(super) fn is_covered(&self) -> bool {
        let acked = self.tally.acked();
        (0..self.primaries).all(|primary| {
            acked.contains(primary)
                || self.given_up.contains(primary)
                || self.stand_ins_of(primary).any(|index| acked.contains(index))
        })
    }

    /// For each stand-in its index and its primary.
    pub(super) fn stand_ins(&self) -> impl Iterator<Item = (usize, usize)> {
        let primaries = self.primaries;
        self.stand_ins.iter().enumerate().map(move |(place, primary)| (primaries + place, *primary))
    }

    /// How many of the primaries of a layout are in `set`, or somebody that stands in for them. Where
    /// there is no fallback left, the primaries of other layouts stand in. Nobody from elsewhere
    /// stands in for those of a zone.
    fn of_quota(&self, quota: &Quota, set: Replicas) -> usize {
        let set = if quota.local { set.minus(self.outsiders) } else { set };
        let is_served = |primary: &usize| {
            set.contains(*primary) || self.stand_ins_of(*primary).any(|index| set.contains(index))
        };
        let served: Replicas = quota.primaries.iter().filter(is_served).collect();
        if !self.sloppy {
            return served.len();
        }
        let helpless = quota.primaries.intersection(self.given_up).minus(served);
        let others = set.intersection(Replicas::first(self.primaries)).minus(quota.primaries);
        served.len() + helpless.len().min(others.len())
    }

    /// Failed, spared, or overdue.
    fn lost(&self) -> Replicas {
        let silent = self.tally.silent();
        let overdue = self.overdue.intersection(silent);
        self.tally.failed().union(self.spared).union(overdue)
    }

    fn primary_of(&self, index: usize) -> usize {
        let of = self.stand_ins().find(|(stand_in, _)| *stand_in == index);
        of.map_or(index, |(_, primary)| primary)
    }

    fn is_stood_in_for(&self, primary: usize) -> bool {
        let lost = self.lost();
        let lost = if self.wants_near(primary) { lost.union(self.outsiders) } else { lost };
        self.stand_ins_of(primary).any(|index| !lost.contains(index))
    }

    fn stand_ins_of(&self, primary: usize) -> impl Iterator<Item = usize> {
        self.stand_ins().filter(move |(_, of)| *of == primary).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::{Copies, Reach};
    use crate::quorum::Verdict::{self, Impossible, Open, Reached};

    /// Three primaries, two of them needed. `a1` acknowledges index 1, `f1` fails it, `o1` finds
    /// all but it overdue, `s` calls in a stand-in, `n` finds no fallback left, `c1` calls up a
    /// primary that was spared.
    fn copies(reachable: &[usize], spared: &[usize], sloppy: bool, words: &str) -> Copies {
        let set = |indexes: &[usize]| indexes.iter().copied().collect();
        let (reachable, spared) = (set(reachable), set(spared));
        let reach = Reach { reachable, spared, fallbacks: 9, sloppy, ..Reach::default() };
        let mut copies = Copies::new(3, 2, reach);
        for word in words.split_whitespace() {
            let index = word[1..].parse().unwrap_or(usize::MAX);
            match &word[..1] {
                "a" => copies.ack(index),
                "f" => copies.fail(index),
                "o" => {
                    let but = [index].into_iter().collect();
                    copies.on_patience_over(copies.awaited().minus(but));
                }
                "c" => copies.call_up(index),
                "s" => {
                    let primary = copies.wants_stand_in().expect("somebody is missing");
                    copies.stand_in(primary).expect("there is room");
                }
                _ => {
                    let primary = copies.wants_stand_in().expect("somebody is missing");
                    copies.give_up(primary);
                }
            }
        }
        copies
    }

    #[test]
    fn table_of_stand_ins() {
        let all = [0, 1, 2];
        type Row<'a> = (&'a [usize], &'a [usize], bool, &'a str, Verdict, Option<usize>, bool);
        let table: [Row<'_>; 20] = [
            // reachable, spared, sloppy, words: verdict, who wants a stand-in, covered
            (&all, &[], true, "", Open, None, false),
            (&all, &[], true, "a0 a1", Reached, None, false),
            (&all, &[], true, "a0 a1 a2", Reached, None, true),
            (&[0, 1], &[], true, "a0", Open, Some(2), false),
            (&[0, 1], &[], true, "s a0 a3", Reached, None, false),
            (&[0, 1], &[], true, "s a0 a1 a3", Reached, None, true),
            (&[0, 1], &[], false, "s a0 a3", Open, None, false),
            (&[0, 1], &[], false, "s a0 a1 a3", Reached, None, true),
            (&[0], &[], false, "a0", Impossible, Some(1), false),
            (&[0], &[], true, "s s a0 f3", Open, Some(1), false),
            (&[0], &[], true, "s s a0 f3 s a4", Reached, None, false),
            (&[0], &[], true, "n n a0", Impossible, None, true),
            (&all, &[2], true, "a0", Open, Some(2), false),
            (&all, &[2], true, "c2 a0 a2", Reached, None, false),
            (&all, &[], true, "a0 o0", Open, Some(1), false),
            (&all, &[], true, "a0 o0 s s a1", Reached, None, false),
            (&all, &[], true, "a0 o0 s s o0", Open, Some(1), false),
            // One that was late and the one in its place are one.
            (&[0, 1, 2], &[], true, "o0 s s a3 a1", Open, None, false),
            (&[0, 1, 2], &[], true, "o0 s s a1 a3", Open, None, false),
            (&[0, 1, 2], &[], true, "o0 s s a3 a1 a0", Reached, None, false),
        ];
        for (reachable, spared, sloppy, words, verdict, wants, covered) in table {
            let copies = copies(reachable, spared, sloppy, words);
            let found = (copies.verdict(), copies.wants_stand_in(), copies.is_covered());
            assert_eq!(found, (verdict, wants, covered), "{reachable:?} {sloppy} {words}");
        }
    }

    #[test]
    fn nobody_waits_for_those_that_were_spared() {
        let copies = copies(&[0, 1, 2], &[1], true, "a0");
        assert!(copies.awaited().iter().eq([2]));
        assert!(copies.expected().iter().eq([2]));
        let late = self::copies(&[0, 1, 2], &[1], true, "o9");
        assert!(late.awaited().iter().eq([0, 2]) && late.expected().is_empty());
    }
}
