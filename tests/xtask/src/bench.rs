//! `cargo xtask bench`: how fast the nodes are, and how large the client is. Asserts nothing.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use tempfile::TempDir;

use crate::cluster::{Cluster, Settings};
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{node_binary, npm, packed, process};

/// Measures operations per second, latencies, and the size of the npm package.
///
/// Starts nodes that keep their records in memory, each a process of its own on this machine, and
/// runs `quorate bench` on them: the native client, half gets and half puts, N=3, R=W=2. Nodes and
/// client share the processors, so this compares builds of one machine, not machines.
#[derive(Args)]
pub(crate) struct Bench {
    /// Length of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Numbers of nodes to measure with; repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 5],
          value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: Vec<u16>,
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let program = node_binary::build(workspace)?;
        packed::build(workspace)?;
        let interrupt = Interrupt::watch()?;
        let processors = std::thread::available_parallelism()?;
        for nodes in self.nodes.iter().copied() {
            println!("\n{nodes} nodes in memory, N=3, R=W=2, on {processors} processors");
            let folder = TempDir::new()?;
            let settings = Settings { nodes, storage: "memory", base_port: None };
            let cluster =
                Cluster::start(&program, &folder.path().join("cluster"), settings, &interrupt)?;
            let mut bench = Command::new(&program);
            bench.args(["bench", "--seconds", &self.seconds.to_string()]);
            bench.args(["--in-flight=1,64", "--value-bytes=100,1024", "--gets=50"]);
            process::run(bench.env("QUORATE_SEEDS", cluster.seed(0)))?;
            cluster.stop()?;
        }
        println!("\nsize of the npm package");
        process::run(&mut npm::command(workspace, &["run", "--silent", "size"]))
    }
}
