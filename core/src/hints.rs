//! How many hints this node holds, and for whom (DESIGN.md §10).
//!
//! ```text
//!                made, removed: the storage says so
//!             +--------------------------------------+
//!             v                                      |
//!   count --> exact ---- the storage failed ----> in doubt: perhaps some that are not counted
//!               ^                                    |
//!               +---- a count that was undisturbed --+
//! ```
//!
//! What the storage says of each change keeps the counts exact without ever counting again. Only a
//! failure leaves a doubt: what was to be stored or removed may be there or not. Then all hints are
//! counted. But an engine counts beside its writer, so nobody knows whether a count has seen the
//! changes that were under way while it ran. So it is taken target by target: where an operation
//! was open while the count ran, the target stays as it was, and in doubt if it was.
//!
//! A steady stream of hints may disturb every count of its target, so a doubt may last as long as
//! the stream does. That harms nobody: a target in doubt is listed, whatever its count says, so its
//! hints are read and looked for, and what it perhaps has besides counts towards the limits.
//!
//! Invariant: a target that is not listed has no hints, but for those that are being made.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::limits::Limits;
use crate::machine::{HintChange, HintCount};

/// The number and the bytes of the hints for each target.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    /// Invariant: no target without hints is listed, unless it is in doubt.
    targets: BTreeMap<NodeId, Held>,
    /// Invariant: the sum of those of the targets, with what they perhaps have besides.
    bytes: u64,
    /// Whether those of former lives are among them. No hint is made before.
    counted: bool,
    target_bytes_max: u64,
    bytes_max: u64,
}

/// The hints for one target.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    hints: u64,
    bytes: u64,
    damaged: u64,
    /// Bytes of hints that are perhaps there and not counted; `None`: the count is exact.
    perhaps: Option<u64>,
}

/// Room for a hint that is being made: the most bytes by which the hints of a target may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HintRoom {
    pub(crate) target: NodeId,
    pub(crate) bytes: u64,
}

/// A limit on hints that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HintsFull {
    /// Its name; `hints_uncounted` where the hints of former lives are not counted yet.
    pub(crate) limit: &'static str,
    pub(crate) most: u64,
}

impl Hints {
    pub(crate) fn new(limits: &Limits) -> Hints {
        Hints {
            targets: BTreeMap::new(),
            bytes: 0,
            counted: false,
            target_bytes_max: limits.target_hint_bytes_max,
            bytes_max: limits.hint_bytes_max,
        }
    }

    /// Whether there is room for one more hint beside those that are being made, which take
    /// `open_for_target` bytes and, for all targets, `open` bytes at most.
    pub(crate) fn check_room(
        &self,
        HintRoom { target, bytes }: HintRoom,
        (open_for_target, open): (u64, u64),
    ) -> Result<(), HintsFull> {
        if !self.counted {
            return Err(HintsFull { limit: "hints_uncounted", most: 0 });
        }
        sane_or!(HintsUnlimited => return Ok(()));
        let held = self.targets.get(&target).map_or(0, Held::bytes_max);
        let exceeds =
            |held: u64, open: u64, most| held.saturating_add(open).saturating_add(bytes) > most;
        if exceeds(held, open_for_target, self.target_bytes_max) {
            return Err(HintsFull { limit: "target_hint_bytes_max", most: self.target_bytes_max });
        }
        if exceeds(self.bytes, open, self.bytes_max) {
            return Err(HintsFull { limit: "hint_bytes_max", most: self.bytes_max });
        }
        Ok(())
    }

    /// Those for whom there are hints, readable or not, and those for whom there may be.
    pub(crate) fn targets(&self) -> impl Iterator<Item = NodeId> {
        self.targets.keys().copied()
    }

    /// Whether those of former lives are counted.
    pub(crate) fn are_counted(&self) -> bool {
        self.counted
    }

    /// Whether something may be found that could be handed over.
    pub(crate) fn may_be_found(&self, target: NodeId) -> bool {
        self.targets.get(&target).is_some_and(|held| held.hints > 0 || held.perhaps.is_some())
    }

