//! Nodes that stand still as by SIGSTOP: connected, silent, and back all at once.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Scenario, ms, secs};

#[test]
fn a_paused_primary_slows_nobody_and_catches_up_when_it_goes_on() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.pause(c);
    let put = s.at(a).put("k", "v");
    assert!(put.took() < ms(20) && !put.answered().contains(&c));
    assert!(s.at(b).get("k").took() < ms(20));
    s.expect("k").at(c).nothing();
    s.resume(c);
    s.settle();
    s.expect("k").siblings(["v"]).agree();
}

#[test]
fn two_paused_primaries_make_a_write_unknown_at_its_deadline() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, c] = s.primaries("k");
    [b, c].into_iter().for_each(|node| s.pause(node));
    let unknown = s.at(a).budget(secs(1)).try_put("k", "v").unknown(ErrorCode::Timeout);
    assert_eq!((unknown.acked(), unknown.took()), (1, secs(1)));
    s.at(a).budget(secs(1)).try_get("k").refused(ErrorCode::Timeout);
    [b, c].into_iter().for_each(|node| s.resume(node));
    s.settle();
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_coordinator_that_was_paused_in_the_middle_of_a_put_answers_late_but_truly() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(50)).build();
    let [a, ..] = s.primaries::<3>("k");
    let put = s.at(a).budget(secs(1)).start_put("k", "v");
    s.wait(ms(20));
    s.pause(a);
    s.wait(secs(30));
    assert!(!s.has_ended(&put));
    s.resume(a);
    // Acknowledgements and the deadline wait side by side: either is true.
    let _ = s.try_finish(put);
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_client_goes_round_a_paused_primary() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("k");
    s.by(alice).put("k", "v");
    s.pause(a);
    let read = s.by(alice).get("k");
    assert_eq!((read.texts(), read.attempts()), (vec!["v".to_owned()], 2));
    s.resume(a);
    s.converge(&["k"]);
}

#[test]
fn what_a_paused_node_was_sent_before_an_overwrite_does_not_bring_the_old_value_back() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    let one = s.at(a).put("k", "one");
    s.pause(c);
    let two = s.at(b).with(&one).put("k", "two");
    s.at(a).with(&two).delete("k");
    s.resume(c);
    s.settle();
    s.expect("k").deleted().agree();
}
