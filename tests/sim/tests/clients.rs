//! Real clients: they route, try again, and give up in time.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};

#[test]
fn one_seed_is_enough_to_go_straight_to_every_primary() {
    let mut s = Scenario::cluster(5).build();
    let seed = s.nodes()[3];
    let alice = s.client_with_seeds(&[seed]);
    for key in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(s.by(alice).put(key, "v").passed_on_by(), None);
    }
    // And to live on when it is gone.
    s.crash(seed);
    s.wait(secs(10));
    for key in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(s.by(alice).get(key).texts(), ["v"]);
    }
}

#[test]
fn a_deadline_of_nothing_is_an_error_and_no_write() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).get("k");
    let failed = s.by(alice).budget(ms(0)).try_put("k", "v").failed();
    assert_eq!(failed.error.code, ErrorCode::Timeout);
    s.settle();
    s.expect("k").nothing();
}

#[test]
fn no_call_outlives_its_deadline() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.nodes().into_iter().for_each(|node| s.crash(node));
    let refused = s.by(alice).budget(ms(700)).try_get("k").refused(ErrorCode::Unreachable);
    assert_eq!(refused.took(), ms(700));
}

#[test]
fn a_client_finds_the_cluster_again_after_all_nodes_were_down() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).put("k", "v");
    s.wait(secs(1));
    s.nodes().into_iter().for_each(|node| s.crash(node));
    s.wait(secs(20));
    let get = s.by(alice).start_get("k");
    s.wait(secs(1));
    s.nodes().into_iter().for_each(|node| s.restart(node));
    assert_eq!(s.finish(get).texts(), ["v"]);
}

#[test]
fn a_client_with_an_old_layout_is_corrected_by_the_first_reply() {
    let mut s = Scenario::cluster(6).build();
    let bob = s.stale_client();
    s.wait(secs(1));
    let is_wrong = |key: &String| !s.primaries::<3>(key).contains(&s.believes(bob, key)[0]);
    let key = (0..99).map(|n| format!("key {n}")).find(is_wrong).unwrap();
    let asked = s.believes(bob, &key)[0];
    assert_eq!(s.by(bob).put(&key, "v").passed_on_by(), Some(asked));
    assert_eq!(s.believes(bob, &key), s.primaries::<3>(&key));
    assert_eq!(s.by(bob).get(&key).passed_on_by(), None);
}

#[test]
fn a_client_that_was_frozen_past_the_deadline_reports_it_when_it_thaws() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).get("k");
    let put = s.by(alice).budget(secs(2)).start_put("k", "v");
    s.freeze(alice);
    s.wait(secs(60));
    assert!(!s.has_ended(&put));
    s.expect("k").siblings(["v"]);
    s.thaw(alice);
    // The reply had waited as long as the timer: either is a true answer.
    if !s.try_finish(put).is_ok() {
        assert_eq!(s.by(alice).get("k").texts(), ["v"]);
    }
    s.converge(&["k"]);
}

#[test]
fn a_client_that_thaws_finds_connections_that_still_serve() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).put("k", "v");
    s.freeze(alice);
    s.wait(secs(600));
    s.thaw(alice);
    let read = s.by(alice).get("k");
    assert_eq!((read.texts(), read.attempts()), (vec!["v".to_owned()], 1));
}

#[test]
fn a_client_that_dies_between_effects_leaves_at_most_one_write() {
    for effects in 0..4 {
        let mut s = Scenario::cluster(5).build();
        let (alice, bob) = (s.client(), s.client());
        s.by(alice).get("k");
        s.kill_after(alice, effects);
        let put = s.by(alice).start_put("k", "v");
        s.wait(secs(10));
        let texts = s.by(bob).get("k").texts();
        assert!(texts.len() <= 1, "{texts:?} after {effects} effects");
        assert!(!s.has_ended(&put) || texts == ["v"]);
        s.converge(&["k"]);
    }
}

#[test]
fn a_call_that_is_taken_back_ends_at_once_and_may_have_happened() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).build();
    let alice = s.client();
    s.by(alice).get("k");
    let put = s.by(alice).start_put("k", "v");
    s.wait(ms(20));
    s.cancel(&put);
    assert_eq!(s.try_finish(put).unknown(ErrorCode::Aborted).took(), ms(20));
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_reply_that_is_lost_makes_the_client_try_another_primary_with_the_same_write() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).get("k");
    s.lose(Frames::replies().to(alice).first(1));
    assert_eq!(s.by(alice).put("k", "v").attempts(), 2);
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut s = Scenario::cluster(5).seed(seed).build();
        let alice = s.client();
        let puts = (0..50).map(|n| s.by(alice).start_put(&format!("k{n}"), "v"));
        let puts = puts.collect::<Vec<_>>();
        s.crash(s.nodes()[1]);
        let ended: Vec<_> =
            puts.into_iter().map(|put| format!("{:?}", s.try_finish(put))).collect();
        (s.world().trace_hash(), s.now(), ended)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn a_write_that_a_silent_node_may_carry_out_is_not_called_refused() {
    let mut s = Scenario::cluster(3).build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    s.by(alice).get("k");
    [b, c].into_iter().for_each(|node| s.disk(node, |disk| disk.full = true));
    s.pause(a);
    s.by(alice).try_put("k", "v").unknown(ErrorCode::StorageFull);
}

#[test]
fn a_write_that_a_lost_node_may_have_carried_out_is_not_called_refused() {
    let mut s = Scenario::cluster(3).build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    s.by(alice).get("k");
    [b, c].into_iter().for_each(|node| s.disk(node, |disk| disk.full = true));
    s.hold(Frames::merges().from(a));
    let put = s.by(alice).start_put("k", "v");
    s.wait(ms(20));
    s.crash(a);
    s.try_finish(put).unknown(ErrorCode::StorageFull);
    s.expect("k").at(a).on_disk().siblings(["v"]);
}
