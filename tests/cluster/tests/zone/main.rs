//! A zone is killed at once while clients write. No write fails; the zone comes back, and holds all
//! that it has missed.

mod appending;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use quorate_cluster::{Cluster, Settings, eventually, quorate, run};
use quorate_core::message::Answer;
use quorate_node::client::{CallOptions, Client, ClientOptions, Request};

use appending::{Acknowledged, Appending, Stage, elements};

/// Each key has one primary in each zone. What could not be compared is soon tried again.
const SETTINGS: Settings = Settings {
    nodes: 9,
    replication: 3,
    r: 2,
    w: 2,
    storage: "fjall",
    slots: 64,
    more: &["--anti-entropy-interval=4s"],
};

const ZONES: usize = 3;

/// The zone that is killed; the founder is in another one.
const KILLED: usize = 2;

/// Writes of each client in each stage, at least.
const WRITES: u64 = 25;

const READS_AT_ONE_TIME: usize = 16;

#[test]
fn a_zone_of_three_is_killed_under_load_and_comes_back() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started_in_zones(SETTINGS, ZONES).await?;
        let zone = cluster.zone(KILLED);
        assert_eq!(zone.len(), 3);
        let appending = Appending::begin(cluster.options()?);
        appending.wait(Stage::Before, WRITES).await?;
        cluster.kill_together(&zone)?;
        appending.enter(Stage::Away);
        appending.wait(Stage::Away, WRITES).await?;
        eventually("hints wait for the zone", || async {
            hints(&cluster).ok().filter(|hints| *hints > 0)
        })
        .await?;

        appending.enter(Stage::Back);
        for label in &zone {
            cluster.start(label)?;
        }
        appending.wait(Stage::Back, WRITES).await?;
        cluster.settle().await?;
        let acknowledged = appending.end()?;
        eventually("all hints are home", || async {
            hints(&cluster).ok().filter(|hints| *hints == 0)
        })
        .await?;

        ensure!(sum(&cluster, "handed_over")? > 0, "some have come home");
        ensure!(sum(&cluster, "hints_dropped")? == 0, "no hint was dropped");
        eventually("a repair finds nothing", || async {
            let before = sum(&cluster, "slots_repaired").ok()?;
            repair(&cluster).ok()?;
            (sum(&cluster, "slots_repaired").ok()? == before).then_some(())
        })
        .await?;
        read(&strict(&cluster, 3).await?, &acknowledged).await?;

        // What is read of one zone alone is what that zone has.
        for others in (0..ZONES).filter(|zone| *zone != KILLED) {
            cluster.kill_together(&cluster.zone(others))?;
        }
        read(&strict(&cluster, 1).await?, &acknowledged).await?;
        Ok(())
    })
}

/// A client that counts primaries alone.
async fn strict(cluster: &Cluster, r: u8) -> Result<Client> {
    let options = ClientOptions { r, w: 3, strict: Some(true), ..cluster.options()? };
    Ok(Client::connect(options).await?)
}

/// Reads keys, and checks that each holds all that was acknowledged, on each primary that is asked.
async fn read(client: &Client, acknowledged: &Acknowledged) -> Result<()> {
    let reads = acknowledged.keys().map(|(key, wanted)| read_one(client, key, wanted));
    stream::iter(reads).buffer_unordered(READS_AT_ONE_TIME).try_collect().await
}

async fn read_one(client: &Client, key: String, wanted: &BTreeSet<String>) -> Result<()> {
    let options = CallOptions { receipt: true, ..CallOptions::default() };
    let completion = client.call(&key, Request::Get { context: Bytes::new() }, options).await?;
    let Answer::Entry(entry) = completion.answer else {
        bail!("another answer than that to a get")
    };
    let held = elements(entry.values.iter().map(|value| &value.payload));
    let lost: Vec<&String> = wanted.difference(&held).collect();
    ensure!(lost.is_empty(), "{key} has lost {lost:?}");
    let receipt = completion.receipt.context("a receipt was asked for")?;
    ensure!(receipt.repaired.is_empty(), "{key} is stale on {:?}", receipt.repaired);
    Ok(())
}

/// All hints that running nodes hold.
fn hints(cluster: &Cluster) -> Result<u64> {
    let status = cluster.status()?;
    let members = status["members"].as_array().context("members")?;
    members.iter().map(|member| member["hints"].as_u64().context("its hints")).sum()
}

/// A counter of all running nodes together.
fn sum(cluster: &Cluster, counter: &str) -> Result<u64> {
    let status = cluster.status()?;
    let nodes = status["nodes"].as_array().context("nodes")?;
    let counts = nodes.iter().map(|node| node["counters"][counter].as_u64());
    counts.map(|count| count.with_context(|| format!("no counter {counter}"))).sum()
}

/// Compares all replicas of all slots.
fn repair(cluster: &Cluster) -> Result<()> {
    let seed = cluster.address("n1")?;
    let output = quorate(["repair", "--timeout=30", "--seed", &seed])?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
