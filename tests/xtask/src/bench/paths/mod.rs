//! `cargo xtask bench paths`: what the hot paths of core cost.
//!
//! Time is what counts, and noisy: it is for people. Instructions and allocations are the same in
//! every run, so they have a budget that `cargo xtask verify paths` holds them to.

mod budget;
mod callgrind;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::process;
use crate::workspace::Workspace;
use budget::Budget;
pub(crate) use callgrind::{Cost, Count};

/// Times the hot paths of core, or counts their instructions and allocations.
#[derive(Args)]
pub(crate) struct Paths {
    /// Run only the paths whose name contains one of these words.
    words: Vec<String>,
    /// Count with callgrind, and compare with the budget.
    #[arg(long)]
    count: bool,
    /// Count, and make what is counted the budget.
    #[arg(long, conflicts_with = "words")]
    bless: bool,
}

/// The command that renews the budget.
const BLESS: &str = "cargo xtask bench paths --bless";

impl Paths {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        if !self.count && !self.bless {
            let mut bench = workspace.cargo();
            bench.args(["bench", "--package", "quorate-paths", "--"]).args(&self.words);
            return process::run(&mut bench);
        }
        if let Some(reason) = callgrind::missing(workspace)? {
            println!("the counts say nothing about the budget here: {reason}");
        }
        let counts = count(workspace, &self.words)?;
        let budget = Budget::load(workspace)?;
        println!(
            "\n{:<20}{:>14}{:>10}{:>14}{:>10}{:>18}",
            "one step", "instructions", "budget", "allocations", "budget", "with C library"
        );
        for Count { path, cost, everything } in &counts {
            let Cost { instructions, allocations } = cost;
            let [more, allocated] = match budget.of(path) {
                Some(budgeted) => cost.against(budgeted).map(|part| format!("{part:+.1} %")),
                None => ["-", "-"].map(str::to_owned),
            };
            println!(
                "{path:<20}{instructions:>14.0}{more:>10}{allocations:>14.2}{allocated:>10}\
                 {everything:>18.0}"
            );
        }
        if self.bless {
            Budget::renew(workspace, &counts)?;
        }
        Ok(())
    }
}

/// What the hot paths cost beside their budget.
pub(crate) enum Verdict {
    /// None of them costs more; some may cost less.
    Kept,
    /// So many words about those that cost more.
    Exceeded(Vec<String>),
    /// Not counted, for this reason.
    Skipped(String),
}

/// Counts all paths and holds them to their budget.
pub(crate) fn hold(workspace: &Workspace) -> Result<Verdict> {
    if let Some(reason) = callgrind::missing(workspace)? {
        return Ok(Verdict::Skipped(reason));
    }
    let comparison = Budget::load(workspace)?.compare(&count(workspace, &[])?);
    for lower in &comparison.lower {
        println!("{lower}");
    }
    if !comparison.lower.is_empty() {
        println!("`{BLESS}` lowers the budget");
    }
    if comparison.exceeded.is_empty() {
        return Ok(Verdict::Kept);
    }
    Ok(Verdict::Exceeded(comparison.exceeded))
}

fn count(workspace: &Workspace, words: &[String]) -> Result<Vec<Count>> {
    let program = build(workspace)?;
    let folder = TempDir::new()?;
    let counts = callgrind::count(&program, folder.path(), words)?;
    ensure!(!counts.is_empty(), "no path is named like that");
    Ok(counts)
}

/// Builds the program with the features that dependencies have in the node: so the core that is
/// counted is the one that nodes run, and is compiled once for both.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "-p", "quorate-node", "-p", "quorate-paths"]);
    process::run(cargo.args(["--bin", callgrind::PROGRAM]))?;
    let path = workspace.target.join("release").join(callgrind::PROGRAM);
    path.canonicalize().with_context(|| format!("cargo built no {}", path.display()))
}
