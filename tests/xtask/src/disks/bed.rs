//! What every run needs: the programs, and a folder for the data and the logs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use quorate_host::Interrupt;

use super::ledger;
use crate::cluster::Settings;
use crate::node_binary;
use crate::profile::Profile;
use crate::run_folder::RunFolder;
use crate::workspace::Workspace;

/// With N=3 and two nodes away there are still three.
pub(super) const NODES: u16 = 5;

pub(super) struct Bed {
    pub(super) program: PathBuf,
    pub(super) ledger: PathBuf,
    pub(super) interrupt: Interrupt,
    folder: RunFolder,
}

impl Bed {
    pub(super) fn build(workspace: &Workspace, profile: Profile) -> Result<Bed> {
        println!("building the node and the ledger");
        let program = node_binary::build(workspace, profile)?;
        let ledger = ledger::build(workspace, profile)?;
        let folder = RunFolder::new(&workspace.target.join("disks"))?;
        Ok(Bed { program, ledger, interrupt: Interrupt::watch()?, folder })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the data and the logs for good and says where they are.
    pub(super) fn keep(self) -> Result<PathBuf> {
        self.folder.keep()
    }
}

/// Five nodes on disks, N=3 and R=W=2.
pub(super) fn settings(arguments: &'static [&'static str]) -> Settings {
    Settings { nodes: NODES, storage: "fjall", fanout: "all", base_port: None, arguments }
}
