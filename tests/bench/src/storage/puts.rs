//! Puts: the storage of a node, and the bare engine with and without syncs.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use quorate_node::storage::{Durability, EngineOptions};

use super::engine::Engine;
use super::node::NodeStorage;
use super::{median, table};

pub(crate) fn measure(
    folder: &Path,
    writers: &[usize],
    sizes: EngineOptions,
    (rounds, round): (usize, Duration),
) -> Result<()> {
    let mut group = NodeStorage::open(&folder.join("group"), Durability::Group, sizes)?;
    let mut periodic = NodeStorage::open(&folder.join("periodic"), Durability::Periodic, sizes)?;
    let synced = Engine::open(&folder.join("synced"))?;
    let unsynced = Engine::open(&folder.join("unsynced"))?;
    let mut table = table(&[
        "writers",
        "group commit",
        "periodic",
        "engine, a sync each",
        "engine, no sync",
        "group / a sync each",
        "group / no sync",
    ]);
    for writers in writers.iter().copied() {
        let mut measured: [Vec<f64>; 4] = Default::default();
        for number in 0..rounds as u64 {
            let seed = number << 32 | writers as u64;
            measured[0].push(group.puts(writers, round, seed)?);
            measured[1].push(periodic.puts(writers, round, seed)?);
            measured[2].push(synced.puts(writers, true, round, seed));
            measured[3].push(unsynced.puts(writers, false, round, seed));
        }
        let [group, periodic, synced, unsynced] = measured.map(median);
        table.add_row([
            writers.to_string(),
            format!("{group:.0}"),
            format!("{periodic:.0}"),
            format!("{synced:.0}"),
            format!("{unsynced:.0}"),
            format!("{:.2}", group / synced),
            format!("{:.2}", group / unsynced),
        ]);
    }
    println!("{table}");
    group.close()?;
    periodic.close()
}
