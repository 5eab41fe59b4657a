//! A client whose members move: the layout stays, their addresses change.

mod hands;
mod machines;

use std::sync::Arc;

use hands::{Hands, entry};
use machines::key_of;
use quorate_core::client::{ClientEvent, ClientInput, Link};
use quorate_core::ids::{Key, NodeId, Text};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{CallId, LayoutUpdate, Message};

/// The layout of `hands`, with node `node` at `address`.
fn moved(hands: &Hands, node: u64, address: &str) -> Arc<LayoutUpdate> {
    let mut update = LayoutUpdate::clone(&hands.layout);
    update.addresses[node as usize - 1] = address.into();
    Arc::new(update)
}

/// The layout version that the last request named.
fn named(hands: &Hands) -> LayoutVersion {
    match hands.frames.last() {
        Some(Message::Get(get)) => get.head.layout_version,
        other => panic!("no get was sent last: {other:?}"),
    }
}

/// Node 2 is gone from its address, and a dial has failed there.
fn lost(hands: &mut Hands) -> Key {
    let (key, _) = key_of(&hands.layout, NodeId(2));
    let link = hands.at("ws://2");
    hands.open.remove(&link);
    hands.input(ClientInput::Closed(link));
    hands.pass(100);
    hands.get(&key, 5_000);
    assert_ne!(named(hands), LayoutVersion(0), "a lost connection alone is no doubt");
    refuse(hands, "ws://2");
    hands.answer_all();
    key
}

fn refuse(hands: &mut Hands, address: &str) {
    let link = hands.at(address);
    hands.open.remove(&link);
    hands.input(ClientInput::Closed(link));
}

/// A get of `key`, which whoever is asked answers with `layout`.
fn get_told(hands: &mut Hands, key: &Key, layout: Arc<LayoutUpdate>) -> (Link, CallId) {
    let call = hands.get(key, 5_000);
    let link = hands.last_sent();
    hands.reply_all(link, call, Ok(entry()), &[], Some(layout));
    (link, call)
}

fn address(hands: &Hands, node: u64) -> Text {
    let view = hands.client.view();
    view.layout().and_then(|update| update.address(NodeId(node))).expect("it is a member").clone()
}

#[test]
fn a_member_that_moved_is_asked_for_and_found() {
    let mut hands = Hands::connected(3, 3);
    let key = lost(&mut hands);
    let update = moved(&hands, 2, "ws://2-new");
    get_told(&mut hands, &key, update);
    assert_eq!(named(&hands), LayoutVersion(0), "it asks for the layout once more");
    let version = hands.layout.layout.version();
    assert!(hands.events.contains(&ClientEvent::LayoutChanged { version }));
    let call = hands.get(&key, 5_000);
    assert_eq!(named(&hands), version, "it asks once");
    hands.reply(hands.last_sent(), call, Ok(entry()));
    let link = hands.at("ws://2-new");
    hands.welcome(link, 2);
    hands.get(&key, 5_000);
    assert_eq!(hands.last_sent(), link);
}

#[test]
fn a_member_that_is_connected_stays_where_it_is() {
    let mut hands = Hands::connected(3, 3);
    let key = lost(&mut hands);
    let mut update = LayoutUpdate::clone(&moved(&hands, 2, "ws://2-new"));
    update.addresses[0] = "ws://1-old".into();
    get_told(&mut hands, &key, Arc::new(update));
    assert_eq!(&*address(&hands, 1), "ws://1");
    assert_eq!(&*address(&hands, 2), "ws://2", "who tells of an old address knows no better one");
}

#[test]
fn addresses_of_another_layout_of_the_same_version_are_not_taken() {
    let mut hands = Hands::connected(3, 3);
    let key = lost(&mut hands);
    let other = machines::layout(4, 3);
    assert_eq!(other.layout.version(), hands.layout.layout.version());
    get_told(&mut hands, &key, other);
    let layout = hands.client.view().layout().map(|update| update.layout.members().len());
    assert_eq!(layout, Some(3));
}

#[test]
fn a_member_that_stays_away_is_asked_for_less_and_less() {
    let mut hands = Hands::connected(3, 3);
    let key = lost(&mut hands);
    let mut asked = Vec::new();
    for _ in 0..600 {
        let update = hands.layout.clone();
        get_told(&mut hands, &key, update);
        if named(&hands) == LayoutVersion(0) {
            asked.push(hands.millis);
        }
        if hands.open.values().any(|address| &**address == "ws://2") {
            refuse(&mut hands, "ws://2");
        }
        hands.pass(100);
    }
    assert!((6..40).contains(&asked.len()), "{} questions in a minute", asked.len());
    let late = asked.iter().filter(|millis| **millis >= 30_000).count();
    assert!((1..15).contains(&late), "{late} questions in half a minute");
}

#[test]
fn a_client_that_lost_all_asks_the_first_that_answers() {
    let mut hands = Hands::new(&["ws://seed"], machines::layout(3, 3));
    hands.welcome(hands.at("ws://seed"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(2));
    hands.get(&key, 5_000);
    refuse(&mut hands, "ws://2");
    refuse(&mut hands, "ws://seed");
    while hands.open.values().all(|address| &**address != "ws://seed") {
        hands.refuse_dials();
        hands.pass(50);
    }
    let link = hands.at("ws://seed");
    hands.input(ClientInput::Opened(link));
    let versions: Vec<u64> = hands.hellos.iter().map(|hello| hello.layout_version.0).collect();
    assert_eq!(versions, [0, 0], "the second one knows a layout and asks all the same");
    let update = moved(&hands, 2, "ws://2-new");
    hands.welcome_with(link, 1, Some(update), &[]);
    hands.at("ws://2-new");
}

#[test]
fn a_member_whose_address_another_node_has_taken_is_asked_for() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(2));
    let (two, three) = (hands.at("ws://2"), hands.at("ws://3"));
    for link in [two, three] {
        hands.open.remove(&link);
        hands.input(ClientInput::Closed(link));
    }
    hands.pass(100);
    hands.get(&key, 5_000);
    // Node 3 has come back where node 2 was.
    hands.welcome_with(hands.at("ws://2"), 3, None, &[]);
    hands.answer_all();
    for _ in 0..2 {
        let update = hands.layout.clone();
        get_told(&mut hands, &key, update);
        assert_eq!(named(&hands), LayoutVersion(0), "nobody knows yet, so it asks again");
        hands.pass(1_000);
    }
    let update = moved(&hands, 2, "ws://2-new");
    get_told(&mut hands, &key, update);
    hands.pass(100);
    hands.get(&key, 5_000);
    hands.at("ws://2-new");
}
