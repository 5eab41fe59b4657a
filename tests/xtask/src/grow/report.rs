//! What a cluster that grew and shrank has to show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::clients::{Phase, Seen};

/// Elements that are named where many are missing.
const NAMED_MAX: usize = 10;

pub(super) struct Report {
    phases: Vec<Summary>,
    changes: Vec<Change>,
    acknowledged: usize,
    /// Keys and elements that were acknowledged and are not there.
    lost: Vec<(String, String)>,
    errors: BTreeMap<String, u64>,
}

/// One change of the layout.
pub(super) struct Change {
    pub(super) name: String,
    /// From the commit until nothing was left to be moved.
    pub(super) seconds: f64,
    pub(super) forecast_bytes: u64,
    pub(super) moved_bytes: u64,
    pub(super) moved_records: u64,
    pub(super) slots_moved: u64,
    pub(super) slots_moved_least: u64,
}

/// Gets and puts of one phase.
struct Summary {
    name: String,
    operations: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    errors: u64,
}

impl Report {
    pub(super) fn new(
        seen: [Seen; 2],
        held: &BTreeMap<String, Vec<String>>,
        changes: Vec<Change>,
    ) -> Report {
        let held: BTreeMap<&String, BTreeSet<&String>> =
            held.iter().map(|(key, elements)| (key, elements.iter().collect())).collect();
        let mut lost = Vec::new();
        let mut acknowledged = 0;
        for (key, element) in seen
            .iter()
            .flat_map(|seen| &seen.acknowledged)
            .flat_map(|(key, all)| all.iter().map(move |element| (key, element)))
        {
            acknowledged += 1;
            if !held.get(&key).is_some_and(|elements| elements.contains(element)) {
                lost.push((key.clone(), element.clone()));
            }
        }
        let mut errors: BTreeMap<String, u64> = BTreeMap::new();
        for (error, count) in seen.iter().flat_map(|seen| &seen.phases).flat_map(|it| &it.errors) {
            *errors.entry(error.clone()).or_default() += count;
        }
        let [native, script] = seen;
        let phases = native.phases.into_iter().zip(script.phases);
        let phases = phases.map(|(native, script)| Summary::of(native, script)).collect();
        Report { phases, changes, acknowledged, lost, errors }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let before = self.phases.first().map_or(0.0, |phase| phase.p99_ms);
        for phase in &self.phases {
            let Summary { name, operations, p50_ms, p99_ms, max_ms, errors } = phase;
            let _ = writeln!(
                text,
                "{name}: {operations} operations, {errors} failed, p50 {p50_ms:.1} ms, p99 \
                 {p99_ms:.1} ms ({:.2} of before), longest {max_ms:.0} ms",
                p99_ms / before
            );
        }
        for change in &self.changes {
            let _ = writeln!(text, "{}", change.text());
        }
        let _ = writeln!(text, "acknowledged: {}, lost: {}", self.acknowledged, self.lost.len());
        for (key, element) in self.lost.iter().take(NAMED_MAX) {
            let _ = writeln!(text, "  lost from {key}: {element}");
        }
        for (error, count) in &self.errors {
            let _ = writeln!(text, "  {count} times {error}");
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let before = self.phases.first().map_or(0.0, |phase| phase.p99_ms);
        let phases = self.phases.iter().map(|phase| {
            json!({
                "name": phase.name,
                "operations": phase.operations,
                "failed": phase.errors,
                "p50_ms": phase.p50_ms,
                "p99_ms": phase.p99_ms,
                "p99_to_before": phase.p99_ms / before,
                "max_ms": phase.max_ms,
            })
        });
        let changes = self.changes.iter().map(|change| {
            json!({
                "name": change.name,
                "seconds": change.seconds,
                "forecast_bytes": change.forecast_bytes,
                "moved_bytes": change.moved_bytes,
                "moved_records": change.moved_records,
                "slots_moved": change.slots_moved,
                "slots_moved_least": change.slots_moved_least,
            })
        });
        json!({
            "phases": phases.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
            "acknowledged": self.acknowledged,
            "lost": self.lost.len(),
            "errors": self.errors,
        })
    }

    /// # Errors
    /// Something was lost, or an operation failed.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.acknowledged > 0, "nothing was acknowledged");
        ensure!(self.lost.is_empty(), "{} acknowledged elements are lost", self.lost.len());
        let failed: u64 = self.errors.values().sum();
        ensure!(failed == 0, "{failed} operations failed");
        Ok(())
    }
}

