//! `cargo xtask page`: the ring page, which becomes a part of the node's binary.
//!
//! ```text
//! npm/ + examples/ring/ --vite--> examples/ring/dist/ --copied--> node/page/ --> quorate
//! ```

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;
use crate::{packed, process};

/// Where the page is made.
const SOURCES: &str = "examples/ring";
/// Where the node's crate takes it from.
const EMBEDDED: &str = "node/page";
/// What tells cargo to watch that.
const BUILD_SCRIPT: &str = "node/build.rs";

/// Builds the ring page into node/page, from where the node's next build takes it.
///
/// `quorate dev` and `quorate serve --ui` then show it at /.
#[derive(Args)]
pub(crate) struct Page {}

impl Page {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        build(workspace)
    }
}

/// Builds the page, and leaves what is the same already as it is, so that nothing is built anew
/// because of it.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    packed::build(workspace)?;
    let sources = workspace.root.join(SOURCES);
    let npm = |arguments: &[&str]| {
        let mut npm = Command::new("npm");
        npm.current_dir(&sources).args(arguments);
        process::run(&mut npm)
    };
    npm(&["ci", "--no-audit", "--no-fund"])?;
    npm(&["run", "--silent", "build"])?;
    let embedded = workspace.root.join(EMBEDDED);
    if !embedded.exists() {
        fs::create_dir_all(&embedded)?;
        // From now on cargo watches the folder.
        let script = File::options().append(true).open(workspace.root.join(BUILD_SCRIPT))?;
        script.set_modified(SystemTime::now())?;
    }
    mirror(&sources.join("dist"), &embedded).context(EMBEDDED)
}

/// Makes `to` hold the files of `from`, and touches only what differs.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let source = from.join(entry.file_name());
        if kind.is_dir() && !source.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if kind.is_file() && !source.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            mirror(&entry.path(), &target)?;
        } else {
            let made = fs::read(entry.path())?;
            if fs::read(&target).ok().as_ref() != Some(&made) {
                fs::write(target, made)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_holds_the_same_files_and_leaves_equal_ones_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(&from.join("index.html"), "page");
        write(&from.join("assets/new.js"), "new");
        write(&to.join("index.html"), "page");
        write(&to.join("assets/old.js"), "old");
        write(&to.join("gone/deep.js"), "old");
        let before = to.join("index.html").metadata().unwrap().modified().unwrap();
        mirror(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("assets/new.js")).unwrap(), "new");
        assert!(!to.join("assets/old.js").exists() && !to.join("gone").exists());
        assert_eq!(to.join("index.html").metadata().unwrap().modified().unwrap(), before);
    }
}
