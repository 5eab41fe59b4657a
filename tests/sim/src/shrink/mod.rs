//! A failing plan with as little in it as can be.
//!
//! The steps are reduced by delta debugging (Zeller and Hildebrandt, *Simplifying and Isolating
//! Failure-Inducing Input*, TSE 2002): leave out half of them, a quarter, and so on down to single
//! ones, and keep what still fails. Only complements are tried, from the end on: what happens
//! before the first step that is left out stays as it was. Then the lasting troubles go.
//!
//! What is left to chance changes as soon as one frame more or less is sent, so a candidate may
//! lose its failure by bad luck alone. The last rounds therefore give each candidate more and more
//! throws of the dice, until few enough steps are left.
//!
//! Invariant: what is returned has failed.

mod reduction;

use std::collections::BTreeSet;

use quorate_core::time::Instant;

pub use reduction::{NoSuchStep, NotStepRanges, Reduction, StepNumbers, StepRanges};

use crate::swarm::{Act, FaultClass, Plan, Step};

/// Throws of the dice for each candidate of the first such round, beyond that of what it came from.
const MORE_THROWS: u64 = 3;

/// Steps that a person can read: as long as more are left, more throws are worth their time.
const READABLE: usize = 30;

/// Throws of the dice for each candidate, at most.
const THROWS_MAX: u64 = 64;

/// Leaves out of a failing plan what it can do without.
///
/// `fails` says when the property shows that is looked for, if it does; a property that shows
/// elsewhere is another failure. `goes_on` is asked before each candidate; once it says no, the
/// least that has failed until then is the answer.
pub fn shrink(
    plan: &Plan,
    fails: impl FnMut(&Plan) -> Option<Instant>,
    goes_on: impl FnMut() -> bool,
) -> Reduction {
    let steps = plan.steps.iter().map(|step| step.number).collect();
    let best = Reduction { keep: Some(StepNumbers(steps)), ..Reduction::default() };
    let mut search = Search { plan, best, throws: 0, fails, goes_on };
    if !search.succeeds(search.best.clone()) {
        return Reduction::default();
    }
    search.drop_groups();
    search.drop_pieces(plan.steps.len().div_ceil(2));
    search.drop_troubles();
    search.drop_pieces(1);
    search.throws = MORE_THROWS;
    loop {
        search.drop_troubles();
        search.drop_pieces(search.steps().len().div_ceil(4));
        if search.steps().len() <= READABLE || search.throws >= THROWS_MAX {
            return search.best;
        }
        search.throws *= 4;
    }
}

struct Search<'a, F, G> {
    plan: &'a Plan,
    /// The least that has failed; its steps are listed.
    best: Reduction,
    /// How often a candidate that does not fail is tried again.
    throws: u64,
    fails: F,
    goes_on: G,
}

impl<F: FnMut(&Plan) -> Option<Instant>, G: FnMut() -> bool> Search<'_, F, G> {
    /// Leaves out what belongs together: a key, a client, a kind of fault.
    fn drop_groups(&mut self) {
        let all: BTreeSet<Group> = self.plan.steps.iter().flat_map(groups_of).collect();
        for group in all {
            let of_group = self.plan.steps.iter().filter(|step| groups_of(step).contains(&group));
            let numbers: BTreeSet<usize> = of_group.map(|step| step.number).collect();
            self.drop_steps(&numbers);
        }
    }

    /// Leaves out pieces of at most `size` steps, then smaller ones, until each single step is
    /// needed.
    fn drop_pieces(&mut self, size: usize) {
        let mut size = size.max(1);
        loop {
            let before = self.steps().len();
            let mut end = before;
            while end > 0 {
                let start = end.saturating_sub(size);
                let piece = self.steps().iter().skip(start).take(end - start);
                let piece = piece.copied().collect();
                self.drop_steps(&piece);
                // A success may have cut off the end of the plan, too.
                end = start.min(self.steps().len());
            }
            if size == 1 && self.steps().len() == before {
                return;
            }
            size = size.div_ceil(2).min(self.steps().len()).max(1);
        }
    }

    fn drop_steps(&mut self, numbers: &BTreeSet<usize>) {
        let left: BTreeSet<usize> = self.steps().difference(numbers).copied().collect();
        if left.len() < self.steps().len() {
            let keep = Some(StepNumbers(left));
            self.attempt(Reduction { keep, ..self.best.clone() });
        }
    }

    fn drop_troubles(&mut self) {
        for class in self.plan.classes.iter().copied().filter(|class| class.lasts()) {
            let mut less = self.best.clone();
            if less.without.insert(class) {
                self.attempt(less);
            }
        }
        if self.plan.outcast.is_some() && !self.best.no_outcast {
            self.attempt(Reduction { no_outcast: true, ..self.best.clone() });
        }
        if self.plan.padding > 0 && !self.best.no_padding {
            self.attempt(Reduction { no_padding: true, ..self.best.clone() });
        }
    }

    /// Takes a candidate over where it fails, with one throw or another.
    fn attempt(&mut self, candidate: Reduction) {
        let first = candidate.throw;
        for throw in first..=first + self.throws {
            if self.succeeds(Reduction { throw, ..candidate.clone() }) {
                return;
            }
        }
    }

    fn succeeds(&mut self, mut candidate: Reduction) -> bool {
        if !(self.goes_on)() {
            return false;
        }
        let plan = candidate.apply(self.plan);
        let Some(shown) = (self.fails)(&plan) else { return false };
        // What begins after the failure had no part in it, but for the first such step: without it
        // the healing would have begun before the failure.
        let earlier = plan.steps.iter().take_while(|step| step.at <= shown).count();
        let run = plan.steps.iter().take(earlier + 1).map(|step| step.number);
        candidate.keep = Some(StepNumbers(run.collect()));
        self.best = candidate;
        true
    }

    fn steps(&self) -> &BTreeSet<usize> {
        static NONE: BTreeSet<usize> = BTreeSet::new();
        self.best.keep.as_ref().map_or(&NONE, |StepNumbers(numbers)| numbers)
    }
}

