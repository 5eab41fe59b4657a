//! `gossip`: how fast members learn of each other, and what that costs.

mod table;

use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use quorate_sim::gossip::{GossipNetConfig, Spread, measure};

use crate::output::print;
use crate::{Verdict, pool};
use table::Row;

/// Rounds in which heartbeats become usual before something happens.
const WARM: u64 = 20;
/// The same where the list is longer than a window, which then shows some heartbeats only.
const WARM_WINDOWS: u64 = 30;
/// Rounds within which all must know: several times what they need.
const MOST: u64 = 120;

/// Measures how fast members learn of each other, and what that costs.
///
/// Members gossip as those of a cluster do, and nothing else: no requests, no disks, no losses. A
/// member begins a new life, and another one ends; counted are the rounds, of a second each, until
/// all the others know, and what is sent meanwhile when nothing happens. The exit status is 1
/// where somebody did not learn of it.
#[derive(Args)]
#[command(override_usage = "cargo xtask gossip [OPTIONS]")]
pub(crate) struct Gossip {
    /// Sizes of the cluster; separate several by commas. A round of 10000 takes a core about ten
    /// times as long as one of 1000, and some gigabytes.
    #[arg(long, value_delimiter = ',', value_name = "COUNT", default_values_t = SIZES)]
    #[arg(value_parser = clap::value_parser!(u64).range(MEMBERS_MIN..=MEMBERS_MAX))]
    members: Vec<u64>,
    /// Seeds for each size; fewer for greater ones if not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Members that one message speaks of, besides those that changed of late; as a node does if
    /// not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    window: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Threads; as many as there are cores if not given.
    #[arg(long)]
    threads: Option<usize>,
}

const SIZES: [u64; 4] = [5, 32, 100, 1_000];
/// One who begins anew, one who ends, and two witnesses.
const MEMBERS_MIN: u64 = 4;
/// As many as a layout may have.
const MEMBERS_MAX: u64 = 10_000;

impl Gossip {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut jobs: Vec<(u64, u64)> = Vec::new();
        for members in &self.members {
            let seeds = self.seeds.unwrap_or(seeds(*members));
            jobs.extend((0..seeds).map(|seed| (*members, seed)));
        }
        // The longest first, so that no core waits for it at the end.
        jobs.sort_by_key(|(members, seed)| (u64::MAX - members, *seed));
        jobs.dedup();
        let work = |index| {
            let (members, seed) = *jobs.get(usize::try_from(index).ok()?)?;
            Some(spread(members, seed, self.window))
        };
        let mut spreads: Vec<Spread> = Vec::new();
        pool::in_order(self.threads.unwrap_or_else(pool::cores), work, |spread| {
            spreads.push(spread);
            ControlFlow::Continue(())
        });
        spreads.reverse();
        let rows: Vec<Row> =
            spreads.chunk_by(|one, next| one.nodes == next.nodes).map(Row::new).collect();
        print(if self.json { table::json(&rows) } else { table::text(&rows) });
        let all_know = spreads.iter().all(|spread| spread.new_life.and(spread.down).is_some());
        Ok(if all_know { Verdict::Clean } else { Verdict::Violated })
    }
}

/// Seeds for clusters of so many members: the work grows with the square.
fn seeds(members: u64) -> u64 {
    match members {
        ..=100 => 20,
        101.. => 1,
    }
}

fn spread(members: u64, seed: u64, window: Option<u32>) -> Spread {
    let nodes = usize::try_from(members).unwrap_or(usize::MAX);
    let mut config = GossipNetConfig { nodes, seed, ..GossipNetConfig::default() };
    let window = window.and_then(|window| usize::try_from(window).ok());
    config.settings.window = window.unwrap_or(config.settings.window);
    let warm = if nodes <= config.settings.window { WARM } else { WARM_WINDOWS };
    measure(config, warm, MOST)
}
