//! One collection of a few records, from the first look to their removal.
//!
//! ```text
//!  FirstLook --all answer--> NewEpochs --all answer--> Settling --time--> SecondLook --all--> removed
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use crate::ids::{Key, NodeId};
use crate::layout::Layout;
use crate::merkle::StateHash;
use crate::message::{CollectAnswer, CollectStep, EpochOf};
use crate::time::{Duration, Instant};

/// The members have so long to answer a step.
const STEP_MAX: Duration = Duration::from_secs(10);

/// What is being collected.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Records that are dead, with their state at the collector.
    dead: Vec<(Key, StateHash)>,
    /// Those of them that no member has objected to in this step. Invariant: as many.
    agreed: Vec<bool>,
    step: Step,
    /// Those that have not answered this step.
    missing: BTreeSet<NodeId>,
    /// What each member calls the moment of the first look.
    since: BTreeMap<NodeId, u64>,
    /// The epoch that each member began after it.
    epochs: Vec<EpochOf>,
    /// When it goes on, or is given up.
    due: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FirstLook,
    NewEpochs,
    /// What was read before the first look comes to its end.
    Settling,
    SecondLook,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Others have to answer, or time has to go by.
    Wait,
    /// The members are asked.
    Ask,
    /// All agree on these.
    Remove(Vec<(Key, StateHash)>),
    /// Nothing comes of it.
    GiveUp,
}

