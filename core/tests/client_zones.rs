//! Clients that know their zone: whom they ask first, and what they ask for.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod hands;
mod machines;

use std::sync::Arc;

use bytes::Bytes;
use hands::{Hands, entry};
use quorate_core::causality::RecordDigest;
use quorate_core::client::{
    CallOptions, ClientConfig, ClientInput, Coordinate, ErrorCode, Link, call_of,
};
use quorate_core::ids::{Key, NodeId, Text};
use quorate_core::layout::{Layout, LayoutVersion};
use quorate_core::limits::ZONE_BYTES_MAX;
use quorate_core::message::{
    Answer, CallId, Entry, Failure, FailureCode, LayoutUpdate, Message, ReadKind, Reply,
    RequestHead,
};

const DIGEST: RecordDigest = RecordDigest(1);

/// Three nodes, each a primary of every key; the nodes of `near` are in the zone `eu`.
fn layout(near: &[u64]) -> Arc<LayoutUpdate> {
    let of_one_zone = machines::layout(3, 3);
    let mut members = of_one_zone.layout.members().to_vec();
    for member in &mut members {
        member.zone = if near.contains(&member.id.0) { "eu".into() } else { "us".into() };
    }
    let owners = of_one_zone.layout.owners().to_vec();
    let layout = Layout::from_parts(LayoutVersion(1), 3, members, owners).expect("parts in order");
    Arc::new(LayoutUpdate { layout, addresses: of_one_zone.addresses.clone() })
}

/// A client that is connected to all nodes.
fn connected(near: &[u64], change: impl FnOnce(&mut ClientConfig)) -> Hands {
    let seeds = ["ws://1", "ws://2", "ws://3"];
    let mut hands = Hands::with(&seeds[..1], layout(near), change);
    hands.welcome(hands.at("ws://1"), 1);
    for (node, seed) in (2..).zip(&seeds[1..]) {
        if hands.open.values().all(|open| **open != **seed) {
            let key = key_of(&hands, NodeId(node));
            hands.get(&key, 5_000);
        }
        let link = hands.at(seed);
        hands.welcome(link, node);
    }
    hands.answer_all();
    hands.sent.clear();
    hands.frames.clear();
    hands.ended.clear();
    hands
}

fn in_eu(config: &mut ClientConfig) {
    config.zone = Some("eu".into());
}

/// A key that belongs to a node; all are its primaries.
fn key_of(hands: &Hands, owner: NodeId) -> Key {
    machines::key_of(&hands.layout, owner).0
}

fn node_at(hands: &Hands, link: Link) -> u64 {
    hands.open[&link].trim_start_matches("ws://").parse().expect("a node's address")
}

fn asked(hands: &Hands) -> Vec<u64> {
    hands.sent.iter().map(|(link, _)| node_at(hands, *link)).collect()
}

fn head(message: &Message) -> &RequestHead {
    match message {
        Message::Get(get) => &get.head,
        Message::Put(put) => &put.head,
        _ => panic!("a request"),
    }
}

fn get(hands: &mut Hands, key: &Key, options: CallOptions) -> CallId {
    let key = key.clone();
    hands.act(|client, now, out| client.get(now, key, Bytes::new(), options, out))
}

fn local() -> CallOptions {
    CallOptions { local: Some(true), receipt: true, ..CallOptions::default() }
}

#[test]
fn primaries_of_the_own_zone_are_asked_first() {
    for near in [2, 3] {
        for owner in 1..=3 {
            let mut hands = connected(&[near], in_eu);
            let key = key_of(&hands, NodeId(owner));
            hands.get(&key, 5_000);
            assert_eq!(asked(&hands), [near], "of node {owner}");
            hands.put(&key);
            assert_eq!(asked(&hands), [near, near], "of node {owner}");
        }
    }
    let mut hands = connected(&[2], |_| {});
    let key = key_of(&hands, NodeId(3));
    hands.get(&key, 5_000);
    assert_eq!(asked(&hands), [3], "whoever has no zone goes by the order of the ring");
}

#[test]
fn a_lost_zone_leaves_the_calls_to_the_others_and_has_them_again() {
    let mut hands = connected(&[2], in_eu);
    let key = key_of(&hands, NodeId(1));
    let link = hands.at("ws://2");
    hands.open.remove(&link);
    hands.input(ClientInput::Closed(link));
    hands.get(&key, 5_000);
    assert_ne!(asked(&hands), [2]);
    hands.answer_all();
    hands.sent.clear();
    hands.pass(5_000);
    hands.get(&key, 5_000);
    hands.answer_all();
    hands.welcome(hands.at("ws://2"), 2);
    hands.sent.clear();
    hands.get(&key, 5_000);
    assert_eq!(asked(&hands), [2]);
}

#[test]
fn a_call_is_local_as_it_says_or_the_client() {
    for (client, call, expected) in [
        (false, None, None),
        (true, None, Some("eu")),
        (true, Some(false), None),
        (false, Some(true), Some("eu")),
    ] {
        let mut hands = connected(&[1, 2, 3], |config| {
            in_eu(config);
            config.local = client;
        });
        let key = key_of(&hands, NodeId(1));
        let options = CallOptions { local: call, ..CallOptions::default() };
        get(&mut hands, &key, options);
        hands.act(|client, now, out| {
            client.delete(now, key.clone(), Bytes::new(), options, out);
        });
        for frame in &hands.frames {
            assert_eq!(head(frame).zone.as_deref(), expected, "{client} {call:?}");
        }
        assert_eq!(hands.frames.len(), 2);
    }
}

