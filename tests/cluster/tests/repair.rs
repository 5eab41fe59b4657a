//! `quorate repair`: replicas become equal when an operator says so.

use std::process::Output;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, quorate, run};
use quorate_node::client::{Client, ClientOptions};
use serde_json::Value;

/// What is acknowledged is on all three, so that two reads of one answer cover it.
const THREE: Settings =
    Settings { nodes: 3, replication: 3, r: 1, w: 3, storage: "memory", slots: 64, more: &[] };

const KEYS: u64 = 500;

fn key(number: u64) -> String {
    format!("key {number}")
}

fn repair(arguments: &[&str]) -> Result<Output> {
    Ok(quorate(["repair", "-o", "json"].iter().chain(arguments))?.output()?)
}

fn json(output: &Output) -> Result<Value> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| stderr.into_owned())
}

#[test]
fn a_node_that_lost_everything_serves_it_again_after_a_repair() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(THREE).await?;
        let client = cluster.client().await?;
        for number in 0..KEYS {
            client.put(key(number), format!("value {number}"), None).await?;
        }
        // It keeps in memory what it holds, and on the disk who it is.
        cluster.kill("n3")?;
        cluster.start("n3")?;
        cluster.settle().await?;
        let output = repair(&["--timeout=30", "--seed", &cluster.address("n1")?])?;
        let told = json(&output)?;
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert_eq!(told["done"], true, "{told}");
        // Each of 64 slots is on all three nodes, and each of these has two others.
        assert_eq!((&told["pairs"], &told["compared"]), (&384.into(), &384.into()), "{told}");
        for label in ["n1", "n2"] {
            cluster.kill(label)?;
        }
        let alone = ClientOptions { r: 1, ..ClientOptions::to([cluster.address("n3")?]) };
        let client = Client::connect(alone).await?;
        for number in 0..KEYS {
            let entry = client.get(key(number)).await?;
            ensure!(entry.values == [Bytes::from(format!("value {number}"))], "{}", key(number));
        }
        Ok(())
    })
}

#[test]
fn a_repair_names_the_nodes_that_are_away_and_fails() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(THREE).await?;
        cluster.kill("n3")?;
        let output = repair(&["--timeout=4", "--seed", &cluster.address("n1")?])?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("n1 with n3") && error.contains("n2 with n3"), "{error}");
        let told = json(&output)?;
        assert_eq!((&told["done"], &told["compared"]), (&false.into(), &128.into()), "{told}");
        Ok(())
    })
}

#[test]
fn a_repair_of_what_is_not_there_is_refused_before_anything_is_done() -> Result<()> {
    run(async {
        let cluster =
            Cluster::started(Settings { nodes: 2, replication: 1, w: 1, ..THREE }).await?;
        let seed = cluster.address("n1")?;
        for (arguments, said) in [
            (["--slot=64"].as_slice(), "the last of the 64 slots is 63"),
            (&["--node=n9"], "the members are n1, n2"),
            (&["--slot=0", "--node=n9"], "the members are n1, n2"),
        ] {
            let output = repair(&[arguments, &["--seed", &seed]].concat())?;
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{error}");
            assert!(error.contains(said), "{error}");
        }
        Ok(())
    })
}
