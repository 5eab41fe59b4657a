//! Hints come home (DESIGN.md §10): what is sent to whom, and what must be acknowledged before a
//! hint is removed.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

#[path = "handoff/away.rs"]
mod away;
#[path = "handoff/chance.rs"]
mod chance;
#[path = "handoff/house.rs"]
mod house;
mod machines;

use house::{House, Removed, keys_with, record};
use quorate_core::ids::{Epoch, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::Limits;
use quorate_core::machine::{Event, Input, Peer, StoreOp};
use quorate_core::message::{
    CallId, MergeReason, Message, ReplicaMerge, ReplicaMerged, ReplicaRead,
};

pub(crate) const TWO: NodeId = NodeId(2);
pub(crate) const THREE: NodeId = NodeId(3);

/// The first window, the longest wait for an acknowledgement, and the longest pause.
const WINDOW: usize = 8;
const ANSWER_MS: u64 = 5_000;
const PAUSE_MS: u64 = 2_000;
pub(crate) const HOUR_MS: u64 = 60 * 60 * 1_000;

#[test]
fn a_hint_goes_home_and_is_removed_only_after_the_durable_acknowledgement() {
    let mut house = House::with_hints(TWO, 1);
    assert!(house.sent.is_empty(), "nobody is there");
    assert_eq!(house.count("hints"), 1);
    assert_eq!(house.count("hint_bytes"), house.disk.hint_bytes());
    house.connect(TWO);
    let [(to, merge)] = &house.take_sent()[..] else { panic!("one hint") };
    assert_eq!((*to, merge.hint_for, merge.reason), (TWO, None, MergeReason::Handoff));
    assert!(house.removed.is_empty());
    house.acknowledge(THREE, merge.call, true);
    house.acknowledge(TWO, CallId(merge.call.0 + 1), true);
    assert!(house.removed.is_empty(), "nobody who was asked has acknowledged it");
    house.acknowledge(TWO, merge.call, true);
    let removed = Removed { target: TWO, key: merge.key.clone(), record: merge.record.clone() };
    assert_eq!(house.removed, [removed]);
    assert_eq!(house.events, [Event::HandedOver { key: merge.key.clone(), target: TWO }]);
    assert_eq!((house.count("hints"), house.count("hint_bytes")), (0, 0));
    assert_eq!((house.count("handed_over"), house.count("hints_dropped")), (1, 0));
    house.pass(HOUR_MS);
    assert!(house.take_sent().is_empty(), "and that was all");
}

#[test]
fn a_hint_that_is_not_durable_at_its_target_stays_and_is_sent_again() {
    let mut house = House::with_hints(TWO, 1);
    house.connect(TWO);
    for _ in 0..3 {
        let [(_, merge)] = &house.take_sent()[..] else { panic!("one hint") };
        house.acknowledge(TWO, merge.call, false);
        house.pass(PAUSE_MS - 1);
        assert!(house.sent.is_empty(), "it gets a pause");
        // A late word on a call that has failed.
        house.acknowledge(TWO, merge.call, true);
        house.pass(PAUSE_MS);
    }
    assert!(house.removed.is_empty());
    assert_eq!(house.sent.len(), 1);
}

#[test]
fn a_lost_acknowledgement_sends_the_hint_again() {
    let mut house = House::with_hints(TWO, 1);
    house.connect(TWO);
    let first = house.take_sent()[0].1.clone();
    house.pass(ANSWER_MS - 1);
    assert!(house.sent.is_empty());
    house.pass(1 + PAUSE_MS);
    let again = house.take_sent()[0].1.clone();
    assert_eq!((&again.key, &again.record), (&first.key, &first.record));
    assert_ne!(again.call, first.call);
    house.acknowledge(TWO, first.call, true);
    assert!(house.removed.is_empty(), "that call has ended");
    house.acknowledge(TWO, again.call, true);
    assert_eq!(house.removed.len(), 1);
}

#[test]
fn a_hint_that_grew_meanwhile_is_not_removed_but_sent_again() {
    let mut house = House::with_hints(TWO, 1);
    house.connect(TWO);
    let first = house.take_sent()[0].1.clone();
    house.disk.add_hint(TWO, &first.key, &record(77, "more"));
    house.acknowledge(TWO, first.call, true);
    assert!(house.removed.is_empty());
    assert_eq!(house.count("handed_over"), 0);
    house.pass(PAUSE_MS);
    let again = house.take_sent()[0].1.clone();
    assert_eq!(again.record.siblings().count(), 2);
    house.acknowledge(TWO, again.call, true);
    assert_eq!((house.removed.len(), house.disk.hints.len()), (1, 0));
}

#[test]
fn a_node_that_crashes_in_between_goes_on_with_what_its_disk_holds() {
    let mut house = House::with_hints(TWO, 20);
    house.connect(TWO);
    let sent = house.take_sent();
    for (_, merge) in &sent[..5] {
        house.acknowledge(TWO, merge.call, true);
    }
    house.take_sent();
    let mut house = house.restarted(2);
    assert_eq!(house.count("hints"), 15);
    house.connect(TWO);
    for (_, merge) in &sent {
        house.acknowledge(TWO, merge.call, true);
    }
    assert!(house.removed.is_empty(), "those calls are of another life");
    house.hand_over_all();
    assert_eq!((house.removed.len(), house.count("hints")), (15, 0));
}

#[test]
fn a_node_whose_count_of_hints_fails_counts_again() {
    let mut house = House::with_hints(TWO, 3);
    house.disk.broken = true;
    let mut house = house.restarted(2);
    house.connect(TWO);
    assert_eq!((house.count("hints"), house.sent.len()), (0, 0));
    house.disk.broken = false;
    house.pass(5_000);
    assert_eq!(house.count("hints"), 3);
    house.hand_over_all();
    assert_eq!(house.removed.len(), 3);
}

#[test]
fn no_hint_is_taken_before_those_of_former_lives_are_counted() {
    let mut house = House::with_hints(TWO, 1);
    house.disk.hangs = true;
    let mut house = house.restarted(2);
    let hint = ReplicaMerge {
        call: CallId(9),
        key: keys_with(&house.layout, &[TWO], &[NodeId(1)], 2)[1].clone(),
        record: record(70, "late"),
        hint_for: Some(TWO),
        reason: MergeReason::Write,
        epoch: Epoch(1),
        layout_version: LayoutVersion(0),
    };
    house.frame(THREE, Message::ReplicaMerge(hint.clone()));
    let scan = |op: &StoreOp| matches!(op, StoreOp::ScanStates { .. });
    let asked = house.disk.hanging.iter().filter(|(_, op)| !scan(op));
    assert_eq!(asked.count(), 1, "the count and nothing else");
    house.disk.hangs = false;
    house.let_go();
    house.frame(THREE, Message::ReplicaMerge(hint));
    assert_eq!((house.count("hints"), house.disk.hints.len()), (2, 2));
}

#[test]
fn a_stand_in_looks_for_the_hints_of_all_members_before_they_are_counted() {
    let mut house = House::with_hints(TWO, 1);
    house.disk.hangs = true;
    let mut house = house.restarted(2);
    // Former layouts may have seated other primaries.
    let key = keys_with(&house.layout, &[THREE], &[NodeId(1), TWO], 1).remove(0);
    let read = ReplicaRead { call: CallId(9), key, digest: None, stand_in: true };
    house.frame(THREE, Message::ReplicaRead(read));
    let asked = house.disk.hanging.iter().find_map(|(_, op)| match op {
        StoreOp::Read { hints, .. } => Some(hints.clone()),
        _ => None,
    });
    let members = house.layout.layout.members().iter().map(|member| member.id);
    assert_eq!(asked, Some(members.collect()));
}

#[test]
fn nothing_is_sent_to_a_target_that_requests_avoid() {
    let mut house = House::with_hints(TWO, 1);
    house.disk.hangs = true;
    house.connect(TWO);
    house.disk.hangs = false;
    let keys = keys_with(&house.layout, &[NodeId(1), TWO], &[], 2);
    house.write(&keys[0], 1);
    house.pass(200);
    house.write(&keys[1], 2);
    house.pass(100);
    house.let_go();
    assert!(house.sent.is_empty(), "the hint was found while its target was silent");
    house.pass(PAUSE_MS);
    house.hand_over_all();
    assert_eq!(house.removed.len(), 1);
}

#[test]
fn two_targets_are_served_side_by_side() {
    let mut house = House::with_hints(TWO, 3);
    house.add_hints(THREE, 3);
    house.connect(TWO);
    house.connect(THREE);
    let sent = house.take_sent();
    let to = |node| sent.iter().filter(|(to, _)| *to == node).count();
    assert_eq!((to(TWO), to(THREE)), (3, 3));
    for (to, merge) in &sent {
        // The word of one is not that of the other.
        house.acknowledge(if *to == TWO { THREE } else { TWO }, merge.call, true);
    }
    assert!(house.removed.is_empty());
    for (to, merge) in sent {
        house.acknowledge(to, merge.call, true);
    }
    assert_eq!(house.removed.len(), 6);
    assert!(house.removed.iter().filter(|removed| removed.target == TWO).count() == 3);
}

#[test]
fn targets_that_hang_do_not_keep_the_others_waiting_for_ever() {
    let mut house = House::of(12, Limits::default());
    for node in 2..=12 {
        house.add_hints(NodeId(node), 3);
    }
    for node in 2..=12 {
        house.connect(NodeId(node));
    }
    let mut to: Vec<NodeId> = house.sent.iter().map(|(to, _)| *to).collect();
    to.dedup();
    assert_eq!(to.len(), 4, "so many at one time: {to:?}");
    // The first ones never answer.
    for _ in 0..30 {
        house.pass(1_000);
        for (to, merge) in house.take_sent() {
            if to > NodeId(5) {
                house.acknowledge(to, merge.call, true);
            }
        }
    }
    let hung = house.disk.hints.keys().filter(|(target, _)| *target <= NodeId(5)).count();
    assert_eq!((hung, house.disk.hints.len()), (12, 12));
}

#[test]
fn the_window_halves_with_a_failure_and_doubles_with_each_clean_batch() {
    let mut house = House::with_hints(TWO, 2_000);
    house.disk.batch = 100;
    house.connect(TWO);
    assert_eq!(house.sent.len(), WINDOW);
    // One hint is acknowledged, one follows: never more than the window.
    let merge = house.sent.remove(0).1;
    house.acknowledge(TWO, merge.call, true);
    assert_eq!(house.sent.len(), WINDOW);
    let mut windows = vec![house.sent.len()];
    while house.removed.len() < 1_000 {
        windows.push(house.hand_over_batch(100));
    }
    assert_eq!(windows[..5], [8, 16, 32, 64, 100], "the batch is smaller than the next window");
    let calls: Vec<CallId> = house.take_sent().iter().map(|(_, merge)| merge.call).collect();
    for call in calls {
        house.acknowledge(TWO, call, false);
    }
    house.disk.batch = 1_000;
    house.pass(PAUSE_MS);
    assert_eq!(house.sent.len(), 128, "half of the greatest window, however many failed");
    let (_, merge) = house.sent[0].clone();
    house.acknowledge(TWO, merge.call, false);
    let sent = house.take_sent();
    assert_eq!(sent.len(), 128, "nothing is sent in the place of what failed");
    for (to, merge) in sent {
        house.acknowledge(to, merge.call, true);
    }
    assert!(house.sent.is_empty());
    house.pass(PAUSE_MS);
    assert_eq!(house.sent.len(), 64);
}

#[test]
fn a_window_of_one_is_the_least() {
    let mut house = House::with_hints(TWO, 50);
    house.connect(TWO);
    for _ in 0..10 {
        house.take_sent();
        house.pass(ANSWER_MS + PAUSE_MS);
    }
    assert_eq!(house.sent.len(), 1);
    house.hand_over_all();
    assert_eq!(house.removed.len(), 50);
}

#[test]
fn nothing_goes_home_while_hints_are_still_made_for_a_connected_target() {
    let mut house = House::with_hints(TWO, 40);
    house.connect(TWO);
    assert_eq!(house.take_sent().len(), WINDOW);
    let keys = keys_with(&house.layout, &[TWO], &[NodeId(1)], 50);
    for key in &keys[40..] {
        let hint = ReplicaMerge {
            call: CallId(9),
            key: key.clone(),
            record: record(70, "late"),
            hint_for: Some(TWO),
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        };
        house.frame(THREE, Message::ReplicaMerge(hint));
        house.pass(999);
        assert!(house.sent.is_empty());
    }
    assert_eq!((house.count("hints_stored"), house.count("hints")), (10, 50));
    house.pass(ANSWER_MS);
    house.hand_over_all();
    assert_eq!(house.removed.len(), 50);
}

#[test]
fn hints_that_never_stop_hold_delivery_back_for_half_a_minute_and_then_it_goes_on_one_by_one() {
    let mut house = House::with_hints(TWO, 40);
    house.connect(TWO);
    house.take_sent().into_iter().for_each(|(to, merge)| house.acknowledge(to, merge.call, true));
    house.take_sent();
    let keys = keys_with(&house.layout, &[TWO], &[NodeId(1)], 140);
    let mut sent = 0;
    for (turn, key) in keys[40..].iter().enumerate() {
        let hint = ReplicaMerge {
            call: CallId(9),
            key: key.clone(),
            record: record(70, "late"),
            hint_for: Some(TWO),
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        };
        house.frame(THREE, Message::ReplicaMerge(hint));
        house.pass(500);
        let in_flight = house.take_sent();
        assert!(turn < 60 || in_flight.len() <= 2, "{}", in_flight.len());
        assert!(turn >= 60 || in_flight.is_empty(), "turn {turn}: it is held back");
        sent += in_flight.len();
        in_flight.into_iter().for_each(|(to, merge)| house.acknowledge(to, merge.call, true));
    }
    assert!(sent >= 39, "{sent} went home in twenty seconds");
    house.pass(ANSWER_MS);
    house.hand_over_all();
    assert_eq!((house.count("hints"), house.disk.hints.len()), (0, 0));
}

#[test]
fn what_was_in_flight_to_a_target_that_goes_down_is_forgotten() {
    let mut house = House::with_hints(TWO, 3);
    house.connect(TWO);
    let sent = house.take_sent();
    house.input(Input::PeerDown(Peer::Node(TWO)));
    for (_, merge) in &sent {
        house.acknowledge(TWO, merge.call, true);
    }
    house.pass(60_000);
    assert!(house.removed.is_empty() && house.sent.is_empty());
    house.connect(TWO);
    for (_, merge) in sent {
        house.acknowledge(TWO, merge.call, true);
    }
    assert_eq!(house.sent.len(), 3, "at once");
    assert!(house.removed.is_empty());
    house.hand_over_all();
    assert_eq!(house.removed.len(), 3);
}

#[test]
fn what_is_delivered_five_times_is_delivered_once() {
    let mut house = House::with_hints(TWO, 5);
    house.connect(TWO);
    for (to, merge) in house.take_sent() {
        for _ in 0..5 {
            house.acknowledge(to, merge.call, true);
        }
    }
    assert_eq!((house.removed.len(), house.count("handed_over"), house.count("hints")), (5, 5, 0));
    assert_eq!(house.events.len(), 5);
}

#[test]
fn a_storage_that_fails_keeps_the_hint_and_the_count() {
    let mut house = House::with_hints(TWO, 2);
    house.connect(TWO);
    let sent = house.take_sent();
    house.disk.broken = true;
    for (to, merge) in sent {
        house.acknowledge(to, merge.call, true);
    }
    house.pass(20_000);
    assert_eq!((house.count("hints"), house.disk.hints.len(), house.sent.len()), (2, 2, 0));
    house.disk.broken = false;
    house.pass(60_000);
    house.hand_over_all();
    assert_eq!((house.removed.len(), house.count("hints")), (2, 0));
}

#[test]
fn a_storage_with_too_much_to_do_is_left_alone() {
    let limits = Limits { store_ops_max: 4, ..Limits::default() };
    let mut house = House::of(5, limits);
    house.add_hints(TWO, 3);
    house.disk.hangs = true;
    let keys = keys_with(&house.layout, &[NodeId(1)], &[], 2);
    for key in &keys {
        let merge = ReplicaMerge {
            call: CallId(9),
            key: key.clone(),
            record: record(70, "v"),
            hint_for: None,
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        };
        house.frame(THREE, Message::ReplicaMerge(merge));
    }
    assert_eq!(house.disk.hanging.len(), 2);
    house.connect(TWO);
    house.pass(10_000);
    assert_eq!(house.disk.hanging.len(), 2, "no read of hints among them");
    house.disk.hangs = false;
    house.let_go();
    house.pass(1_000);
    house.hand_over_all();
    assert_eq!(house.removed.len(), 3);
}

#[test]
fn a_layout_without_hints_wakes_nobody() {
    let mut house = House::of(5, Limits::default());
    house.connect(TWO);
    house.pass(HOUR_MS);
    assert_eq!(house.disk.reads, 0);
    house.frame(TWO, Message::ReplicaMerged(ReplicaMerged { call: CallId(3), durable: true }));
    assert!(house.removed.is_empty());
}
