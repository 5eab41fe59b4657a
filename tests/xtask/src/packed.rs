//! The npm package as its users get it: packed, and installed from the tarball.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::wasm::Wasm;
use crate::workspace::Workspace;
use crate::{npm, process};

/// The oldest Node.js that the package runs in.
const NODE_MAJOR_MIN: u32 = 20;

/// A folder in which `import "quorate"` finds the packed package.
pub(crate) struct Packed {
    folder: PathBuf,
}

impl Packed {
    /// Builds what has changed, packs it and installs it into `folder`.
    pub(crate) fn install(workspace: &Workspace, folder: &Path) -> Result<Packed> {
        check_node()?;
        // Two builds in one folder would trip over each other.
        let lock = File::create(workspace.target.join("npm.lock"))?;
        lock.lock()?;
        build(workspace)?;
        fs::create_dir_all(folder)?;
        let tarball = pack(workspace, folder)?;
        // Node.js before version 22 has no WebSocket of its own.
        let ws = format!("ws@{}", installed_version(workspace, "ws")?);
        fs::write(folder.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n")?;
        let mut install = Command::new("npm");
        install.current_dir(folder).args(["install", "--no-audit", "--no-fund", "--silent"]);
        install.args(["--omit=dev", "--prefer-offline", "--ignore-scripts"]);
        process::run(install.arg(tarball).arg(ws))?;
        let installed = folder.join("node_modules/quorate/package.json");
        ensure!(installed.is_file(), "npm installed no {}", installed.display());
        Ok(Packed { folder: folder.to_owned() })
    }

    /// A command that runs a script of this text, which may import the package.
    pub(crate) fn script(&self, name: &str, text: &str) -> Result<Command> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        let mut node = Command::new("node");
        node.arg(path);
        Ok(node)
    }
}

/// Builds the package in its own folder.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    npm::install_if_stale(workspace)?;
    Wasm::default().run(workspace)?;
    process::run(&mut npm::command(workspace, &["run", "--silent", "build"]))
}

fn pack(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let mut pack = npm::command(workspace, &["pack", "--silent", "--pack-destination"]);
    let name = process::capture(pack.arg(folder))?;
    let tarball = folder.join(name.lines().last().unwrap_or_default().trim());
    ensure!(tarball.is_file(), "npm packed no {}", tarball.display());
    Ok(tarball)
}

fn installed_version(workspace: &Workspace, package: &str) -> Result<String> {
    let path = npm::folder(workspace).join("node_modules").join(package).join("package.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: Value = serde_json::from_str(&text)?;
    Ok(manifest["version"].as_str().context("a package without version")?.to_owned())
}

fn check_node() -> Result<()> {
    let version = process::capture(Command::new("node").arg("--version"))?;
    let version = version.trim();
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default().parse();
    ensure!(
        major.is_ok_and(|major: u32| major >= NODE_MAJOR_MIN),
        "Node.js {NODE_MAJOR_MIN} or newer is needed, and `node` is {version}"
    );
    Ok(())
}
