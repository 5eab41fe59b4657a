//! A node that starts again on another port.

use anyhow::{Result, ensure};
use quorate_cluster::{Cluster, Settings, eventually, run};
use quorate_node::client::{Client, ClientOptions, NodeState};

const MOVED: &str = "n2";

#[test]
fn a_client_finds_a_node_again_that_comes_back_on_another_port() -> Result<()> {
    run(async {
        let settings = Settings {
            nodes: 3,
            replication: 3,
            r: 2,
            w: 2,
            storage: "fjall",
            ..Settings::default()
        };
        let mut cluster = Cluster::started(settings).await?;
        // It was told of one node alone, and of the others by that one.
        let options = ClientOptions { seeds: vec![cluster.address("n1")?], ..cluster.options()? };
        let client = Client::connect(options).await?;
        let before = cluster.address(MOVED)?;
        connected_at(&client, &before).await?;

        cluster.kill(MOVED)?;
        cluster.start_elsewhere(MOVED)?;
        let after = cluster.address(MOVED)?;
        ensure!(before != after, "a free port is another one");
        connected_at(&client, &after).await
    })
}

/// Waits until the client is connected to a node at this address; it is busy meanwhile.
async fn connected_at(client: &Client, address: &str) -> Result<()> {
    eventually("the client is connected to the node", || async {
        for number in 0..20 {
            client.get(format!("key {number}")).await.ok()?;
        }
        let nodes = client.status().borrow().nodes.clone();
        let found = nodes.iter().find(|node| &*node.address == address)?;
        (found.state == NodeState::Connected).then_some(())
    })
    .await
}
