//! What was deleted goes for good, once all nodes are there and the grace time is over.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, eventually, run};
use quorate_node::client::Client;
use serde_json::Value;

const KEYS: u64 = 60;

/// N of the clusters here.
const COPIES: u64 = 3;

const FIVE: Settings = Settings {
    nodes: 5,
    replication: COPIES as u8,
    r: 2,
    w: 2,
    storage: "fjall",
    slots: 64,
    more: &["--grace=1s", "--anti-entropy-interval=1s"],
};

/// The node that is stopped.
const AWAY: &str = "n5";

fn key(number: u64) -> String {
    format!("key {number}")
}

async fn put_all(client: &Client) -> Result<()> {
    for number in 0..KEYS {
        client.put(key(number), "value", None).await?;
    }
    Ok(())
}

async fn delete_all(client: &Client) -> Result<()> {
    for number in 0..KEYS {
        let entry = client.get(key(number)).await?;
        ensure!(entry.values == [Bytes::from("value")], "{entry:?}");
        client.delete(key(number), Some(&entry.context)).await?;
    }
    Ok(())
}

/// Sums over the nodes that answer.
#[derive(Debug)]
struct Sums {
    /// Of those but [`AWAY`]: an engine that was opened again knows no more than about how many.
    records: u64,
    collected: u64,
}

fn sums(status: &Value) -> Option<Sums> {
    let mut sums = Sums { records: 0, collected: 0 };
    for node in status["nodes"].as_array()?.iter().filter(|node| node["up"] == true) {
        sums.collected += node["counters"]["records_collected"].as_u64()?;
        if node["label"] != AWAY {
            sums.records += node["records"].as_u64()?;
        }
    }
    Some(sums)
}

/// What the operator is told of collections that do not go on.
fn told(status: &Value) -> Option<String> {
    let sentences = status["attention"].as_array()?.iter().filter_map(Value::as_str);
    let told = sentences.filter(|sentence| sentence.contains("collected"));
    Some(told.collect::<Vec<_>>().join("; "))
}

async fn is_as_if_never_written(client: &Client, key: &str) -> Result<()> {
    let entry = client.get(key).await?;
    ensure!(entry.values.is_empty() && entry.tombstones == 0, "{entry:?}");
    ensure!(entry.context.is_empty(), "{entry:?}");
    Ok(())
}

#[test]
fn what_was_deleted_or_has_expired_goes_for_good_and_its_key_can_be_written_again() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings { nodes: 3, ..FIVE }).await?;
        let client = cluster.client().await?;
        client.put("kept", "value", None).await?;
        put_all(&client).await?;
        client.put_for("blink", "gone soon", None, Duration::from_millis(1)).await?;
        delete_all(&client).await?;
        let sums = eventually("only what lives is left", || async {
            let sums = sums(&cluster.status().ok()?)?;
            (sums.records == COPIES).then_some(sums)
        })
        .await?;
        ensure!(sums.collected >= (KEYS + 1) * COPIES, "{sums:?}");
        assert_eq!(told(&cluster.status()?).context("what is told")?, "");

        is_as_if_never_written(&client, "blink").await?;
        for number in 0..KEYS {
            is_as_if_never_written(&client, &key(number)).await?;
        }
        assert_eq!(client.get("kept").await?.values, [Bytes::from("value")]);
        let written = client.put(key(0), "again", None).await?;
        assert_eq!(written.siblings, 1);
        assert_eq!(client.get(key(0)).await?.values, [Bytes::from("again")]);
        client.put(key(0), "and again", Some(&written.context)).await?;
        assert_eq!(client.get(key(0)).await?.values, [Bytes::from("and again")]);
        Ok(())
    })
}

#[test]
fn nothing_is_collected_while_a_node_is_away_and_all_of_it_once_it_is_back() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(FIVE).await?;
        let client = cluster.client().await?;
        put_all(&client).await?;
        cluster.terminate(AWAY)?;
        delete_all(&client).await?;
        // Another key is collected within two grace times and a pass: see the test above.
        let away_min = Duration::from_secs(6);
        let status = eventually("the node is away for long", || async {
            let status = cluster.status().ok()?;
            let members = status["members"].as_array()?;
            let member = members.iter().find(|member| member["label"] == AWAY)?;
            let long = member["down_ms"].as_u64()? >= away_min.as_millis() as u64;
            long.then_some(status)
        })
        .await?;
        let before = sums(&status).context("sums")?;
        assert_eq!(before.collected, 0, "{before:?}");
        ensure!(before.records > KEYS, "{before:?}");
        let sentence = told(&status).context("what is told")?;
        ensure!(sentence.contains("while n5 is away"), "{sentence}");

        cluster.start(AWAY)?;
        cluster.settle().await?;
        let after = eventually("nothing is left", || async {
            let status = cluster.status().ok()?;
            let after = sums(&status)?;
            (after.records == 0 && told(&status)?.is_empty()).then_some(after)
        })
        .await?;
        ensure!(after.collected >= KEYS * COPIES, "{after:?}");
        let client = cluster.client().await?;
        for number in 0..KEYS {
            is_as_if_never_written(&client, &key(number)).await?;
        }
        Ok(())
    })
}
