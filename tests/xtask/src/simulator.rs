//! `cargo xtask sim`, `zoo` and `gossip`: the runner of the simulator, built in release.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;

const PACKAGE: &str = "quorate-simulate";

/// The variable through which tests find the runner.
pub(crate) const VARIABLE: &str = "QUORATE_SIMULATE";

/// Runs whole clusters in virtual time, from seeds; see `cargo xtask sim --help`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Sim {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Measures which wrong variants of the protocol the simulator notices; see `cargo xtask zoo --help`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Zoo {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Measures how fast members learn of each other; see `cargo xtask gossip --help`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Gossip {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Sim {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let is_wrong = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text == "--mutant" || text.starts_with("--mutant=")
        };
        let mutants = self.arguments.iter().any(is_wrong);
        end_with(command(workspace, mutants)?.arg("sim").args(self.arguments))
    }
}

impl Zoo {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        end_with(command(workspace, true)?.arg("zoo").args(self.arguments))
    }
}

impl Gossip {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        end_with(command(workspace, false)?.arg("gossip").args(self.arguments))
    }
}

/// Builds the runner, with the wrong variants of the protocol or without, and names it.
///
/// Both are linked to one path, so what is returned is to be started before the next build.
pub(crate) fn command(workspace: &Workspace, mutants: bool) -> Result<Command> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--quiet", "-p", PACKAGE]);
    if mutants {
        cargo.args(["--features", "mutants"]);
    }
    process::run(&mut cargo)?;
    let file = format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX);
    let path = workspace.target.join("release").join(file);
    ensure!(path.is_file(), "cargo built no {}", path.display());
    Ok(Command::new(path))
}

/// Runs a command to its end, and ends as it did: it has said all there is to say.
fn end_with(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}`", process::line(command)))?;
    // A signal has no code.
    std::process::exit(status.code().unwrap_or(2))
}