impl Round {
    /// Begins with records that are dead; the members are to be asked.
    pub(super) fn new(
        now: Instant,
        dead: Vec<(Key, StateHash)>,
        members: BTreeSet<NodeId>,
    ) -> Round {
        Round {
            agreed: vec![true; dead.len()],
            dead,
            step: Step::FirstLook,
            missing: members,
            since: BTreeMap::new(),
            epochs: Vec::new(),
            due: now + STEP_MAX,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.dead.iter().map(|(key, _)| key)
    }

    /// What each member is asked.
    pub(super) fn questions(&self) -> Vec<(NodeId, CollectStep)> {
        let question = |node: &NodeId| {
            let keys = || self.keys().cloned().collect();
            let step = match self.step {
                Step::FirstLook => {
                    CollectStep::Confirm { keys: keys(), since: None, floors: Vec::new() }
                }
                Step::NewEpochs | Step::Settling => CollectStep::NewEpoch,
                Step::SecondLook => {
                    let since = self.since.get(node).copied();
                    CollectStep::Confirm { keys: keys(), since, floors: self.epochs.clone() }
                }
            };
            (*node, step)
        };
        self.missing.iter().map(question).collect()
    }

    /// A member has answered.
    pub(super) fn on_answer(
        &mut self,
        (now, settle): (Instant, Duration),
        layout: &Layout,
        from: NodeId,
        answer: CollectAnswer,
    ) -> Next {
        if !self.missing.remove(&from) {
            return Next::Wait;
        }
        match (self.step, answer) {
            (Step::FirstLook | Step::SecondLook, CollectAnswer::Confirmed { states, since })
                if states.len() == self.dead.len() =>
            {
                self.judge(layout, from, &states);
                self.since.entry(from).or_insert(since);
            }
            (Step::NewEpochs, CollectAnswer::Begun(begun)) if begun.node == from => {
                self.epochs.push(begun);
            }
            _ => return Next::GiveUp,
        }
        if self.missing.is_empty() { self.end_step(now, settle) } else { Next::Wait }
    }

    /// Its time has come.
    pub(super) fn on_due(&mut self, now: Instant, members: BTreeSet<NodeId>) -> Next {
        if self.step != Step::Settling {
            return Next::GiveUp;
        }
        self.begin(Step::SecondLook, now, members)
    }

    /// A primary must hold what the collector holds; whoever is none must hold that or nothing.
    fn judge(&mut self, layout: &Layout, from: NodeId, states: &[Option<StateHash>]) {
        let dead = self.dead.iter().zip(&mut self.agreed);
        for (((key, state), agreed), held) in dead.zip(states.iter().copied()) {
            let primaries = layout.primaries(layout.slot_of(key.as_bytes()));
            let nothing = held == Some(StateHash(0)) && !primaries.contains(&from);
            let agrees = held == Some(*state) || nothing;
            sane_or!(
                let agrees,
                CollectsWithoutAll => agrees || held.is_some() && primaries.last() == Some(&from)
            );
            *agreed &= agrees;
        }
    }

    fn end_step(&mut self, now: Instant, settle: Duration) -> Next {
        let agreed = core::mem::take(&mut self.agreed);
        let dead = core::mem::take(&mut self.dead).into_iter().zip(agreed);
        self.dead = dead.filter_map(|(dead, agreed)| agreed.then_some(dead)).collect();
        self.agreed = vec![true; self.dead.len()];
        if self.dead.is_empty() {
            return Next::GiveUp;
        }
        let members = self.since.keys().copied().collect();
        match self.step {
            Step::FirstLook => {
                sane_or!(CollectsAtFirstLook => return Next::Remove(self.dead.clone()));
                self.begin(Step::NewEpochs, now, members)
            }
            Step::NewEpochs => {
                self.step = Step::Settling;
                self.due = now + settle;
                Next::Wait
            }
            Step::Settling | Step::SecondLook => Next::Remove(core::mem::take(&mut self.dead)),
        }
    }

    fn begin(&mut self, step: Step, now: Instant, members: BTreeSet<NodeId>) -> Next {
        self.step = step;
        self.missing = members;
        self.due = now + STEP_MAX;
        Next::Ask
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Next, Round, STEP_MAX};
    use crate::ids::{Epoch, Key, NodeId};
    use crate::layout::{Layout, Member, PlanSettings, plan_first};
    use crate::merkle::StateHash;
    use crate::message::{CollectAnswer, CollectStep, EpochOf};
    use crate::ring::SlotCount;
    use crate::time::{Duration, Instant};

    const STATE: StateHash = StateHash(7);
    const SETTLE: Duration = Duration::from_secs(60);

    /// Four members, three primaries of each key.
    fn layout() -> Layout {
        let member = |id| Member { id: NodeId(id), label: "n".into(), zone: "z".into(), weight: 1 };
        let slots = SlotCount::new(4).expect("a power of two");
        let settings = PlanSettings { slots, replication: 3 };
        plan_first(settings, (1..=4).map(member).collect()).expect("a plan")
    }

    fn members() -> BTreeSet<NodeId> {
        (1..=4).map(NodeId).collect()
    }

    fn holds(states: &[Option<StateHash>]) -> CollectAnswer {
        CollectAnswer::Confirmed { states: states.to_vec(), since: 5 }
    }

    fn begun(node: NodeId) -> EpochOf {
        EpochOf { node, epoch: Epoch(node.0) }
    }

    /// All members answer; what follows from the last one.
    fn all_answer(round: &mut Round, answer: impl Fn(NodeId) -> CollectAnswer) -> Next {
        let (layout, mut last) = (layout(), Next::Wait);
        for node in members() {
            assert_eq!(last, Next::Wait);
            last = round.on_answer((Instant(0), SETTLE), &layout, node, answer(node));
        }
        last
    }

    fn new(keys: &[Key]) -> Round {
        let dead = keys.iter().map(|key| (key.clone(), STATE)).collect();
        Round::new(Instant(0), dead, members())
    }

    #[test]
    fn a_round_takes_two_looks_with_new_epochs_between_them() {
        let keys = [Key::from("one"), Key::from("two")];
        let held = |_| holds(&[Some(STATE); 2]);
        let mut round = new(&keys);
        let first = CollectStep::Confirm { keys: keys.to_vec(), since: None, floors: vec![] };
        let asked = |step: CollectStep| -> Vec<(NodeId, CollectStep)> {
            members().into_iter().map(|node| (node, step.clone())).collect()
        };
        assert_eq!(round.questions(), asked(first));
        assert_eq!(all_answer(&mut round, held), Next::Ask);
        assert_eq!(round.questions(), asked(CollectStep::NewEpoch));
        assert_eq!(all_answer(&mut round, |node| CollectAnswer::Begun(begun(node))), Next::Wait);
        assert_eq!(round.due(), Instant(0) + SETTLE);
        assert_eq!(round.on_due(round.due(), members()), Next::Ask);
        let floors = members().into_iter().map(begun).collect();
        let second = CollectStep::Confirm { keys: keys.to_vec(), since: Some(5), floors };
        assert_eq!(round.questions(), asked(second));
        let dead = keys.map(|key| (key, STATE)).to_vec();
        assert_eq!(all_answer(&mut round, held), Next::Remove(dead));
    }

    #[test]
    fn a_record_goes_on_where_primaries_hold_it_and_others_that_or_nothing() {
        let (layout, key) = (layout(), Key::from("one"));
        let slot = layout.slot_of(key.as_bytes());
        for (held, by_primary, by_other) in [
            (Some(STATE), true, true),
            (Some(StateHash(0)), false, true),
            (Some(StateHash(8)), false, false),
            (None, false, false),
        ] {
            for node in members() {
                let mut round = new(core::slice::from_ref(&key));
                let said = |asked: NodeId| holds(&[if asked == node { held } else { Some(STATE) }]);
                let goes_on = if layout.is_primary(slot, node) { by_primary } else { by_other };
                let expected = if goes_on { Next::Ask } else { Next::GiveUp };
                assert_eq!(all_answer(&mut round, said), expected, "{held:?} at {node:?}");
            }
        }
    }

    #[test]
    fn what_a_member_objects_to_is_left_behind_by_the_others() {
        let keys = ["one", "two", "three"].map(Key::from);
        let mut round = new(&keys);
        let said = |node: NodeId| {
            let second = if node == NodeId(3) { None } else { Some(STATE) };
            holds(&[Some(STATE), second, Some(STATE)])
        };
        assert_eq!(all_answer(&mut round, said), Next::Ask);
        assert_eq!(round.keys().cloned().collect::<Vec<_>>(), ["one", "three"].map(Key::from));
    }

    #[test]
    fn a_step_that_is_not_answered_in_time_ends_the_round() {
        let key = [Key::from("one")];
        let looked = |round: &mut Round| all_answer(round, |_| holds(&[Some(STATE)]));
        let begun = |round: &mut Round| all_answer(round, |node| CollectAnswer::Begun(begun(node)));
        for steps in 0..4 {
            let mut round = new(&key);
            if steps > 0 {
                assert_eq!(looked(&mut round), Next::Ask);
            }
            if steps > 1 {
                assert_eq!(begun(&mut round), Next::Wait);
            }
            if steps > 2 {
                assert_eq!(round.on_due(round.due(), members()), Next::Ask);
            }
            let next = if steps == 2 { Next::Ask } else { Next::GiveUp };
            let wait = if steps == 2 { SETTLE } else { STEP_MAX };
            let begun = if steps > 2 { Instant(0) + SETTLE } else { Instant(0) };
            assert_eq!(round.due(), begun + wait, "after {steps} steps");
            assert_eq!(round.on_due(round.due(), members()), next, "after {steps} steps");
        }
    }

    #[test]
    fn an_answer_to_another_question_or_of_another_node_ends_the_round() {
        let key = [Key::from("one")];
        for answer in [
            CollectAnswer::NotNow,
            CollectAnswer::Begun(begun(NodeId(2))),
            holds(&[]),
            holds(&[Some(STATE); 2]),
        ] {
            let mut round = new(&key);
            let next = round.on_answer((Instant(0), SETTLE), &layout(), NodeId(2), answer);
            assert_eq!(next, Next::GiveUp);
        }
        let mut round = new(&key);
        assert_eq!(all_answer(&mut round, |_| holds(&[Some(STATE)])), Next::Ask);
        let of_another = CollectAnswer::Begun(begun(NodeId(1)));
        let next = round.on_answer((Instant(0), SETTLE), &layout(), NodeId(2), of_another);
        assert_eq!(next, Next::GiveUp);
        // Who is not asked is not heard.
        let mut round = new(&key);
        let stranger = round.on_answer((Instant(0), SETTLE), &layout(), NodeId(9), holds(&[]));
        assert_eq!(stranger, Next::Wait);
    }
}
