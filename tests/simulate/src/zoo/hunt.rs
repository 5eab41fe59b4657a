//! Running seeds, and then stories, until one of them catches what is wrong.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use quorate_core::mutants::{self, Mutant};
use quorate_sim::invariants;
use quorate_sim::stories::STORIES;
use quorate_sim::swarm::Plan;

use crate::{pool, quiet};

/// What is hunted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quarry {
    /// The protocol as it is, which must not be caught.
    Sane,
    /// The protocol as it is under a claim that is false, which must be caught.
    FalseClaim,
    /// A protocol that is wrong.
    Mutant(Mutant),
}

/// Runs what is hunted over the seeds.
pub(crate) struct Hunter {
    seeds: u64,
    ops: usize,
    threads: usize,
    /// What each seed does to the protocol as it is; empty until that was run.
    sane: Vec<Sane>,
}

/// The protocol as it is with one seed.
struct Sane {
    trace: u64,
    /// Whether a property was violated: then this seed says nothing about mutants.
    is_caught: bool,
}

/// How a hunt ended.
pub(crate) struct Hunt {
    pub(crate) quarry: Quarry,
    pub(crate) caught: Option<Caught>,
    /// Seeds that were run.
    pub(crate) seeds: u64,
    /// Of these, how many took another course than the protocol as it is.
    pub(crate) strayed: u64,
    pub(crate) took: Duration,
    ops: usize,
}

/// What caught it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caught {
    /// A story came to a bad end.
    Story(&'static str),
    /// A seed violated a property.
    Seed { seed: u64, property: &'static str },
}

impl Quarry {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Quarry::Sane => "(no mutant)",
            Quarry::FalseClaim => "(a false claim)",
            Quarry::Mutant(mutant) => mutant.name(),
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Quarry::Sane => "The protocol as it is: must not be caught.",
            Quarry::FalseClaim => "The protocol as it is never answers a call: must be caught.",
            Quarry::Mutant(mutant) => mutant.about(),
        }
    }

    fn mutant(self) -> Option<Mutant> {
        match self {
            Quarry::Sane | Quarry::FalseClaim => None,
            Quarry::Mutant(mutant) => Some(mutant),
        }
    }
}

impl Hunter {
    pub(crate) fn new(seeds: u64, ops: usize, threads: usize) -> Hunter {
        Hunter { seeds, ops, threads, sane: Vec::new() }
    }

    /// Hunts with the seeds in their order until one of them catches it, and where none does with
    /// the stories; the protocol as it is, which comes first, with all of them.
    pub(crate) fn hunt(&mut self, quarry: Quarry) -> Hunt {
        let started = Instant::now();
        let Hunter { seeds, ops, .. } = *self;
        mutants::switch(quarry.mutant());
        invariants::claim_falsely(quarry == Quarry::FalseClaim);
        let work = |seed| (seed < seeds).then(|| quiet::run(&Plan::draw(seed, ops), None));
        let mut hunt =
            Hunt { quarry, caught: None, seeds: 0, strayed: 0, took: Duration::ZERO, ops };
        pool::in_order(self.threads, work, |report| {
            let property = report.violation.as_ref().map(|violation| violation.property);
            let caught = property.map(|property| Caught::Seed { seed: report.seed, property });
            hunt.seeds += 1;
            if quarry == Quarry::Sane {
                self.sane.push(Sane { trace: report.trace, is_caught: caught.is_some() });
                hunt.caught = hunt.caught.take().or(caught);
                return ControlFlow::Continue(());
            }
            let sane = usize::try_from(report.seed).ok().and_then(|seed| self.sane.get(seed));
            hunt.strayed += u64::from(sane.is_some_and(|sane| sane.trace != report.trace));
            hunt.caught = caught.filter(|_| !sane.is_some_and(|sane| sane.is_caught));
            if hunt.caught.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if hunt.caught.is_none() && quarry != Quarry::FalseClaim {
            let story = STORIES.iter().find(|story| quiet::fails(**story));
            hunt.caught = story.map(|story| Caught::Story(story.name));
        }
        invariants::claim_falsely(false);
        mutants::switch(None);
        hunt.took = started.elapsed();
        hunt
    }
}

impl Caught {
    /// The property or the story.
    pub(crate) fn by(&self) -> &'static str {
        match self {
            Caught::Story(name) => name,
            Caught::Seed { property, .. } => property,
        }
    }
}

impl Hunt {
    /// Whether it ended as it should.
    pub(crate) fn is_right(&self) -> bool {
        match self.quarry {
            Quarry::Sane => self.caught.is_none(),
            Quarry::FalseClaim | Quarry::Mutant(_) => self.caught.is_some(),
        }
    }

    /// The line that replays what was caught; nothing makes a false claim but the zoo.
    pub(crate) fn replay(&self) -> Option<String> {
        let seed = match self.caught.as_ref()? {
            Caught::Seed { seed, .. } => seed,
            Caught::Story(name) => return Some(format!("cargo test -p quorate-sim {name}")),
        };
        let line = format!("cargo xtask sim --seed {seed} --ops {}", self.ops);
        match self.quarry {
            Quarry::Sane => Some(line),
            Quarry::FalseClaim => None,
            Quarry::Mutant(mutant) => Some(format!("{line} --mutant {mutant}")),
        }
    }
}
