//! Point reads, hot and cold, and what a full directory costs: bytes on disk, time to open it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use quorate_node::storage::{Durability, EngineOptions};

use super::engine::Engine;
use super::node::{NodeStorage, key};
use super::{VALUE_BYTES, median, space, table};

/// Keys that fit into the cache of records.
const HOT: u64 = 10_000;

/// Reads under way at one time, of the storage of a node.
const AT_ONCE: usize = 64;

/// The kernel forgets what it has read when this is written to.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

pub(crate) fn measure(
    folder: &Path,
    records: u64,
    sizes: EngineOptions,
    (rounds, round): (usize, Duration),
) -> Result<()> {
    let paths = ["node", "engine"].map(|name| folder.join(format!("{name} {records}")));
    let [ours, bare] = &paths;
    let begun = Instant::now();
    let mut node = NodeStorage::open(ours, Durability::Periodic, sizes)?;
    node.load(records)?;
    node.close()?;
    let node_load = begun.elapsed();
    let begun = Instant::now();
    Engine::open(bare)?.load(records)?;
    println!(
        "loaded in {:.1} s, the bare engine in {:.1} s",
        node_load.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );

    let begun = Instant::now();
    let mut node = NodeStorage::open(ours, Durability::Group, sizes)?;
    node.reads(records, 1, Duration::ZERO, 1)?;
    let opened = begun.elapsed();
    let engine = Engine::open(bare)?;
    println!("opened in {:.2} s", opened.as_secs_f64());

    let mut table =
        table(&["point reads per second", "node, 1 at a time", "node, 64", "engine, 1 thread"]);
    let cold = fs::write(DROP_CACHES, "3");
    for (name, among) in [("cold", records), ("warm", records), ("hot", HOT.min(records))] {
        if name == "cold" && cold.is_err() {
            println!("cold reads are left out: only root can empty the caches of the kernel");
            continue;
        }
        match name {
            // The kernel is to hold all files, as far as there is room for them.
            "warm" => paths.iter().try_for_each(|path| space::read(path))?,
            "hot" => node.warm_up(among)?,
            _ => {}
        }
        let mut measured: [Vec<f64>; 3] = Default::default();
        // What was read once is not cold any more.
        for number in 0..if name == "cold" { 1 } else { rounds as u64 } {
            for (column, at_once) in [(0, 1), (1, AT_ONCE)] {
                if name == "cold" {
                    fs::write(DROP_CACHES, "3")?;
                }
                measured[column].push(node.reads(among, at_once, round, number + 7)?);
            }
            if name == "cold" {
                fs::write(DROP_CACHES, "3")?;
            }
            measured[2].push(engine.reads(among, round, number + 7)?);
        }
        let [one, many, bare] = measured.map(median);
        table.add_row([
            name.to_owned(),
            format!("{one:.0}"),
            format!("{many:.0}"),
            format!("{bare:.0}"),
        ]);
    }
    println!("{table}");
    node.close()?;
    drop(engine);

    let user = records * (key(0).as_bytes().len() + VALUE_BYTES) as u64;
    let [ours, bare] = [space::bytes(ours)?, space::bytes(bare)?];
    println!(
        "bytes on disk per byte of keys and values: {:.2}, of the bare engine {:.2}",
        ours as f64 / user as f64,
        bare as f64 / user as f64,
    );
    for path in &paths {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}
