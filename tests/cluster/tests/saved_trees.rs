//! A node that was stopped begins with the trees that it had; one that was killed counts.

use anyhow::{Context, Result, ensure};
use quorate_cluster::{Cluster, Settings, eventually, quorate, run};
use quorate_node::client::ClientError;

const ALONE: Settings =
    Settings { nodes: 1, replication: 1, r: 1, w: 1, storage: "fjall", slots: 64, more: &[] };

const THREE: Settings =
    Settings { nodes: 3, replication: 3, r: 2, w: 2, storage: "fjall", slots: 64, more: &[] };

const WRITERS: usize = 8;

/// A counter of a running member.
fn count(cluster: &Cluster, label: &str, name: &str) -> Result<u64> {
    let status = cluster.status()?;
    let nodes = status["nodes"].as_array().context("nodes")?;
    let node = nodes.iter().find(|node| node["label"] == label).context("the node")?;
    node["counters"][name].as_u64().with_context(|| format!("no counter {name}"))
}

/// Whether a life of the only node began with saved trees, and how often it has counted.
fn kept_and_counted(cluster: &Cluster) -> Result<(u64, u64)> {
    Ok((count(cluster, "n1", "trees_kept")?, count(cluster, "n1", "trees_counted")?))
}

#[test]
fn a_stopped_node_counts_nothing_and_a_killed_one_counts() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(ALONE).await?;
        assert_eq!(kept_and_counted(&cluster)?, (0, 1), "a new one");
        for round in 0..2 {
            let client = cluster.client().await?;
            for number in 0..100 {
                client.put(format!("key {number}"), format!("{round}"), None).await?;
            }
            assert_eq!(cluster.terminate("n1")?.code(), Some(0));
            cluster.start("n1")?;
            cluster.settle().await?;
            assert_eq!(kept_and_counted(&cluster)?, (1, 0), "after stop {round}");
        }
        cluster.client().await?.put("key 3", "another", None).await?;
        cluster.kill("n1")?;
        cluster.start("n1")?;
        cluster.settle().await?;
        assert_eq!(kept_and_counted(&cluster)?, (0, 1), "the trees of the last stop are too old");
        Ok(())
    })
}

/// Slots that all nodes have found different from those of others.
fn repaired(cluster: &Cluster) -> Result<u64> {
    cluster.labels().iter().map(|label| count(cluster, label, "slots_repaired")).sum()
}

fn repair(cluster: &Cluster) -> Result<()> {
    let seed = cluster.address("n1")?;
    let output = quorate(["repair", "--timeout=30", "--seed", &seed])?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn trees_that_were_saved_amid_writes_tell_what_is_stored() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(THREE).await?;
        let client = cluster.client().await?;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let client = client.clone();
            writers.spawn(async move {
                for number in 0..300 {
                    client.put(format!("{writer}/{number}"), "value", None).await?;
                }
                Ok::<(), ClientError>(())
            });
        }
        eventually("the writers are at work", || async {
            let done = client.snapshot().await.ok()?.stats.done;
            (done > 200).then_some(())
        })
        .await?;
        let stopping = std::thread::spawn(move || (cluster.terminate("n2"), cluster));
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        let (status, stopped) = stopping.join().expect("nothing in it panics");
        assert_eq!(status?.code(), Some(0));
        cluster = stopped;
        cluster.start("n2")?;
        cluster.settle().await?;
        let begun = (count(&cluster, "n2", "trees_kept")?, count(&cluster, "n2", "trees_counted")?);
        assert_eq!(begun, (1, 0));

        // Trees that tell anything else would never be equal to those of the others.
        eventually("a repair finds nothing", || async {
            let before = repaired(&cluster).ok()?;
            repair(&cluster).ok()?;
            (repaired(&cluster).ok()? == before).then_some(())
        })
        .await?;
        assert_eq!(count(&cluster, "n2", "trees_counted")?, 0);
        Ok(())
    })
}
