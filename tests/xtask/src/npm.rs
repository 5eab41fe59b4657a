//! The npm package's folder and the programs that it brings.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;
use crate::workspace::Workspace;

/// The folder of the package.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("npm")
}

/// An npm command that runs in the package.
pub(crate) fn command(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder(workspace)).args(arguments);
    npm
}

/// Installs exactly what the lock file names.
pub(crate) fn install(workspace: &Workspace) -> Command {
    command(workspace, &["ci", "--no-audit", "--no-fund"])
}

/// Installs what the lock file names, where something else is installed or nothing.
pub(crate) fn install_if_stale(workspace: &Workspace) -> Result<()> {
    let modified = |file: &str| folder(workspace).join(file).metadata()?.modified();
    let wanted = modified("package-lock.json").context("npm/package-lock.json")?;
    if modified("node_modules/.package-lock.json").is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    process::run(&mut install(workspace))
}

/// A program of the package's development dependencies, which are installed where it is missing.
pub(crate) fn program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let path = folder(workspace).join("node_modules/.bin").join(name);
    if !path.is_file() {
        process::run(&mut install(workspace))?;
    }
    ensure!(path.is_file(), "npm/package.json brings no {name} (see {})", path.display());
    Ok(path)
}
