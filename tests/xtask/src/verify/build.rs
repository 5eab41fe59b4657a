//! Checks that a compiler makes.

use std::process::Command;

use anyhow::{Context, Result};

use super::Verdict;
use crate::workspace::Workspace;
use crate::{process, wasm};

/// A microcontroller: it has an allocator at most, so whatever builds for it needs no std.
const BARE_TARGET: &str = "thumbv7em-none-eabi";

pub(super) fn format(workspace: &Workspace) -> Result<Verdict> {
    passes(workspace.cargo().args(["fmt", "--all", "--check"]))
}

pub(super) fn clippy(workspace: &Workspace) -> Result<Verdict> {
    passes(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

pub(super) fn clippy_mutants(workspace: &Workspace) -> Result<Verdict> {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "-p", "quorate-simulate", "-p", "quorate-core", "--features", "mutants"]);
    passes(cargo.args(["--all-targets", "--", "-D", "warnings"]))
}

pub(super) fn clippy_core(workspace: &Workspace) -> Result<Verdict> {
    workspace.add_target(wasm::TARGET)?;
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "-p", "quorate-core", "--target", wasm::TARGET, "--", "-D", "warnings"]);
    passes(&mut cargo)
}

/// With each feature alone, as each module is built with one.
pub(super) fn clippy_wasm(workspace: &Workspace) -> Result<Verdict> {
    workspace.add_target(wasm::TARGET)?;
    let package = workspace.package(wasm::PACKAGE).context("no crate wasm/")?;
    let features = package.features.iter().filter(|feature| *feature != "default");
    let features: Vec<&String> = features.collect();
    if features.is_empty() {
        return Ok(Verdict::Skipped("the binding has no features".to_owned()));
    }
    for feature in features {
        let mut cargo = workspace.cargo();
        cargo.args(["clippy", "-p", wasm::PACKAGE, "--target", wasm::TARGET]);
        process::run(cargo.args(["--features", feature, "--", "-D", "warnings"]))?;
    }
    Ok(Verdict::Passed)
}

pub(super) fn docs(workspace: &Workspace) -> Result<Verdict> {
    let mut cargo = workspace.cargo();
    passes(cargo.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

pub(super) fn bare(workspace: &Workspace) -> Result<Verdict> {
    workspace.add_target(BARE_TARGET)?;
    passes(workspace.cargo().args(["build", "-p", "quorate-core", "--target", BARE_TARGET]))
}

fn passes(command: &mut Command) -> Result<Verdict> {
    process::run(command)?;
    Ok(Verdict::Passed)
}
