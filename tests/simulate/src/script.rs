//! `sim --script`: a run that a person made, as a page exports it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use quorate_core::time::{Duration, Instant};
use quorate_sim::script::{Run, Script};
use quorate_sim::sight::{Happening, Milliseconds, Outcome, What};
use serde_json::json;

use crate::Verdict;
use crate::output::print_line;

/// How long a run goes on after its last action, unless somebody says until when.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Virtual time between two looks at what happened: it is not kept longer.
const STEP: Duration = Duration::from_secs(60);

/// The script of one run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --script")]
pub(crate) struct Written {
    /// Carry out the script of a page, as JSON: `{"options":{},"actions":[]}`.
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["seeds", "first", "seed", "from_file", "ops", "minutes", "all"])]
    #[arg(conflicts_with_all = ["shrink", "threads", "properties"])]
    script: Option<PathBuf>,
    /// Go on until this many virtual milliseconds have passed; 10,000 after the last action if not
    /// given.
    #[arg(long, requires = "script", value_name = "MILLISECONDS", value_parser = moment)]
    until: Option<Milliseconds>,
}

impl Written {
    /// Carries the script out, if there is one.
    pub(crate) fn run(&self, json: bool) -> Option<Result<Verdict>> {
        self.script.as_ref().map(|file| self.carry_out(file, json))
    }

    fn carry_out(&self, file: &Path, json: bool) -> Result<Verdict> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let script: Script =
            serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        let last = script.actions.last().map_or(Instant(0), |action| action.at.0);
        let until = self.until.map_or(last + AFTERMATH, |until| until.0);
        let mut run = Run::new(script)?;
        let mut ends = Vec::new();
        while run.now() < until {
            run.advance(until.since(run.now()).min(STEP))?;
            let happenings = run.take_happenings().into_iter();
            ends.extend(happenings.filter(|it| matches!(it.what, What::Ended { .. })));
        }
        let trace = format!("{:016x}", run.trace());
        let violation = run.violation().map(ToString::to_string);
        if json {
            let now = Milliseconds(run.now());
            let violation = &violation;
            print_line(
                json!({ "now": now, "trace": trace, "violation": violation, "ended": ends }),
            );
        } else {
            ends.iter().filter_map(line).for_each(print_line);
            print_line(format_args!("trace           {trace}"));
            violation.iter().for_each(|broken| print_line(format_args!("violated: {broken}")));
        }
        Ok(if violation.is_some() { Verdict::Violated } else { Verdict::Clean })
    }
}

/// How a call ended, in one line.
fn line(Happening { at, what, .. }: &Happening) -> Option<String> {
    let What::Ended { call, outcome } = what else { return None };
    let how = match &**outcome {
        Outcome::Entry { values, tombstones, .. } => {
            format!("found {values:?}, {tombstones} tombstones")
        }
        Outcome::Written { siblings, .. } => format!("written, siblings={siblings}"),
        Outcome::Failed { code, needed, acked, .. } => format!("{code}, {acked} of {needed}"),
    };
    Some(format!("{:>12.3} ms  call {call}: {how}", at.get()))
}

fn moment(text: &str) -> Result<Milliseconds> {
    let number = text.parse().ok().and_then(Milliseconds::new);
    number.ok_or_else(|| anyhow!("milliseconds since the beginning are wanted"))
}
