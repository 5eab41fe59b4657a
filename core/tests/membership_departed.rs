//! Those who are gone for good are known no more.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machines;

use std::sync::Arc;

use machines::config;
use quorate_core::ids::{Incarnation, NodeId, Remembered};
use quorate_core::membership::{Change, Membership};
use quorate_core::message::{Gossip, MemberInfo, Pulse};
use quorate_core::time::{Instant, Now, UnixMs};

fn at(seconds: u64) -> Now {
    Now { instant: Instant(seconds * 1_000_000), unix: UnixMs(seconds * 1_000) }
}

fn info(id: u64, heartbeat: u64) -> MemberInfo {
    MemberInfo {
        id: NodeId(id),
        incarnation: Incarnation(7),
        heartbeat,
        label: "n".into(),
        zone: "".into(),
        weight: 1,
        address: "ws://n".into(),
        remembered: Remembered::default(),
    }
}

fn pulse(id: u64, life: u32, heartbeat: u64) -> Gossip {
    let pulse = Pulse {
        id: NodeId(id),
        incarnation: Incarnation(life),
        heartbeat,
        witnesses: vec![],
        remembered: Remembered::default(),
    };
    Gossip { pulses: vec![pulse], asks: Some((NodeId(id), NodeId(id))), ..Gossip::default() }
}

/// Node 1, which has heard of 2 and 3 and of nothing since.
fn alone() -> Membership {
    let mut membership = Membership::new(&config(1), 1);
    membership.start(at(0));
    for id in [2, 3] {
        assert!(membership.introduce(at(0), Arc::new(info(id, 100))));
    }
    membership
}

/// Rounds from one second to another.
fn pass(membership: &mut Membership, seconds: core::ops::Range<u64>) -> Vec<Change> {
    let mut changes = Vec::new();
    for second in seconds {
        membership.on_wake(at(second), &|_| false, &mut changes);
    }
    changes
}

fn hear(membership: &mut Membership, from: u64, gossip: &Gossip) -> Option<Gossip> {
    membership.on_gossip(at(700), NodeId(from), gossip, &mut Vec::new())
}

#[test]
fn whom_nobody_needs_is_forgotten_once_it_was_silent_for_long() {
    let mut membership = alone();
    pass(&mut membership, 1..599);
    assert_eq!(membership.forget(at(599), &|_| false), []);
    pass(&mut membership, 599..601);
    assert_eq!(membership.forget(at(601), &|id| id == NodeId(3)), [NodeId(2)]);
    assert_eq!(membership.ids().collect::<Vec<_>>(), [NodeId(1), NodeId(3)]);
    assert_eq!(membership.forget(at(602), &|id| id == NodeId(3)), []);
    membership.check_invariants();
}

#[test]
fn who_is_heard_from_is_not_forgotten() {
    let mut membership = alone();
    pass(&mut membership, 1..590);
    membership.on_gossip(at(590), NodeId(2), &pulse(2, 7, 101), &mut Vec::new());
    pass(&mut membership, 590..620);
    assert_eq!(membership.forget(at(620), &|_| false), [NodeId(3)]);
}

#[test]
fn what_others_say_of_its_last_heartbeat_does_not_bring_it_back() {
    let mut membership = alone();
    pass(&mut membership, 1..601);
    membership.forget(at(601), &|_| false);
    let answer = hear(&mut membership, 4, &pulse(2, 7, 100));
    assert!(answer.is_none_or(|answer| answer.wanted.is_empty()));
    let told = Gossip { members: vec![info(2, 100)], ..Gossip::default() };
    hear(&mut membership, 4, &told);
    assert_eq!(membership.state(NodeId(2)), None);
    let wanted = hear(&mut membership, 4, &pulse(2, 7, 101)).map(|answer| answer.wanted);
    assert_eq!(wanted, Some(vec![NodeId(2)]), "a greater one is a sign of life");
}

#[test]
fn one_that_starts_again_is_told_what_it_was_and_comes_back_above_that() {
    let mut membership = alone();
    pass(&mut membership, 1..601);
    membership.forget(at(601), &|_| false);
    let answer = hear(&mut membership, 2, &pulse(2, 8, 3)).expect("it is told something");
    let known = answer.pulses.iter().find(|pulse| pulse.id == NodeId(2));
    assert_eq!(
        known.map(|pulse| (pulse.incarnation, pulse.heartbeat)),
        Some((Incarnation(7), 100))
    );
    let told = Gossip { members: vec![info(2, 101)], ..Gossip::default() };
    hear(&mut membership, 2, &told);
    assert!(membership.state(NodeId(2)).is_some());
}
