//! Disks that lost something that was durable (DESIGN.md §13).

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one event")]

use quorate_core::client::ErrorCode;
use quorate_core::machine::Event;
use quorate_core::message::Message;
use quorate_core::time::Duration;
use quorate_sim::scenario::{Done, Frames, Node, Scenario, secs};

/// Until the others have heard of the last commit.
const HEARD: Duration = Duration::from_secs(5);

fn gossip() -> Frames {
    Frames::that(|passing| matches!(passing.message, Message::Gossip(_)))
}

fn lost(s: &Scenario, node: Node, is_old: bool) -> bool {
    s.told(node).contains(&Event::DataLost { is_old })
}

/// A value at all three primaries, a snapshot of the third, and then another value that the first
/// and the third acknowledge.
fn overwritten() -> (Scenario, [Node; 3]) {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.settle();
    s.snapshot(c);
    let late = s.lose(Frames::merges().to(b));
    assert_eq!(s.at(a).with(&old).put("k", "new").answered(), [a, c]);
    s.wait(HEARD);
    s.discard(late);
    s.expect("k").at(b).siblings(["old"]);
    (s, [a, b, c])
}

fn is_refused(s: &mut Scenario, node: Node) {
    s.at(node).try_get("k").refused(ErrorCode::QuorumUnavailable);
}

#[test]
fn an_old_copy_that_was_put_back_has_no_vote_once_its_node_is_told() {
    let (mut s, [a, b, c]) = overwritten();
    s.crash(c);
    s.crash(a);
    s.roll_back(c);
    s.restart(c);
    s.wait(secs(3));
    assert!(lost(&s, c, false), "so it is tested");
    is_refused(&mut s, b);
    is_refused(&mut s, c);
    s.restart(a);
    s.wait_until(secs(60), |s| s.counter(c, "slots_refilling") == 0);
    assert_eq!(s.at(b).get("k").texts(), ["new"]);
    s.converge(&["k"]);
}

#[test]
fn an_old_copy_that_was_put_back_has_no_vote_before_its_node_is_told_either() {
    let (mut s, [a, b, c]) = overwritten();
    s.crash(c);
    s.crash(a);
    s.roll_back(c);
    s.lose(gossip().to(c));
    s.restart(c);
    s.wait(secs(3));
    assert!(!lost(&s, c, false), "so it is tested");
    is_refused(&mut s, b);
    is_refused(&mut s, c);
}

/// All end, each as it is told to, and the third one comes back with an old copy, the first one not.
fn black_out(s: &mut Scenario, [_, b, c]: [Node; 3], end: impl Fn(&mut Scenario, Node)) {
    s.nodes().into_iter().for_each(|node| end(s, node));
    s.roll_back(c);
    s.restart(b);
    s.restart(c);
    s.wait(secs(3));
}

/// Who has lost the newer value knows so, and nobody takes the older one for the last.
fn expect_noticed(s: &mut Scenario, [a, b, c]: [Node; 3]) {
    assert!(lost(s, c, false));
    is_refused(s, b);
    is_refused(s, c);
    s.nodes().into_iter().filter(|node| ![b, c].contains(node)).for_each(|node| s.restart(node));
    s.wait_until(secs(60), |s| s.counter(c, "slots_refilling") == 0);
    assert_eq!(s.at(b).get("k").texts(), ["new"]);
    assert_eq!(s.at(a).get("k").texts(), ["new"]);
    s.converge(&["k"]);
}

#[test]
fn an_old_copy_has_no_vote_though_all_nodes_were_down_that_heard_of_a_newer_one() {
    let (mut s, nodes) = overwritten();
    (0..10).for_each(|number| drop(s.at(nodes[0]).put(&format!("more {number}"), "v")));
    s.settle();
    black_out(&mut s, nodes, Scenario::crash);
    expect_noticed(&mut s, nodes);
}

#[test]
fn what_was_heard_and_not_followed_by_a_commit_is_lost_with_a_crash() {
    let (mut s, nodes) = overwritten();
    black_out(&mut s, nodes, Scenario::crash);
    assert!(!lost(&s, nodes[2], false));
}

#[test]
fn an_old_copy_has_no_vote_though_all_nodes_were_stopped_that_heard_of_a_newer_one() {
    let (mut s, nodes) = overwritten();
    black_out(&mut s, nodes, Scenario::stop);
    expect_noticed(&mut s, nodes);
}

#[test]
fn what_is_remembered_of_others_makes_nobody_commit() {
    let mut s = Scenario::cluster(5).build();
    s.at(s.primaries::<3>("k")[0]).put("k", "v");
    s.wait(HEARD);
    let marks = |s: &Scenario| -> Vec<u64> {
        s.nodes().into_iter().map(|node| s.counter(node, "durable_mark")).collect()
    };
    let before = marks(&s);
    s.wait(secs(30));
    assert_eq!(marks(&s), before);
}

