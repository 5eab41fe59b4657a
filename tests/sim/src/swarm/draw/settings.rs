//! Drawing the world in which a plan is carried out.

use std::collections::BTreeSet;

use quorate_core::client::Coordinate;
use quorate_core::limits::Limits;
use quorate_core::node::Fanout;
use quorate_core::prng::Prng;
use quorate_core::time::Duration;

use super::{pick, quorums};
use crate::config::WorldConfig;
use crate::disk::DiskTemper;
use crate::network::Weather;
use crate::swarm::plan::FaultClass;

/// Sizes, links, disks and tables.
pub(super) fn config(seed: u64, prng: &mut Prng, classes: &BTreeSet<FaultClass>) -> WorldConfig {
    let on = |class| classes.contains(&class);
    let replication = pick(prng, &[3, 3, 3, 3, 2, 5, 1]);
    let nodes = (replication as usize).max(2) + prng.below(4) as usize;
    // Reads that may miss a write: everything but that is promised.
    let allow_weak = prng.chance(1, 8);
    let (r, w) = if allow_weak { (1, 1) } else { pick(prng, &quorums(replication)) };
    let mut us = |choices: &[u64]| Duration::from_micros(pick(prng, choices));
    let timeout = us(&[150_000, 400_000, 1_000_000, 5_000_000]);
    let mut weather = Weather::default();
    if on(FaultClass::Delays) {
        weather.delay_max = us(&[500, 2_000, 10_000, 40_000]);
        weather.tail = 50;
        weather.tail_max = us(&[20_000, 200_000, 2_000_000]);
    }
    if on(FaultClass::Capacity) {
        weather.busy = us(&[10, 100, 1_000]);
    }
    let mut disk = DiskTemper::default();
    if on(FaultClass::SlowDisks) {
        disk.access = us(&[5, 20, 200, 2_000]);
        disk.sync = us(&[100, 1_000, 10_000, 60_000]);
        disk.tail = 20;
        disk.tail_max = us(&[10_000, 100_000, 1_000_000]);
    }
    let mut rate = |class, choices: &[u32]| if on(class) { pick(prng, choices) } else { 0 };
    weather.loss = rate(FaultClass::Loss, &[5, 20, 100, 300]);
    weather.duplicates = rate(FaultClass::Duplicates, &[10, 50, 200]);
    weather.reorder = rate(FaultClass::Reorder, &[10, 50, 200]);
    disk.read_fails = rate(FaultClass::DiskErrors, &[0, 5, 30]);
    disk.write_fails = rate(FaultClass::DiskErrors, &[0, 5, 30]);
    let limits = if on(FaultClass::SmallTables) { small_tables(prng) } else { Limits::default() };
    WorldConfig {
        nodes,
        zones: 1 + prng.below(4) as usize,
        slots: pick(prng, &[16, 64]),
        replication,
        r,
        w,
        allow_weak,
        seed,
        timeout,
        limits,
        weather,
        disk,
        ..WorldConfig::default()
    }
}

/// One run in three is strict; what goes with fallbacks differs from run to run.
pub(super) fn be_sloppy(prng: &mut Prng, config: &mut WorldConfig, small: bool) {
    config.strict = prng.chance(1, 3);
    config.fanout = if prng.chance(1, 3) { Fanout::Quorum } else { Fanout::All };
    let window = Duration::from_secs(pick(prng, &[2, 10, 10_800]));
    let bytes = pick(prng, &[300, 3_000, 1 << 30]);
    if small {
        config.limits.hint_window = window;
        config.limits.target_hint_bytes_max = bytes;
        config.limits.hint_bytes_max = pick(prng, &[500, 5_000, 1 << 32]);
        config.limits.repairs_per_second = pick(prng, &[20, 100, 10_000]);
    }
}

/// In every other run clients run the quorums of their reads.
pub(super) fn draw_coordinate(seed: u64) -> Coordinate {
    let mut prng = Prng::stream(seed, "plan of coordination");
    if prng.chance(1, 2) { Coordinate::Client } else { Coordinate::Node }
}

/// Some tables have room for little.
fn small_tables(prng: &mut Prng) -> Limits {
    let whole = Limits::default();
    let mut some = |small: &[usize], whole: usize| {
        if prng.chance(1, 3) { pick(prng, small) } else { whole }
    };
    Limits {
        siblings_max: some(&[2, 4], whole.siblings_max),
        record_bytes_max: some(&[64, 2_048], whole.record_bytes_max),
        context_actors_max: some(&[3, 10], whole.context_actors_max),
        actors_alarm: some(&[3], whole.actors_alarm),
        actors_kept: some(&[2, 4], whole.actors_kept),
        calls_max: some(&[4, 16], whole.calls_max),
        calls_per_peer_max: some(&[2, 8], whole.calls_per_peer_max),
        store_ops_max: some(&[4, 16], whole.store_ops_max),
        answers_kept: some(&[0, 1, 8], whole.answers_kept),
        actor_age_min: Duration::from_secs(pick(prng, &[0, 1, 10, 14_400])),
        ..whole
    }
}
