//! Nodes that do not answer, and what others say of nodes: calls go around them in time.

mod hands;
mod machines;

use bytes::Bytes;
use hands::{Hands, entry};
use machines::{key_of, layout};
use quorate_core::client::{DownReason, Link, NodeState};
use quorate_core::ids::{Key, NodeId};
use quorate_core::message::{Answer, Failure, FailureCode, Message, Outcome, Written};

/// Answers take a few milliseconds, so the client knows what is usual; then nothing is under way.
fn warm(hands: &mut Hands, key: &Key) {
    for _ in 0..50 {
        let call = hands.get(key, 5_000);
        let link = hands.last_sent();
        hands.pass(2);
        hands.reply(link, call, Ok(entry()));
    }
    hands.sent.clear();
}

#[test]
fn a_call_leaves_a_silent_node_after_the_patience_with_it() {
    let mut hands = Hands::connected(3, 3);
    let (key, primaries) = key_of(&hands.layout, NodeId(1));
    warm(&mut hands, &key);
    let call = hands.get(&key, 5_000);
    let silent = hands.last_sent();
    hands.pass(249);
    assert_eq!(hands.sent.len(), 1);
    hands.pass(1);
    let next = hands.last_sent();
    assert_eq!(hands.sent, [(silent, call), (next, call)]);
    assert_eq!(
        hands.client.view().links().iter().find(|(_, link)| *link == next).unwrap().0,
        primaries[1]
    );
    assert_eq!(hands.events_of(NodeId(1)), ["down: silent"]);
    assert_eq!(hands.state(NodeId(1)), NodeState::Down(DownReason::Silent));
    // New calls go around it, at once.
    for _ in 0..20 {
        let call = hands.get(&key, 5_000);
        assert_eq!(hands.last_sent(), next);
        hands.reply(next, call, Ok(entry()));
        hands.pass(10);
    }
    // One word, and it is trusted again: also an answer that nobody waits for any more.
    hands.reply(next, call, Ok(entry()));
    hands.reply(silent, call, Ok(entry()));
    assert_eq!(hands.events_of(NodeId(1)), ["down: silent", "up"]);
    assert_eq!(hands.state(NodeId(1)), NodeState::Connected);
    hands.get(&key, 5_000);
    assert_eq!(hands.last_sent(), silent);
    assert_eq!(hands.ended.iter().filter(|(id, _)| *id == call).count(), 1);
}

#[test]
fn a_write_that_leaves_a_silent_node_keeps_its_request_id() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.put(&key);
    hands.pass(500);
    let [.., Message::Put(first), Message::Put(second)] = &hands.frames[..] else {
        panic!("two puts")
    };
    assert_eq!((first.request, &first.change), (second.request, &second.change));
    assert!(second.head.budget < first.head.budget, "the deadline stays");
    // The silent node may have carried it out.
    let second = hands.last_sent();
    hands.reply(second, call, Err(Failure::refused(FailureCode::BadContext)));
    assert_eq!(hands.ended[0].1.as_ref().unwrap_err().outcome, Outcome::Unknown);
}

#[test]
fn a_node_that_is_slow_but_not_silent_keeps_its_calls() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    warm(&mut hands, &key);
    let slow = hands.put(&key);
    let link = hands.last_sent();
    for _ in 0..20 {
        let call = hands.get(&key, 5_000);
        hands.pass(90);
        hands.reply(link, call, Ok(entry()));
    }
    assert!(hands.sent.iter().all(|(at, _)| *at == link));
    let written = Written { context: Bytes::new(), siblings: 1 };
    hands.reply(link, slow, Ok(Answer::Written(written)));
    assert_eq!(hands.events_of(NodeId(1)), [] as [&str; 0]);
}

#[test]
fn patience_follows_the_latency_of_a_node() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    for _ in 0..40 {
        let call = hands.get(&key, 5_000);
        let link = hands.last_sent();
        hands.pass(300);
        hands.reply(link, call, Ok(entry()));
    }
    hands.sent.clear();
    hands.get(&key, 5_000);
    hands.pass(290);
    assert_eq!(hands.sent.len(), 1, "it always takes so long");
    hands.pass(100);
    assert_eq!(hands.sent.len(), 2);
}

#[test]
fn a_silent_node_is_the_last_resort_of_a_new_call() {
    let mut hands = Hands::connected(1, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let first = hands.get(&key, 5_000);
    hands.pass(600);
    let second = hands.get(&key, 5_000);
    assert_eq!(hands.sent.iter().map(|(_, call)| *call).collect::<Vec<_>>(), [first, second]);
    hands.answer_all();
    assert!(hands.ended.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(hands.ended.len(), 2);
}

#[test]
fn a_link_that_stays_silent_is_given_up_and_dialled_anew() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    hands.get(&key, 60_000);
    let dead = hands.last_sent();
    hands.pass(600);
    let (next, call) = hands.sent[1];
    hands.reply(next, call, Ok(entry()));
    hands.pass(2_300);
    assert_eq!(hands.hung_up, []);
    hands.pass(200);
    assert_eq!(hands.hung_up, [dead]);
    assert_eq!(hands.state(NodeId(1)), NodeState::Down(DownReason::Unreachable));
    hands.pass(1_000);
    let call = hands.get(&key, 5_000);
    let served = hands.last_sent();
    assert_ne!(served, dead, "nobody waits for the dial");
    hands.reply(served, call, Ok(entry()));
    hands.welcome(hands.at("ws://1"), 1);
    assert_eq!(hands.events_of(NodeId(1)), ["down: silent", "disconnected", "connected", "up"]);
    hands.get(&key, 5_000);
    assert_eq!(hands.last_sent(), hands.at("ws://1"));
}

#[test]
fn a_client_that_slept_does_not_blame_the_nodes() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 60_000);
    let link = hands.last_sent();
    // A tab that slept: what came in meanwhile is read after the wake.
    hands.millis += 10_000;
    hands.input(quorate_core::client::ClientInput::Wake);
    assert_eq!((hands.sent.len(), hands.hung_up.len()), (1, 0));
    hands.reply(link, call, Ok(entry()));
    assert_eq!(hands.events_of(NodeId(1)), [] as [&str; 0]);
    // A client that is woken late time and again still finds out.
    hands.get(&key, 60_000);
    for _ in 0..2 {
        hands.millis += 2_500;
        hands.input(quorate_core::client::ClientInput::Wake);
    }
    assert_eq!(hands.events_of(NodeId(1)), ["down: silent"]);
}

