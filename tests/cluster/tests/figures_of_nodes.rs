//! What running nodes cost, and what it costs to make them equal. These measure and print; run
//! them in release:
//!
//! ```text
//! cargo test --release -p quorate-cluster --test figures_of_nodes -- --ignored --nocapture --test-threads=1
//! ```

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, run, user_time};
use quorate_node::client::Client;
use serde_json::Value;
use tokio::task::JoinSet;

const VALUE_BYTES: usize = 100;

const IN_FLIGHT: u64 = 64;

/// Records of the cluster that is repaired.
const RECORDS: u64 = 200_000;

/// Records of which one node loses the last change.
const CHANGED: u64 = 1_000;

/// Nothing has moved for so long: what differed is equal.
const QUIET: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(250);

/// How long a repair may take.
const REPAIR_MAX: Duration = Duration::from_secs(180);

/// The node that loses data.
const LOSER: &str = "n2";

#[test]
#[ignore = "measures"]
fn figures_of_a_put() -> Result<()> {
    const PUTS: u64 = 100_000;
    for storage in ["memory", "fjall"] {
        run(async {
            let cluster = Cluster::started(Settings { nodes: 3, storage, ..SETTINGS }).await?;
            let client = cluster.client().await?;
            put_all(&client, PUTS..PUTS + PUTS / 10, 'a').await?;
            let spent = || -> Result<Duration> {
                let labels = cluster.labels();
                labels.iter().map(|label| user_time(cluster.process(label)?)).sum()
            };
            let (before, begin) = (spent()?, Instant::now());
            put_all(&client, 0..PUTS, 'a').await?;
            let (spent, took) = (spent()? - before, begin.elapsed());
            let replica = spent.as_nanos() / u128::from(3 * PUTS);
            let rate = PUTS as f64 / took.as_secs_f64();
            println!("{storage}: {replica} ns user time per put and replica, {rate:.0} puts/s");
            Ok(())
        })?;
    }
    Ok(())
}

const SETTINGS: Settings =
    Settings { nodes: 5, replication: 3, r: 2, w: 2, storage: "fjall", slots: 1_024, more: &[] };

/// The node that loses data does so while it is stopped: it is given back the directory that it had
/// before the writes. All nodes took these, so nobody holds a hint.
#[test]
#[ignore = "measures"]
fn figures_of_a_repair() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(SETTINGS).await?;
        keep(&mut cluster, "empty").await?;
        let client = cluster.client().await?;
        put_all(&client, 0..RECORDS, 'a').await?;
        keep(&mut cluster, "full").await?;
        let bytes = size(&kept(&cluster, "full"))?;
        println!("the directory of {LOSER} has {bytes} B");
        lose(&mut cluster, "empty", "everything").await?;

        keep(&mut cluster, "unchanged").await?;
        put_all(&client, 0..CHANGED, 'b').await?;
        lose(&mut cluster, "unchanged", "changes").await
    })
}

/// Puts one value for each key, many at a time; it supersedes the former one.
async fn put_all(client: &Client, keys: std::ops::Range<u64>, letter: char) -> Result<()> {
    let mut workers = JoinSet::new();
    for worker in 0..IN_FLIGHT {
        let (client, keys) = (client.clone(), keys.clone());
        workers.spawn(async move {
            for number in keys.skip(worker as usize).step_by(IN_FLIGHT as usize) {
                let key = format!("key-{number:012}");
                let context = match letter {
                    'a' => None,
                    _ => Some(client.get(&key).await?.context),
                };
                let value = Bytes::from(letter.to_string().repeat(VALUE_BYTES));
                client.put(&key, value, context.as_ref()).await?;
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

/// Keeps what the node has on its disk.
async fn keep(cluster: &mut Cluster, name: &str) -> Result<()> {
    cluster.terminate(LOSER)?;
    copy(&cluster.data(LOSER), &kept(cluster, name))?;
    cluster.start(LOSER)?;
    cluster.settle().await?;
    quiet(cluster, Instant::now()).await.map(drop)
}

/// Gives the node back what was kept, and measures until it is whole.
async fn lose(cluster: &mut Cluster, name: &str, what: &str) -> Result<()> {
    quiet(cluster, Instant::now()).await?;
    cluster.terminate(LOSER)?;
    fs::remove_dir_all(cluster.data(LOSER))?;
    copy(&kept(cluster, name), &cluster.data(LOSER))?;
    let others = counters(cluster)?;
    let begin = Instant::now();
    cluster.start(LOSER)?;
    cluster.settle().await?;
    let took = quiet(cluster, begin).await?;
    let (all, own) = (counters(cluster)?, of_node(cluster, LOSER)?);
    let moved = |name: &str| number(&own["counters"][name]);
    let messages = (all.bytes - others.bytes).div_ceil(2);
    println!(
        "{LOSER} lost {what}: whole after {:.1} s; it took {} records and was given {}; its \
         comparisons cost {} B, all nodes together counted {messages} B on their way; hints {}",
        took.as_secs_f64(),
        moved("records_taken"),
        all.given - others.given,
        moved("anti_entropy_bytes"),
        all.hints,
    );
    Ok(())
}

/// Waits until no record moves, and answers when the last one did.
async fn quiet(cluster: &Cluster, begin: Instant) -> Result<Duration> {
    let (mut last, mut since) = (counters(cluster)?, begin);
    loop {
        tokio::time::sleep(POLL).await;
        let next = counters(cluster)?;
        if (next.taken, next.given) != (last.taken, last.given) {
            (last, since) = (next, Instant::now());
        }
        if since.elapsed() > QUIET {
            return Ok(since - begin);
        }
        ensure!(begin.elapsed() < REPAIR_MAX, "records still move");
    }
}

/// Sums over all running nodes.
#[derive(Clone, Copy, Default)]
struct Moved {
    taken: u64,
    given: u64,
    bytes: u64,
    hints: u64,
}

fn counters(cluster: &Cluster) -> Result<Moved> {
    let status = cluster.status()?;
    let nodes = status["nodes"].as_array().context("nodes")?;
    let sum = |name: &str| nodes.iter().map(|node| number(&node["counters"][name])).sum();
    Ok(Moved {
        taken: sum("records_taken"),
        given: sum("records_given"),
        bytes: sum("anti_entropy_bytes"),
        hints: sum("hints_stored"),
    })
}

fn of_node(cluster: &Cluster, label: &str) -> Result<Value> {
    let status = cluster.status()?;
    let nodes = status["nodes"].as_array().context("nodes")?;
    nodes.iter().find(|node| node["label"] == label).cloned().context("it answers")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn kept(cluster: &Cluster, name: &str) -> std::path::PathBuf {
    cluster.directory.path().join(format!("{LOSER}-{name}"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name()))?,
            false => drop(fs::copy(entry.path(), to.join(entry.file_name()))?),
        }
    }
    Ok(())
}

fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
