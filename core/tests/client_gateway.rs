//! Clients that go through one node: which one, and what becomes of calls when it is lost or silent.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod hands;
mod machines;

use std::collections::BTreeSet;

use bytes::Bytes;
use hands::{Hands, entry};
use machines::{key_of, layout};
use quorate_core::client::{
    ClientConfig, ClientInput, Coordinate, ErrorCode, Link, NodeState, Routing,
};
use quorate_core::ids::{Key, NodeId};
use quorate_core::message::{Answer, Failure, FailureCode, Message, Outcome, ReadKind, Written};
use quorate_core::time::Duration;

const SEEDS: [&str; 2] = ["ws://proxy/1", "ws://proxy/2"];

fn to_gateway(config: &mut ClientConfig) {
    config.routing = Routing::Gateway;
}

/// A client of five nodes that has dialled two seeds, in the order in which it will take them.
fn dialled() -> (Hands, [Link; 2]) {
    let hands = Hands::with(&SEEDS, layout(5, 3), to_gateway);
    let links: Vec<Link> = hands.open.keys().copied().collect();
    let links = links.try_into().expect("both seeds are dialled");
    (hands, links)
}

/// The same, through node 1.
fn connected() -> (Hands, Link) {
    let (mut hands, [gateway, _]) = dialled();
    hands.welcome(gateway, 1);
    hands.events.clear();
    (hands, gateway)
}

/// A key of each node, of which that is the first primary.
fn keys(hands: &Hands) -> Vec<Key> {
    (1..=5).map(|node| key_of(&hands.layout, NodeId(node)).0).collect()
}

fn lose(hands: &mut Hands, link: Link) {
    hands.open.remove(&link);
    hands.input(ClientInput::Closed(link));
}

#[test]
fn the_first_seed_that_answers_is_the_gateway_of_all_keys() {
    let (mut hands, [late, first]) = dialled();
    hands.welcome(first, 4);
    assert_eq!(hands.hung_up, [late], "one socket");
    for key in keys(&hands) {
        let call = hands.get(&key, 5_000);
        hands.reply(first, call, Ok(entry()));
        let put = hands.put(&key);
        assert_eq!(hands.sent[hands.sent.len() - 2..], [(first, call), (first, put)]);
        let written = Written { context: Bytes::new(), siblings: 1 };
        hands.reply(first, put, Ok(Answer::Written(written)));
    }
    hands.pass(60_000);
    assert_eq!(hands.dialled.len(), 2, "no address of the layout is dialled");
    assert_eq!(hands.state(NodeId(4)), NodeState::Connected);
    assert_eq!(hands.client.view().nodes().len(), 5, "it knows the ring all the same");
    // What comes after all on the link that was hung up changes nothing.
    hands.welcome(late, 2);
    hands.input(ClientInput::Closed(late));
    assert_eq!(hands.client.view().links(), [(NodeId(4), first)]);
}

#[test]
fn a_gateway_that_is_lost_is_followed_by_the_next_seed() {
    let (mut hands, first) = connected();
    let key = keys(&hands).remove(0);
    let lost = hands.open[&first].clone();
    let call = hands.put(&key);
    lose(&mut hands, first);
    let next = *hands.open.keys().next().expect("a seed is dialled at once");
    assert_ne!(hands.open[&next], lost);
    assert_eq!(hands.sent, [(first, call)], "the call waits");
    hands.welcome(next, 2);
    assert_eq!(hands.sent, [(first, call), (next, call)]);
    let requests = hands.frames.iter().map(|frame| match frame {
        Message::Put(put) => put.request,
        other => panic!("{other:?}"),
    });
    assert_eq!(requests.collect::<BTreeSet<_>>().len(), 1, "both are one request");
    hands.reply(next, call, Err(Failure::refused(FailureCode::TooManySiblings)));
    let (_, error) = hands.ended.pop().expect("it has ended");
    assert_eq!(error.unwrap_err().outcome, Outcome::Unknown, "the first may have carried it out");
}

