//! Connects to a cluster, writes, reads, makes a conflict and merges it.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_node::client::{Client, ClientOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let seed = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:7101".into());
    let client = Client::connect(ClientOptions::to([seed])).await?;

    // A put without a context supersedes nothing, so the cart begins empty.
    client.delete("cart", None).await?;
    let empty = client.get("cart").await?;

    // Two devices that have both seen the empty cart: neither write may win.
    client.put("cart", "milk,bread", Some(&empty.context)).await?;
    client.put("cart", "milk,eggs", Some(&empty.context)).await?;
    println!("both carts are kept: {:?}", client.get("cart").await?.values);

    // Whoever reads them merges them; the merged cart supersedes both.
    let merged = client.update("cart", merge).await?;
    println!("merged: {:?}, siblings: {}", merged.value, merged.written.siblings);
    Ok(())
}

/// The union of all carts.
fn merge(carts: &[Bytes]) -> Bytes {
    let carts: Vec<_> = carts.iter().map(|cart| String::from_utf8_lossy(cart)).collect();
    let items: BTreeSet<&str> = carts.iter().flat_map(|cart| cart.split(',')).collect();
    Bytes::from(items.into_iter().collect::<Vec<_>>().join(","))
}