    /// The hints of all targets, by target, as far as they are counted.
    pub(crate) fn all(&self) -> impl Iterator<Item = HintCount> {
        self.targets.keys().map(|target| self.of(*target))
    }

    /// The hints for one target, as far as they are counted.
    pub(crate) fn of(&self, target: NodeId) -> HintCount {
        let Held { hints, bytes, damaged, .. } =
            self.targets.get(&target).copied().unwrap_or_default();
        HintCount { target, hints, bytes, damaged }
    }

    /// The storage has counted all hints; those for the `disturbed` targets changed meanwhile.
    /// Answers the counts with more damaged hints than were known.
    pub(crate) fn on_counted(
        &mut self,
        counts: Vec<HintCount>,
        disturbed: &BTreeSet<NodeId>,
    ) -> Vec<HintCount> {
        sane_or!(let counts, HintCountsIgnored => Vec::new());
        let mut worse = Vec::new();
        let former = core::mem::take(&mut self.targets);
        for count in counts {
            let HintCount { target, hints, bytes, damaged } = count;
            if disturbed.contains(&target) || hints == 0 && damaged == 0 {
                continue;
            }
            if damaged > former.get(&target).map_or(0, |held| held.damaged) {
                worse.push(count);
            }
            self.targets.insert(target, Held { hints, bytes, damaged, perhaps: None });
        }
        self.targets.extend(former.into_iter().filter(|(target, _)| disturbed.contains(target)));
        self.bytes = self.targets.values().map(Held::bytes_max).sum();
        self.counted = true;
        worse
    }

    /// A hint was made or has grown.
    pub(crate) fn on_stored(&mut self, target: NodeId, change: HintChange) {
        let held = self.targets.entry(target).or_default();
        let before = change.before.unwrap_or(0).min(held.bytes);
        held.hints += u64::from(change.before.is_none() || held.hints == 0);
        held.bytes = held.bytes - before + change.after;
        self.bytes = self.bytes - before + change.after;
    }

    /// A hint of so many bytes is gone.
    pub(crate) fn on_removed(&mut self, target: NodeId, bytes: u64) {
        let Some(held) = self.targets.get_mut(&target) else { return };
        // What is left when the last one goes was never there; unless it is in doubt which one went.
        let is_last = held.hints <= 1 && held.perhaps.is_none();
        let gone = if is_last { held.bytes } else { bytes.min(held.bytes) };
        held.hints = held.hints.saturating_sub(1);
        held.bytes -= gone;
        self.bytes -= gone;
        if !held.is_listed() {
            self.targets.remove(&target);
        }
    }

    /// A change failed, and may have happened nevertheless: there may be so many bytes more than
    /// are counted.
    pub(crate) fn on_doubt(&mut self, HintRoom { target, bytes }: HintRoom) {
        sane_or!(HintForgottenInDoubt => return);
        let perhaps = self.targets.entry(target).or_default().perhaps.get_or_insert(0);
        *perhaps += bytes;
        self.bytes += bytes;
    }

    /// How many targets are in doubt.
    pub(crate) fn doubts(&self) -> usize {
        self.targets.values().filter(|held| held.perhaps.is_some()).count()
    }

    /// All that are counted, under the id of nobody.
    pub(crate) fn total(&self) -> HintCount {
        let none = HintCount { target: NodeId(0), hints: 0, bytes: 0, damaged: 0 };
        self.targets.values().fold(none, |sum, held| HintCount {
            hints: sum.hints + held.hints,
            bytes: sum.bytes + held.bytes,
            damaged: sum.damaged + held.damaged,
            ..sum
        })
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.bytes, self.targets.values().map(Held::bytes_max).sum::<u64>());
        assert!(self.targets.values().all(Held::is_listed));
        assert!(self.counted || self.targets.is_empty(), "no hint is made before the first count");
    }
}

impl Held {
    /// What there is at most.
    fn bytes_max(&self) -> u64 {
        self.bytes + self.perhaps.unwrap_or(0)
    }

