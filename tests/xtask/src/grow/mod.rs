//! `cargo xtask grow`: a cluster of real nodes grows, shrinks and loses a node under load.
//!
//! ```text
//! 20 clients in Rust ------.                          .--> two join
//!                           >--> five `quorate serve` ---> two others leave
//! 20 clients in JavaScript '   read, append, write    '--> one is destroyed and replaced
//!                 '---- is every acknowledged element in what the siblings hold together?
//! ```

mod clients;
mod course;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use quorate_host::Interrupt;

use crate::cluster::{Cluster, Settings};
use crate::node_binary;
use crate::packed::Packed;
use crate::profile::Profile;
use crate::run_folder::RunFolder;
use crate::workspace::Workspace;
use clients::Clients;
use course::Course;

const NODES: u16 = 5;

/// Grows and shrinks a cluster of real processes under load, and looks for lost writes.
///
/// Five nodes, N=3, R=W=2, and forty clients, half of them the native one and half the npm package.
/// They read, append an element of their own and write, on fifty keys at a time: a list that is full
/// goes on under another key, so values keep their size. Meanwhile two nodes join, two
/// others leave, and one is destroyed, removed and replaced by an empty one. At the end every
/// acknowledged element must be there. Latencies of each change are shown beside those before it,
/// and the bytes that moved beside those that `quorate layout plan` forecast.
///
/// The exit status is 0 where nothing was lost and no operation failed.
#[derive(Args)]
pub(crate) struct Grow {
    /// How long clients are measured before the first change and after the last.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Keys beside those that clients append to, of 1 KiB each: what there is to move.
    #[arg(long, default_value_t = 20_000)]
    keys: u32,
    /// Where nodes keep records.
    #[arg(long, default_value = "fjall", value_parser = ["fjall", "memory"])]
    storage: String,
    /// How long each client rests after each write, in milliseconds.
    #[arg(long, default_value_t = 100)]
    rest: u64,
    /// The last line is the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Grow {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let parts = Parts::build(workspace, Profile::Release)?;
        let interrupt = Interrupt::watch()?;
        let storage = if self.storage == "fjall" { "fjall" } else { "memory" };
        let settings =
            Settings { nodes: NODES, storage, fanout: "all", base_port: None, arguments: &[] };
        let folder = parts.folder.path().join("cluster");
        println!("starting {NODES} nodes on 127.0.0.1, N=3, R=W=2, storage {storage}");
        let mut cluster = Cluster::start(&parts.program, &folder, settings, &interrupt)?;
        let clients = Clients::start(&parts.appenders, &parts.packed, &cluster, self.rest)?;
        let course = Course {
            cluster: &mut cluster,
            clients,
            folder: &folder,
            interrupt: &interrupt,
            calm: Duration::from_secs(self.seconds),
            keys: self.keys,
        };
        let report = course.run()?;
        print!("{}", report.text());
        if self.json {
            println!("{}", report.json());
        }
        if let Err(error) = report.check() {
            cluster.stop()?;
            let kept = parts.folder.keep()?;
            bail!("{error:#}; the data and logs of the nodes are kept in {}", kept.display());
        }
        cluster.stop()
    }
}

/// What is built once.
struct Parts {
    program: PathBuf,
    appenders: PathBuf,
    packed: Packed,
    folder: RunFolder,
}

impl Parts {
    fn build(workspace: &Workspace, profile: Profile) -> Result<Parts> {
        println!("building the node, the clients and the npm package");
        let program = node_binary::build(workspace, profile)?;
        let appenders = profile.build(workspace, clients::PACKAGE, clients::PACKAGE)?;
        let folder = RunFolder::new(&workspace.target.join("grow"))?;
        let packed = Packed::install(workspace, &folder.path().join("client"))?;
        Ok(Parts { program, appenders, packed, folder })
    }
}
