//! What nodes stage for themselves, and what is committed without anybody.

use quorate_core::ids::{Epoch, NodeId};
use quorate_core::layout::{LayoutVersion, PlanError};
use quorate_core::machine::{Event, Input, Peer};
use quorate_core::message::{CallId, ChangeRefusal, MergeReason, Message, ReplicaMerge, Target};
use quorate_core::node::ChangeSettings;
use quorate_core::time::Duration;

use crate::town::{
    A_WHILE_MS, BY_HAND, CHANGE_MS, DOWN_MS, JOINS, KEYS, LEAVES, QUIET_MS, Town, target,
};
use crate::world::{key, place, record};

/// Lets time pass until something is so; answers how much.
fn wait(town: &mut Town, mut is_so: impl FnMut(&mut Town) -> bool) -> u64 {
    let from = town.world.millis;
    while !is_so(town) {
        assert!(town.world.millis < from + CHANGE_MS, "it never is");
        town.world.pass(100);
    }
    town.world.millis - from
}

fn is_staged(town: &mut Town, at: u64, id: u64) -> bool {
    let staging = town.report(at).staging;
    staging.changes.iter().any(|change| change.node == NodeId(id) && change.auto)
}

#[test]
fn a_new_node_becomes_a_member_by_itself_after_a_quiet_time() {
    let mut town = Town::apart(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS]);
    assert_eq!(town.version(4), LayoutVersion(0));
    town.world.connect_all();
    wait(&mut town, |town| is_staged(town, 1, 4));
    let quiet = wait(&mut town, |town| town.version(1) > LayoutVersion(1));
    assert!(quiet + 200 >= QUIET_MS, "after {quiet} ms");
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(2), [(1, 1), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(town.versions(), [2; 4]);
    assert_eq!(town.staged().len(), 0);
}

#[test]
fn a_node_that_is_not_told_to_stays_outside() {
    let mut town = Town::new(3, &[BY_HAND; 4]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [1; 4]);
    assert_eq!(town.staged().len(), 0);
}

#[test]
fn whoever_was_removed_does_not_come_back_in_the_same_life() {
    let mut town = Town::new(3, &[JOINS; 4]);
    wait(&mut town, |town| town.version(4) == LayoutVersion(2));
    town.world.pass(CHANGE_MS);
    town.change(1, &[(NodeId(4), Target::Gone)]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [3; 4]);
    assert_eq!(town.weights(4), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(town.staged().len(), 0);
    // Who starts it anew means it.
    town.restart(4);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(1), [(1, 1), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn nodes_that_join_at_one_time_come_with_one_layout() {
    let mut town = Town::new(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS, JOINS]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(3), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
    assert_eq!(town.versions(), [2; 5]);
    for id in 1..=5 {
        let replaced = town.events(id, |event| matches!(event, Event::LayoutReplaced(_)));
        assert_eq!(replaced, 0, "node {id}: one commits");
    }
}

#[test]
fn one_that_comes_meanwhile_is_waited_for() {
    let mut town = Town::apart(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS, JOINS]);
    (1..=3).for_each(|id| town.world.connect(id, 4));
    wait(&mut town, |town| is_staged(town, 1, 4));
    town.world.pass(QUIET_MS / 2);
    (1..=3).for_each(|id| town.world.connect(id, 5));
    town.world.pass(QUIET_MS * 3 / 4);
    assert_eq!(town.version(1), LayoutVersion(1), "it was not quiet");
    town.world.connect(4, 5);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(1).len(), 5);
    assert_eq!(town.versions(), [2; 5]);
}

#[test]
fn nothing_is_committed_by_itself_while_an_operator_looks() {
    let mut town = Town::new(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS]);
    town.stage(2, &[target(3, 4)]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [1; 4]);
    assert!(is_staged(&mut town, 2, 4), "it is there to be looked at");
    let looked_at = town.report(3).staging;
    assert_eq!(town.commit(3, looked_at), Ok(2));
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(1), [(1, 1), (2, 1), (3, 4), (4, 1)]);
}

