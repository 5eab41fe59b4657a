//! Writers who did not know of each other, and contexts.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Scenario, secs};

#[test]
fn two_writers_with_one_context_at_one_coordinator_both_survive() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let base = s.at(a).put("k", "base");
    assert_eq!(s.at(a).with(&base).put("k", "left").siblings(), 1);
    assert_eq!(s.at(a).with(&base).put("k", "right").siblings(), 2);
    assert_eq!(s.at(a).get("k").texts(), ["left", "right"]);
}

#[test]
fn two_writers_that_alternate_a_hundred_chained_puts_leave_two_siblings() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let mut last = ["0", "1"].map(|writer| s.at(a).put("k", writer));
    for round in 1..100 {
        for (writer, last) in last.iter_mut().enumerate() {
            *last = s.at(a).with(last).put("k", &format!("{writer}:{round}"));
            assert!(last.siblings() <= 2);
        }
    }
    assert_eq!(s.at(a).get("k").texts(), ["0:99", "1:99"]);
}

#[test]
fn a_merge_with_the_readers_context_supersedes_all_it_was_shown() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    for (node, value) in [(a, "a"), (b, "b"), (c, "c")] {
        s.at(node).put("k", value);
    }
    let read = s.at(a).get("k");
    assert_eq!(read.texts(), ["a", "b", "c"]);
    assert_eq!(s.at(b).with(&read).put("k", "abc").siblings(), 1);
    s.settle();
    s.expect("k").siblings(["abc"]).agree();
}

#[test]
fn a_write_supersedes_nothing_that_came_after_its_writer_had_read() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).put("k", "one");
    let read = s.at(b).get("k");
    let two = s.at(a).put("k", "two");
    let three = s.at(b).with(&read).put("k", "three");
    s.converge(&["k"]);
    s.expect("k").siblings(["three", "two"]).dots([two.dot(), three.dot()]);
}

#[test]
fn an_old_context_supersedes_nothing_anew() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let one = s.at(a).put("k", "one");
    s.at(a).with(&one).put("k", "two");
    assert_eq!(s.at(b).with(&one).put("k", "late").siblings(), 2);
    s.converge(&["k"]);
    s.expect("k").siblings(["late", "two"]);
}

#[test]
fn equal_values_of_two_writers_are_shown_once_and_both_kept() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let (one, two) = (s.at(a).put("k", "same"), s.at(b).put("k", "same"));
    assert_eq!(s.at(a).get("k").texts(), ["same"]);
    s.converge(&["k"]);
    s.expect("k").siblings(["same"]).dots([one.dot(), two.dot()]);
}

#[test]
fn a_context_of_another_key_is_refused() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("other");
    let done = s.by(alice).put("k", "v");
    s.by(alice).with(&done).try_put("other", "v").refused(ErrorCode::BadContext);
    s.at(a).with(&done).try_put("other", "v").refused(ErrorCode::BadContext);
    s.at(a).with_token("no context at all").try_put("other", "v").refused(ErrorCode::BadContext);
    s.expect("other").everywhere().nothing();
}

#[test]
fn siblings_have_a_limit_on_put_and_a_merge_makes_room() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.siblings_max = 10).build();
    let [a, ..] = s.primaries::<3>("k");
    for value in 0..10 {
        s.at(a).put("k", &value.to_string());
    }
    let refused = s.at(a).try_put("k", "one too many").refused(ErrorCode::TooManySiblings);
    assert_eq!((refused.limit(), refused.actual()), (10, 11));
    let read = s.at(a).get("k");
    assert_eq!(read.siblings(), 10);
    assert_eq!(s.at(a).with(&read).put("k", "merged").siblings(), 1);
}

#[test]
fn replicas_take_more_siblings_than_a_put_may_leave() {
    let mut s = Scenario::cluster(5).r(1).w(1).allow_weak().limits(|l| l.siblings_max = 2).build();
    let [a, b, c] = s.primaries("k");
    [a, b, c].into_iter().for_each(|node| s.cut_off(&[node]));
    for node in [a, b, c] {
        s.at(node).put("k", &format!("one at {node}"));
        s.at(node).put("k", &format!("two at {node}"));
    }
    s.heal();
    s.settle();
    let read = s.at(a).r(3).get("k");
    assert_eq!(read.siblings(), 6);
    s.at(a).with(&read).put("k", "merged");
    s.converge(&["k"]);
    s.expect("k").siblings(["merged"]);
}

#[test]
fn truncation_keeps_every_writer_whose_value_stands() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.actors_kept = 1).build();
    let [a, b, c] = s.primaries("k");
    let writes = [a, b, c].map(|node| s.at(node).put("k", &format!("by {node}")));
    s.settle();
    s.wait(secs(5 * 60 * 60));
    let last = s.at(a).with(&writes[0]).put("k", "the last");
    s.converge(&["k"]);
    s.expect("k").dots([last.dot(), writes[1].dot(), writes[2].dot()]);
}

#[test]
fn truncation_drops_old_writers_and_keeps_young_ones() {
    let mut s = Scenario::cluster(5).limits(|limits| limits.actors_kept = 1).build();
    let [a, b, c] = s.primaries("k");
    let one = s.at(a).put("k", "one");
    let two = s.at(b).with(&one).put("k", "two");
    s.settle();
    s.expect("k").actors(2);
    s.wait(secs(5 * 60 * 60));
    s.at(c).with(&two).put("k", "three");
    s.settle();
    // A merge drops nothing.
    s.expect("k").at(c).siblings(["three"]).actors(2).knows(two.dot());
    s.expect("k").among(&[a, b]).siblings(["three"]).actors(3);
}