/// What a step has in common with others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Faults(FaultClass),
    Layouts,
    CallsOf(usize),
    CallsFor(usize),
}

fn groups_of(step: &Step) -> Vec<Group> {
    let class = match &step.act {
        Act::Call { client, key, .. } => {
            return vec![Group::CallsOf(*client), Group::CallsFor(*key)];
        }
        Act::Layout { .. } | Act::Lose { .. } => return vec![Group::Layouts],
        Act::Burst { .. } => FaultClass::Bursts,
        Act::Cancel { .. } | Act::Freeze { .. } => FaultClass::Freezes,
        Act::Crash { .. } => FaultClass::Crashes,
        Act::Snapshot { .. } | Act::Rot { .. } => FaultClass::Destruction,
        Act::Pause { .. } => FaultClass::Pauses,
        Act::Clock { .. } => FaultClass::Clocks,
        Act::Disk { .. } => FaultClass::SlowDisks,
        Act::Partition { .. } => FaultClass::Partitions,
        Act::Clog { .. } => FaultClass::Clogs,
        Act::HangUp { .. } => FaultClass::HangUps,
        Act::KillClient { .. } => FaultClass::ClientDeaths,
    };
    vec![Group::Faults(class)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan with a lasting trouble, an outcast and padding.
    fn rich() -> Plan {
        let is_rich = |plan: &Plan| {
            plan.outcast.is_some() && plan.padding > 0 && plan.config.weather.loss > 0
        };
        (0..).map(|seed| Plan::draw(seed, 300)).find(is_rich).unwrap()
    }

    fn numbers(plan: &Plan) -> BTreeSet<usize> {
        plan.steps.iter().map(|step| step.number).collect()
    }

    /// Fails, at the time of the last of them, where all of these steps are there.
    fn needs(needed: &[usize]) -> impl Fn(&Plan) -> Option<Instant> {
        let needed: BTreeSet<usize> = needed.iter().copied().collect();
        move |plan| {
            let last = plan.steps.iter().rfind(|step| needed.contains(&step.number))?;
            needed.is_subset(&numbers(plan)).then_some(last.at)
        }
    }

    #[test]
    fn what_is_left_is_what_the_failure_needs() {
        let plan = rich();
        for needed in [&[0][..], &[299], &[3, 4, 5], &[0, 150, 299], &[17, 18, 90, 200, 201]] {
            let reduction = shrink(&plan, needs(needed), || true);
            let left = reduction.apply(&plan);
            assert_eq!(numbers(&left), needed.iter().copied().collect(), "{needed:?}");
            assert_eq!((left.outcast, left.padding), (None, 0));
            assert!(left.classes.iter().all(|class| !class.lasts()), "{:?}", left.classes);
            assert_eq!(reduction.throw, 0);
        }
    }

    #[test]
    fn lasting_trouble_stays_where_the_failure_needs_it() {
        let plan = rich();
        let fails = |plan: &Plan| {
            let needed = plan.config.weather.loss > 0 && plan.outcast.is_some();
            (needed && plan.padding > 0 && plan.steps.len() >= 2).then_some(Instant(u64::MAX))
        };
        let reduction = shrink(&plan, fails, || true);
        let left = reduction.apply(&plan);
        assert!(fails(&left).is_some());
        assert_eq!(left.steps.len(), 2);
        assert!(!reduction.without.contains(&FaultClass::Loss));
    }

    #[test]
    fn steps_after_the_failure_go_but_for_the_one_that_delays_the_healing() {
        let plan = rich();
        let shown = plan.steps[20].at;
        // Time for one candidate: the plan itself.
        let mut candidates = 0..1;
        let reduction = shrink(&plan, |_| Some(shown), || candidates.next().is_some());
        let left = numbers(&reduction.apply(&plan));
        assert_eq!(left, numbers(&plan).into_iter().take(22).collect());
    }

    #[test]
    fn whatever_the_deadline_what_is_left_has_failed() {
        let plan = rich();
        for most in 0..60 {
            let mut candidates = 0..most;
            let fails = needs(&[3, 100, 250]);
            let left = shrink(&plan, &fails, || candidates.next().is_some()).apply(&plan);
            assert!(fails(&left).is_some(), "{most} candidates");
        }
    }

    #[test]
    fn few_candidates_are_enough_for_few_steps() {
        let (plan, mut candidates) = (rich(), 0);
        let fails = needs(&[30, 170]);
        shrink(
            &plan,
            |plan| {
                candidates += 1;
                fails(plan)
            },
            || true,
        );
        assert!(candidates < 100, "{candidates} candidates for {} steps", plan.steps.len());
    }

    #[test]
    fn bad_luck_is_met_with_another_throw() {
        let plan = rich();
        let own = plan.config.seed;
        let fails = |plan: &Plan| {
            // The plan as it was drawn fails, and one throw in two does.
            let lucky =
                plan.steps.len() < 300 && plan.config.seed.wrapping_sub(own).is_multiple_of(2);
            let needed = needs(&[40, 41])(plan);
            needed.filter(|_| !lucky)
        };
        let left = shrink(&plan, fails, || true).apply(&plan);
        assert_eq!(numbers(&left), BTreeSet::from([40, 41]));
    }

    #[test]
    fn a_plan_that_does_not_fail_is_left_whole() {
        let plan = rich();
        assert_eq!(shrink(&plan, |_| None, || true), Reduction::default());
    }
}
