//! R, W and N: who is needed, and what is said where too few are there.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};

#[test]
fn two_nodes_serve_a_quorum_of_three_replicas() {
    let mut s = Scenario::cluster(2).build();
    let [a, b] = s.primaries("k");
    s.at(a).put("k", "v");
    assert_eq!(s.at(b).get("k").texts(), ["v"]);
    // Three acknowledgements are more than there will ever be, and that is said at once.
    let refused = s.at(a).r(1).w(3).try_put("k", "w").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (2, 3));
    let alice = s.client();
    let refused = s.by(alice).r(1).w(3).try_put("k", "w").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (2, 3));
    s.expect("k").siblings(["v"]);
}

#[test]
fn one_node_alone_says_how_many_replicas_are_missing() {
    let mut s = Scenario::cluster(1).build();
    let alice = s.client();
    let refused = s.by(alice).try_put("k", "v").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 2));
    assert!(refused.took() < secs(1));
}

#[test]
fn two_primaries_down_are_refused_with_the_numbers_and_nothing_is_stored() {
    let mut s = Scenario::cluster(5).strict().build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    s.crash(a);
    s.crash(c);
    s.wait(secs(1));
    let refused = s.by(alice).try_put("k", "v").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 2));
    assert!(refused.took() < secs(4), "refused, not timed out");
    s.expect("k").at(b).nothing();
}

#[test]
fn write_one_read_three_needs_every_replica_to_read() {
    let mut s = Scenario::cluster(5).strict().r(3).w(1).build();
    let [a, b, c] = s.primaries("k");
    s.crash(c);
    s.settle();
    s.at(a).put("k", "v");
    let refused = s.at(b).try_get("k").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (2, 3));
    s.restart(c);
    s.converge(&["k"]);
}

#[test]
fn write_three_read_one_needs_every_replica_to_write() {
    let mut s = Scenario::cluster(5).strict().r(1).w(3).build();
    let [a, b, c] = s.primaries("k");
    s.at(a).put("k", "v");
    s.crash(c);
    s.settle();
    let refused = s.at(a).try_put("k", "w").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (2, 3));
    assert_eq!(s.at(b).get("k").texts(), ["v"]);
}

#[test]
fn quorums_that_break_the_rule_are_refused_by_name() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    for (r, w, code) in [(1, 1, ErrorCode::WeakQuorum), (4, 2, ErrorCode::BadQuorum)] {
        s.by(alice).r(r).w(w).try_put("k", "v").refused(code);
        s.by(alice).r(r).w(w).try_get("k").refused(code);
    }
    for (r, w) in [(1, 3), (3, 1)] {
        s.by(alice).r(r).w(w).put("k", "v");
        s.by(alice).r(r).w(w).get("k");
    }
    let mut weak = Scenario::cluster(5).allow_weak().build();
    let bob = weak.client();
    weak.by(bob).r(1).w(1).put("k", "v");
}

#[test]
fn replicas_stand_in_different_zones() {
    let s = Scenario::cluster(6).zones(3).build();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let mut zones = s.primaries::<3>(key).map(|node| node.index() % 3);
        zones.sort_unstable();
        assert_eq!(zones, [0, 1, 2], "key {key}");
    }
}

#[test]
fn an_acknowledged_write_is_read_by_every_quorum() {
    let mut s = Scenario::cluster(5).build();
    let primaries = s.primaries::<3>("k");
    let mut last = s.at(primaries[0]).put("k", "0");
    for round in 1..12 {
        let [writer, reader] = [round, round + 1].map(|turn| primaries[turn % 3]);
        last = s.at(writer).with(&last).put("k", &round.to_string());
        assert_eq!(s.at(reader).get("k").texts(), [round.to_string()]);
    }
}

#[test]
fn a_replica_that_goes_down_is_not_taken_for_empty() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.lose(Frames::merges().to(a).first(1));
    s.at(b).put("k", "v");
    let held = s.hold(Frames::read_answers());
    let get = s.at(a).start_get("k");
    s.wait(ms(20));
    s.crash(b);
    s.wait(ms(20));
    assert!(!s.has_ended(&get), "{a} alone is no quorum, and {c} has not spoken yet");
    s.release(held);
    assert_eq!(s.finish(get).texts(), ["v"]);
}

#[test]
fn a_node_with_too_many_requests_refuses_the_next_one() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.calls_max = 10).build();
    let [a, b, _] = s.primaries("k");
    let gets: Vec<_> = (0..10).map(|_| s.at(a).start_get("k")).collect();
    let refused = s.at(a).try_get("k").refused(ErrorCode::Overloaded);
    assert_eq!(refused.limit(), 10);
    s.at(b).get("k");
    gets.into_iter().for_each(|get| assert!(s.finish(get).texts().is_empty()));
}
