//! The steps of `cargo xtask test`, in order. A new one is one more entry of [`ALL`].

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Counted, Outcome, chromium, counts};
use crate::profile::Profile;
use crate::verify::{self, Tally};
use crate::wasm::Wasm;
use crate::workspace::Workspace;
use crate::{demo, disks, node_binary, npm, page, process, simulator};

/// One part of the test run.
pub(super) struct Step {
    /// What a person may type to run several steps.
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Earlier steps without which this one says nothing: it is skipped where one of them failed.
    pub(super) needs: &'static [&'static str],
    pub(super) run: fn(&Workspace) -> Result<Outcome>,
}

/// The crate of tests that start real nodes; it finds their binary through `QUORATE_BIN`.
const CLUSTER_TESTS: &str = "quorate-cluster";

pub(super) const ALL: [Step; 14] = [
    Step {
        group: "verify",
        name: "verify",
        about: "what `cargo xtask verify` checks",
        needs: &[],
        run: |workspace| Ok(Outcome::Counted(verify::all(workspace).into())),
    },
    Step {
        group: "rust",
        name: "rust",
        about: "unit, property, scenario and doc tests of every crate",
        needs: &[],
        run: rust,
    },
    Step {
        group: "sim",
        name: "sim",
        about: "simulated clusters: seeds that once failed, and fresh ones",
        needs: &[],
        run: sim,
    },
    Step {
        group: "sim",
        name: "zoo",
        about: "wrong variants of the protocol, which the simulator must notice",
        needs: &[],
        run: zoo,
    },
    Step {
        group: "npm",
        name: "npm-ci",
        about: "installs the development dependencies of the npm package",
        needs: &[],
        run: |workspace| npm_step(workspace, |workspace| built(&mut npm::install(workspace))),
    },
    Step {
        group: "npm",
        name: "wasm",
        about: "builds the WebAssembly modules",
        needs: &["npm-ci"],
        run: |workspace| npm_step(workspace, wasm),
    },
    Step {
        group: "npm",
        name: "npm-build",
        about: "builds the npm package",
        needs: &["wasm"],
        run: |workspace| {
            npm_step(workspace, |workspace| built(&mut npm::command(workspace, &["run", "build"])))
        },
    },
    Step {
        group: "npm",
        name: "npm-test",
        about: "tests of the TypeScript face and of the packed package in Node.js",
        needs: &["npm-build"],
        run: |workspace| npm_step(workspace, |workspace| node_tests(workspace, &["test"])),
    },
    Step {
        group: "browser",
        name: "browser",
        about: "tests of the package in headless Chromium",
        needs: &["npm-build"],
        run: |workspace| npm_step(workspace, |workspace| in_chromium(workspace, "test:browser")),
    },
    Step {
        group: "npm",
        name: "packaging",
        about: "the packed package in bundlers, frameworks and runtimes",
        needs: &["npm-build"],
        run: |workspace| npm_step(workspace, |workspace| in_chromium(workspace, "test:packaging")),
    },
    Step {
        group: "examples",
        name: "examples",
        about: "runs every example that has tests",
        needs: &["npm-build"],
        run: examples,
    },
    Step {
        group: "cluster",
        name: "cluster",
        about: "tests that start real nodes on loopback",
        needs: &[],
        run: cluster,
    },
    Step {
        group: "disks",
        name: "disks",
        about: "real nodes lose power, or parts of their disks; only as root",
        needs: &[],
        run: disks,
    },
    Step {
        group: "demo",
        name: "demo",
        about: "what `cargo xtask demo` does, on folders with and without trouble",
        needs: &["npm-build"],
        run: |workspace| {
            npm_step(workspace, |workspace| {
                Ok(Outcome::Counted(demo::suite::run(workspace)?.into()))
            })
        },
    },
];

fn rust(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    // Those need a node: they have steps of their own.
    for package in &workspace.packages {
        if package.name == CLUSTER_TESTS || package.folder.starts_with("examples/") {
            cargo.args(["--exclude", &package.name]);
        }
    }
    counted(&mut cargo, counts::libtest)
}

/// A recorded seed is a test of its own; all fresh seeds together are one.
fn sim(workspace: &Workspace) -> Result<Outcome> {
    let mut recorded = simulator::command(workspace, false)?;
    let file = workspace.root.join("tests/sim/seeds.txt");
    recorded.args(["sim", "--all", "--from-file"]).arg(file);
    let recorded = tally(&mut recorded, counts::simulator)?;
    let mut fresh = simulator::command(workspace, false)?;
    fresh.args(["sim", "--seeds", "300", "--first", "random"]);
    let mut fresh = tally(&mut fresh, counts::simulator)?;
    fresh.tally.passed = u32::from(fresh.tally.failed == 0);
    Ok(Outcome::Counted(recorded + fresh))
}

/// One mutant of each part of the protocol, and the two checks of the zoo itself.
fn zoo(workspace: &Workspace) -> Result<Outcome> {
    let mut zoo = simulator::command(workspace, true)?;
    let mutants = [
        "no-dots",
        "write-quorum-short",
        "replica-acks-applied",
        "no-repair",
        "client-forgets-silent",
        "reads-unsynced",
        "drops-early",
        "syncs-unfilled",
    ];
    zoo.args(["zoo", "--seeds", "100", "--only", &mutants.join(",")]);
    counted(&mut zoo, counts::simulator)
}

