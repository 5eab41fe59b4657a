//! How a program of the workspace is built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process;
use crate::workspace::Workspace;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As people run it.
    Release,
    /// As `cargo test` builds it: what it is made of is there already, and overflows and
    /// assertions are checked.
    Dev,
}

impl Profile {
    /// Builds the program of a package and says where it is.
    pub(crate) fn build(
        self,
        workspace: &Workspace,
        package: &str,
        program: &str,
    ) -> Result<PathBuf> {
        let folder = workspace.target.join(match self {
            Profile::Release => "release",
            Profile::Dev => "debug",
        });
        process::run(self.choose(&mut workspace.cargo()).args(["-p", package, "--bin", program]))?;
        let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        ensure!(path.is_file(), "cargo built no {}", path.display());
        Ok(path)
    }

    fn choose(self, cargo: &mut Command) -> &mut Command {
        cargo.args(["build", "--quiet"]);
        match self {
            Profile::Release => cargo.arg("--release"),
            Profile::Dev => cargo,
        }
    }
}
