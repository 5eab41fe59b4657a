//! What is staged for the next layout, here and elsewhere (DESIGN.md §9).
//!
//! A map of nodes to what they are to be, in which the later word about a node holds; so all nodes
//! that hear of each other come to stage the same. It is about one layout, the newest: with the next
//! one it begins anew. What is taken back stays as a word that says so, or an older word would come
//! back with gossip.

use alloc::collections::BTreeMap;

use crate::ids::NodeId;
use crate::limits::MEMBER_TEXT_BYTES_MAX;
use crate::message::{ChangeRefusal, LayoutId, STAGED_MAX, StagedChange, Staging, Target};
use crate::time::{Duration, Instant, Now, UnixMs};

/// What is staged, as far as this node knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    base: LayoutId,
    /// Invariant: at most [`STAGED_MAX`], and members are named as their key.
    changes: BTreeMap<NodeId, StagedChange>,
    /// When something was heard that was not known before.
    changed: Instant,
    /// Whether this node was a member in this life: it joins by itself only once.
    pub(crate) has_joined: bool,
}

impl Stage {
    /// Which layout is the newest.
    pub(crate) fn on_head(&mut self, head: LayoutId) {
        if self.base != head {
            self.base = head;
            self.changes.clear();
        }
    }

    /// Says what nodes are to be.
    ///
    /// # Errors
    /// Nothing was staged, since there are too many, or one of them makes no member.
    pub(crate) fn stage(
        &mut self,
        now: Now,
        targets: &[(NodeId, Target)],
        auto: bool,
    ) -> Result<(), ChangeRefusal> {
        for (node, target) in targets {
            let is_long = |text: &str| text.len() > MEMBER_TEXT_BYTES_MAX;
            if let Target::Member(member) = target
                && (member.id != *node || is_long(&member.label) || is_long(&member.zone))
            {
                return Err(ChangeRefusal::BadMember { node: *node });
            }
        }
        let new = targets.iter().filter(|(node, _)| !self.changes.contains_key(node));
        if self.changes.len() + new.count() > STAGED_MAX {
            return Err(ChangeRefusal::TooManyStaged);
        }
        for (node, target) in targets {
            let known = self.changes.get(node);
            // Clocks of nodes differ; what is said last here is to hold.
            let after = known.map_or(UnixMs(0), |known| UnixMs(known.at.0.saturating_add(1)));
            let at = now.unix.max(after);
            let change = StagedChange { node: *node, target: target.clone(), at, auto };
            self.changes.insert(*node, change);
        }
        self.changed = now.instant;
        Ok(())
    }

    /// Takes back all that is staged.
    pub(crate) fn revert(&mut self, now: Now) {
        for change in self.changes.values_mut() {
            change.target = Target::AsItIs;
            change.at = now.unix.max(UnixMs(change.at.0.saturating_add(1)));
            change.auto = false;
        }
        self.changed = now.instant;
    }

    /// Somebody tells what is staged there.
    pub(crate) fn learn(&mut self, now: Instant, told: &Staging) {
        if told.base != self.base {
            return;
        }
        for change in &told.changes {
            let known = self.changes.get(&change.node);
            let is_later = known.is_none_or(|known| word(change) > word(known));
            if is_later && (known.is_some() || self.changes.len() < STAGED_MAX) {
                self.changes.insert(change.node, change.clone());
                self.changed = now;
            }
        }
    }

    /// All of it, to be looked at and committed.
    pub(crate) fn staging(&self) -> Staging {
        Staging { base: self.base, changes: self.changes.values().cloned().collect() }
    }

    /// What others are told.
    pub(crate) fn told(&self) -> Option<Staging> {
        (!self.changes.is_empty()).then(|| self.staging())
    }

    /// Whether anybody has said what a node is to be, or that it stays what it is.
    pub(crate) fn speaks_of(&self, node: NodeId) -> bool {
        self.changes.contains_key(&node)
    }

    /// Whether something is staged that nobody has to look at, and nothing else is, and so for a
    /// while.
    pub(crate) fn is_due(&self, now: Instant, quiet: Duration) -> bool {
        let mut effective = self.changes.values().filter(|it| it.target != Target::AsItIs);
        let first = effective.next();
        first.is_some_and(|first| first.auto)
            && effective.all(|change| change.auto)
            && now.since(self.changed) >= quiet
    }

    /// Nothing is due for a while: what is staged cannot be put in force.
    pub(crate) fn put_off(&mut self, now: Instant) {
        self.changed = now;
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.changes.len() <= STAGED_MAX, "what is staged is bounded");
    }
}

