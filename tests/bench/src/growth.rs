//! What an operation costs as nodes and keys become more.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use quorate_host::Interrupt;
use tempfile::TempDir;

use crate::compare::client::Programs;
use crate::compare::draws;
use crate::compare::load::Load;
use crate::compare::report::{self, spread};
use crate::compare::rounds::put_load;
use crate::compare::sample::{Range, Sample};
use crate::compare::servers::{Bed, Servers};
use crate::compare::system::System;
use crate::compare::task::{Span, Task};

/// Measures what an operation takes of the processors, client and all nodes together, through the
/// native client: with more nodes at the first number of keys, then with more keys on the first
/// number of nodes.
///
/// Goals: within 15 % at 3, 5 and 9 nodes; within a factor of 2 at 10,000 and 10 million keys.
///
/// Examples:
///   cargo xtask bench growth
///   cargo xtask bench growth --storage fjall --nodes 3 --keys 10000,10000000 --runs 1
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Growth {
    /// Numbers of nodes, separated by commas; the others are compared with the first one.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 5, 9],
          value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: Vec<u16>,
    /// Numbers of keys, separated by commas. A million of 100 B takes about 1 GB in memory.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000],
          value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    keys: Vec<u32>,
    /// The load, written as for `compare`.
    #[arg(long, default_value = "64:50")]
    load: Load,
    /// Rounds, each of which goes through all of it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Length of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Where the nodes keep records: in memory, or in fjall, synced now and then.
    #[arg(long, value_enum, default_value_t = Storage::Memory)]
    storage: Storage,
    /// The binary of the node.
    #[arg(long, value_name = "FILE", hide = true)]
    quorate: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Storage {
    Memory,
    Fjall,
}

/// Nodes and keys.
type Size = (u16, u32);

impl Growth {
    pub(crate) fn run(&self) -> Result<()> {
        let interrupt = Interrupt::watch()?;
        let folder = TempDir::new()?;
        let mut sizes: Vec<Size> = self.nodes.iter().map(|nodes| (*nodes, self.keys[0])).collect();
        sizes.extend(self.keys.iter().skip(1).map(|keys| (self.nodes[0], *keys)));
        let tasks = sizes.iter().map(|(_, keys)| self.task(*keys, folder.path()));
        let tasks: Vec<Task> = tasks.collect::<Result<_>>()?;
        let mut samples: Vec<(Size, Sample)> = Vec::new();
        for run in 1..=self.runs {
            for (size, task) in sizes.iter().zip(&tasks) {
                let sample = self.measure(*size, task, run, &interrupt)?;
                println!(
                    "run {run}, {} nodes, {} keys: {:.0} ops/s",
                    size.0, size.1, sample.ops_per_second
                );
                samples.push((*size, sample));
            }
        }
        println!("\nload {}\n{}", self.load, self.table(&sizes, &samples));
        Ok(())
    }

    fn task(&self, keys: u32, folder: &Path) -> Result<Task> {
        let path = folder.join(keys.to_string());
        draws::write(&path, &draws::draw(&self.load, keys, 1))?;
        let span = Span { warm_up_seconds: 1.0, seconds: self.seconds.into() };
        Ok(Task::new(&self.load, keys, span, path))
    }

    fn measure(
        &self,
        (nodes, _): Size,
        task: &Task,
        run: u32,
        interrupt: &Interrupt,
    ) -> Result<Sample> {
        let bed = Bed {
            quorate: &self.quorate,
            serve: &[],
            nodes: usize::from(nodes),
            data: &std::env::temp_dir(),
            interrupt,
        };
        let servers = match self.storage {
            Storage::Memory => System::Native,
            Storage::Fjall => System::Periodic,
        };
        let mut servers = Servers::start(servers.kind(), &bed)?;
        let programs = Programs { quorate: Path::new(""), peers: None, node: &[] };
        let done = put_load(System::Native, &mut servers, task, &programs, interrupt)?;
        Ok(Sample::new(System::Native, self.load, run, &done))
    }

    fn table(&self, sizes: &[Size], samples: &[(Size, Sample)]) -> comfy_table::Table {
        let header = ["nodes", "keys", "ops/s", "us/op", "of the first", "errors"];
        let mut table = report::table(&header);
        let runs = |size: Size| {
            let of = samples.iter().filter(move |(of, _)| *of == size);
            of.map(|(_, sample)| sample)
        };
        let cost = |sample: &Sample| sample.client_us + sample.servers_us;
        for size in sizes {
            let ratios = runs(*size).zip(runs(sizes[0])).map(|(it, first)| cost(it) / cost(first));
            table.add_row([
                size.0.to_string(),
                size.1.to_string(),
                spread(Range::of(runs(*size).map(|sample| sample.ops_per_second)), 0),
                spread(Range::of(runs(*size).map(cost)), 1),
                spread(Range::of(ratios), 2),
                runs(*size).map(|sample| sample.errors).sum::<u64>().to_string(),
            ]);
        }
        table
    }
}
