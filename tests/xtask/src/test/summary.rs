//! The table that ends a test run.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::Outcome;
use crate::verify::Tally;

/// Failed tests of a step that are named.
const NAMED_MAX: usize = 20;

/// What became of each step.
#[derive(Default)]
pub(super) struct Summary {
    rows: Vec<Row>,
}

/// What became of one step.
pub(super) struct Row {
    step: &'static str,
    verdict: Verdict,
    /// Nothing for a step that runs no tests.
    tally: Option<Tally>,
    took: Duration,
    /// Why it failed or was skipped, where that is not in the counts.
    reason: Option<String>,
    /// Failed tests of it, by name.
    failed: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Failed,
    Skipped,
}

impl Row {
    pub(super) fn new(step: &'static str, outcome: Result<Outcome>, took: Duration) -> Row {
        let mut failed = Vec::new();
        let (verdict, tally, reason) = match outcome {
            Ok(Outcome::Done) => (Verdict::Ok, None, None),
            Ok(Outcome::Counted(counted)) => {
                let ended_well = counted.tally.failed == 0;
                failed = counted.failed;
                (if ended_well { Verdict::Ok } else { Verdict::Failed }, Some(counted.tally), None)
            }
            Ok(Outcome::Skipped(reason)) => (Verdict::Skipped, None, Some(reason)),
            // A step that could not run to its end counts as one failed test.
            Err(error) => {
                let tally = Tally { failed: 1, ..Tally::default() };
                (Verdict::Failed, Some(tally), Some(format!("{error:#}")))
            }
        };
        Row { step, verdict, tally, took, reason, failed }
    }
}

impl Summary {
    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether a step of this name was tried and did not end well.
    pub(super) fn is_missing(&self, step: &str) -> bool {
        self.rows.iter().any(|row| row.step == step && row.verdict != Verdict::Ok)
    }

    /// The sum over all steps.
    pub(super) fn tally(&self) -> Tally {
        self.rows
            .iter()
            .filter_map(|row| row.tally)
            .fold(Tally::default(), |sum, tally| sum + tally)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |tally: Option<Tally>| match tally {
            Some(tally) => {
                [tally.passed, tally.failed, tally.skipped].map(|count| count.to_string())
            }
            None => ["-"; 3].map(str::to_owned),
        };
        writeln!(f, "\nstep        result    passed  failed  skipped  seconds")?;
        for row in &self.rows {
            let [passed, failed, skipped] = cells(row.tally);
            let seconds = row.took.as_secs_f32();
            write!(f, "{:<12}{:<8}{passed:>8}{failed:>8}", row.step, row.verdict.name())?;
            writeln!(f, "{skipped:>9}{seconds:>9.1}")?;
        }
        let took: Duration = self.rows.iter().map(|row| row.took).sum();
        let [passed, failed, skipped] = cells(Some(self.tally()));
        write!(f, "{:<20}{passed:>8}{failed:>8}", "total")?;
        writeln!(f, "{skipped:>9}{:>9.1}", took.as_secs_f32())?;
        for row in &self.rows {
            if let Some(reason) = &row.reason {
                writeln!(f, "{} {}: {reason}", row.step, row.verdict.name())?;
            }
            for name in row.failed.iter().take(NAMED_MAX) {
                writeln!(f, "{} {}: {name}", row.step, row.verdict.name())?;
            }
        }
        writeln!(f, "\n{passed} passed, {failed} failed")
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::test::Counted;

    fn summary(outcomes: Vec<(&'static str, Result<Outcome>)>) -> Summary {
        let row = |(step, outcome)| Row::new(step, outcome, Duration::from_millis(1500));
        Summary { rows: outcomes.into_iter().map(row).collect() }
    }

    #[test]
    fn the_last_line_is_the_total_alone() {
        let counted = |passed, failed| {
            let failed_tests = (0..failed).map(|number| format!("test {number}")).collect();
            let tally = Tally { passed, failed, skipped: 1 };
            Ok(Outcome::Counted(Counted { tally, failed: failed_tests }))
        };
        let summary = summary(vec![
            ("rust", counted(10, 0)),
            ("npm-ci", Ok(Outcome::Done)),
            ("npm-test", counted(5, 2)),
            ("browser", Err(anyhow!("no Chromium"))),
        ]);
        let text = summary.to_string();
        assert_eq!(text.lines().last(), Some("15 passed, 3 failed"), "{text}");
        assert!(
            text.contains("\nrust        ok            10       0        1      1.5\n"),
            "{text}"
        );
        assert!(
            text.contains("\nnpm-ci      ok             -       -        -      1.5\n"),
            "{text}"
        );
        assert!(text.contains("\nnpm-test FAILED: test 0\nnpm-test FAILED: test 1\n"), "{text}");
        assert!(text.contains("\nbrowser FAILED: no Chromium\n"), "{text}");
    }

    #[test]
    fn a_step_that_failed_or_was_skipped_is_missing_and_one_not_chosen_is_not() {
        let skipped = Ok(Outcome::Skipped("it needs wasm".to_owned()));
        let summary = summary(vec![("wasm", Err(anyhow!("x"))), ("npm-build", skipped)]);
        assert!(summary.is_missing("wasm") && summary.is_missing("npm-build"));
        assert!(!summary.is_missing("npm-ci"));
    }
}