#[test]
fn a_node_that_others_hold_for_down_is_not_dialled_while_anybody_else_is_there() {
    let mut hands = Hands::new(&["ws://1"], layout(5, 3));
    let (link, layout) = (hands.at("ws://1"), Some(hands.layout.clone()));
    let (key, primaries) = machines::key_without(&hands.layout, NodeId(1));
    let down: Vec<u64> = primaries.iter().map(|node| node.0).collect();
    hands.welcome_with(link, 1, layout, &down);
    assert_eq!(hands.state(primaries[0]), NodeState::Down(DownReason::Reported));
    let call = hands.get(&key, 5_000);
    assert_eq!(hands.sent, [(link, call)], "another node passes it on, or stands in");
    assert_eq!(hands.dialled.len(), 1);
    // Where that does not help they are the last resort.
    hands.reply(link, call, Err(Failure::refused(FailureCode::NotAPrimary)));
    assert_eq!(hands.dialled.len(), 4);
    hands.welcome(hands.at(&format!("ws://{}", primaries[0].0)), primaries[0].0);
    assert_eq!(hands.sent.len(), 2);
    assert_eq!(hands.events_of(primaries[0]), ["down: reported", "connected", "up"]);
}

#[test]
fn a_report_is_believed_for_some_seconds() {
    let mut hands = Hands::connected(2, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    // Node 2 is lost, comes back, and node 1 does not know yet.
    let second = hands.at("ws://2");
    hands.open.remove(&second);
    hands.input(quorate_core::client::ClientInput::Closed(second));
    hands.pass(2_000);
    let call = hands.get(&key, 5_000);
    let first = hands.last_sent();
    hands.reply_with(first, call, Ok(entry()), &[NodeId(2)]);
    let (other, _) = key_of(&hands.layout, NodeId(2));
    let dialled = hands.dialled.len();
    let probe = |hands: &mut Hands| {
        let call = hands.get(&other, 5_000);
        assert_eq!(hands.last_sent(), first, "nobody waits for it");
        hands.reply_with(first, call, Ok(entry()), &[]);
    };
    probe(&mut hands);
    hands.pass(1_900);
    probe(&mut hands);
    assert_eq!(hands.dialled.len(), dialled);
    hands.pass(2_100);
    probe(&mut hands);
    assert_eq!(hands.dialled.len(), dialled + 1);
}

#[test]
fn a_client_knows_better_of_a_node_that_answers_it() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 5_000);
    let first = hands.last_sent();
    hands.reply_with(first, call, Ok(entry()), &[NodeId(2), NodeId(9)]);
    assert_eq!(hands.events_of(NodeId(2)), [] as [&str; 0]);
    let (other, _) = key_of(&hands.layout, NodeId(2));
    hands.get(&other, 5_000);
    assert_eq!(hands.last_sent(), hands.at("ws://2"));
    let known: Vec<NodeId> = hands.client.view().nodes().iter().map(|(node, _)| *node).collect();
    assert_eq!(known, [NodeId(1), NodeId(2), NodeId(3)], "strangers are none of its business");
}

#[test]
fn whom_another_node_reaches_again_is_up() {
    let mut hands = Hands::new(&["ws://1"], layout(3, 3));
    let (link, layout) = (hands.at("ws://1"), Some(hands.layout.clone()));
    hands.welcome_with(link, 1, layout, &[2, 3]);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 5_000);
    hands.reply_with(link, call, Ok(entry()), &[NodeId(3)]);
    assert_eq!(hands.events_of(NodeId(2)), ["down: reported", "up"]);
    assert_eq!(hands.state(NodeId(2)), NodeState::Idle);
    assert_eq!(hands.state(NodeId(3)), NodeState::Down(DownReason::Reported));
}

#[test]
fn what_waits_in_the_backlog_leaves_a_silent_node_too() {
    let mut hands = Hands::connected(3, 3);
    hands.calls_max = 1;
    // The limit is told in a welcome: node 3 comes back.
    let third: Link = hands.at("ws://3");
    hands.open.remove(&third);
    hands.input(quorate_core::client::ClientInput::Closed(third));
    hands.pass(1_000);
    let (key, _) = key_of(&hands.layout, NodeId(3));
    let call = hands.get(&key, 5_000);
    hands.reply(hands.last_sent(), call, Ok(entry()));
    hands.welcome(hands.at("ws://3"), 3);
    hands.sent.clear();
    let (key, _) = key_of(&hands.layout, NodeId(1));
    hands.get(&key, 5_000);
    let queued = hands.get(&key, 5_000);
    assert_eq!(hands.sent.len(), 1);
    hands.pass(500);
    let moved: Vec<_> = hands.sent[1..].iter().map(|(_, call)| *call).collect();
    assert_eq!(moved.len(), 1, "the next node takes one at a time, too");
    hands.reply(hands.last_sent(), moved[0], Ok(entry()));
    assert_eq!(hands.sent.last().unwrap().1, queued);
}