fn cluster(workspace: &Workspace) -> Result<Outcome> {
    if workspace.package(CLUSTER_TESTS).is_none() {
        return Ok(Outcome::Skipped(format!("there is no crate {CLUSTER_TESTS}")));
    }
    let binary = node_binary::build(workspace, Profile::Dev)?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--no-fail-fast", "-p", CLUSTER_TESTS]);
    counted(cargo.env(node_binary::VARIABLE, binary), counts::libtest)
}

/// A process of its own: what it mounts is out of sight of all others.
fn disks(_: &Workspace) -> Result<Outcome> {
    if let Some(reason) = disks::missing() {
        return Ok(Outcome::Skipped(reason));
    }
    let mut suite = Command::new(std::env::current_exe()?);
    counted(suite.args(["disks", "suite"]), counts::simulator)
}

fn wasm(workspace: &Workspace) -> Result<Outcome> {
    Wasm::default().run(workspace)?;
    Ok(Outcome::Done)
}

/// Runs a script of the npm package whose tests open pages.
fn in_chromium(workspace: &Workspace, script: &str) -> Result<Outcome> {
    let program = chromium::find_or_install()?;
    let mut npm = npm::command(workspace, &["run", script]);
    with_programs(workspace, npm.env(chromium::VARIABLE, program))?;
    counted(&mut npm, counts::node)
}

/// Builds the programs that JavaScript runs, and tells it where they are.
fn with_programs(workspace: &Workspace, command: &mut Command) -> Result<()> {
    command.env(node_binary::VARIABLE, node_binary::build(workspace, Profile::Dev)?);
    command.env(simulator::VARIABLE, simulator::command(workspace, false)?.get_program());
    Ok(())
}

fn node_tests(workspace: &Workspace, arguments: &[&str]) -> Result<Outcome> {
    let mut npm = npm::command(workspace, arguments);
    with_programs(workspace, &mut npm)?;
    counted(&mut npm, counts::node)
}

/// An example in JavaScript brings a package with a script `test`; one in Rust is a crate of the
/// workspace. Both start the nodes that they need from `QUORATE_BIN`; pages are tested in a browser.
fn examples(workspace: &Workspace) -> Result<Outcome> {
    let crates =
        workspace.packages.iter().filter(|package| package.folder.starts_with("examples/"));
    let crates: Vec<&str> = crates.map(|package| package.name.as_str()).collect();
    let packages = workspace.files(&["examples/*/package.json"]);
    if crates.is_empty() && packages.is_empty() {
        return Ok(Outcome::Skipped("there are no examples".to_owned()));
    }
    // Nodes show it, and examples look at it there.
    page::build(workspace)?;
    let binary = node_binary::build(workspace, Profile::Dev)?;
    let mut sum = Counted::default();
    for name in crates {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "-p", name]).env(node_binary::VARIABLE, &binary);
        sum = sum + tally(&mut cargo, counts::libtest)?;
    }
    let browser = chromium::find_or_install()?;
    for file in packages {
        let mut npm = workspace.command("npm");
        npm.args(["test", "--prefix", file.trim_end_matches("/package.json")]);
        with_programs(workspace, npm.env(chromium::VARIABLE, &browser))?;
        sum = sum + tally(&mut npm, counts::node)?;
    }
    Ok(Outcome::Counted(sum))
}

fn npm_step(workspace: &Workspace, run: impl Fn(&Workspace) -> Result<Outcome>) -> Result<Outcome> {
    if !npm::folder(workspace).join("package.json").is_file() {
        return Ok(Outcome::Skipped("there is no npm/package.json".to_owned()));
    }
    run(workspace)
}

fn built(command: &mut Command) -> Result<Outcome> {
    process::run(command)?;
    Ok(Outcome::Done)
}

fn counted(command: &mut Command, count: fn(&str) -> Tally) -> Result<Outcome> {
    tally(command, count).map(Outcome::Counted)
}

/// Runs tests and counts them. Success without a single test is an error, for it shows nothing.
fn tally(command: &mut Command, count: fn(&str) -> Tally) -> Result<Counted> {
    let (success, output) = process::tee(command)?;
    let mut tally = count(&output);
    ensure!(
        !success || tally.passed + tally.failed > 0,
        "`{}` ran no test",
        process::line(command)
    );
    if !success && tally.failed == 0 {
        // A crash, or something that does not build: no line of the output counts it.
        tally.failed = 1;
    }
    Ok(Counted { tally, failed: counts::failed(&output) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_need_only_steps_before_them() {
        for (index, step) in ALL.iter().enumerate() {
            for name in step.needs {
                assert!(ALL[..index].iter().any(|earlier| earlier.name == *name), "{}", step.name);
            }
        }
    }

    #[test]
    fn failure_that_counts_no_test_is_one_and_success_that_counts_none_is_an_error() {
        let shell = |script: &str| tally(Command::new("sh").args(["-c", script]), counts::libtest);
        assert_eq!(shell("exit 1").unwrap().tally, Tally { failed: 1, ..Tally::default() });
        assert!(shell("exit 0").unwrap_err().to_string().contains("ran no test"));
    }
}
