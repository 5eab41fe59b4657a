//! What many runs have in common, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use quorate_sim::Marks;
use quorate_sim::swarm::{Calls, Report};
use serde_json::{Map, Value, json};

/// The sum of some runs.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) seeds: u64,
    pub(crate) violations: u64,
    pub(crate) events: u64,
    calls: Calls,
    simulated: Duration,
    marks: Marks,
    /// Real time of all runs together.
    pub(crate) took: Duration,
    cores: usize,
}

impl Totals {
    /// Of no run so far, on so many cores.
    pub(crate) fn on(cores: usize) -> Totals {
        Totals { cores, ..Totals::default() }
    }

    pub(crate) fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.violations += u64::from(report.violation.is_some());
        self.events += report.events;
        self.simulated += report.simulated;
        self.marks.merge(&report.marks);
        let Calls { written, read, unknown, refused, orphaned } = &mut self.calls;
        *written += report.calls.written;
        *read += report.calls.read;
        *unknown += report.calls.unknown;
        *refused += report.calls.refused;
        *orphaned += report.calls.orphaned;
    }

    pub(crate) fn json(&self) -> Value {
        let Calls { written, read, unknown, refused, orphaned } = self.calls;
        let marks = self.marks.list().map(|(mark, count)| (mark.name().to_owned(), count.into()));
        json!({
            "seeds": self.seeds,
            "violated": self.violations,
            "calls": {
                "written": written,
                "read": read,
                "unknown": unknown,
                "refused": refused,
                "orphaned": orphaned,
            },
            "events": self.events,
            "seconds": self.took.as_secs_f64(),
            "cores": self.cores,
            "events_per_second": self.per_second(self.events),
            "events_per_second_and_core": self.per_core(self.events),
            "seeds_per_second_and_core": self.per_core(self.seeds),
            "simulated_seconds": self.simulated.as_secs_f64(),
            "marks": marks.collect::<Map<String, Value>>(),
        })
    }

    /// Events in each second until now.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64().max(1e-6)
    }

    fn per_core(&self, count: u64) -> f64 {
        self.per_second(count) / self.cores.max(1) as f64
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calls { written, read, unknown, refused, orphaned } = self.calls;
        let calls = written + read + unknown + refused + orphaned;
        let passed = self.seeds - self.violations;
        writeln!(f, "seeds           {passed} passed, {} failed", self.violations)?;
        write!(f, "calls           {calls}: {written} written, {read} read, {unknown} unknown, ")?;
        writeln!(f, "{refused} refused, {orphaned} orphaned")?;
        let cores = self.cores;
        writeln!(f, "events          {}", self.events)?;
        writeln!(f, "real time       {:.1} s on {cores} cores", self.took.as_secs_f64())?;
        let (events, seeds) = (self.per_core(self.events), self.per_core(self.seeds));
        write!(f, "per second      {:.0} events, ", self.per_second(self.events))?;
        writeln!(f, "{events:.0} and {seeds:.1} seeds per core")?;
        let faster = self.simulated.as_secs_f64() / self.took.as_secs_f64().max(1e-6);
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        writeln!(f, "simulated time  {hours:.1} h, {faster:.0} times real time")?;
        writeln!(f, "met sometimes")?;
        let (met, never): (Vec<_>, Vec<_>) = self.marks.list().partition(|(_, count)| *count > 0);
        for (mark, count) in met {
            writeln!(f, "{count:>14}  {}", mark.name())?;
        }
        // A single seed does not meet most of them.
        if self.seeds > 1 {
            for (mark, _) in never {
                writeln!(f, "         NEVER  {}", mark.name())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_sim::swarm::{self, Plan};

    use super::*;

    #[test]
    fn what_was_never_met_is_listed_for_several_seeds_only() {
        let report = swarm::run(&Plan::draw(0, 5), None);
        let mut totals = Totals::on(1);
        totals.add(&report);
        assert!(!totals.to_string().contains("NEVER"));
        totals.add(&report);
        assert!(totals.to_string().contains("NEVER"));
    }
}
