//! Quorate beside what people would pick in its place: the same keys, values and operations, on one
//! machine, in turns. Asserts nothing.

mod busy;
mod chart;
pub(crate) mod client;
pub(crate) mod cpu;
pub(crate) mod draws;
mod goals;
pub(crate) mod load;
pub(crate) mod outcome;
mod record;
pub(crate) mod report;
pub(crate) mod rounds;
pub(crate) mod sample;
pub(crate) mod servers;
pub(crate) mod system;
pub(crate) mod task;
mod zipf;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use quorate_host::Interrupt;

use load::{KEYS, Load};
use rounds::Rounds;
use system::System;
use task::{Coordinate, Span};

/// Measures Quorate beside Redis Cluster and etcd: operations per second, latencies, and what
/// client and servers take of the processors.
///
/// Every system gets the same operations on the same keys from one client process. Rounds are
/// interleaved: each load is put on one system after the other, then the next load, and all of that
/// again. Servers run only while they are measured, on loopback, with their files in a temporary
/// folder. Told are medians, with the least and the greatest behind them.
///
/// A load is written IN_FLIGHT:GETS, or IN_FLIGHT:GETS:BYTES, and may end with :zipfian: how many
/// operations are under way at one time, the share of gets in percent, the length of the values
/// (100 unless given), and whether some keys are hot. RATE/s in place of IN_FLIGHT begins so many
/// operations in a second, whatever the answers take; a latency then counts from when the
/// operation should have begun.
///
/// Examples:
///   cargo xtask bench compare --quick
///   cargo xtask bench compare --peers --json compare.json --chart compare.svg
///   cargo xtask bench compare --systems memory,native --loads 64:50,256:95:1024:zipfian
///   cargo xtask bench compare --systems memory --loads 20000/s:50 --runs 1 --seconds 30
///   cargo xtask bench compare --systems memory --loads 256:50 --node-arg=--cpu-prof
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// Measure the others, too. Those whose servers are not installed are skipped.
    #[arg(long)]
    peers: bool,
    /// One short run with few keys, for a look.
    #[arg(long)]
    quick: bool,
    /// What to measure; separate by commas [default: all of Quorate, and with --peers all].
    #[arg(long, value_enum, value_delimiter = ',')]
    systems: Vec<System>,
    /// Loads, separated by commas; `all` for every combination of 1, 64, 256 in flight, 50, 95, 5 %
    /// gets, 100, 1024, 65536 bytes, uniform and zipfian [default: those of the goals].
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Rounds [default: 3].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Length of each measurement [default: 5].
    #[arg(long)]
    seconds: Option<f64>,
    /// Time under load in front of each measurement [default: 1].
    #[arg(long, value_name = "SECONDS")]
    warm_up: Option<f64>,
    /// Keys; fewer where all values would take more than 128 MiB [default: 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    keys: Option<u32>,
    /// What is drawn, is drawn from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where servers keep their files: a folder on the disk in question [default: a temporary
    /// one].
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir(), hide_default_value = true)]
    data: PathBuf,
    /// Nodes of the Quorate clusters.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: u16,
    /// Who runs the quorums of the reads of Quorate.
    #[arg(long, value_enum, default_value_t = Coordinate::Node)]
    coordinate: Coordinate,
    /// One more argument of `quorate serve`, such as --serve=--fanout=quorum; repeat it.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    serve: Vec<String>,
    /// One more argument of Node.js, such as --node-arg=--cpu-prof; repeat it.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    node_arg: Vec<String>,
    /// Name the processes that are measured, for `perf record -p` and the like.
    #[arg(long)]
    processes: bool,
    /// Write all that was measured as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the operations per second as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    built: Built,
}

/// What `cargo xtask bench compare` has built.
#[derive(Args)]
struct Built {
    /// The binary of the node.
    #[arg(long, value_name = "FILE", hide = true)]
    quorate: PathBuf,
    /// A folder with the clients in which the npm package is installed.
    #[arg(long, value_name = "DIR", hide = true)]
    clients: PathBuf,
    /// The same with what the peers need.
    #[arg(long, value_name = "DIR", hide = true)]
    peer_clients: Option<PathBuf>,
}

impl Compare {
    pub(crate) fn run(&self) -> Result<()> {
        let systems = self.systems()?;
        let loads = self.loads()?;
        let span = self.span()?;
        let interrupt = Interrupt::watch()?;
        let rounds = Rounds {
            compare: self,
            systems,
            loads,
            runs: self.runs.unwrap_or(if self.quick { 1 } else { 3 }),
            keys: self.keys.unwrap_or(if self.quick { 10_000 } else { KEYS }),
            span,
            interrupt: &interrupt,
        };
        let samples = rounds.run()?;
        report::print(&samples);
        let judged = goals::judge(&samples);
        goals::print(&judged);
        if let Some(path) = &self.json {
            record::write(path, &samples, &judged, span)?;
        }
        self.chart.as_ref().map_or(Ok(()), |path| chart::write(path, &samples))
    }

    fn span(&self) -> Result<Span> {
        let (warm_up, seconds) = if self.quick { (0.5, 1.0) } else { (1.0, 5.0) };
        let span = Span {
            warm_up_seconds: self.warm_up.unwrap_or(warm_up),
            seconds: self.seconds.unwrap_or(seconds),
        };
        let sane = |seconds: f64, min: f64| (min..=3_600.0).contains(&seconds);
        let is_sane = sane(span.warm_up_seconds, 0.0) && sane(span.seconds, 0.1);
        ensure!(is_sane, "--seconds is from 0.1 to 3600, and --warm-up from 0");
        Ok(span)
    }

    fn loads(&self) -> Result<Vec<Load>> {
        let default: &[Load] = if self.quick { &QUICK } else { &USUAL };
        if self.loads.is_empty() {
            return Ok(default.to_vec());
        }
        if self.loads == ["all"] {
            return Ok(Load::all());
        }
        self.loads.iter().map(|load| load.parse()).collect()
    }

    fn systems(&self) -> Result<Vec<System>> {
        let mut chosen = self.systems.clone();
        if chosen.is_empty() {
            chosen.extend(System::ALL);
            chosen.retain(|system| self.peers || !system.kind().is_peer());
        }
        let peer = chosen.iter().find(|system| system.kind().is_peer());
        if let (Some(peer), false) = (peer, self.peers) {
            anyhow::bail!("{} is a peer: add --peers", peer.name());
        }
        chosen.retain(|system| match servers::missing(system.kind()) {
            Some(missing) => {
                println!("{} is skipped: {missing}", system.name());
                false
            }
            None => true,
        });
        ensure!(!chosen.is_empty(), "there is nothing to measure");
        Ok(chosen)
    }
}

/// Those that a goal is about.
const USUAL: [Load; 6] = [
    Load::small(1, 50),
    Load::small(64, 50),
    Load::small(256, 50),
    Load::small(64, 95),
    Load::small(256, 95),
    Load::long(64, 50),
];

const QUICK: [Load; 2] = [Load::small(64, 50), Load::small(256, 50)];