/// By what two words about one node are compared: the later one holds, and of two of one moment
/// the same one everywhere.
fn word(change: &StagedChange) -> (UnixMs, &Target, bool) {
    (change.at, &change.target, change.auto)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::layout::{LayoutVersion, Member};

    const BASE: LayoutId = LayoutId { version: LayoutVersion(4), hash: 9 };

    fn at(millis: u64) -> Now {
        Now { instant: Instant(millis * 1_000), unix: UnixMs(millis) }
    }

    fn stage() -> Stage {
        let mut stage = Stage::default();
        stage.on_head(BASE);
        stage
    }

    fn member(id: u64, weight: u32) -> (NodeId, Target) {
        let member = Member { id: NodeId(id), label: "n".into(), zone: "".into(), weight };
        (NodeId(id), Target::Member(member))
    }

    fn targets(stage: &Stage) -> Vec<(NodeId, Target)> {
        let changes = stage.staging().changes.into_iter();
        changes.map(|change| (change.node, change.target)).collect()
    }

    #[test]
    fn nodes_that_hear_of_each_other_in_any_order_stage_the_same() {
        let (mut one, mut two, mut three) = (stage(), stage(), stage());
        one.stage(at(10), &[member(1, 1), member(2, 1)], false).unwrap();
        two.stage(at(11), &[member(2, 5)], false).unwrap();
        // At one moment on two nodes: any of the two, but the same everywhere.
        two.stage(at(20), &[member(3, 1)], false).unwrap();
        three.stage(at(20), &[(NodeId(3), Target::Gone)], false).unwrap();
        let told = [one.staging(), two.staging(), three.staging()];
        for (stage, order) in
            [(&mut one, [1, 2, 0]), (&mut two, [0, 2, 1]), (&mut three, [1, 0, 2])]
        {
            order.iter().for_each(|which| stage.learn(at(30).instant, &told[*which]));
        }
        assert_eq!(one.staging(), two.staging());
        assert_eq!(two.staging(), three.staging());
        assert_eq!(targets(&one)[..2], [member(1, 1), member(2, 5)]);
    }

    #[test]
    fn what_is_taken_back_does_not_come_back_with_an_older_word() {
        let (mut one, mut two) = (stage(), stage());
        // The clock of the one that stages is ahead.
        one.stage(at(1_000), &[member(1, 1)], false).unwrap();
        let old = one.staging();
        two.learn(at(5).instant, &old);
        two.revert(at(6));
        two.learn(at(7).instant, &old);
        one.learn(at(7).instant, &two.staging());
        for stage in [&one, &two] {
            assert!(stage.speaks_of(NodeId(1)), "who takes it back has the last word");
            assert_eq!(stage.staging().effective().count(), 0);
        }
    }

    #[test]
    fn what_was_staged_for_another_layout_falls_away() {
        let (mut one, mut two) = (stage(), stage());
        one.stage(at(1), &[member(1, 1)], false).unwrap();
        two.on_head(LayoutId { version: LayoutVersion(5), ..BASE });
        two.learn(at(2).instant, &one.staging());
        assert_eq!(two.told(), None);
        one.on_head(BASE);
        assert!(one.speaks_of(NodeId(1)), "the same layout once more changes nothing");
        one.on_head(LayoutId { hash: 10, ..BASE });
        assert_eq!(one.told(), None);
    }

    #[test]
    fn more_than_can_be_staged_is_refused_as_a_whole() {
        let mut one = stage();
        let most: Vec<_> = (0..STAGED_MAX as u64).map(|id| member(id, 1)).collect();
        one.stage(at(1), &most, false).unwrap();
        let more = [member(0, 2), member(STAGED_MAX as u64, 1)];
        assert_eq!(one.stage(at(2), &more, false), Err(ChangeRefusal::TooManyStaged));
        assert_eq!(targets(&one)[0], member(0, 1), "nothing of it was staged");
        one.stage(at(3), &[member(0, 2)], false).unwrap();
        let mut two = stage();
        two.stage(at(3), &[member(1_000, 1)], false).unwrap();
        one.learn(at(4).instant, &two.staging());
        one.check_invariants();
    }

    #[test]
    fn what_makes_no_member_is_refused() {
        let mut one = stage();
        let (node, _) = member(1, 1);
        let long = Member {
            id: node,
            label: "n".repeat(1_025).as_str().into(),
            zone: "".into(),
            weight: 1,
        };
        let (_, other) = member(2, 1);
        for target in [Target::Member(long), other] {
            let refused = one.stage(at(1), &[member(3, 1), (node, target)], false);
            assert_eq!(refused, Err(ChangeRefusal::BadMember { node }));
        }
        assert_eq!(one.told(), None);
    }

    #[test]
    fn only_what_nobody_has_to_look_at_is_due_and_only_after_a_while() {
        let quiet = Duration::from_millis(100);
        let due = |stage: &Stage, millis| stage.is_due(at(millis).instant, quiet);
        let mut one = stage();
        assert!(!due(&one, 1_000), "nothing is staged");
        one.stage(at(10), &[member(1, 1)], true).unwrap();
        one.stage(at(60), &[member(2, 1)], true).unwrap();
        assert_eq!([due(&one, 110), due(&one, 160)], [false, true]);
        let again = one.staging();
        one.learn(at(150).instant, &again);
        assert!(due(&one, 160), "what was known before is no news");
        let mut two = stage();
        two.stage(at(155), &[member(3, 1)], true).unwrap();
        one.learn(at(155).instant, &two.staging());
        assert_eq!([due(&one, 160), due(&one, 255)], [false, true]);
        one.stage(at(300), &[member(4, 1)], false).unwrap();
        assert!(!due(&one, 1_000), "somebody looks at it");
        one.stage(at(301), &[(NodeId(4), Target::AsItIs)], false).unwrap();
        assert!(due(&one, 1_000), "what is as it is needs no look");
    }

    #[test]
    fn members_are_those_of_the_newest_layout_with_what_is_staged() {
        let member_of = |id: u64, weight| match member(id, weight).1 {
            Target::Member(member) => member,
            other @ (Target::AsItIs | Target::Gone) => panic!("{other:?}"),
        };
        let members = vec![member_of(2, 1), member_of(4, 1), member_of(6, 1)];
        let newest =
            crate::layout::Layout::from_parts(LayoutVersion(4), 2, members, vec![0, 1]).unwrap();
        let mut one = stage();
        let targets = [
            member(1, 1),
            (NodeId(2), Target::Gone),
            member(4, 7),
            (NodeId(6), Target::AsItIs),
            (NodeId(8), Target::Gone),
        ];
        one.stage(at(1), &targets, false).unwrap();
        let members = one.staging().members(&newest);
        assert_eq!(members, [member_of(1, 1), member_of(4, 7), member_of(6, 1)]);
    }
}
