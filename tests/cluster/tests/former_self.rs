//! A member whose data directory is gone comes back as the member that it was.

use std::fs;

use anyhow::{Context, Result};
use quorate_cluster::{Cluster, Settings, run};
use serde_json::Value;

const THREE: Settings =
    Settings { nodes: 3, replication: 3, r: 2, w: 2, storage: "fjall", slots: 64, more: &[] };

fn labels(status: &Value) -> Vec<&str> {
    let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
    members.iter().filter_map(|member| member["label"].as_str()).collect()
}

#[test]
fn a_node_with_an_empty_directory_takes_the_place_of_the_member_that_it_was() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(THREE).await?;
        let client = cluster.client().await?;
        for number in 0..100 {
            client.put(format!("key {number}"), format!("value {number}"), None).await?;
        }
        let before = cluster.announced("n3")?.clone();
        cluster.kill("n3")?;
        fs::remove_dir_all(cluster.data("n3"))?;
        cluster.start("n3")?;
        let after = cluster.announced("n3")?.clone();
        assert_eq!((&after["id"], &after["took_over"]), (&before["id"], &true.into()));

        cluster.settle().await?;
        let status = cluster.status()?;
        assert_eq!((&status["up"], labels(&status)), (&3.into(), vec!["n1", "n2", "n3"]));
        for number in 0..100 {
            let entry = client.get(format!("key {number}")).await?;
            let value = entry.value().context("a value is gone")?;
            assert_eq!(&value[..], format!("value {number}").as_bytes());
        }

        // The id stays: it is in the directory from here on.
        cluster.kill("n3")?;
        cluster.start("n3")?;
        let again = cluster.announced("n3")?;
        assert_eq!((&again["id"], &again["took_over"]), (&before["id"], &false.into()));
        Ok(())
    })
}
