//! What a node has acknowledged it serves after any end.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, eventually, run};
use quorate_node::client::{Client, ClientError};

const WRITERS: usize = 16;

/// Writes until the client fails; returns the number of each writer's last acknowledged put.
async fn write_until_it_ends(client: &Client, acknowledged: &Arc<Mutex<Vec<u64>>>) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (client, acknowledged) = (client.clone(), Arc::clone(acknowledged));
        writers.spawn(async move {
            for number in 1.. {
                let key = format!("{writer}/{number}");
                if client.put(&key, key.clone(), None).await.is_err() {
                    return;
                }
                acknowledged.lock().expect("no writer panics")[writer] = number;
            }
        });
    }
    while writers.join_next().await.is_some() {}
}

async fn check_acknowledged(client: &Client, acknowledged: &[u64]) -> Result<()> {
    for (writer, &last) in acknowledged.iter().enumerate() {
        for number in 1..=last {
            let key = format!("{writer}/{number}");
            let entry = client.get(&key).await?;
            ensure!(entry.values == [Bytes::from(key.clone())], "{key} is lost");
        }
    }
    Ok(())
}

/// Kills everything in the middle of writing, starts it again, reads everything back.
async fn crash(settings: Settings) -> Result<()> {
    let mut cluster = Cluster::started(settings).await?;
    let acknowledged = Arc::new(Mutex::new(vec![0; WRITERS]));
    let client = Client::connect(quorate_node::client::ClientOptions {
        timeout: Duration::from_secs(2),
        ..cluster.options()?
    })
    .await?;
    let writing = tokio::spawn({
        let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
        async move { write_until_it_ends(&client, &acknowledged).await }
    });
    eventually("some writes are acknowledged", || async {
        let least = acknowledged.lock().ok()?.iter().copied().min()?;
        (least >= 20).then_some(())
    })
    .await?;
    for label in cluster.labels() {
        cluster.kill(&label)?;
    }
    writing.await?;
    for label in cluster.labels() {
        cluster.start(&label)?;
    }
    cluster.settle().await?;
    let acknowledged = acknowledged.lock().map_err(|_| ClientError::Closed)?.clone();
    check_acknowledged(&cluster.client().await?, &acknowledged).await
}

#[test]
fn a_killed_node_serves_what_it_had_acknowledged() -> Result<()> {
    run(crash(Settings {
        nodes: 1,
        replication: 1,
        r: 1,
        w: 1,
        storage: "fjall",
        ..Settings::default()
    }))
}

#[test]
fn a_killed_cluster_serves_what_it_had_acknowledged() -> Result<()> {
    run(crash(Settings {
        nodes: 3,
        replication: 3,
        r: 1,
        w: 3,
        storage: "fjall",
        ..Settings::default()
    }))
}

#[test]
fn a_stopped_node_exits_with_0_and_serves_the_same_again() -> Result<()> {
    run(async {
        let settings = Settings {
            nodes: 1,
            replication: 1,
            r: 1,
            w: 1,
            storage: "fjall",
            ..Settings::default()
        };
        let mut cluster = Cluster::started(settings).await?;
        let client = cluster.client().await?;
        for number in 0..50 {
            client.put(format!("key {number}"), format!("{number}"), None).await?;
        }
        let status = cluster.terminate("n1")?;
        assert_eq!(status.code(), Some(0));
        cluster.start("n1")?;
        let client = cluster.client().await?;
        for number in 0..50 {
            let entry = client.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [Bytes::from(format!("{number}"))]);
        }
        Ok(())
    })
}

#[test]
fn a_node_that_stops_fails_no_call() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(Settings { nodes: 3, ..Settings::default() }).await?;
        let client = cluster.client().await?;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let client = client.clone();
            writers.spawn(async move {
                for number in 0..200 {
                    client.put(format!("{writer}/{number}"), "value", None).await?;
                }
                Ok::<(), ClientError>(())
            });
        }
        eventually("the writers are at work", || async {
            let done = client.snapshot().await.ok()?.stats.done;
            (done > 100).then_some(())
        })
        .await?;
        let stopping = std::thread::spawn(move || (cluster.terminate("n2"), cluster));
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        let (status, _cluster) = stopping.join().expect("nothing in it panics");
        assert_eq!(status?.code(), Some(0));
        for writer in 0..WRITERS {
            for number in 0..200 {
                let entry = client.get(format!("{writer}/{number}")).await?;
                assert_eq!(entry.values, [Bytes::from("value")]);
            }
        }
        Ok(())
    })
}
