//! Five nodes and their clients, with and without losses.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, eventually, run};
use quorate_node::client::{CallOptions, Client, ClientOptions, Request, UnixMs};

#[test]
fn what_one_client_writes_another_reads() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings::default()).await?;
        let (writer, reader) = (cluster.client().await?, cluster.client().await?);
        for number in 0..200 {
            writer.put(format!("key {number}"), format!("value {number}"), None).await?;
        }
        for number in 0..200 {
            let entry = reader.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [Bytes::from(format!("value {number}"))]);
        }
        let stats = reader.snapshot().await?.stats;
        assert_eq!((stats.direct, stats.passed_on), (200, 0), "a client knows the ring");
        Ok(())
    })
}

#[test]
fn values_come_back_byte_for_byte() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings::default()).await?;
        let client = cluster.client().await?;
        let all_bytes: Vec<u8> = (0..=255).collect();
        for (key, length) in [("empty", 0), ("one", 1), ("large", 1024 * 1024)] {
            let value: Bytes = all_bytes.iter().copied().cycle().take(length).collect();
            client.put(key, value.clone(), None).await?;
            assert_eq!(client.get(key).await?.values, [value]);
        }
        let key = all_bytes.repeat(4);
        client.put(&key, "a key of 1 KiB of any bytes", None).await?;
        assert!(client.get(&key).await?.value().is_some());

        let refused = client.put("too large", vec![0; 1024 * 1024 + 1], None).await;
        let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(error.contains("1048577") && error.contains("1048576"), "{error}");
        Ok(())
    })
}

#[test]
fn concurrent_writes_are_kept_until_somebody_merges_them() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings::default()).await?;
        let (a, b) = (cluster.client().await?, cluster.client().await?);
        let context = a.put("cart", "milk", None).await?.context;
        a.put("cart", "milk, bread", Some(&context)).await?;
        let written = b.put("cart", "milk, eggs", Some(&context)).await?;
        assert_eq!(written.siblings, 2);
        assert_eq!(a.get("cart").await?.values.len(), 2);

        let longest = |values: &[Bytes]| values.iter().max().cloned().unwrap_or_default();
        let updated = a.update("cart", longest).await?;
        assert_eq!((updated.written.siblings, updated.attempts), (1, 1));
        assert_eq!(b.get("cart").await?.values, [Bytes::from("milk, eggs")]);

        b.delete("cart", None).await?;
        assert!(a.get("cart").await?.values.is_empty());
        Ok(())
    })
}

#[test]
fn a_value_expires_and_a_tombstone_beside_a_value_is_told() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings::default()).await?;
        let client = cluster.client().await?;
        let day = Duration::from_secs(86_400);
        client.put_for("lease", "mine", None, day).await?;
        let entry = client.get("lease").await?;
        assert_eq!((entry.expires.len(), entry.tombstones), (1, 0));
        ensure!(entry.expires[0].is_some_and(|at| at > UnixMs(day.as_millis() as u64)));

        let blink = client.put_for("blink", "gone soon", None, Duration::from_millis(1)).await?;
        eventually("the value expires", || async {
            let entry = client.get_after("blink", &blink.context).await.ok()?;
            entry.values.is_empty().then_some(())
        })
        .await?;
        client.put("blink", "for good", None).await?;
        let entry = client.get("blink").await?;
        assert_eq!(entry.values, [Bytes::from("for good")]);
        assert_eq!((&entry.expires[..], entry.tombstones), (&[None][..], 1));

        let refused = client.put_for("k", "v", None, Duration::ZERO).await;
        let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(error.contains("time to live"), "{error}");
        Ok(())
    })
}

#[test]
fn one_of_five_may_die() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(Settings::default()).await?;
        let client = cluster.client().await?;
        for number in 0..100 {
            client.put(format!("key {number}"), "before", None).await?;
        }
        cluster.kill("n3")?;
        for number in 0..100 {
            let entry = client.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [Bytes::from("before")], "key {number}");
            client.put(format!("key {number}"), "after", Some(&entry.context)).await?;
        }
        for number in 0..100 {
            assert_eq!(client.get(format!("key {number}")).await?.values, [Bytes::from("after")]);
        }
        // Memory was lost, but what is read is repaired.
        cluster.start("n3")?;
        cluster.settle().await?;
        for number in 0..100 {
            assert_eq!(client.get(format!("key {number}")).await?.values, [Bytes::from("after")]);
        }
        Ok(())
    })
}

/// Hints that wait for a member, on all nodes, and what the operator is told of it.
fn hints_for(cluster: &Cluster, label: &str) -> Option<(u64, String)> {
    let status = cluster.status().ok()?;
    let members = status["members"].as_array()?;
    let member = members.iter().find(|member| member["label"] == label)?;
    let told = status["attention"].as_array()?.iter().filter_map(|sentence| sentence.as_str());
    let told = told.filter(|sentence| sentence.contains(label)).collect();
    Some((member["hints"].as_u64()?, told))
}

#[test]
fn hints_wait_for_a_dead_node_and_go_home() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(Settings::default()).await?;
        let client = cluster.client().await?;
        cluster.kill("n3")?;
        for number in 0..50 {
            client.put(format!("key {number}"), "value", None).await?;
        }
        let told = eventually("hints wait for the dead node", || async {
            let (hints, told) = hints_for(&cluster, "n3")?;
            (hints > 0 && told.contains("down")).then_some(told)
        })
        .await?;
        ensure!(told.contains("wait for it"), "{told}");
        cluster.start("n3")?;
        eventually("the hints are home", || async {
            let (hints, told) = hints_for(&cluster, "n3")?;
            (hints == 0 && told.is_empty()).then_some(())
        })
        .await
    })
}

#[test]
fn a_dead_seed_does_no_harm() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings { nodes: 3, ..Settings::default() }).await?;
        let mut options = cluster.options()?;
        options.seeds = vec!["ws://127.0.0.1:1".into(), cluster.address("n2")?];
        let client = Client::connect(options).await?;
        client.put("key", "value", None).await?;
        assert_eq!(client.get("key").await?.values, [Bytes::from("value")]);
        Ok(())
    })
}

#[test]
fn a_client_without_a_living_seed_says_so() -> Result<()> {
    run(async {
        let mut options = ClientOptions::to(["ws://127.0.0.1:1"]);
        options.timeout = Duration::from_millis(300);
        let error = Client::connect(options).await.err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        ensure!(error.contains("ws://127.0.0.1:1"), "{error}");
        Ok(())
    })
}

#[test]
fn a_receipt_names_who_acknowledged() -> Result<()> {
    run(async {
        let cluster =
            Cluster::started(Settings { nodes: 3, w: 3, r: 1, ..Settings::default() }).await?;
        let client = cluster.client().await?;
        let options = CallOptions { receipt: true, ..CallOptions::default() };
        let request = Request::Put { value: "value".into(), context: Bytes::new() };
        let completion = client.call("key", request, options).await?;
        let receipt = completion.receipt.map(|receipt| (receipt.needed, receipt.primaries.len()));
        assert_eq!(receipt, Some((3, 3)));
        Ok(())
    })
}
