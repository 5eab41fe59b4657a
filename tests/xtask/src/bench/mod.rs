//! `cargo xtask bench`: how fast the nodes are, and how large the client is. Asserts nothing.

mod compare;
pub(crate) mod paths;

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use clap::{Args, Subcommand};
use quorate_host::Interrupt;
use tempfile::TempDir;

use crate::cluster::{Cluster, Settings};
use crate::packed::Packed;
use crate::profile::Profile;
use crate::workspace::Workspace;
use crate::{node_binary, npm, process};

/// The node that is stopped: clients begin with another one.
const PAUSED: usize = 2;
/// Makes gets in Node.js.
const GETS: &str = include_str!("gets.mjs");

/// Measures operations per second, latencies, and the size of the npm package.
///
/// Starts nodes that keep their records in memory, each a process of its own on this machine, and
/// runs `quorate bench` on them: the native client, half gets and half puts, N=3, R=W=2. Nodes and
/// client share the processors, so this compares builds of one machine, not machines.
///
/// Then one node of five is stopped (SIGSTOP) while gets go on, 64 at one time: how long until it
/// is gone around, what gets take from there on, and what they took before. The same again with
/// the packed npm package in Node.js, on the same nodes.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    of: Option<Of>,
    /// Length of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Numbers of nodes to measure with; repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 5],
          value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: Vec<u16>,
    /// Measure what trees and repairs cost, and nothing else. Takes some minutes, and some
    /// hundred megabytes of temporary files.
    #[arg(long, conflicts_with_all = ["seconds", "nodes"])]
    repairs: bool,
}

/// What else is measured.
#[derive(Subcommand)]
enum Of {
    /// The storage of a node beside the bare engine: puts, point reads, bytes on disk.
    #[command(disable_help_flag = true)]
    Storage {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Quorate beside Redis Cluster and etcd: operations per second, latencies, processors.
    #[command(disable_help_flag = true)]
    Compare {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What nodes take that have nothing to do: processors, memory, memory for idle sockets.
    #[command(disable_help_flag = true)]
    Footprint {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What an operation costs as nodes and keys become more.
    #[command(disable_help_flag = true)]
    Growth {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    Paths(paths::Paths),
}

/// Tests that measure and print.
const FIGURES: [&str; 2] = ["figures_of_trees", "figures_of_nodes"];

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        match &self.of {
            Some(Of::Storage { arguments }) => {
                let mut storage = workspace.cargo();
                storage.args(["run", "--release", "--quiet", "-p", "quorate-bench", "--"]);
                return process::run(storage.arg("storage").args(arguments));
            }
            Some(Of::Compare { arguments }) => {
                return compare::run(workspace, compare::COMPARE, arguments);
            }
            Some(Of::Footprint { arguments }) => {
                return compare::run(workspace, "footprint", arguments);
            }
            Some(Of::Growth { arguments }) => return compare::run(workspace, "growth", arguments),
            Some(Of::Paths(paths)) => return paths.run(workspace),
            None => {}
        }
        if self.repairs {
            return FIGURES.into_iter().try_for_each(|figures| {
                let mut test = workspace.cargo();
                test.args(["test", "--release", "-p", "quorate-cluster", "--test", figures]);
                process::run(test.args(["--", "--ignored", "--nocapture", "--test-threads=1"]))
            });
        }
        let program = node_binary::build(workspace, Profile::Release)?;
        let packed = TempDir::new()?;
        let packed = Packed::install(workspace, packed.path())?;
        let interrupt = Interrupt::watch()?;
        let processors = std::thread::available_parallelism()?;
        for nodes in self.nodes.iter().copied() {
            println!("\n{nodes} nodes in memory, N=3, R=W=2, on {processors} processors");
            let settings = Settings {
                nodes,
                storage: "memory",
                fanout: "all",
                base_port: None,
                arguments: &[],
            };
            let arguments = ["--in-flight=1,64", "--value-bytes=100,1024", "--gets=50"];
            let folder = TempDir::new()?;
            let cluster = Cluster::start(&program, folder.path(), settings, &interrupt)?;
            process::run(self.quorate_bench(&cluster).args(arguments))?;
            cluster.stop()?;
        }
        for fanout in ["all", "quorum"] {
            println!("\none of 5 nodes in memory is stopped, N=3, R=2, --fanout {fanout}");
            let settings =
                Settings { nodes: 5, storage: "memory", fanout, base_port: None, arguments: &[] };
            let folder = TempDir::new()?;
            let cluster = Cluster::start(&program, folder.path(), settings, &interrupt)?;
            let pause = format!("--pause={}", cluster.process(PAUSED)?);
            let arguments = ["--in-flight=64", "--value-bytes=100", &pause];
            println!("native client");
            process::run(self.quorate_bench(&cluster).args(arguments))?;
            println!("Node.js client");
            let gets = packed.script("gets.mjs", GETS)?;
            let mut bench = self.quorate_bench(&cluster);
            bench.args(arguments).arg("--").arg(gets.get_program()).args(gets.get_args());
            process::run(&mut bench)?;
            cluster.stop()?;
        }
        println!("\nsize of the npm package");
        process::run(&mut npm::command(workspace, &["run", "--silent", "size"]))
    }

    fn quorate_bench(&self, cluster: &Cluster) -> Command {
        let mut bench = Command::new(&cluster.program);
        bench.args(["bench", "--seconds", &self.seconds.to_string()]);
        bench.env("QUORATE_SEEDS", cluster.seed(0));
        bench
    }
}
