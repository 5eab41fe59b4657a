//! Nodes that end as by `kill -9`, and their next lives.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};

#[test]
fn one_primary_down_changes_nothing_for_clients() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("k");
    s.crash(a);
    assert_eq!(s.by(alice).put("k", "v").passed_on_by(), None);
    assert_eq!(s.by(alice).get("k").texts(), ["v"]);
}

#[test]
fn a_coordinator_that_dies_in_the_middle_of_a_put_costs_the_writer_nothing() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("k");
    s.by(alice).get("k");
    s.wait(secs(1));
    for steps in 0..40 {
        let value = format!("after {steps} steps");
        let put = s.by(alice).start_put("k", &value);
        s.step(steps);
        s.crash(a);
        s.finish(put);
        let texts = s.by(alice).get("k").texts();
        assert_eq!(texts.iter().filter(|text| **text == value).count(), 1, "{texts:?}");
        s.restart(a);
        s.settle();
    }
}

#[test]
fn a_write_that_loses_its_quorum_on_the_way_is_unknown() {
    let mut s =
        Scenario::cluster(5).strict().disks(|disk| disk.sync = ms(100)).timeout(secs(2)).build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    s.by(alice).get("k");
    let put = s.by(alice).start_put("k", "v");
    s.wait(ms(20));
    s.crash(b);
    s.crash(c);
    s.try_finish(put).unknown(ErrorCode::QuorumUnavailable);
    s.expect("k").at(a).siblings(["v"]);
}

#[test]
fn a_crash_between_applied_and_durable_takes_back_what_nobody_acknowledged() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).timeout(secs(2)).build();
    let [a, b, c] = s.primaries("k");
    let _ = s.at(a).start_put("k", "v");
    s.wait(ms(20));
    s.expect("k").siblings(["v"]);
    s.expect("k").on_disk().nothing();
    [a, b, c].into_iter().for_each(|node| s.crash(node));
    s.expect("k").nothing();
    [a, b, c].into_iter().for_each(|node| s.restart(node));
    s.settle();
    assert!(s.at(a).get("k").texts().is_empty());
}

#[test]
fn what_survives_a_crash_unacknowledged_is_found_by_the_next_read() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).timeout(secs(2)).build();
    let [a, b, c] = s.primaries("k");
    let _ = s.at(a).start_put("k", "v");
    s.wait(ms(20));
    s.crash_keeping(a, 1_000);
    [b, c].into_iter().for_each(|node| s.crash(node));
    s.expect("k").at(a).on_disk().siblings(["v"]);
    s.expect("k").among(&[b, c]).nothing();
    [a, b, c].into_iter().for_each(|node| s.restart(node));
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn an_acknowledgement_for_a_coordinator_that_died_is_none_for_its_next_life() {
    let mut s = Scenario::cluster(5).strict().disks(|disk| disk.sync = ms(300)).build();
    let [a, b, c] = s.primaries("k");
    // A first write is on its way to the disks when its coordinator dies and comes back.
    let _ = s.at(a).start_put("k", "first");
    s.wait(ms(250));
    s.crash(a);
    // Whoever is still connected to the former life takes the new one for somebody else.
    s.wait(ms(5));
    s.restart(a);
    s.wait(ms(35));
    let second = s.at(a).put("k", "second");
    assert!(second.took() >= ms(300), "nobody has synced it before");
    [a, b, c].into_iter().for_each(|node| s.crash(node));
    s.expect("k").on_disk().at_least(2).knows(second.dot());
}

#[test]
fn a_held_acknowledgement_that_comes_in_the_next_life_of_the_coordinator_counts_for_nothing() {
    let mut s = Scenario::cluster(5).timeout(secs(1)).build();
    let [a, b, c] = s.primaries("k");
    let held = s.hold(Frames::acknowledgements().to(a));
    let _ = s.at(a).start_put("k", "first");
    s.wait(ms(50));
    assert_eq!(s.waiting(held), 2);
    s.crash(a);
    s.restart(a);
    s.settle();
    s.lose(Frames::merges().from(a));
    let second = s.at(a).start_put("k", "second");
    s.release(held);
    let unknown = s.try_finish(second).unknown(ErrorCode::Timeout);
    assert_eq!((unknown.acked(), unknown.needed()), (1, 2));
    s.expect("k").among(&[b, c]).siblings(["first"]);
}

#[test]
fn a_new_life_of_a_node_never_mints_a_dot_of_an_earlier_one() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let mut dots = Vec::new();
    for life in 0..5 {
        dots.push(s.at(a).put("k", &format!("life {life}")).dot());
        s.settle();
        s.crash(a);
        if life % 2 == 0 {
            s.wipe(a);
        }
        s.restart(a);
        s.settle();
    }
    s.converge(&["k"]);
    s.expect("k").dots(dots).siblings((0..5).map(|life| format!("life {life}")));
}

#[test]
fn a_disk_that_is_rolled_back_never_gives_a_dot_twice() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    let one = s.at(a).put("k", "one");
    s.settle();
    s.snapshot(a);
    let two = s.at(a).with(&one).put("k", "two");
    s.settle();
    s.crash(a);
    s.roll_back(a);
    s.expect("k").at(a).dots([one.dot()]);
    s.restart(a);
    s.settle();
    let three = s.at(a).with(&one).put("k", "three");
    assert_ne!(two.dot(), three.dot());
    s.converge(&["k"]);
    s.expect("k").siblings(["two", "three"]).dots([two.dot(), three.dot()]);
}

#[test]
fn a_node_that_crashes_after_any_of_its_effects_loses_nothing_that_was_acknowledged() {
    for effects in 0..12 {
        let mut s = Scenario::cluster(5).build();
        let alice = s.client();
        let [a, ..] = s.primaries::<3>("k");
        let before = s.by(alice).put("k", "before");
        s.crash_after(a, effects);
        s.by(alice).with(&before).put("k", "after");
        s.converge(&["k"]);
        s.expect("k").siblings(["after"]);
    }
}
