//! Nodes that cannot reach each other: from both sides, or from one.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Scenario, ms, secs};

/// The worked example of DESIGN.md §6, E1 to E4 and the merge.
#[test]
fn writes_on_two_sides_of_a_partition_are_siblings_until_somebody_merges_them() {
    let mut s = Scenario::cluster(5).r(1).w(1).allow_weak().build();
    let [a, b, c] = s.primaries("k");
    let e1 = s.at(a).put("k", "E1");
    let e2 = s.at(a).with(&e1).put("k", "E2");
    s.settle();
    s.expect("k").dots([e2.dot()]).knows(e1.dot());
    s.partition(&[b], &[c]);
    s.cut_off(&[a]);
    let e3 = s.at(b).with(&e2).put("k", "E3");
    let e4 = s.at(c).with(&e2).put("k", "E4");
    s.heal();
    s.settle();
    let read = s.at(a).r(3).get("k");
    assert_eq!(read.texts(), ["E3", "E4"]);
    s.settle();
    s.expect("k").dots([e3.dot(), e4.dot()]).knows(e2.dot()).actors(3).agree();
    let merged = s.at(a).with(&read).put("k", "E3 and E4");
    assert_eq!(merged.dot().counter.0, 3, "the third write of its actor");
    s.settle();
    s.expect("k").siblings(["E3 and E4"]).dots([merged.dot()]).knows(e3.dot()).knows(e4.dot());
    s.converge(&["k"]);
}

#[test]
fn both_sides_of_a_partition_keep_what_they_acknowledged() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, _] = s.primaries("k");
    let [d, _] = s.fallbacks("k");
    s.cut_off(&[a, d]);
    s.wait(secs(1));
    // One primary alone is no quorum; two are.
    let refused = s.at(a).try_put("k", "left").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 2));
    s.at(b).put("k", "right");
    s.heal();
    s.settle();
    assert_eq!(s.at(a).get("k").texts(), ["right"]);
    s.settle();
    s.expect("k").siblings(["right"]).agree();
}

#[test]
fn a_node_that_hears_nobody_still_serves_nobody_else() {
    let mut s = Scenario::cluster(5).strict().timeout(secs(1)).build();
    let [a, b, c] = s.primaries("k");
    // What `a` sends arrives; what it is sent does not, and nobody is told.
    s.cut_one_way(b, a);
    s.cut_one_way(c, a);
    let unknown = s.at(a).try_put("k", "one way").unknown(ErrorCode::Timeout);
    assert_eq!((unknown.acked(), unknown.needed()), (1, 2));
    s.at(a).try_get("k").refused(ErrorCode::Timeout);
    // It did arrive, and a reader on the other side sees it.
    assert_eq!(s.at(b).get("k").texts(), ["one way"]);
    s.expect("k").on_disk().siblings(["one way"]);
}

#[test]
fn a_node_that_nobody_hears_loses_what_it_sends_and_is_repaired_later() {
    let mut s = Scenario::cluster(5).strict().timeout(secs(1)).build();
    let [a, b, c] = s.primaries("k");
    s.cut_one_way(a, b);
    s.cut_one_way(a, c);
    s.at(a).try_put("k", "unheard").unknown(ErrorCode::Timeout);
    s.expect("k").among(&[b, c]).nothing();
    s.at(b).put("k", "heard");
    s.settle();
    s.expect("k").at(a).siblings(["heard", "unheard"]);
    s.converge(&["k"]);
    s.expect("k").siblings(["heard", "unheard"]);
}

#[test]
fn a_bridge_between_two_sides_serves_both() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.partition(&[a], &[c]);
    s.wait(secs(1));
    let left = s.at(a).put("k", "left");
    assert_eq!(left.answered().len() + left.receipt().fallbacks.len(), 2);
    let right = s.at(c).with(&left).put("k", "right");
    assert!(right.answered().contains(&b) && !right.answered().contains(&a));
    assert_eq!(s.at(b).get("k").texts(), ["right"]);
    s.converge(&["k"]);
}

#[test]
fn a_partition_that_comes_in_the_middle_of_a_put_leaves_it_unknown() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(50)).build();
    let [a, ..] = s.primaries::<3>("k");
    let put = s.at(a).start_put("k", "v");
    s.wait(ms(10));
    s.cut_off(&[a]);
    let unknown = s.try_finish(put).unknown(ErrorCode::QuorumUnavailable);
    assert!(unknown.acked() < 2 && unknown.took() < secs(1), "{unknown:?}");
    s.heal();
    s.settle();
    // It had happened.
    assert_eq!(s.at(a).get("k").texts(), ["v"]);
}

#[test]
fn a_client_that_is_parted_from_all_primaries_goes_through_another_node() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).put("k", "v");
    let primaries = s.primaries::<3>("k");
    s.partition(&[alice], &primaries);
    let read = s.by(alice).get("k");
    assert_eq!(read.texts(), ["v"]);
    assert!(s.fallbacks::<2>("k").contains(&read.passed_on_by().unwrap()));
}
