//! The random run of a seed, watched from its beginning to its end, to be played back.

use quorate_core::time::Instant;

use crate::sight::{Happening, Milliseconds, View};
use crate::swarm::{Plan, Report, run_watched};

/// Happenings that are kept of a run: the last ones.
const HAPPENINGS_MAX: usize = 100_000;

/// What was seen of a run, and the moment at which somebody looks at it.
pub struct Recording {
    report: Report,
    happenings: Vec<Happening>,
    views: Vec<View>,
    since: Milliseconds,
    now: Instant,
    /// Happenings that lie before now.
    passed: usize,
}

impl Recording {
    /// Carries a plan out.
    pub fn new(plan: &Plan) -> Recording {
        let (report, seen) = run_watched(plan, HAPPENINGS_MAX);
        let now = Instant(0);
        let (happenings, views, since) = (seen.happenings, seen.views, seen.since);
        Recording { report, happenings, views, since, now, passed: 0 }
    }

    /// What the run has to say.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// From when on all happenings are kept; 0: all are.
    pub fn since(&self) -> Milliseconds {
        self.since
    }

    /// When the run ended.
    pub fn end(&self) -> Instant {
        Instant(0) + self.report.simulated
    }

    /// The moment that is looked at.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Goes to a moment; what lies between is not told. There is none behind the end.
    pub fn seek(&mut self, at: Milliseconds) {
        self.now = at.0.min(self.end());
        self.passed = self.happenings.partition_point(|it| it.at.0 <= self.now);
    }

    /// Lets time pass until a moment; answers what happened meanwhile.
    pub fn advance_to(&mut self, at: Milliseconds) -> &[Happening] {
        let from = self.passed;
        self.seek(at);
        &self.happenings[from.min(self.passed)..self.passed]
    }

    /// The last view from before now, or the first one.
    pub fn view(&self) -> Option<&View> {
        let before = self.views.partition_point(|view| view.now.0 <= self.now);
        self.views.get(before.saturating_sub(1))
    }
}
