//! `cargo xtask bench`: how fast the nodes are, and how large the client is. Asserts nothing.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use tempfile::TempDir;

use crate::cluster::{Cluster, Settings};
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{node_binary, npm, packed, process};

/// The node that is stopped: clients begin with another one.
const PAUSED: usize = 2;

/// Measures operations per second, latencies, and the size of the npm package.
///
/// Starts nodes that keep their records in memory, each a process of its own on this machine, and
/// runs `quorate bench` on them: the native client, half gets and half puts, N=3, R=W=2. Nodes and
/// client share the processors, so this compares builds of one machine, not machines.
///
/// Then one node of five is stopped (SIGSTOP) while gets go on, 64 at one time: how long until it
/// is gone around, what gets take from there on, and what they took before.
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
            let settings = Settings { nodes, storage: "memory", fanout: "all", base_port: None };
            let arguments = ["--in-flight=1,64", "--value-bytes=100,1024", "--gets=50"];
            self.measure(&program, settings, &interrupt, |_| Ok(arguments.map(str::to_owned)))?;
        }
        for fanout in ["all", "quorum"] {
            println!("\none of 5 nodes in memory is stopped, N=3, R=2, --fanout {fanout}");
            let settings = Settings { nodes: 5, storage: "memory", fanout, base_port: None };
            self.measure(&program, settings, &interrupt, |cluster| {
                let pause = format!("--pause={}", cluster.process(PAUSED)?);
                Ok(["--in-flight=64".to_owned(), "--value-bytes=100".to_owned(), pause])
            })?;
        }
        println!("\nsize of the npm package");
        process::run(&mut npm::command(workspace, &["run", "--silent", "size"]))
    }

    /// Runs `quorate bench` on a cluster of its own.
    fn measure(
        &self,
        program: &Path,
        settings: Settings,
        interrupt: &Interrupt,
        arguments: impl FnOnce(&Cluster) -> Result<[String; 3]>,
    ) -> Result<()> {
        let folder = TempDir::new()?;
        let cluster = Cluster::start(program, &folder.path().join("cluster"), settings, interrupt)?;
        let mut bench = Command::new(program);
        bench.args(["bench", "--seconds", &self.seconds.to_string()]).args(arguments(&cluster)?);
        process::run(bench.env("QUORATE_SEEDS", cluster.seed(0)))?;
        cluster.stop()
    }
}
