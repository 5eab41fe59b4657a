//! Tombstones: what they cover, and what does not come back.

use quorate_sim::scenario::{Frames, Scenario, ms};

#[test]
fn a_delete_covers_what_its_context_was_shown_and_no_more() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let old = s.by(alice).put("k", "old");
    s.by(alice).put("k", "concurrent");
    s.by(alice).with(&old).delete("k");
    let read = s.by(alice).get("k");
    assert_eq!((read.texts(), read.tombstones()), (vec!["concurrent".to_owned()], 1));
}

#[test]
fn a_delete_without_context_covers_what_a_quorum_holds() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).put("k", "a");
    s.by(alice).put("k", "b");
    s.by(alice).delete("k");
    let read = s.by(alice).get("k");
    assert_eq!((read.texts().len(), read.tombstones()), (0, 1));
    s.settle();
    // A second delete leaves one tombstone, too: its own.
    s.by(alice).delete("k");
    s.settle();
    s.expect("k").deleted().tombstones(1).agree();
}

#[test]
fn a_put_that_did_not_know_of_a_delete_stands_beside_it() {
    let mut s = Scenario::cluster(5).r(1).w(1).allow_weak().build();
    let [a, b, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.settle();
    s.cut_off(&[a]);
    s.at(a).with(&old).delete("k");
    let new = s.at(b).with(&old).put("k", "new");
    s.converge(&["k"]);
    s.expect("k").siblings(["new"]).tombstones(1).knows(old.dot()).knows(new.dot());
    let read = s.at(c).get("k");
    s.at(c).with(&read).delete("k");
    s.converge(&["k"]);
    s.expect("k").deleted();
}

#[test]
fn a_deleted_value_does_not_come_back_from_a_replica_that_was_away() {
    let mut s = Scenario::cluster(3).build();
    let [a, b, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.settle();
    s.crash(c);
    s.at(a).with(&old).delete("k");
    s.restart(c);
    s.settle();
    s.expect("k").at(c).siblings(["old"]);
    assert!(s.at(b).get("k").texts().is_empty());
    s.settle();
    s.expect("k").deleted().agree();
}

#[test]
fn a_deleted_value_does_not_come_back_with_a_merge_that_was_under_way() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    let late = s.hold(Frames::merges().from(a).to(c).of("k").first(1));
    let old = s.at(a).put("k", "old");
    s.at(b).with(&old).delete("k");
    s.settle();
    s.release(late);
    s.settle();
    s.expect("k").deleted().agree();
}

#[test]
fn a_put_that_was_shown_the_tombstone_takes_its_place() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).put("k", "old");
    s.at(a).delete("k");
    let read = s.at(b).get("k");
    s.at(b).with(&read).put("k", "new");
    s.converge(&["k"]);
    s.expect("k").siblings(["new"]).tombstones(0);
}

#[test]
fn deletes_on_two_sides_are_one_tombstone_to_readers() {
    let mut s = Scenario::cluster(5).r(1).w(1).allow_weak().build();
    let [a, b, _] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.settle();
    s.cut_off(&[a]);
    let dots = [a, b].map(|node| s.at(node).with(&old).delete("k").dot());
    s.converge(&["k"]);
    s.expect("k").deleted().tombstones(1).dots(dots);
}

#[test]
fn a_delete_without_context_does_not_cover_what_is_written_after_it_has_read() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    s.at(a).put("k", "old");
    let delete = s.at(a).start_delete("k");
    let put = s.at(a).start_put("k", "new");
    s.finish(delete);
    s.finish(put);
    s.converge(&["k"]);
    s.expect("k").siblings(["new"]).tombstones(1);
}

#[test]
fn a_delete_of_what_is_deleted_already_is_durable_when_it_is_acknowledged() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).build();
    let [a, b, c] = s.primaries("k");
    s.at(a).put("k", "v");
    s.settle();
    let _ = s.at(a).start_delete("k");
    s.wait(ms(20));
    s.expect("k").deleted().on_disk().siblings(["v"]);
    s.at(b).delete("k");
    [a, b, c].into_iter().for_each(|node| s.crash(node));
    s.expect("k").at_least(2).deleted();
}

#[test]
fn late_words_on_the_read_of_a_delete_are_none_on_its_write() {
    let mut s = Scenario::cluster(5).r(1).w(3).disks(|disk| disk.sync = ms(100)).build();
    let [a, _, c] = s.primaries("k");
    s.at(a).put("k", "v");
    s.settle();
    s.disk(c, |disk| disk.read_fails = 1_000);
    assert_eq!(s.at(a).delete("k").answered().len(), 3);
    s.expect("k").on_disk().deleted();
}
