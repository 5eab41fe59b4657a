//! `cargo xtask test`: every test of the project, and one table at the end.

mod chromium;
mod counts;
mod steps;
mod summary;

use std::ops::Add;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::verify::Tally;
use crate::workspace::Workspace;
use steps::Step;
use summary::{Row, Summary};

/// Runs every test of Rust, WebAssembly, TypeScript and the browser.
///
/// Installs what the tests need: npm packages, and Debian's chromium where no chromium is found
/// and the user is root. A step that fails ends nothing but the steps that need it. The last line
/// is `N passed, N failed`; the exit status is 0 where nothing failed.
#[derive(Args)]
pub(crate) struct Test {
    /// Run only steps of this name or group (see --list), without the steps that they need.
    steps: Vec<String>,
    /// List the steps and run none.
    #[arg(long)]
    list: bool,
}

/// What a step counted.
#[derive(Debug, Default)]
struct Counted {
    tally: Tally,
    /// The failed tests that its output names, for the end: the output itself may be long.
    failed: Vec<String>,
}

impl From<Tally> for Counted {
    fn from(tally: Tally) -> Counted {
        Counted { tally, failed: Vec::new() }
    }
}

impl Add for Counted {
    type Output = Counted;

    fn add(mut self, other: Counted) -> Counted {
        self.failed.extend(other.failed);
        Counted { tally: self.tally + other.tally, ..self }
    }
}

/// How a step ended, and what it counted.
enum Outcome {
    /// A step that runs no tests: it builds or installs something.
    Done,
    Counted(Counted),
    /// Not run, for this reason.
    Skipped(String),
}

impl Test {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let steps = self.chosen()?;
        if self.list {
            for step in steps {
                println!("{:<10}{:<12}{}", step.group, step.name, step.about);
            }
            return Ok(());
        }
        let mut summary = Summary::default();
        for step in steps {
            println!("\n=== {}: {}", step.name, step.about);
            let started = Instant::now();
            let outcome = match step.needs.iter().find(|name| summary.is_missing(name)) {
                Some(name) => Ok(Outcome::Skipped(format!("it needs {name}"))),
                None => (step.run)(workspace),
            };
            if let Err(error) = &outcome {
                println!("{}: {error:#}", step.name);
            }
            summary.push(Row::new(step.name, outcome, started.elapsed()));
        }
        print!("{summary}");
        if summary.tally().failed > 0 {
            // The summary has said it all, and its last line stays the last.
            std::process::exit(1);
        }
        Ok(())
    }

    fn chosen(&self) -> Result<Vec<&'static Step>> {
        let matches = |step: &&Step, word: &String| step.name == word || step.group == word;
        if let Some(word) =
            self.steps.iter().find(|word| !steps::ALL.iter().any(|step| matches(&step, word)))
        {
            bail!("no step or group is named {word}: see `cargo xtask test --list`");
        }
        let wanted = |step: &&Step| {
            self.steps.is_empty() || self.steps.iter().any(|word| matches(step, word))
        };
        Ok(steps::ALL.iter().filter(wanted).collect())
    }
}
