//! `cargo xtask verify`: what holds for every commit and is not a test of behaviour.

mod build;
mod dependencies;
mod imports;
mod layering;
mod paths;
mod text;

use std::ops::Add;

use anyhow::{Result, bail};
use clap::Args;

use crate::proto;
use crate::workspace::Workspace;

/// Checks the sources: format, lints, docs, purity, layering, sizes, generated code.
///
/// Every check runs, also after one has failed. `cargo xtask test` runs them all, too.
#[derive(Args)]
pub(crate) struct Verify {
    /// Run only the checks whose name contains one of these words.
    words: Vec<String>,
    /// List the checks and run none.
    #[arg(long)]
    list: bool,
}

/// One check: its name, what it promises, and how it is made.
struct Check {
    name: &'static str,
    promise: &'static str,
    run: fn(&Workspace) -> Result<Verdict>,
}

/// How a check that found nothing wrong ended.
enum Verdict {
    Passed,
    /// Not made, for this reason.
    Skipped(String),
}

/// How many checks ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// In the order in which they run: quick ones first.
const CHECKS: [Check; 17] = [
    Check { name: "size", promise: "no source file outgrows its limit", run: text::sizes },
    Check { name: "markers", promise: "no reminder stands in for work", run: text::markers },
    Check { name: "readme", promise: "it prints the examples as they are", run: text::readme },
    Check {
        name: "layering",
        promise: "a lower module of core never names a higher one",
        run: layering::check,
    },
    Check {
        name: "purity",
        promise: "each crate names only what it may depend on",
        run: dependencies::purity,
    },
    Check {
        name: "mutants",
        promise: "wrong variants of the protocol are built for the zoo only",
        run: dependencies::mutants,
    },
    Check { name: "licences", promise: "cargo-deny finds nothing", run: dependencies::deny },
    Check { name: "proto", promise: "the generated wire types are fresh", run: generated },
    Check { name: "format", promise: "cargo fmt changes nothing", run: build::format },
    Check { name: "clippy", promise: "no warning in any target", run: build::clippy },
    Check {
        name: "clippy-mutants",
        promise: "no warning in the wrong variants of the protocol",
        run: build::clippy_mutants,
    },
    Check {
        name: "clippy-core-wasm",
        promise: "no warning in core as WebAssembly",
        run: build::clippy_core,
    },
    Check {
        name: "clippy-wasm",
        promise: "no warning in the binding, with each feature",
        run: build::clippy_wasm,
    },
    Check { name: "docs", promise: "no warning from rustdoc", run: build::docs },
    Check { name: "bare", promise: "core builds where there is no std", run: build::bare },
    Check {
        name: "imports",
        promise: "core and simulator as WebAssembly import nothing",
        run: imports::check,
    },
    Check {
        name: "paths",
        promise: "no hot path of core outgrows its budget of instructions",
        run: paths::budget,
    },
];

impl Verify {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let chosen = |check: &&Check| {
            self.words.is_empty()
                || self.words.iter().any(|word| check.name.contains(word.as_str()))
        };
        let checks: Vec<&Check> = CHECKS.iter().filter(chosen).collect();
        if checks.is_empty() {
            bail!("no check is named like that: see `cargo xtask verify --list`");
        }
        if self.list {
            checks.iter().for_each(|check| println!("{:<18}{}", check.name, check.promise));
            return Ok(());
        }
        let tally = make(workspace, &checks);
        let Tally { passed, failed, skipped } = tally;
        println!("\nverify: {passed} checks passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            bail!("{failed} of {} checks failed", checks.len());
        }
        Ok(())
    }
}

/// Makes every check.
pub(crate) fn all(workspace: &Workspace) -> Tally {
    make(workspace, &CHECKS.iter().collect::<Vec<_>>())
}

fn make(workspace: &Workspace, checks: &[&Check]) -> Tally {
    let mut tally = Tally::default();
    for check in checks {
        println!("verify {}: {}", check.name, check.promise);
        match (check.run)(workspace) {
            Ok(Verdict::Passed) => tally.passed += 1,
            Ok(Verdict::Skipped(reason)) => {
                tally.skipped += 1;
                println!("verify {}: skipped, {reason}", check.name);
            }
            Err(error) => {
                tally.failed += 1;
                println!("verify {}: FAILED, {error:#}", check.name);
            }
        }
    }
    tally
}

fn generated(workspace: &Workspace) -> Result<Verdict> {
    proto::check(workspace)?;
    Ok(Verdict::Passed)
}

/// Fails with the list of what was found, one per line, where anything was.
fn none(what: &str, found: &[String]) -> Result<Verdict> {
    if !found.is_empty() {
        bail!("{what}:\n  {}", found.join("\n  "));
    }
    Ok(Verdict::Passed)
}
