//! What is deleted or expired goes for good, once nobody can bring it back (DESIGN.md §12).

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one event")]

use quorate_core::machine::Event;
use quorate_core::time::Duration;
use quorate_sim::scenario::{Frames, Node, Scenario, secs};

/// With every wait that follows it: two looks, and the passes that begin them.
const GRACE: Duration = Duration::from_secs(60);

/// Long enough for a record that is dead to be found and collected.
const LONG: Duration = Duration::from_secs(200);

fn five() -> Scenario {
    Scenario::cluster(5).grace(GRACE).build()
}

/// How many nodes removed their copy of `key` for good.
fn collected(s: &Scenario, key: &str) -> usize {
    let is_it = |event: &&Event| match event {
        Event::Collected { key: gone } => gone.as_bytes() == key.as_bytes(),
        _ => false,
    };
    s.nodes().into_iter().map(|node| s.told(node).iter().filter(is_it).count()).sum()
}

fn stale(s: &Scenario, node: Node) -> bool {
    s.told(node).iter().any(|event| matches!(event, Event::StaleRefused(_)))
}

#[test]
fn a_deleted_key_leaves_nothing_behind_once_the_grace_time_is_over() {
    let mut s = five();
    let client = s.client();
    let old = s.by(client).put("k", "v");
    s.by(client).with(&old).delete("k");
    s.wait(secs(55));
    s.expect("k").deleted().agree();
    s.wait(LONG);
    s.expect("k").everywhere().on_disk().nothing();
    assert_eq!(collected(&s, "k"), 3);
    let read = s.by(client).get("k");
    assert_eq!((read.texts().len(), read.tombstones()), (0, 0));
    // Whoever was shown what is gone writes on.
    s.by(client).with(&old).put("k", "again");
    s.wait(LONG);
    s.expect("k").siblings(["again"]).on_disk().agree();
    s.converge(&["k"]);
}

#[test]
fn a_value_goes_that_has_expired_and_one_that_has_not_stays() {
    let mut s = five();
    let [a, b, _] = s.primaries("k");
    s.at(a).ttl(secs(10)).put("k", "fleeting");
    s.at(a).put("l", "lasting");
    let old = s.at(a).put("m", "old");
    s.at(a).with(&old).delete("m");
    s.at(b).put("m", "beside the tombstone");
    s.at(a).ttl(LONG * 4).put("n", "late");
    s.wait(LONG);
    s.expect("k").everywhere().nothing();
    s.expect("l").siblings(["lasting"]);
    s.expect("m").siblings(["beside the tombstone"]).tombstones(1);
    s.expect("n").siblings(["late"]);
    s.wait(LONG * 4);
    s.expect("n").everywhere().nothing();
}

/// A hint with a value lies at a node that is away while the value is deleted elsewhere.
#[test]
fn zombie_a_value_on_a_hint_holder_that_is_away_for_long_does_not_come_back() {
    let mut s = five();
    let ([a, b, c], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(a);
    s.wait(secs(1));
    let old = s.at(b).w(3).put("k", "zombie");
    s.settle();
    assert_eq!(s.hints(d, a), 1);
    s.crash(d);
    s.restart(a);
    s.wait(secs(100));
    s.expect("k").among(&[a, b, c]).siblings(["zombie"]);
    s.at(b).with(&old).delete("k");
    s.wait(LONG * 2);
    s.expect("k").deleted().agree();
    assert_eq!(collected(&s, "k"), 0, "nobody can ask the holder of the hint");
    s.restart(d);
    s.wait(LONG);
    s.expect("k").everywhere().nothing();
    assert_eq!((collected(&s, "k"), s.all_hints()), (3, 0));
    s.wait(LONG);
    s.expect("k").everywhere().on_disk().nothing();
}

/// A hint with a tombstone lies at a node that is away while the key is written again.
#[test]
fn doomstone_a_tombstone_on_a_hint_holder_that_is_away_does_not_take_what_is_written_later() {
    let mut s = five();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    let old = s.at(b).put("k", "old");
    s.settle();
    s.crash(a);
    s.wait(secs(1));
    s.at(b).w(3).with(&old).delete("k");
    s.settle();
    assert_eq!(s.hints(d, a), 1);
    s.crash(d);
    s.restart(a);
    s.wait(LONG);
    s.expect("k").deleted().agree();
    let new = s.at(b).put("k", "new");
    let tombstone = s.at(b).get("k");
    let newest = s.at(b).with(&tombstone).put("k", "newest");
    s.restart(d);
    s.wait(LONG);
    s.expect("k").siblings(["newest"]).dots([newest.dot()]).knows(new.dot()).agree();
    assert_eq!((collected(&s, "k"), s.all_hints()), (0, 0));
}

#[test]
fn a_primary_that_comes_back_after_the_grace_time_brings_nothing_back() {
    let mut s = five();
    let [a, b, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.settle();
    s.crash(c);
    s.wait(secs(1));
    s.at(a).with(&old).delete("k");
    s.wait(LONG * 3);
    s.expect("k").among(&[a, b]).deleted();
    s.expect("k").at(c).on_disk().siblings(["old"]);
    s.restart(c);
    s.wait(LONG);
    s.expect("k").everywhere().on_disk().nothing();
    assert!(s.at(c).r(3).get("k").texts().is_empty());
}

#[test]
fn a_primary_whose_disk_was_emptied_meanwhile_holds_nothing_up() {
    let mut s = five();
    let [a, b, c] = s.primaries("k");
    let old = s.at(a).put("k", "old");
    s.at(b).with(&old).delete("k");
    s.wait(secs(30));
    s.crash(c);
    s.wipe(c);
    s.restart(c);
    s.wait(LONG * 2);
    s.expect("k").everywhere().nothing();
    assert!(collected(&s, "k") >= 2);
}

#[test]
fn a_merge_that_was_under_way_since_before_is_refused() {
    let mut s = five();
    let [a, _, c] = s.primaries("k");
    let late = s.copy(Frames::merges().from(a).to(c).of("k").first(1));
    let old = s.at(a).put("k", "old");
    s.at(a).with(&old).delete("k");
    s.wait(LONG);
    s.expect("k").everywhere().nothing();
    s.release(late);
    s.wait(secs(1));
    assert!(stale(&s, c));
    s.expect("k").everywhere().nothing();
    s.wait(LONG);
    s.expect("k").everywhere().nothing();
}

#[test]
fn a_hint_that_is_made_of_an_old_merge_after_the_first_look_holds_it_up() {
    let mut s = five();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(a);
    s.wait(secs(1));
    let late = s.copy(Frames::merges().from(b).to(d).of("k").first(1));
    let old = s.at(b).w(3).put("k", "old");
    s.settle();
    s.restart(a);
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    s.at(b).with(&old).delete("k");
    // The first look is over, the second is not.
    s.wait(secs(75));
    s.expect("k").deleted().agree();
    s.cut_off(&[d, b]);
    s.release(late);
    s.wait(secs(1));
    assert_eq!(s.hints(d, a), 1, "so it is tested");
    s.heal();
    s.wait(LONG * 2);
    s.expect("k").everywhere().on_disk().nothing();
    assert_eq!(s.all_hints(), 0);
}
