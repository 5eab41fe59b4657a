//! Requests that come to a node which is no primary of the key.

use quorate_core::client::ErrorCode;
use quorate_core::machine::Event;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};

#[test]
fn a_node_that_is_no_primary_passes_a_request_on_and_says_so() {
    let mut s = Scenario::cluster(5).build();
    let ([a, ..], [d, _]) = (s.primaries::<3>("k"), s.fallbacks("k"));
    let done = s.at(d).put("k", "v");
    assert_eq!((done.passed_on_by(), done.coordinator()), (Some(d), a));
    assert_eq!(done.layout(), Some(s.world().layout()));
    assert!(done.answered().len() >= 2);
    assert!(s.told(d).contains(&Event::PassedOn { to: a.id() }));
    s.settle();
    s.expect("k").at(d).nothing();
}

#[test]
fn a_request_is_passed_on_once_only() {
    let mut s = Scenario::cluster(5).build();
    let [d, _] = s.fallbacks("k");
    s.at(d).passed_on().try_get("k").refused(ErrorCode::NotAPrimary);
}

#[test]
fn a_passed_on_request_survives_the_death_of_the_primary_that_had_it() {
    let mut s = Scenario::cluster(5).build();
    let ([a, ..], [d, _]) = (s.primaries::<3>("k"), s.fallbacks("k"));
    for steps in 0..20 {
        let get = s.at(d).start_get("k");
        s.step(steps);
        s.crash(a);
        s.finish(get);
        s.restart(a);
        s.settle();
    }
}

#[test]
fn a_passed_on_write_whose_primary_dies_is_written_once() {
    for steps in 0..20 {
        let mut s = Scenario::cluster(5).build();
        let ([a, ..], [d, _]) = (s.primaries::<3>("k"), s.fallbacks("k"));
        let put = s.at(d).start_put("k", "v");
        s.step(steps);
        s.crash(a);
        s.finish(put);
        s.converge(&["k"]);
        s.expect("k").siblings(["v"]);
    }
}

#[test]
fn a_passed_on_write_stays_unknown_when_the_second_primary_refuses_it() {
    let mut s = Scenario::cluster(5).strict().build();
    let ([a, b, c], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.pause(a);
    let put = s.at(d).start_put("k", "v");
    s.wait(ms(20));
    // What goes to the second one comes after the news.
    s.clog(d, b, ms(20));
    [c, a].into_iter().for_each(|node| s.crash(node));
    s.try_finish(put).unknown(ErrorCode::QuorumUnavailable);
    s.expect("k").at(b).nothing();
}

#[test]
fn a_passed_on_write_that_is_never_answered_is_unknown() {
    let mut s = Scenario::cluster(5).strict().build();
    let [d, _] = s.fallbacks("k");
    s.lose(Frames::replies().to(d));
    s.at(d).budget(secs(1)).try_put("k", "v").unknown(ErrorCode::Timeout);
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_sloppy_write_is_taken_where_the_node_that_was_asked_reaches_more_than_the_primaries() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, e]) = (s.primaries("k"), s.fallbacks("k"));
    // Everybody reaches one other node, and that one reaches all.
    for (one, others) in [(a, &[b, c, e][..]), (b, &[c, e]), (c, &[e])] {
        s.partition(&[one], others);
    }
    s.wait(secs(1));
    let done = s.at(d).r(1).w(3).put("k", "v");
    assert_eq!((done.coordinator(), done.answered()), (d, vec![c]));
    assert_eq!(done.stand_ins(), [(d, a), (e, b)]);
    let refused = s.at(d).strict().r(1).w(3).try_put("k", "w");
    let refused = refused.refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 3), "as the last primary counted");
    s.heal();
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}