#[test]
fn an_emptied_disk_is_no_absence() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, c] = s.primaries("k");
    let late = s.lose(Frames::merges().to(b));
    assert_eq!(s.at(a).put("k", "v").answered(), [a, c]);
    s.wait(HEARD);
    s.discard(late);
    s.crash(a);
    s.crash(c);
    s.wipe(c);
    s.restart(c);
    s.wait(secs(3));
    is_refused(&mut s, b);
    s.restart(a);
    s.wait_until(secs(60), |s| s.counter(c, "slots_refilling") == 0);
    assert_eq!(s.at(b).get("k").texts(), ["v"]);
    s.expect("k").at(c).on_disk().siblings(["v"]);
    s.converge(&["k"]);
}

/// The node stops and starts, the others speak to it, and it writes.
fn write_after_restart(s: &mut Scenario, node: Node, last: &Done, value: &str) -> Done {
    s.stop(node);
    s.restart(node);
    s.wait(HEARD);
    s.at(node).with(last).put("k", value)
}

#[test]
fn clean_stops_leave_one_actor() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let mut last = s.at(a).put("k", "0");
    s.wait(HEARD);
    for restart in 1..=12 {
        last = write_after_restart(&mut s, a, &last, &restart.to_string());
        s.wait(HEARD);
    }
    s.expect("k").siblings(["12"]).actors(1);
}

#[test]
fn a_crash_leaves_another_actor() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let first = s.at(a).put("k", "1");
    s.wait(HEARD);
    s.crash(a);
    s.restart(a);
    s.wait(HEARD);
    s.at(a).with(&first).put("k", "2");
    s.settle();
    s.expect("k").siblings(["2"]).actors(2);
}

#[test]
fn a_clean_stop_that_others_contradict_is_none() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let first = s.at(a).put("k", "1");
    s.wait(HEARD);
    s.stop(a);
    s.snapshot(a);
    s.restart(a);
    s.wait(HEARD);
    let second = s.at(a).with(&first).put("k", "2");
    s.wait(HEARD);
    s.expect("k").actors(1);
    s.stop(a);
    s.roll_back(a);
    s.restart(a);
    s.wait(HEARD);
    assert!(lost(&s, a, false));
    let third = s.at(a).with(&first).put("k", "3");
    assert_ne!(third.dot().actor, second.dot().actor);
    s.settle();
    s.converge(&["k"]);
    s.expect("k").siblings(["2", "3"]);
}

#[test]
fn an_old_copy_brings_no_collected_key_back() {
    let long = secs(200);
    let mut s = Scenario::cluster(5).grace(secs(60)).build();
    let [a, _, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.at(a).put("l", "lasting");
    s.settle();
    s.snapshot(c);
    s.at(a).with(&old).delete("k");
    s.wait(long);
    s.expect("k").everywhere().on_disk().nothing();
    s.crash(c);
    s.roll_back(c);
    s.restart(c);
    s.wait(long);
    assert!(lost(&s, c, true));
    s.expect("k").everywhere().on_disk().nothing();
    s.expect("l").siblings(["lasting"]);
    assert_eq!(s.counter(c, "slots_refilling"), 0);
    s.converge(&["l"]);
}

#[test]
fn a_record_that_cannot_be_read_is_taken_from_the_others_again() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, _] = s.primaries("k");
    s.at(a).put("k", "v");
    s.settle();
    s.damage(b, "k");
    s.at(a).r(3).w(1).try_get("k").refused(ErrorCode::QuorumUnavailable);
    s.wait_until(secs(60), |s| s.told(b).contains(&Event::Refilled));
    let is_rotten = |event: &Event| matches!(event, Event::RecordRotten { .. });
    assert!(s.told(b).iter().any(is_rotten));
    s.expect("k").on_disk().siblings(["v"]);
    assert_eq!(s.at(b).get("k").texts(), ["v"]);
    s.converge(&["k"]);
}

#[test]
fn a_node_that_is_alone_after_a_start_takes_writes_and_answers_no_reads() {
    let mut s = Scenario::cluster(5).strict().r(3).w(1).build();
    let [a, ..] = s.primaries::<3>("k");
    s.at(a).put("k", "v");
    s.settle();
    s.nodes().into_iter().for_each(|node| s.crash(node));
    s.restart(a);
    s.wait(secs(3));
    s.at(a).put("k", "alone");
    s.at(a).r(1).w(3).try_get("k").refused(ErrorCode::QuorumUnavailable);
    s.nodes().into_iter().filter(|node| *node != a).for_each(|node| s.restart(node));
    s.wait(HEARD);
    s.converge(&["k"]);
    s.expect("k").siblings(["v", "alone"]);
}