#[test]
fn what_an_operator_says_of_a_newcomer_holds() {
    let mut town = Town::new(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS]);
    wait(&mut town, |town| is_staged(town, 1, 4));
    town.stage(1, &[target(4, 3)]);
    town.world.pass(CHANGE_MS);
    assert!(town.staged().values().all(|staged| *staged == [target(4, 3)]));
    // Taken back, it stays outside, as long as this layout is the newest.
    town.revert(2);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.staged().len(), 0);
    assert_eq!(town.versions(), [1; 4]);
    town.change(3, &[target(2, 2)]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(1), [(1, 1), (2, 2), (3, 1), (4, 1)]);
}

#[test]
fn who_joined_on_the_losing_side_of_a_partition_joins_once_more() {
    let mut lost = 0;
    for weight in 2..8 {
        let mut town = Town::new(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS]);
        town.cut_off(3);
        wait(&mut town, |town| town.version(4) == LayoutVersion(2));
        // Node 3 has heard of it; it forgets that here, and makes another layout.
        town.revert(3);
        town.change(3, &[target(2, weight)]);
        town.reconnect(3);
        town.world.pass(2 * CHANGE_MS);
        lost += town.events(4, |event| matches!(event, Event::LayoutReplaced(_)));
        let ids: Vec<u64> = town.weights(1).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 2, 3, 4], "weight {weight}");
    }
    assert!(lost > 0, "it lost none of them");
}

#[test]
fn a_newcomer_that_is_down_is_not_taken_in() {
    let quiet = Duration::from_millis(2 * DOWN_MS);
    let patient = ChangeSettings { quiet, ..BY_HAND };
    let mut town = Town::new(3, &[patient, patient, patient, JOINS]);
    wait(&mut town, |town| is_staged(town, 1, 4));
    town.cut_off(4);
    town.world.pass(CHANGE_MS);
    assert!((1..=3).all(|id| town.version(id) == LayoutVersion(1)));
    town.reconnect(4);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(2).len(), 4);
}

#[test]
fn the_next_member_commits_where_the_first_is_down() {
    let mut town = Town::new(3, &[BY_HAND, BY_HAND, BY_HAND, JOINS]);
    town.cut_off(1);
    town.world.pass(DOWN_MS + QUIET_MS + A_WHILE_MS);
    assert_eq!([2, 3, 4].map(|id| town.version(id).0), [2; 3]);
    town.reconnect(1);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [2; 4]);
}

#[test]
fn a_change_that_is_refused_is_tried_again_later() {
    // One slot for each, and none for the newcomer.
    let mut town = Town::with_slots(4, 4, &[BY_HAND, BY_HAND, BY_HAND, BY_HAND, JOINS]);
    let refusal = ChangeRefusal::Plan(PlanError::TooFewSlots { slots: 4, members: 5 });
    let refused = Event::ChangeRefused(refusal);
    let count = |town: &Town| town.events(1, |event| *event == refused);
    wait(&mut town, |town| count(town) == 1);
    let again = wait(&mut town, |town| count(town) == 2);
    assert!(again + 200 >= QUIET_MS, "after {again} ms");
    assert_eq!(town.versions(), [1; 5]);
    assert!(is_staged(&mut town, 3, 5));
    let others = (2..=5).map(|id| town.events(id, |event| *event == refused));
    assert_eq!(others.sum::<usize>(), 0, "one of them tries");
    // As soon as there is a slot for it, it comes.
    town.change(2, &[target(4, 0)]);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(5), [(1, 1), (2, 1), (3, 1), (4, 0), (5, 1)]);
    let last = count(&town);
    town.world.pass(CHANGE_MS);
    assert_eq!(count(&town), last);
}

/// All members of the newest layout hold what it gives them.
fn check_held(town: &Town, at: u64) {
    let newest = town.world.houses[&at].node.view().newest_layout().unwrap().clone();
    for number in 0..KEYS {
        let key = key(number);
        for primary in newest.layout.primaries(newest.layout.slot_of(key.as_bytes())) {
            let is_held = town.world.houses[&primary.0].store.contains_key(&place(&key));
            assert!(is_held, "{primary}, key {number}");
        }
    }
}

