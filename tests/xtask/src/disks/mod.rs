//! `cargo xtask disks`: what becomes of acknowledged writes when disks fail.
//!
//! ```text
//! ledger --puts, gets--> five `quorate serve` --> a data directory each
//!    '-- what was acknowledged, and is it there?      ^-- power losses, kills, damage
//! ```
//!
//! The ledger is a process of its own that speaks through the real client (tests/ledger). Disks are
//! ext4 images on loop devices, so power can be cut for one node alone.
//!
//! Invariant: whatever is mounted is mounted in a namespace of this process and its children, so it
//! goes with them, however they end.

mod bed;
mod damage;
mod health;
mod image;
mod ledger;
mod power;
mod random;
mod report;
mod schedule;
pub(crate) mod suite;

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::process;
use crate::workspace::Workspace;

/// Set in the process that has a mount namespace of its own.
const NAMESPACE: &str = "QUORATE_DISKS_NAMESPACE";

/// Cuts the power of nodes, kills them and damages their disks, and looks for lost writes.
#[derive(Args)]
pub(crate) struct Disks {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Power(power::Power),
    Damage(damage::Damage),
    #[command(hide = true)]
    Suite(suite::Suite),
}

impl Disks {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        match (missing(), &self.what) {
            (None, _) => enter_namespace()?,
            // Most of it needs no disk of its own.
            (Some(_), What::Damage(_)) => {}
            (Some(reason), What::Power(_) | What::Suite(_)) => {
                println!("skipped: {reason}");
                return Ok(());
            }
        }
        match &self.what {
            What::Power(power) => power.run(workspace),
            What::Damage(damage) => damage.run(workspace),
            What::Suite(suite) => suite.run(workspace),
        }
    }
}

/// Why no disk can be mounted here.
pub(crate) fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("disks that lose power are made with the file system of Linux".to_owned());
    }
    let id = process::capture(Command::new("id").arg("-u"));
    if id.map_or(true, |id| id.trim() != "0") {
        return Some("only root can mount a disk, and cut its power".to_owned());
    }
    let programs = ["mkfs.ext4", "mount", "umount", "unshare"];
    let absent = programs.into_iter().find(|program| !process::exists(program))?;
    Some(format!("there is no {absent}"))
}

/// Runs this program again, as the same process, where nobody else sees what it mounts.
fn enter_namespace() -> Result<()> {
    if std::env::var_os(NAMESPACE).is_some() {
        return Ok(());
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "--"]).arg(std::env::current_exe()?);
    let error = unshare.args(std::env::args_os().skip(1)).env(NAMESPACE, "1").exec();
    Err(error).context("`unshare` does not start")
}