#[test]
fn a_gateway_without_another_seed_is_dialled_again() {
    let mut hands = Hands::with(&SEEDS[..1], layout(5, 3), to_gateway);
    let first = hands.at(SEEDS[0]);
    hands.welcome(first, 1);
    lose(&mut hands, first);
    let key = keys(&hands).remove(0);
    let call = hands.get(&key, 5_000);
    hands.pass(2_000);
    let again = hands.at(SEEDS[0]);
    // Behind one address of a proxy another node may answer.
    hands.welcome(again, 3);
    assert_eq!(hands.sent, [(again, call)]);
}

#[test]
fn calls_of_a_silent_gateway_go_to_the_next_seed() {
    let (mut hands, first) = connected();
    let key = keys(&hands).remove(0);
    let call = hands.get(&key, 5_000);
    hands.pass(500);
    let next = *hands.open.keys().find(|link| **link != first).expect("the other seed is dialled");
    let during = hands.get(&key, 5_000);
    assert_eq!(hands.sent, [(first, call)], "nobody turns to a silent node while a dial is on");
    hands.welcome(next, 2);
    assert!(hands.hung_up.contains(&first), "one socket");
    let after = hands.get(&key, 5_000);
    assert_eq!(hands.sent[1..], [(next, call), (next, during), (next, after)]);
    for call in [call, during, after] {
        hands.reply(next, call, Ok(entry()));
    }
    assert_eq!(hands.ended.len(), 3);
}

#[test]
fn a_silent_gateway_that_speaks_first_stays() {
    let (mut hands, first) = connected();
    let key = keys(&hands).remove(0);
    let call = hands.get(&key, 5_000);
    hands.pass(500);
    let next = *hands.open.keys().find(|link| **link != first).expect("the other seed is dialled");
    hands.reply(first, call, Ok(entry()));
    hands.welcome(next, 2);
    assert_eq!(hands.client.view().links(), [(NodeId(1), first)]);
    assert!(hands.hung_up.contains(&next), "one socket");
    hands.get(&key, 5_000);
    assert_eq!(hands.last_sent(), first);
}

#[test]
fn what_the_gateway_refuses_ends_and_what_it_puts_off_is_tried_again() {
    let (mut hands, gateway) = connected();
    let key = keys(&hands).remove(0);
    let call = hands.get(&key, 5_000);
    let refused = Failure::refused(FailureCode::QuorumUnavailable).quorum(2, 1);
    hands.reply(gateway, call, Err(refused));
    let (ended, error) = hands.ended.pop().expect("it has ended");
    assert_eq!((ended, error.unwrap_err().code), (call, ErrorCode::QuorumUnavailable));
    let call = hands.get(&key, 5_000);
    let retry_after = Duration::from_millis(20);
    let busy = Failure { retry_after, ..Failure::refused(FailureCode::Overloaded) };
    hands.reply(gateway, call, Err(busy));
    assert!(hands.ended.is_empty());
    hands.pass(1_000);
    assert_eq!(hands.sent.iter().filter(|(_, sent)| *sent == call).count(), 2);
    hands.reply(gateway, call, Ok(entry()));
    assert_eq!(hands.ended.len(), 1);
}

#[test]
fn a_gateway_coordinates_reads_whatever_is_said_of_that() {
    let mut hands = Hands::with(&SEEDS, layout(5, 3), |config| {
        to_gateway(config);
        config.coordinate = Coordinate::Client;
    });
    let gateway = *hands.open.keys().next().expect("a seed is dialled");
    hands.welcome(gateway, 1);
    for key in keys(&hands) {
        hands.get(&key, 5_000);
    }
    assert_eq!(hands.sent.len(), 5);
    let reads = hands
        .frames
        .iter()
        .filter(|frame| matches!(frame, Message::Get(get) if get.read == ReadKind::Quorum));
    assert_eq!(reads.count(), 5);
}