    fn is_listed(&self) -> bool {
        self.hints > 0 || self.damaged > 0 || self.perhaps.is_some()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use super::{HintRoom, Hints, HintsFull};
    use crate::ids::NodeId;
    use crate::limits::Limits;
    use crate::machine::{HintChange, HintCount};

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    fn counted() -> Hints {
        let limits =
            Limits { target_hint_bytes_max: 100, hint_bytes_max: 150, ..Limits::default() };
        let mut hints = Hints::new(&limits);
        hints.on_counted(vec![], &BTreeSet::new());
        hints
    }

    fn count(target: NodeId, hints: u64, bytes: u64) -> HintCount {
        HintCount { target, hints, bytes, damaged: 0 }
    }

    fn made(bytes: u64) -> HintChange {
        HintChange { before: None, after: bytes }
    }

    #[test]
    fn a_count_that_was_disturbed_changes_nothing_for_that_target() {
        let mut hints = counted();
        hints.on_stored(ONE, made(10));
        hints.on_stored(TWO, made(20));
        // It was taken before the two were made.
        hints.on_counted(vec![], &[ONE].into());
        hints.check_invariants();
        assert_eq!(hints.of(ONE), count(ONE, 1, 10));
        assert_eq!(hints.of(TWO), count(TWO, 0, 0));
    }

    #[test]
    fn a_doubt_stays_until_a_count_that_was_not_disturbed() {
        let mut hints = counted();
        hints.on_stored(ONE, made(10));
        hints.on_doubt(HintRoom { target: ONE, bytes: 30 });
        hints.on_removed(ONE, 10);
        hints.check_invariants();
        assert!(hints.targets().eq([ONE]), "the one that failed may be there");
        hints.on_counted(vec![count(ONE, 1, 30)], &[ONE].into());
        assert_eq!((hints.doubts(), hints.of(ONE)), (1, count(ONE, 0, 0)));
        hints.on_counted(vec![count(ONE, 1, 30)], &BTreeSet::new());
        assert_eq!((hints.doubts(), hints.of(ONE)), (0, count(ONE, 1, 30)));
        hints.check_invariants();
    }

    #[test]
    fn one_that_was_in_doubt_and_goes_takes_no_other_with_it() {
        let mut hints = counted();
        hints.on_stored(ONE, made(90));
        hints.on_doubt(HintRoom { target: ONE, bytes: 30 });
        // The removal of the first one failed, that of the other one did not.
        hints.on_doubt(HintRoom { target: ONE, bytes: 0 });
        hints.on_removed(ONE, 30);
        hints.check_invariants();
        let more = HintRoom { target: ONE, bytes: 20 };
        assert!(hints.check_room(more, (0, 0)).is_err(), "90 of 100 are there");
    }

    #[test]
    fn what_is_being_made_and_what_is_in_doubt_takes_room() {
        let mut hints = counted();
        hints.on_stored(ONE, made(50));
        let room = |hints: &Hints, target, bytes, open| {
            hints.check_room(HintRoom { target, bytes }, open).map_err(|full| full.limit)
        };
        assert_eq!(room(&hints, ONE, 50, (0, 0)), Ok(()));
        assert_eq!(room(&hints, ONE, 50, (1, 1)), Err("target_hint_bytes_max"));
        assert_eq!(room(&hints, TWO, 60, (40, 40)), Ok(()));
        assert_eq!(room(&hints, TWO, 60, (0, 41)), Err("hint_bytes_max"));
        hints.on_doubt(HintRoom { target: ONE, bytes: 1 });
        assert_eq!(room(&hints, ONE, 50, (0, 0)), Err("target_hint_bytes_max"));
        assert_eq!(room(&hints, TWO, 100, (0, 0)), Err("hint_bytes_max"));
    }

    #[test]
    fn nothing_is_kept_before_the_hints_of_former_lives_are_counted() {
        let hints = Hints::new(&Limits::default());
        let full = hints.check_room(HintRoom { target: ONE, bytes: 0 }, (0, 0));
        assert_eq!(full, Err(HintsFull { limit: "hints_uncounted", most: 0 }));
    }
}
