//! Replicas that become equal without a read and without hints (DESIGN.md §11).

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect")]

use quorate_core::machine::Event;
use quorate_sim::scenario::{Node, Scenario, secs};

/// Nothing is kept for anybody who is away.
fn without_hints() -> Scenario {
    let builder = Scenario::cluster(5).limits(|limits| {
        limits.target_hint_bytes_max = 0;
        limits.hint_bytes_max = 0;
    });
    builder.build()
}

/// Records that a node took, or was given.
fn moved_to(s: &Scenario, to: Node) -> usize {
    let brings = |node: &Node, event: &Event| match event {
        Event::RecordTaken { .. } => *node == to,
        Event::RecordGiven { to: given, .. } => *given == to.id(),
        _ => false,
    };
    let nodes = s.nodes();
    nodes.iter().map(|node| s.told(*node).iter().filter(|event| brings(node, event)).count()).sum()
}

#[test]
fn a_primary_that_missed_writes_is_whole_again_without_a_read() {
    let mut s = without_hints();
    let [a, b, c] = s.primaries("k");
    s.cut_off(&[a]);
    s.wait(secs(1));
    let put = s.at(b).put("k", "v");
    s.settle();
    s.heal();
    s.expect("k").at(a).nothing();
    s.wait(secs(100));
    s.expect("k").among(&[a, b, c]).on_disk().siblings(["v"]).dots([put.dot()]).agree();
    assert_eq!((s.repaired("k"), s.all_hints(), moved_to(&s, a)), (vec![], 0, 1));
    // Equal replicas move nothing.
    s.wait(secs(100));
    assert_eq!(s.nodes().into_iter().map(|node| moved_to(&s, node)).sum::<usize>(), 1);
}

#[test]
fn an_emptied_disk_is_refilled() {
    let mut s = without_hints();
    let [a, ..] = s.primaries::<3>("k");
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    for key in &keys {
        s.at(a).put(key, "v");
    }
    s.settle();
    let held: Vec<&String> = keys.iter().filter(|key| s.primaries::<3>(key).contains(&a)).collect();
    s.crash(a);
    s.wipe(a);
    s.restart(a);
    s.wait(secs(150));
    assert!(held.len() > 10, "{held:?}");
    for key in &held {
        s.expect(key).at(a).on_disk().siblings(["v"]);
    }
    assert_eq!(moved_to(&s, a), held.len(), "each came once");
}

#[test]
fn a_tombstone_reaches_a_replica_that_missed_the_delete() {
    let mut s = without_hints();
    let [a, b, c] = s.primaries("k");
    let put = s.at(b).put("k", "v");
    s.settle();
    s.cut_off(&[a]);
    s.wait(secs(1));
    s.at(b).with(&put).delete("k");
    s.settle();
    s.heal();
    s.expect("k").at(a).siblings(["v"]);
    s.wait(secs(100));
    s.expect("k").among(&[a, b, c]).on_disk().deleted().tombstones(1).agree();
}
