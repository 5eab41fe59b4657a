//! `cargo xtask bench compare` and what measures nodes in the same way: builds what is measured, and
//! hands over to `tests/bench`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::packed::Packed;
use crate::profile::Profile;
use crate::workspace::Workspace;
use crate::{node_binary, process};

/// The one that measures clients in Node.js.
pub(super) const COMPARE: &str = "compare";

/// Asks for what other systems need.
const PEERS: &str = "--peers";
const LOCK: &str = "package-lock.json";

/// Runs the subcommand `name` of the benchmark.
pub(super) fn run(workspace: &Workspace, name: &str, arguments: &[OsString]) -> Result<()> {
    let asks = |one: &str| arguments.iter().any(|argument| argument == one);
    let bench = build(workspace, asks(PEERS))?;
    let mut compare = Command::new(bench);
    compare.arg(name);
    if asks("--help") || asks("-h") {
        // Nothing of this is looked at.
        return process::run(compare.args(arguments));
    }
    compare.arg("--quorate").arg(node_binary::build(workspace, Profile::Release)?);
    let folder = workspace.target.join("bench");
    if name == COMPARE {
        let quorate = folder.join("quorate");
        Packed::install(workspace, &quorate)?;
        copy_clients(workspace, &quorate)?;
        compare.arg("--clients").arg(quorate);
    }
    if asks(PEERS) {
        let peers = folder.join("peers");
        copy_clients(workspace, &peers)?;
        install_peers(workspace, &peers)?;
        compare.arg("--peer-clients").arg(peers);
    }
    // In the place of this process, so that Ctrl-C reaches the one that has to put things in order.
    Err(compare.args(arguments).exec()).context("the benchmark does not start")
}

fn build(workspace: &Workspace, peers: bool) -> Result<PathBuf> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--quiet", "-p", "quorate-bench"]);
    if peers {
        build.args(["--features", "peers"]);
    }
    process::run(&mut build)?;
    let name = format!("quorate-bench{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join("release").join(name))
}

/// Scripts find packages beside themselves.
fn copy_clients(workspace: &Workspace, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(clients(workspace))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn clients(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/bench/clients")
}

/// Installs exactly what the lock file names, unless that was done.
fn install_peers(workspace: &Workspace, folder: &Path) -> Result<()> {
    for name in ["package.json", LOCK, ".npmrc"] {
        fs::copy(clients(workspace).join(name), folder.join(name))
            .with_context(|| name.to_owned())?;
    }
    let wanted = fs::read(folder.join(LOCK))?;
    let stamp = folder.join("installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    process::run(&mut npm)?;
    fs::write(stamp, wanted).context("what was installed")
}
