//! The native client against a node that the test plays, on a socket of the loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]
#![allow(clippy::result_large_err, reason = "the type of the handshake is not ours")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::causality::{Actor, Birth, Context, Seen};
use quorate_core::codec;
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, Text};
use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::limits::LINK_FRAME_BYTES_MAX;
use quorate_core::message::{
    Answer, Defaults, Entry, Get, LayoutUpdate, Message, Reply, Strictness, Welcome,
};
use quorate_core::ring::SlotCount;
use quorate_node::client::{Client, ClientOptions, ClientStatus, DownReason, ErrorCode, NodeState};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// Node 1 of two; nobody listens at the address of node 2.
struct Played {
    url: String,
    gets: mpsc::UnboundedReceiver<Get>,
    hang_up: oneshot::Sender<()>,
}

async fn play(has_layout: bool) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (heard, gets) = mpsc::unbounded_channel();
    let (hang_up, hung_up) = oneshot::channel();
    let layout = has_layout.then(|| layout(&url));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Whoever dials again finds nobody.
        drop(listener);
        let chosen = |_: &Request, mut response: Response| {
            let protocol = "quorate.v1".parse().unwrap();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, chosen).await.unwrap();
        tokio::select! {
            () = answer(socket, layout, heard) => {}
            _ = hung_up => {}
        }
    });
    Played { url, gets, hang_up }
}

async fn answer(
    mut socket: WebSocketStream<TcpStream>,
    layout: Option<Arc<LayoutUpdate>>,
    heard: mpsc::UnboundedSender<Get>,
) {
    while let Some(Ok(tungstenite::Message::Binary(bytes))) = socket.next().await {
        for frame in codec::frames(bytes, LINK_FRAME_BYTES_MAX) {
            let reply = match codec::decode(frame.unwrap()).unwrap() {
                Message::Hello(_) => Message::Welcome(welcome(layout.clone())),
                Message::Get(get) => {
                    let reply = reply(&get);
                    heard.send(get).unwrap();
                    Message::Reply(reply)
                }
                other => panic!("nobody asked for {other:?}"),
            };
            let mut out = Vec::new();
            codec::encode(&reply, &mut out);
            socket.send(tungstenite::Message::Binary(out.into())).await.unwrap();
        }
    }
}

fn layout(url: &str) -> Arc<LayoutUpdate> {
    let member =
        |id| Member { id: NodeId(id), label: format!("n{id}").into(), zone: "z".into(), weight: 1 };
    let settings = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 2 };
    let layout = plan_first(settings, vec![member(1), member(2)]).unwrap();
    Arc::new(LayoutUpdate { layout, addresses: vec![url.into(), "ws://127.0.0.1:1".into()] })
}

fn welcome(layout: Option<Arc<LayoutUpdate>>) -> Welcome {
    Welcome {
        version: 1,
        cluster: ClusterId(1),
        node: NodeId(1),
        label: "n1".into(),
        incarnation: Incarnation(1),
        defaults: Defaults {
            r: 1,
            w: 1,
            allow_weak: true,
            key_bytes_max: 1024,
            value_bytes_max: 1024,
            calls_max: 16,
            strict: false,
        },
        layout,
        down: vec![NodeId(2)],
    }
}

fn reply(get: &Get) -> Reply {
    Reply {
        call: get.head.call,
        layout_version: get.head.layout_version,
        layout: None,
        receipt: None,
        passed_on_by: None,
        copy: None,
        down: vec![NodeId(2)],
        result: Ok(Answer::Entry(Entry::default())),
    }
}

fn states(status: &ClientStatus) -> Vec<(Text, NodeState)> {
    status.nodes.iter().map(|node| (node.label.clone(), node.state)).collect()
}

#[tokio::test]
async fn the_status_tells_who_is_connected_and_who_is_down_until_the_client_closes() {
    let node = play(true).await;
    let client = Client::connect(ClientOptions::to([node.url])).await.unwrap();
    let mut status = client.status();
    let seen = status
        .wait_for(|status| status.nodes.len() == 2 && status.layout_version.0 == 1)
        .await
        .unwrap()
        .clone();
    let reported = NodeState::Down(DownReason::Reported);
    assert_eq!(states(&seen), [("n1".into(), NodeState::Connected), ("n2".into(), reported)]);
    node.hang_up.send(()).unwrap();
    let lost = NodeState::Down(DownReason::Unreachable);
    status.wait_for(|status| status.nodes[0].state == lost).await.unwrap();
    client.close();
    while status.changed().await.is_ok() {}
}

#[tokio::test]
async fn reads_are_strict_and_carry_a_context_where_that_is_wished() {
    let mut node = play(true).await;
    let options = ClientOptions { strict: Some(true), ..ClientOptions::to([node.url]) };
    let client = Client::connect(options).await.unwrap();
    let actor = Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(1) };
    let mut context = Context::new();
    context.insert_seen(actor, Seen::from_parts(1, Vec::new()).unwrap());
    let token = context.to_token(&Key::from(b"k".to_vec()));
    client.get_after("k", &token).await.unwrap();
    client.get("k").await.unwrap();
    let (first, second) = (node.gets.recv().await.unwrap(), node.gets.recv().await.unwrap());
    assert_eq!((first.context, first.head.strictness), (token, Strictness::Strict));
    assert_eq!(second.context, Bytes::new());
}

#[tokio::test]
async fn a_cluster_without_a_layout_lets_a_client_in_and_says_so() {
    let node = play(false).await;
    let client = Client::connect(ClientOptions::to([node.url])).await.unwrap();
    let error = client.locate("k").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotReady.as_str());
    assert!(error.retryable());
    client.get("k").await.unwrap();
}