#[test]
fn a_member_of_weight_0_goes_once_it_has_handed_over_what_it_holds() {
    let mut town = Town::new(4, &[LEAVES; 4]);
    assert!(!town.world.records(4).is_empty());
    // It may not go before: nobody hears what it answers, or is answered by it.
    town.world.holds = |from, _, message| matches!(message, Message::Compared(_)) && from == 4;
    town.change(1, &[target(4, 0)]);
    town.world.pass(CHANGE_MS);
    assert!(town.versions().iter().all(|version| *version == 2), "{:?}", town.versions());
    let waits_for_4 = |town: &mut Town, id| {
        town.report(id).to_fill.iter().any(|waits| waits.peers.contains(&NodeId(4)))
    };
    assert!((1..=3).any(|id| waits_for_4(&mut town, id)));
    // The others hold all of it, and node 4 does not know that yet.
    town.world.holds = |_, to, message| matches!(message, Message::Compared(_)) && to == 4;
    town.cut_off(4);
    town.reconnect(4);
    town.world.pass(CHANGE_MS);
    let report = town.report(4);
    assert_eq!((report.live.len(), town.versions()), (1, vec![2; 4]));
    assert!(!report.to_give.is_empty());
    town.world.holds = |_, _, _| false;
    town.cut_off(4);
    town.reconnect(4);
    wait(&mut town, |town| town.version(4) == LayoutVersion(3));
    assert!(town.world.records(4).is_empty(), "nothing is left on it");
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(2), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(town.versions(), [3; 4]);
    check_held(&town, 1);
    let gone = town.past(2).into_iter().next_back().unwrap();
    assert_eq!(gone.left.len(), 1);
}

#[test]
fn a_member_of_weight_0_goes_once_its_hints_are_handed_over() {
    let mut town = Town::new(4, &[LEAVES; 4]);
    town.world.holds = |_, _, message| match message {
        Message::ReplicaMerge(merge) => merge.reason == MergeReason::Handoff,
        _ => false,
    };
    let layout = town.world.layout.layout.clone();
    let lies_with_3 = |number: &u64| {
        let slot = layout.slot_of(key(*number).as_bytes());
        layout.is_primary(slot, NodeId(3)) && !layout.is_primary(slot, NodeId(4))
    };
    let new = key((KEYS..).find(lies_with_3).unwrap());
    let hint = ReplicaMerge {
        call: CallId(1),
        key: new.clone(),
        record: record(1),
        hint_for: Some(NodeId(3)),
        reason: MergeReason::Write,
        epoch: Epoch(1),
        layout_version: LayoutVersion(0),
    };
    let from = Peer::Node(NodeId(99));
    town.world.input(4, Input::Frame { from, message: Message::ReplicaMerge(hint) });
    town.change(1, &[target(4, 0)]);
    town.world.pass(CHANGE_MS);
    let report = town.report(4);
    assert_eq!((report.to_give.len(), report.hints), (0, 1));
    assert_eq!(town.versions(), [2; 4], "it still holds a hint");
    town.world.holds = |_, _, _| false;
    town.world.pass(CHANGE_MS);
    assert!(town.world.records(3).contains_key(&new));
    assert_eq!((town.report(4).hints, town.versions()), (0, vec![3; 4]));
    assert_eq!(town.weights(1), [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn a_member_of_weight_0_stays_where_nobody_told_it_to_leave() {
    let mut town = Town::new(4, &[BY_HAND; 4]);
    town.change(1, &[target(4, 0)]);
    town.world.pass(CHANGE_MS);
    assert!(town.world.records(4).is_empty());
    assert_eq!(town.versions(), [2; 4]);
    assert_eq!(town.weights(4), [(1, 1), (2, 1), (3, 1), (4, 0)]);
}