#[test]
fn a_local_call_without_a_zone_is_refused_here() {
    let long = "z".repeat(ZONE_BYTES_MAX + 1);
    for (zone, bytes) in [(None, 0), (Some(""), 0), (Some(&*long), ZONE_BYTES_MAX + 1)] {
        let mut hands = connected(&[1], |config| config.zone = zone.map(Text::from));
        let key = key_of(&hands, NodeId(1));
        let call = get(&mut hands, &key, local());
        let (ended, Err(error)) = hands.ended.remove(0) else { panic!("{:?}", hands.ended) };
        assert_eq!((ended, error.code, error.actual), (call, ErrorCode::BadZone, bytes as u64));
        assert!(!error.retryable() && error.to_string().contains("`zone`"), "{error}");
        assert!(hands.frames.is_empty());
        get(&mut hands, &key, CallOptions::default());
        assert_eq!(hands.frames.len(), 1, "other calls are none of its business");
    }
}

#[test]
fn a_refusal_names_the_zone_that_was_counted() {
    let mut hands = connected(&[2], in_eu);
    let key = key_of(&hands, NodeId(1));
    for (options, names) in [(local(), true), (CallOptions::default(), false)] {
        let call = get(&mut hands, &key, options);
        while hands.ended.is_empty() {
            let short = Failure::refused(FailureCode::QuorumUnavailable).quorum(1, 0);
            hands.reply(hands.last_sent(), call, Err(short));
        }
        let (_, Err(error)) = hands.ended.remove(0) else { panic!("{:?}", hands.ended) };
        assert_eq!(error.to_string().contains("`eu`"), names, "{error}");
    }
}

/// What a primary says of its own copy.
fn copy(hands: &mut Hands, place: usize, version: u64) {
    let (link, call) = hands.sent[place];
    let reply = Reply {
        call,
        layout_version: LayoutVersion(version),
        layout: None,
        receipt: None,
        passed_on_by: None,
        down: Vec::new(),
        result: Ok(Answer::Entry(Entry::default())),
        copy: Some(DIGEST),
    };
    hands.input(ClientInput::Frame { link, message: Message::Reply(reply) });
}

fn coordinating(near: &[u64]) -> Hands {
    connected(near, |config| {
        in_eu(config);
        config.coordinate = Coordinate::Client;
    })
}

#[test]
fn a_local_read_of_copies_asks_its_zone_and_no_more_than_it_has() {
    for (near, copies) in [(&[2][..], 1), (&[2, 3], 2), (&[1, 2, 3], 2)] {
        let mut hands = coordinating(near);
        let key = key_of(&hands, NodeId(1));
        get(&mut hands, &key, local());
        assert_eq!(asked(&hands).len(), copies);
        assert!(asked(&hands).iter().all(|node| near.contains(node)), "{near:?}");
        // One that is late is made up for by one of the zone, or by nobody.
        hands.pass(50);
        assert!(asked(&hands).iter().all(|node| near.contains(node)), "{near:?}");
        (0..copies).for_each(|place| copy(&mut hands, place, 1));
        let (_, Ok(done)) = hands.ended.remove(0) else { panic!("{:?}", hands.ended) };
        let receipt = done.receipt.expect("a receipt");
        assert_eq!(receipt.zone.as_deref(), Some("eu"));
        assert_eq!(usize::from(receipt.needed), copies);
    }
}

#[test]
fn copies_are_asked_of_the_own_zone_first_and_counted_in_all() {
    let mut hands = coordinating(&[3]);
    let key = key_of(&hands, NodeId(1));
    get(&mut hands, &key, CallOptions { local: Some(false), ..local() });
    assert_eq!(asked(&hands).len(), 2);
    assert_eq!(asked(&hands)[0], 3);
    (0..2).for_each(|place| copy(&mut hands, place, 1));
    let (_, Ok(done)) = hands.ended.remove(0) else { panic!("{:?}", hands.ended) };
    assert_eq!(done.receipt.expect("a receipt").zone, None);
}

#[test]
fn where_the_zone_has_no_primary_all_copies_count() {
    let mut hands = coordinating(&[]);
    let key = key_of(&hands, NodeId(1));
    get(&mut hands, &key, local());
    assert_eq!(asked(&hands).len(), 2);
    (0..2).for_each(|place| copy(&mut hands, place, 1));
    let (_, Ok(done)) = hands.ended.remove(0) else { panic!("{:?}", hands.ended) };
    assert_eq!(done.receipt.expect("a receipt").zone, None);
}

#[test]
fn copies_of_another_layout_do_not_count_in_a_zone() {
    // By the other layout there may be more primaries in the zone than the client knows.
    let mut hands = coordinating(&[2]);
    let key = key_of(&hands, NodeId(1));
    let call = get(&mut hands, &key, local());
    copy(&mut hands, 0, 2);
    assert!(hands.ended.is_empty());
    let Some(Message::Get(left)) = hands.frames.last() else { panic!("a get") };
    assert_eq!((left.read, left.head.call), (ReadKind::Quorum, call), "it is left to a node");
    assert_eq!(left.head.zone.as_deref(), Some("eu"));
    assert_eq!(call_of(hands.sent[0].1), call);
    hands.reply(hands.last_sent(), call, Ok(entry()));
    assert!(hands.ended.remove(0).1.is_ok());
}
