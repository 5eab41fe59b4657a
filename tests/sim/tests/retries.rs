//! One write, tried several times.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms};

#[test]
fn a_retry_at_the_same_coordinator_gets_the_first_answer_even_when_it_was_overwritten() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let first = s.at(a).as_request(1).put("k", "one");
    s.at(a).with(&first).put("k", "two");
    let again = s.at(a).as_request(1).put("k", "one");
    assert_eq!((first.dot(), first.context()), (again.dot(), again.context()));
    assert_eq!(first.receipt(), again.receipt());
    assert_eq!(s.at(a).get("k").texts(), ["two"]);
    assert_eq!(s.counter(a, "retries"), 1);
}

#[test]
fn a_retry_at_another_coordinator_that_has_the_first_try_gets_its_dot() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    let first = s.at(a).w(3).r(1).as_request(1).put("k", "one");
    let again = s.at(b).as_request(1).put("k", "one");
    assert_eq!((first.dot(), again.siblings()), (again.dot(), 1));
    assert_eq!(s.at(c).get("k").texts(), ["one"]);
    s.converge(&["k"]);
    s.expect("k").siblings(["one"]).dots([first.dot()]);
}

#[test]
fn a_retry_at_a_coordinator_that_has_not_heard_of_the_first_try_is_one_value_with_two_dots() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.hold(Frames::merges().from(a).to(b));
    let first = s.at(a).as_request(1).put("k", "one");
    let again = s.at(b).as_request(1).put("k", "one");
    assert_ne!(first.dot(), again.dot());
    s.converge(&["k"]);
    s.expect("k").siblings(["one"]).dots([first.dot(), again.dot()]);
}

#[test]
fn an_overwrite_that_was_shown_one_of_two_dots_leaves_the_other_one() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.hold(Frames::merges().from(a).to(b));
    s.at(a).as_request(1).put("k", "one");
    let again = s.at(b).as_request(1).put("k", "one");
    s.at(c).with(&again).put("k", "two");
    s.converge(&["k"]);
    s.expect("k").siblings(["one", "two"]);
}

#[test]
fn a_retry_that_meets_the_first_try_waits_for_its_end() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).build();
    let [a, ..] = s.primaries::<3>("k");
    let first = s.at(a).as_request(1).start_put("k", "one");
    s.wait(ms(50));
    let again = s.at(a).as_request(1).start_put("k", "one");
    let (first, again) = (s.finish(first), s.finish(again));
    assert_eq!(first.dot(), again.dot());
    assert!(again.took() < ms(80), "it came half way through the first one");
    s.settle();
    s.expect("k").dots([first.dot()]);
}

#[test]
fn a_retry_after_an_unknown_outcome_is_the_same_write() {
    let mut s = Scenario::cluster(5).timeout(ms(500)).build();
    let [a, ..] = s.primaries::<3>("k");
    let lost = s.lose(Frames::acknowledgements().to(a));
    s.at(a).as_request(1).try_put("k", "one").unknown(ErrorCode::Timeout);
    s.release(lost);
    let again = s.at(a).as_request(1).put("k", "one");
    s.settle();
    s.expect("k").siblings(["one"]).dots([again.dot()]);
}

#[test]
fn a_retry_in_the_next_life_of_the_coordinator_is_one_value() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let first = s.at(a).as_request(1).put("k", "one");
    s.settle();
    s.crash(a);
    s.restart(a);
    s.settle();
    assert_eq!(s.at(a).as_request(1).put("k", "one").dot(), first.dot());
    s.expect("k").dots([first.dot()]);
}

#[test]
fn the_same_request_id_for_another_key_is_another_write() {
    let mut s = Scenario::cluster(3).build();
    let [a, ..] = s.nodes()[..] else { panic!("three nodes") };
    s.at(a).as_request(1).put("k", "one");
    s.at(a).as_request(1).put("l", "two");
    assert_eq!(s.at(a).get("k").texts(), ["one"]);
    assert_eq!(s.at(a).get("l").texts(), ["two"]);
}
