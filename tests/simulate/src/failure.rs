//! A run that violates a property: what a person needs in order to understand it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use quorate_sim::LogFilter;
use quorate_sim::invariants::{self, Violation};
use quorate_sim::shrink::{self, Reduction};
use quorate_sim::swarm::{Plan, Report};
use serde_json::{Value, json};

use crate::quiet;
use crate::seeds::Job;

/// Lines of the log around a violation.
const TIMELINE_LINES: usize = 60;

/// A violation with what leads to it again.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) job: Job,
    pub(crate) reduction: Reduction,
    violation: Violation,
    trace: u64,
}

impl Failure {
    /// What a report says of a violation, if it does.
    pub(crate) fn of(job: Job, reduction: Reduction, report: &Report) -> Option<Failure> {
        let violation = report.violation.clone()?;
        Some(Failure { job, reduction, violation, trace: report.trace })
    }

    /// The line that replays it.
    pub(crate) fn replay(&self) -> String {
        let Job { seed, ops } = self.job;
        let line = format!("cargo xtask sim --seed {seed} --ops {ops} {}", self.reduction);
        format!("{}{}", line.trim_end(), mutant())
    }

    pub(crate) fn json(&self) -> Value {
        let Violation { property, at, node, key, text } = &self.violation;
        let known = invariants::table().into_iter().find(|known| known.name == *property);
        json!({
            "seed": self.job.seed,
            "ops": self.job.ops,
            "property": property,
            "definition": known.map(|known| known.definition),
            "source": known.map(|known| known.source),
            "at_us": at.0,
            "node": node,
            "key": key.as_ref().map(|key| String::from_utf8_lossy(key.as_bytes())),
            "text": text,
            "replay": self.replay(),
        })
    }

    /// The property, the violation and the line that replays it.
    pub(crate) fn summary(&self) -> String {
        let Violation { property, .. } = &self.violation;
        let mut text = format!("seed {} violates {property}\n", self.job.seed);
        let known = invariants::table().into_iter().find(|known| known.name == *property);
        if let Some(known) = known {
            let _ =
                writeln!(text, "  promised   {}\n  source     {}", known.definition, known.source);
        }
        let _ = writeln!(text, "  violation  {}", self.violation);
        let _ = writeln!(text, "  replay     {}", self.replay());
        text
    }

    /// The last lines of the log that concern the violation, from a second run.
    pub(crate) fn timeline(&self) -> String {
        let Violation { key, node, .. } = &self.violation;
        // A key says more than the node where it is missed.
        let node = if key.is_some() { None } else { *node };
        let filter = LogFilter { key: key.clone(), node, last: TIMELINE_LINES, call: None };
        let report = quiet::run(&self.plan(), Some(filter));
        let mut text = match (key, node) {
            (Some(key), _) => {
                format!("timeline of {:?}\n", String::from_utf8_lossy(key.as_bytes()))
            }
            (None, Some(node)) => format!("timeline of n{node}\n"),
            (None, None) => "timeline\n".to_owned(),
        };
        report.log.iter().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
        if report.trace != self.trace {
            let _ = writeln!(
                text,
                "The second run took another course ({:016x}, then {:016x}): the simulator itself \
                 is wrong, for it does not depend on its seed alone.",
                self.trace, report.trace
            );
        }
        text
    }

    /// The steps of the plan, by time.
    pub(crate) fn steps(&self) -> String {
        let plan = self.plan();
        let mut text = format!("{} steps\n", plan.steps.len());
        plan.steps.iter().for_each(|step| {
            let _ = writeln!(text, "  {step}");
        });
        text
    }

    /// The same failure with as little in the plan as can be found in this time.
    pub(crate) fn shrink(&self, time: Duration) -> Failure {
        let plan = self.plan();
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let started = Instant::now();
        let (mut candidates, mut least) = (0, plan.steps.len());
        let fails = |candidate: &Plan| {
            candidates += 1;
            let shown = self.fails_alike(candidate);
            if shown.is_some() {
                least = least.min(candidate.steps.len());
            }
            bar.set_message(format!("{least} steps left after {candidates} candidates"));
            shown
        };
        let further = shrink::shrink(&plan, fails, || started.elapsed() < time);
        bar.finish_and_clear();
        let reduction = self.reduction.clone().then(further);
        let shrunk = quiet::run(&reduction.apply(&self.whole_plan()), None);
        Failure::of(self.job, reduction, &shrunk).unwrap_or_else(|| self.clone())
    }

    /// When the same property is violated by a candidate.
    fn fails_alike(&self, candidate: &Plan) -> Option<quorate_core::time::Instant> {
        let violation = quiet::run(candidate, None).violation?;
        (violation.property == self.violation.property).then_some(violation.at)
    }

    fn plan(&self) -> Plan {
        self.reduction.apply(&self.whole_plan())
    }

    fn whole_plan(&self) -> Plan {
        Plan::draw(self.job.seed, self.job.ops)
    }
}

/// The option that asks for the mutant that is switched on.
#[cfg(feature = "mutants")]
fn mutant() -> String {
    let mutant = quorate_core::mutants::switched();
    mutant.map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default()
}

#[cfg(not(feature = "mutants"))]
fn mutant() -> &'static str {
    ""
}