impl Change {
    /// For people.
    pub(super) fn text(&self) -> String {
        format!(
            "{}: settled after {:.1} s; {} slots change their owner ({} must); {} records moved in \
             {:.1} MB of comparisons, forecast: {:.1} MB ({:.2} of it)",
            self.name,
            self.seconds,
            self.slots_moved,
            self.slots_moved_least,
            self.moved_records,
            self.moved_bytes as f64 / 1e6,
            self.forecast_bytes as f64 / 1e6,
            self.moved_bytes as f64 / self.forecast_bytes.max(1) as f64,
        )
    }
}

impl Summary {
    fn of(native: Phase, script: Phase) -> Summary {
        let errors = native.errors.values().chain(script.errors.values()).sum();
        let mut latencies = native.latencies;
        latencies.extend(script.latencies);
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            let micros = latencies.get(index.min(latencies.len().saturating_sub(1)));
            micros.map_or(0.0, |micros| *micros as f64 / 1_000.0)
        };
        Summary {
            name: native.name,
            operations: latencies.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
            errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, latencies: Vec<u64>, elements: &[(&str, &str)]) -> Seen {
        let mut acknowledged: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, element) in elements {
            acknowledged.entry((*key).to_owned()).or_default().push((*element).to_owned());
        }
        let phase = Phase { name: name.to_owned(), latencies, errors: BTreeMap::new() };
        Seen { phases: vec![phase], acknowledged }
    }

    #[test]
    fn what_was_acknowledged_and_is_not_there_is_lost() {
        let held = BTreeMap::from([("1".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
        let with = |element| [seen("x", vec![1], &[("1", "a")]), seen("x", vec![2], &[element])];
        assert!(Report::new(with(("1", "b")), &held, Vec::new()).check().is_ok());
        for missing in [("1", "c"), ("2", "a")] {
            let report = Report::new(with(missing), &held, Vec::new());
            assert_eq!(report.lost, [(missing.0.to_owned(), missing.1.to_owned())]);
            assert!(report.check().is_err());
        }
    }

    #[test]
    fn an_operation_that_failed_is_an_error_of_the_run() {
        let mut failed = seen("x", vec![1], &[("1", "a")]);
        failed.phases[0].errors.insert("TIMEOUT".into(), 1);
        let held = BTreeMap::from([("1".to_owned(), vec!["a".to_owned()])]);
        let report = Report::new([failed, seen("x", vec![], &[])], &held, Vec::new());
        assert!(report.check().unwrap_err().to_string().contains("1 operations failed"));
    }

    #[test]
    fn percentiles_are_those_of_all_clients() {
        let summary = |native: Vec<u64>, script: Vec<u64>| {
            let phase = |latencies| seen("x", latencies, &[]).phases.remove(0);
            let Summary { operations, p50_ms, p99_ms, max_ms, .. } =
                Summary::of(phase(native), phase(script));
            (operations, p50_ms, p99_ms, max_ms)
        };
        let (slow, fast): (Vec<u64>, Vec<u64>) = (1..=100_000).partition(|micros| micros % 2 == 0);
        assert_eq!(summary(slow, fast), (100_000, 50.001, 99.001, 100.0));
        assert_eq!(summary(vec![], vec![]), (0, 0.0, 0.0, 0.0));
    }
}
