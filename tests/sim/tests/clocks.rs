//! Wall clocks that jump and drift: causality and deadlines do not look at them.

use quorate_sim::scenario::{Scenario, ms, secs};

const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;

#[test]
fn an_overwrite_wins_whatever_the_clocks_say() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.jump_clock(a, YEAR_MS);
    let one = s.at(a).put("k", "one");
    s.jump_clock(a, -2 * YEAR_MS);
    let two = s.at(a).with(&one).put("k", "two");
    s.jump_clock(b, 3 * YEAR_MS);
    let three = s.at(b).with(&two).put("k", "three");
    s.jump_clock(b, -6 * YEAR_MS);
    s.at(c).with(&three).put("k", "four");
    s.converge(&["k"]);
    s.expect("k").siblings(["four"]);
}

#[test]
fn a_delete_with_a_clock_far_behind_covers_what_its_context_was_shown() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.jump_clock(a, YEAR_MS);
    let value = s.at(a).put("k", "from the future");
    s.jump_clock(b, -YEAR_MS);
    s.at(b).with(&value).delete("k");
    s.converge(&["k"]);
    s.expect("k").deleted();
}

#[test]
fn a_value_from_the_future_is_still_a_sibling_of_a_concurrent_one() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.jump_clock(a, YEAR_MS);
    s.at(a).put("k", "future");
    s.at(b).put("k", "present");
    s.converge(&["k"]);
    s.expect("k").siblings(["future", "present"]);
}

#[test]
fn a_clock_that_jumps_while_a_request_is_under_way_changes_no_deadline() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(500)).build();
    let [a, b, c] = s.primaries("k");
    let put = s.at(a).budget(secs(1)).start_put("k", "v");
    s.wait(ms(100));
    for (node, by) in [(a, YEAR_MS), (b, -YEAR_MS), (c, YEAR_MS)] {
        s.jump_clock(node, by);
    }
    assert!(s.finish(put).took() < ms(700));
}

#[test]
fn clocks_that_drift_apart_leave_replicas_that_agree() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    for (node, ppm) in [(a, 100_000), (b, -100_000), (c, 500)] {
        s.drift_clock(node, ppm);
    }
    let mut last = s.at(a).put("k", "0");
    for round in 1..10 {
        s.wait(secs(60));
        last = s.at([a, b, c][round % 3]).with(&last).put("k", &round.to_string());
    }
    s.converge(&["k"]);
    s.expect("k").siblings(["9"]);
}

#[test]
fn a_key_with_many_writers_of_skewed_clocks_loses_nothing_to_truncation() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.actors_kept = 2).build();
    let [a, b, c] = s.primaries("k");
    let mut last = s.at(a).put("k", "0");
    for round in 1..12 {
        let node = [a, b, c][round % 3];
        s.crash(node);
        s.restart(node);
        s.settle();
        s.jump_clock(node, if round % 2 == 0 { YEAR_MS } else { -YEAR_MS });
        last = s.at(node).with(&last).put("k", &round.to_string());
    }
    s.converge(&["k"]);
    let texts = s.at(a).get("k").texts();
    assert!(texts.contains(&"11".to_owned()), "{texts:?}");
}
