//! Targets that stay away, or are no primary of the key: who must hold a hint in their place.

use quorate_core::causality::Held;
use quorate_core::ids::NodeId;
use quorate_core::limits::Limits;
use quorate_core::machine::{Event, Input, Peer, StoreError, StoreOutcome};

use crate::house::{House, keys_with, record};
use crate::machines::{layout, run};
use crate::{HOUR_MS, THREE, TWO};

/// A house in which all but `TWO` are connected, and one hint for it.
fn without_two() -> (House, Vec<NodeId>) {
    let mut house = House::with_hints(TWO, 1);
    for node in [3, 4, 5] {
        house.connect(NodeId(node));
    }
    let key = house.disk.hints.keys().next().expect("one hint").1.clone();
    let slot = house.layout.layout.slot_of(key.as_bytes());
    let primaries = house.layout.layout.primaries(slot).to_vec();
    let others: Vec<NodeId> = primaries.into_iter().filter(|node| *node != TWO).collect();
    assert_eq!(others.len(), 2);
    (house, others)
}

#[test]
fn the_hints_of_a_target_that_stays_away_go_to_all_other_primaries() {
    let (mut house, others) = without_two();
    house.pass(3 * HOUR_MS - 1);
    assert!(house.sent.is_empty(), "it is waited for");
    house.pass(1);
    let sent = house.take_sent();
    assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), others);
    assert_eq!(sent[0].1, sent[1].1);
    let (call, key) = (sent[0].1.call, sent[0].1.key.clone());
    for _ in 0..3 {
        house.acknowledge(others[0], call, true);
    }
    assert!(house.removed.is_empty(), "one is not all");
    house.acknowledge(others[1], call, true);
    assert_eq!(house.removed.len(), 1);
    assert_eq!(house.events, [Event::HintDropped { key, target: TWO }]);
    assert_eq!((house.count("handed_over"), house.count("hints_dropped")), (0, 1));
}

#[test]
fn a_target_that_was_there_is_waited_for_from_when_it_left() {
    let (mut house, _) = without_two();
    house.pass(2 * HOUR_MS);
    house.connect(TWO);
    house.take_sent();
    house.input(Input::PeerDown(Peer::Node(TWO)));
    house.pass(3 * HOUR_MS - 1);
    assert!(house.sent.is_empty());
    house.pass(1);
    assert_eq!(house.sent.len(), 2);
}

#[test]
fn a_hint_waits_where_one_of_the_other_primaries_is_away() {
    let (mut house, others) = without_two();
    house.input(Input::PeerDown(Peer::Node(others[1])));
    house.pass(4 * HOUR_MS);
    assert!(house.sent.is_empty() && house.removed.is_empty());
    let reads = house.disk.reads;
    assert!(reads <= 80, "{reads} reads in an hour");
    house.connect(others[1]);
    for _ in 0..60 {
        if house.sent.is_empty() {
            house.pass(1_000);
        }
    }
    let sent = house.take_sent();
    assert_eq!(sent.len(), 2);
    house.acknowledge(others[0], sent[0].1.call, true);
    house.acknowledge(others[1], sent[0].1.call, false);
    assert!(house.removed.is_empty());
    // It comes back after all: then the hint is its own.
    house.connect(TWO);
    house.hand_over_all();
    assert_eq!((house.count("handed_over"), house.count("hints_dropped")), (1, 0));
}

#[test]
fn a_hint_that_nobody_else_is_to_hold_is_never_given_up() {
    let mut house = House::in_layout(layout(3, 1), Limits::default());
    house.add_hints(TWO, 2);
    house.connect(THREE);
    house.pass(5 * HOUR_MS);
    assert!(house.sent.is_empty() && house.removed.is_empty());
    house.connect(TWO);
    house.hand_over_all();
    assert_eq!(house.count("handed_over"), 2);
}

#[test]
fn a_target_that_is_no_primary_of_the_key_is_not_sent_the_hint() {
    // Node 1 and two others are the primaries; node 9 has left.
    for (target, connected) in [(TWO, true), (TWO, false), (NodeId(9), false)] {
        let mut house = House::of(5, Limits::default());
        let key = keys_with(&house.layout, &[NodeId(1)], &[TWO], 1)[0].clone();
        house.disk.add_hint(target, &key, &record(target.0, "v"));
        let mut house = house.restarted(2);
        for node in [3, 4, 5] {
            house.connect(NodeId(node));
        }
        if connected {
            house.connect(target);
        } else if target == TWO {
            house.pass(3 * HOUR_MS);
        }
        house.pass(1_000);
        let sent = house.take_sent();
        assert_eq!(sent.len(), 2, "{target:?}");
        assert!(sent.iter().all(|(to, _)| ![target, NodeId(1)].contains(to)));
        assert_eq!(house.disk.own[&key].record(), &sent[0].1.record, "the own copy has it, too");
        house.acknowledge(sent[0].0, sent[0].1.call, true);
        assert!(house.removed.is_empty());
        house.acknowledge(sent[1].0, sent[1].1.call, true);
        assert_eq!((house.removed.len(), house.count("hints_dropped")), (1, 1), "{target:?}");
    }
}

#[test]
fn the_own_copy_counts_only_once_it_is_durable() {
    let mut house = House::of(3, Limits::default());
    let key = keys_with(&house.layout, &[NodeId(1)], &[], 1)[0].clone();
    house.disk.add_hint(NodeId(9), &key, &record(9, "v"));
    let mut house = house.restarted(2);
    house.disk.hangs_on_apply = true;
    house.connect(TWO);
    house.connect(THREE);
    house.pass(1_000);
    for (to, merge) in house.take_sent() {
        house.acknowledge(to, merge.call, true);
    }
    assert!(house.removed.is_empty());
    let (ticket, op) = house.disk.hanging.last().cloned().expect("the own copy");
    house.stored(ticket, run(&mut Held::new(), &op)[0].clone());
    assert!(house.removed.is_empty(), "it is only applied");
    house.stored(ticket, StoreOutcome::Failed(StoreError::Io));
    assert!(house.removed.is_empty());
    house.disk.hangs_on_apply = false;
    house.disk.hanging.clear();
    house.pass(60_000);
    house.hand_over_all();
    assert_eq!(house.count("hints_dropped"), 1);
    assert!(house.disk.own.contains_key(&key));
}
