//! Whoever sends nonsense is told so, and nobody else notices.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use quorate_cluster::{Cluster, Settings, Wire, eventually, run};
use quorate_core::ids::ClusterId;
use quorate_core::limits::FRAME_BYTES_MAX;
use quorate_core::message::{CallId, Message, RejectCode, StatusRequest};
use quorate_node::client::{Client, ClientOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ONE: Settings =
    Settings { nodes: 1, replication: 1, r: 1, w: 1, storage: "memory", slots: 64, more: &[] };

/// A node, its address, and a client that must not notice anything.
async fn node() -> Result<(Cluster, String, Client)> {
    let cluster = Cluster::started(ONE).await?;
    let (address, client) = (cluster.address("n1")?, cluster.client().await?);
    client.put("key", "value", None).await?;
    Ok((cluster, address, client))
}

async fn is_unharmed(client: &Client) -> Result<()> {
    assert_eq!(client.get("key").await?.values, [Bytes::from("value")]);
    Ok(())
}

/// Sends `message`; the node says `Unsupported`.
async fn is_unsupported(wire: &mut Wire, message: Vec<u8>) -> Result<()> {
    wire.send_bytes(message).await?;
    let answer = wire.receive().await?;
    ensure!(matches!(answer, Some(Message::Unsupported(_))), "{answer:?}");
    Ok(())
}

async fn is_alive(wire: &mut Wire) -> Result<()> {
    wire.send(&Message::StatusRequest(StatusRequest { call: CallId(9), slots: false })).await?;
    match wire.receive().await? {
        Some(Message::StatusReply(reply)) => assert_eq!(reply.call, CallId(9)),
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}

#[test]
fn a_frame_of_noise_is_answered_and_the_connection_lives() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        let mut wire = Wire::welcomed(&address).await?;
        let noise: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(167) | 1).collect();
        is_unsupported(&mut wire, [&[100], &noise[..]].concat()).await?;
        is_unsupported(&mut wire, vec![0]).await?;
        // Frame 15 of a later version.
        is_unsupported(&mut wire, vec![2, 0x7a, 0]).await?;
        is_alive(&mut wire).await?;
        wire.send_text("hello").await?;
        let answer = wire.receive().await?;
        ensure!(matches!(answer, Some(Message::Unsupported(_))), "{answer:?}");
        is_alive(&mut wire).await?;
        is_unharmed(&client).await
    })
}

#[test]
fn a_million_empty_frames_get_few_answers() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        let mut wire = Wire::welcomed(&address).await?;
        is_unsupported(&mut wire, vec![0; 1_000_000]).await?;
        assert_eq!(wire.receive().await?, None, "too many frames end the connection");
        is_unharmed(&client).await
    })
}

#[test]
fn broken_framing_ends_the_connection_after_an_answer() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        for broken in [vec![200, 1, 2, 3], vec![0xff; 11]] {
            let mut wire = Wire::welcomed(&address).await?;
            is_unsupported(&mut wire, broken).await?;
            assert_eq!(wire.receive().await?, None);
        }
        is_unharmed(&client).await
    })
}

#[test]
fn what_is_too_long_ends_the_connection_after_an_answer() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        // A frame that is too long, in a message that is not; and a message that is.
        let length = FRAME_BYTES_MAX + 1;
        let mut frame = vec![
            0x80 | (length & 0x7f) as u8,
            0x80 | (length >> 7 & 0x7f) as u8,
            (length >> 14) as u8,
        ];
        frame.resize(length + 3, 0);
        for long in [frame, vec![0; 9 * 1024 * 1024]] {
            let mut wire = Wire::welcomed(&address).await?;
            is_unsupported(&mut wire, long).await?;
            assert_eq!(wire.receive().await?, None);
        }
        is_unharmed(&client).await
    })
}

#[test]
fn whoever_does_not_say_hello_is_rejected() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        let firsts = [vec![1, 2, 3], vec![0; 5_000], Vec::new()];
        for first in firsts {
            let mut wire = Wire::connect(&address).await?;
            wire.send_bytes(first).await?;
            match wire.receive().await? {
                Some(Message::Reject(reject)) => assert_eq!(reject.code, RejectCode::Malformed),
                other => anyhow::bail!("{other:?}"),
            }
            assert_eq!(wire.receive().await?, None);
        }
        is_unharmed(&client).await
    })
}

#[test]
fn a_client_of_another_cluster_is_rejected() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        let mut wire = Wire::connect(&address).await?;
        wire.send(&Wire::hello(Some(ClusterId(1)))).await?;
        match wire.receive().await? {
            Some(Message::Reject(reject)) => assert_eq!(reject.code, RejectCode::Cluster),
            other => anyhow::bail!("{other:?}"),
        }
        let mut options = ClientOptions::to([address]);
        options.cluster = Some(ClusterId(1));
        let error = Client::connect(options).await.err().context("it was let in")?;
        assert_eq!(error.code(), "REJECTED");
        is_unharmed(&client).await
    })
}

/// Everything that a node answers to some bytes.
async fn raw(address: &str, bytes: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address.trim_start_matches("ws://")).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn the_port_speaks_plain_http() -> Result<()> {
    run(async {
        let (_cluster, address, client) = node().await?;
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
        for (request, status) in [
            (get("/livez"), "200"),
            (get("/readyz"), "200"),
            (get("/"), "200"),
            (get("/status"), "200"),
            (get("/metrics"), "200"),
            (get("/other"), "404"),
            (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "405"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01".to_vec(), "400"),
            (get(&"/x".repeat(10_000)), "431"),
        ] {
            let answer = raw(&address, &request).await?;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        }
        let page = raw(&address, &get("/")).await?;
        assert!(page.contains("<title>n1 · Quorate</title>"), "{page}");
        let metrics = raw(&address, &get("/metrics")).await?;
        for name in [
            "quorate_puts 1",
            "label=\"n1\"} ",
            "quorate_member_hints{",
            "quorate_records_collected 0",
            "quorate_records_collecting 0",
            "quorate_limit_grace_ms 86400000",
        ] {
            assert!(metrics.contains(name), "{name}: {metrics}");
        }
        // An upgrade without the subprotocol.
        let upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let answer = raw(&address, upgrade).await?;
        assert!(answer.contains("quorate.v1"), "{answer}");
        is_unharmed(&client).await
    })
}

#[test]
fn a_node_is_alive_but_not_ready_without_a_layout_or_a_quorum() -> Result<()> {
    run(async {
        let mut cluster = Cluster::new(Settings { nodes: 3, ..Settings::default() })?;
        cluster.start("n1")?;
        let address = cluster.address("n1")?;
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
        assert!(raw(&address, &get("/livez")).await?.starts_with("HTTP/1.1 200 "));
        let answer = raw(&address, &get("/readyz")).await?;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("no layout"), "{answer}");
        cluster.start("n2")?;
        cluster.start("n3")?;
        cluster.settle().await?;
        assert!(raw(&address, &get("/readyz")).await?.starts_with("HTTP/1.1 200 "));
        cluster.kill("n2")?;
        cluster.kill("n3")?;
        eventually("a node alone is not ready", || async {
            let answer = raw(&address, &get("/readyz")).await.ok()?;
            (answer.starts_with("HTTP/1.1 503 ") && answer.contains("quorum")).then_some(())
        })
        .await
    })
}
