//! Values with a time to live, and clocks that do not agree.

use quorate_core::client::ErrorCode;
use quorate_core::limits::TTL_MAX;
use quorate_sim::scenario::{Scenario, ms, secs};

#[test]
fn a_value_is_gone_when_its_time_is_over_and_may_be_written_again() {
    let mut s = Scenario::cluster(5).build();
    let client = s.client();
    let written = s.by(client).ttl(secs(10)).put("k", "v");
    s.wait(secs(9));
    assert_eq!(s.by(client).get("k").texts(), ["v"]);
    s.wait(secs(1));
    let read = s.by(client).get("k");
    assert!(read.texts().is_empty());
    assert_eq!(read.tombstones(), 1);
    assert_eq!(s.by(client).with(&read).put("k", "again").siblings(), 1);
    let _ = written;
    s.converge(&["k"]);
    s.expect("k").siblings(["again"]);
}

#[test]
fn each_coordinator_goes_by_its_own_clock_and_all_keep_one_moment() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.jump_clock(b, 60_000);
    s.jump_clock(c, -60_000);
    let done = s.at(a).ttl(secs(30)).put("k", "v");
    s.converge(&["k"]);
    assert_eq!(s.at(a).get("k").texts(), ["v"]);
    assert!(s.at(b).get("k").texts().is_empty(), "its clock is a minute ahead");
    s.wait(secs(31));
    assert!(s.at(a).get("k").texts().is_empty());
    assert_eq!(s.at(c).get("k").texts(), ["v"], "its clock is a minute behind");
    s.expect("k").dots([done.dot()]).agree();
}

#[test]
fn an_expired_value_hides_neither_a_concurrent_one_nor_an_equal_one_that_lives_on() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.at(a).ttl(secs(5)).put("k", "same");
    s.at(b).put("k", "same");
    s.at(c).ttl(secs(5)).put("k", "other");
    assert_eq!(s.at(a).get("k").texts(), ["other", "same"]);
    s.wait(secs(6));
    let read = s.at(a).get("k");
    assert_eq!((read.texts(), read.tombstones()), (vec!["same".to_owned()], 1));
}

#[test]
fn a_delete_beside_a_value_that_expires_takes_nothing_away_before_its_time() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let first = s.at(a).put("k", "first");
    s.at(a).with(&first).delete("k");
    s.at(b).ttl(secs(5)).put("k", "second");
    let read = s.at(a).get("k");
    assert_eq!((read.texts(), read.tombstones()), (vec!["second".to_owned()], 1));
    s.wait(secs(5));
    let read = s.at(b).get("k");
    assert_eq!((read.texts().len(), read.tombstones()), (0, 2));
    s.at(b).delete("k");
    s.converge(&["k"]);
    s.expect("k").deleted();
}

#[test]
fn a_retry_keeps_the_moment_of_the_first_try() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.answers_kept = 0).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).as_request(1).ttl(secs(10)).put("k", "v");
    s.settle();
    s.wait(secs(4));
    let again = s.at(a).as_request(1).ttl(secs(10)).put("k", "v");
    let elsewhere = s.at(b).as_request(1).ttl(secs(10)).put("k", "v");
    assert_eq!(again.dot(), elsewhere.dot());
    s.wait(secs(6));
    assert!(s.at(b).get("k").texts().is_empty());
}

#[test]
fn a_value_without_end_over_one_that_expires_stays_and_the_other_way_round() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let fleeting = s.at(a).ttl(secs(5)).put("k", "fleeting");
    s.at(a).with(&fleeting).put("k", "lasting");
    let lasting = s.at(a).put("l", "lasting");
    s.at(a).with(&lasting).ttl(secs(5)).put("l", "fleeting");
    s.wait(secs(6));
    assert_eq!(s.at(a).get("k").texts(), ["lasting"]);
    assert!(s.at(a).get("l").texts().is_empty());
}

#[test]
fn a_put_that_is_passed_on_or_kept_as_a_hint_keeps_its_time_to_live() {
    let mut s = Scenario::cluster(5).build();
    let [a, _, _] = s.primaries("k");
    let [d, _] = s.fallbacks("k");
    s.crash(a);
    s.settle();
    let done = s.at(d).ttl(secs(60)).put("k", "v");
    assert_eq!(done.passed_on_by(), Some(d));
    s.restart(a);
    s.settle();
    s.expect("k").dots([done.dot()]).agree();
    assert_eq!(s.at(a).r(1).w(3).get("k").texts(), ["v"]);
    s.wait(secs(60));
    assert!(s.at(a).r(1).w(3).get("k").texts().is_empty());
}

#[test]
fn no_node_takes_a_time_to_live_that_it_cannot_keep() {
    let mut s = Scenario::cluster(3).build();
    let [a, ..] = s.primaries::<3>("k");
    for ttl in [ms(0), TTL_MAX + ms(1)] {
        s.at(a).ttl(ttl).try_put("k", "v").refused(ErrorCode::BadTtl);
    }
    s.at(a).ttl(TTL_MAX).put("k", "v");
    assert_eq!(s.at(a).get("k").texts(), ["v"]);
}
