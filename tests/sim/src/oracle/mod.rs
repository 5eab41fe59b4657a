//! Watches a world: keeps the facts, asks every invariant, remembers the first violation.

mod dots;
mod facts;
mod keys;
mod names;
mod ops;
#[cfg(test)]
pub(crate) mod stage;

use quorate_core::message::LayoutUpdate;
use quorate_core::node::NodeView;
use quorate_core::time::{Instant, UnixMs};

use crate::disk::Disk;
use crate::invariants::{self, Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Observation;
pub(crate) use dots::{
    difference, exceeds, known, knows, superseded_without, supersedes, unknown_to,
};
pub(crate) use facts::{Carried, Facts, HeldThen, InForce, Memory, Since, Task};
pub(crate) use keys::{KeyFacts, Promise, WriteFact};
pub(crate) use names::{Seconds, text_of};
pub(crate) use ops::{How, Op, OpId, Wish};

/// The facts of one world and the checks on it.
pub(crate) struct Oracle {
    facts: Facts,
    invariants: Vec<(Property, Box<dyn Invariant + Send>)>,
    violation: Option<Box<Violation>>,
}

/// The world at the moment of an observation, but for the facts.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Instant,
    /// What the node that acts reads on its wall clock; without meaning where none does.
    pub(crate) wall: UnixMs,
    pub(crate) layout: &'a LayoutUpdate,
    pub(crate) disks: &'a [Disk],
}

impl Oracle {
    pub(crate) fn new(facts: Facts) -> Oracle {
        Oracle { facts, invariants: invariants::in_force(), violation: None }
    }

    /// A node has handled an input: what it does next may go by other layouts.
    pub(crate) fn on_layouts(&mut self, now: Instant, node: usize, view: NodeView<'_>) {
        self.facts.on_layouts(now, node, view);
    }

    /// Whether a node was removed, and has nothing left but what nobody takes from it.
    pub(crate) fn keeps_what_is_left(&self, disks: &[Disk], node: usize) -> bool {
        let mut keys = disks[node].keys();
        self.facts.is_given_up(node, node)
            && keys.all(|key| self.facts.keeps_slot_of(disks, node, key))
    }

    /// Takes in what happened.
    pub(crate) fn observe(&mut self, moment: Moment<'_>, seen: &Observation<'_>) {
        self.facts.observe(moment, seen);
        self.ask(moment, Some(seen), |invariant, scene| invariant.observe(scene, seen));
    }

    /// The world is at rest; see [`Invariant::at_rest`].
    pub(crate) fn at_rest(&mut self, moment: Moment<'_>, whole: &[usize]) {
        self.ask(moment, None, |invariant, scene| invariant.at_rest(scene, whole));
    }

    /// The first violation.
    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.as_deref()
    }

    /// Notes a violation that was found elsewhere.
    pub(crate) fn fail(&mut self, property: &'static str, at: Instant, text: &str) {
        let violation = Box::new(Violation { property, at, ..*Violation::new(text) });
        self.violation.get_or_insert(violation);
    }

    fn ask(
        &mut self,
        Moment { now, wall, layout, disks }: Moment<'_>,
        seen: Option<&Observation<'_>>,
        ask: impl Fn(&mut dyn Invariant, Scene<'_>) -> Verdict,
    ) {
        if self.violation.is_some() {
            return;
        }
        let carried = seen.and_then(|seen| self.facts.carried(seen));
        let scene = Scene { now, wall, layout, disks, facts: &self.facts, carried };
        for (property, invariant) in &mut self.invariants {
            if let Err(violation) = ask(&mut **invariant, scene) {
                self.violation =
                    Some(Box::new(Violation { property: property.name, at: now, ..*violation }));
                return;
            }
        }
    }
}
