//! Clients that go through one node.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, run};
use quorate_node::client::{Client, ClientOptions, NodeState, Routing};

/// The node that a client is connected to, which is one.
fn gateway_of(client: &Client) -> Result<String> {
    let status = client.status().borrow().clone();
    let connected = status.nodes.iter().filter(|node| node.state == NodeState::Connected);
    let connected: Vec<&str> = connected.map(|node| &*node.label).collect();
    let [gateway] = connected[..] else { anyhow::bail!("connected to {connected:?}") };
    Ok(gateway.to_owned())
}

#[test]
fn all_goes_through_one_node_and_through_the_next_one_when_that_is_lost() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(Settings::default()).await?;
        let options = ClientOptions { routing: Routing::Gateway, ..cluster.options()? };
        let (client, other) = (Client::connect(options).await?, cluster.client().await?);
        let gateway = gateway_of(&client)?;
        for number in 0..100 {
            client.put(format!("key {number}"), format!("value {number}"), None).await?;
            let entry = other.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [Bytes::from(format!("value {number}"))]);
        }
        let stats = client.snapshot().await?.stats;
        ensure!(stats.direct + stats.passed_on == 100, "{stats:?}");
        ensure!(stats.passed_on > 0, "of five nodes one is a primary of some keys: {stats:?}");
        assert_eq!(gateway_of(&client)?, gateway);

        cluster.kill(&gateway)?;
        for number in 0..100 {
            let entry = client.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [Bytes::from(format!("value {number}"))]);
        }
        let next = gateway_of(&client).context("after a loss")?;
        assert_ne!(next, gateway);
        Ok(())
    })
}
