//! Fallbacks that stand in for primaries, and the hints that they hand home (Dynamo §4.6).

use quorate_core::client::ErrorCode;
use quorate_core::machine::Event;
use quorate_core::message::MemberState;
use quorate_sim::scenario::{Frames, Node, Scenario, ms, secs};

/// The worked example of Dynamo §4.6: A is down, D takes the write for it and hands it over.
#[test]
fn the_next_node_keeps_a_write_for_one_that_is_down_and_hands_it_home() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(a);
    s.wait(secs(1));
    let put = s.at(b).w(3).put("k", "v");
    assert_eq!(put.stand_ins(), [(d, a)]);
    assert_eq!(s.hints(d, a), 1);
    s.expect("k").at(d).nothing();
    s.restart(a);
    s.wait_until(secs(10), |s| s.all_hints() == 0);
    s.expect("k").among(&[a, b, c]).on_disk().siblings(["v"]).dots([put.dot()]);
    s.expect("k").at(d).nothing();
    assert!(s.told(d).iter().any(|event| matches!(event, Event::HandedOver { .. })));
    s.converge(&["k"]);
}

#[test]
fn a_hint_holder_that_crashes_in_between_hands_over_in_its_next_life() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(a);
    s.wait(secs(1));
    s.at(b).w(3).put("k", "v");
    s.settle();
    s.crash(d);
    s.restart(a);
    s.settle();
    assert_eq!(s.hints(d, a), 1, "it was synced");
    s.restart(d);
    s.wait_until(secs(10), |s| s.all_hints() == 0);
    s.expect("k").at(a).on_disk().siblings(["v"]);
    s.converge(&["k"]);
}

#[test]
fn a_holder_that_crashes_after_sending_a_hint_sends_it_again_and_that_changes_nothing() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(a);
    s.wait(secs(1));
    let put = s.at(b).w(3).put("k", "v");
    s.settle();
    // Its target takes it five times, and each acknowledgement is lost but the last.
    s.lose(Frames::acknowledgements().from(a).to(d).first(4));
    s.restart(a);
    s.wait_until(secs(60), |s| s.all_hints() == 0);
    assert_eq!(s.counter(d, "handed_over"), 1);
    s.expect("k").at(a).on_disk().siblings(["v"]).dots([put.dot()]).actors(1);
    s.converge(&["k"]);
}

#[test]
fn a_target_whose_disk_was_wiped_is_given_its_hints() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    let before = s.at(a).put("k", "before");
    s.settle();
    s.crash(a);
    s.wait(secs(1));
    s.at(b).w(3).with(&before).put("k", "meanwhile");
    s.settle();
    assert_eq!(s.hints(d, a), 1);
    s.wipe(a);
    s.restart(a);
    s.wait_until(secs(10), |s| s.all_hints() == 0);
    s.expect("k").at(a).on_disk().siblings(["meanwhile"]).knows(before.dot());
    s.converge(&["k"]);
}

#[test]
fn with_three_of_five_down_a_sloppy_put_is_accepted_and_a_strict_one_refused_with_the_numbers() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, e]) = (s.primaries("k"), s.fallbacks("k"));
    [a, b, c].into_iter().for_each(|node| s.crash(node));
    s.wait(secs(1));
    let refused = s.at(d).strict().try_put("k", "strict").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (0, 2));
    let put = s.at(d).sloppy().put("k", "sloppy");
    assert_eq!((put.coordinator(), put.stand_ins()), (d, vec![(d, a), (e, b)]));
    assert!(put.answered().is_empty());
    // Who keeps it can be read, and a strict reader is told the truth.
    assert_eq!(s.at(e).get("k").texts(), ["sloppy"]);
    s.at(e).strict().try_get("k").refused(ErrorCode::QuorumUnavailable);
    [a, b, c].into_iter().for_each(|node| s.restart(node));
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    assert_eq!(s.at(a).r(3).strict().get("k").texts(), ["sloppy"]);
    s.converge(&["k"]);
    s.expect("k").among(&[a, b, c]).siblings(["sloppy"]);
}

#[test]
fn a_strict_put_is_refused_while_a_sloppy_one_finds_one_primary_and_one_fallback() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, e]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(b);
    s.crash(c);
    s.wait(secs(1));
    let refused = s.at(a).strict().try_put("k", "strict").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 2));
    let put = s.at(a).put("k", "sloppy");
    assert_eq!(put.answered(), [a]);
    // Both fallbacks are asked at once: the first one that answers ends the write.
    assert!([vec![(d, b)], vec![(e, c)]].contains(&put.stand_ins()), "{:?}", put.stand_ins());
    s.converge(&["k"]);
}

#[test]
fn a_partition_in_two_halves_leaves_siblings_and_loses_nothing() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, e]) = (s.primaries("k"), s.fallbacks("k"));
    let before = s.at(a).put("k", "before");
    s.settle();
    s.partition(&[a, d], &[b, c, e]);
    s.wait(secs(2));
    let left = s.at(a).with(&before).put("k", "left");
    assert_eq!(left.stand_ins().len(), 1, "{:?}", left.stand_ins());
    let right = s.at(b).with(&before).put("k", "right");
    s.wait(secs(10));
    s.heal();
    s.settle();
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    assert_eq!(s.at(c).r(3).get("k").texts(), ["left", "right"]);
    s.settle();
    s.expect("k").among(&[a, b, c]).dots([left.dot(), right.dot()]).knows(before.dot());
    s.converge(&["k"]);
}

#[test]
fn a_node_that_is_not_heard_is_stood_in_for_and_gets_its_hints_when_it_is() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    // It hears all and nobody hears it.
    for other in [b, c, d, s.fallbacks::<2>("k")[1]] {
        s.cut_one_way(a, other);
    }
    let put = s.at(b).w(3).put("k", "v");
    assert_eq!(put.stand_ins(), [(d, a)]);
    let all_but_a: Vec<Node> = s.nodes().into_iter().filter(|node| *node != a).collect();
    let down = |s: &Scenario| all_but_a.iter().all(|by| s.state(*by, a) == Some(MemberState::Down));
    s.wait_until(secs(30), down);
    s.heal();
    s.settle();
    s.wait_until(secs(30), |s| s.all_hints() == 0);
    let up = |s: &Scenario| s.nodes().iter().all(|by| s.state(*by, a) == Some(MemberState::Up));
    s.wait_until(secs(30), up);
    s.expect("k").at(a).on_disk().siblings(["v"]);
    s.converge(&["k"]);
}

#[test]
fn a_node_that_flaps_loses_nothing_and_is_not_found_down() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    let others: Vec<Node> = s.nodes().into_iter().filter(|node| *node != a).collect();
    let mut last = s.at(b).put("k", "0");
    for round in 1..=50 {
        for other in &others {
            s.hang_up(a, *other);
        }
        last = s.at(if round % 2 == 0 { b } else { c }).with(&last).put("k", &round.to_string());
        s.wait(ms(200));
    }
    let told_down = |node: &Node| {
        s.told(*node)
            .iter()
            .any(|event| matches!(event, Event::MemberDown { node, .. } if *node == a.id()))
    };
    assert!(!others.iter().any(told_down), "its heartbeat came through");
    s.settle();
    s.wait_until(secs(30), |s| s.all_hints() == 0);
    s.expect("k").at(a).on_disk().siblings(["50"]).dots([last.dot()]);
    s.converge(&["k"]);
}

#[test]
fn a_node_that_hangs_is_gone_around_before_gossip_knows() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, c], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    for round in 0..20 {
        s.at(b).w(3).put("warm", &round.to_string());
    }
    s.pause(a);
    let first = s.at(b).w(3).put("k", "first");
    assert_eq!(first.stand_ins(), [(d, a)]);
    assert!(first.took() < ms(400), "{:?}", first.took());
    // The second one is the probe; the third one knows.
    s.at(b).w(3).put("k", "second");
    let third = s.at(b).w(3).put("k", "third");
    assert!(third.took() < ms(20), "it is avoided: {:?}", third.took());
    assert!(s.told(b).contains(&Event::PeerAvoided(a.id())));
    assert_ne!(s.state(c, a), Some(MemberState::Down), "gossip takes longer");
    s.resume(a);
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    s.converge(&["k"]);
}

#[test]
fn a_hint_for_a_target_that_stays_away_goes_to_the_other_primaries_before_it_is_dropped() {
    let window = secs(20);
    let mut s = Scenario::cluster(5).limits(|limits| limits.hint_window = window).build();
    let ([a, b, c], [d, e]) = (s.primaries("k"), s.fallbacks("k"));
    [a, b, c].into_iter().for_each(|node| s.crash(node));
    s.wait(secs(1));
    let put = s.at(d).put("k", "v");
    assert_eq!(put.stand_ins(), [(d, a), (e, b)]);
    // Nobody but the fallbacks has it: however long that takes, they keep it.
    s.wait(secs(60));
    assert!(s.all_hints() >= 2);
    s.restart(b);
    s.restart(c);
    s.wait_until(secs(120), |s| s.all_hints() == 0);
    s.expect("k").among(&[b, c]).on_disk().siblings(["v"]);
    assert!(s.counter(d, "hints_dropped") >= 1, "{}", s.counter(d, "hints_dropped"));
    s.converge(&["k"]);
}

#[test]
fn hints_go_home_while_others_that_cannot_reach_their_target_go_on_making_them() {
    let mut s = Scenario::cluster(5).build();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.partition(&[a], &[b]);
    s.wait(secs(2));
    // Keys whose hints go the same way, written without a pause.
    let same = |s: &Scenario, key: &String| {
        let (primaries, fallbacks) = (s.primaries::<3>(key), s.fallbacks::<2>(key));
        primaries.contains(&a) && primaries.contains(&b) && fallbacks[0] == d
    };
    let keys: Vec<String> =
        (0..).map(|number| format!("key {number}")).filter(|key| same(&s, key)).take(160).collect();
    let mut most = 0;
    for key in &keys {
        let put = s.at(b).put(key, "v");
        assert_eq!(put.coordinator(), b);
        s.wait(ms(400));
        most = most.max(s.hints(d, a));
    }
    assert!(most > 60, "they were held back at first: {most}");
    assert!(s.hints(d, a) < 10, "{} of {most} are left", s.hints(d, a));
    s.heal();
    s.wait_until(secs(20), |s| s.all_hints() == 0);
    s.converge(&[keys[0].as_str()]);
}

#[test]
fn nodes_that_know_one_seed_find_each_other_and_one_layout() {
    let mut s = Scenario::cluster(5).found_from_one_seed().build();
    s.wait(secs(10));
    let everyone = s.nodes();
    for by in &everyone {
        for member in &everyone {
            assert_eq!(s.state(*by, *member), Some(MemberState::Up), "{member:?} by {by:?}");
        }
    }
    let client = s.client_with_seeds(&[everyone[3]]);
    s.by(client).put("k", "v");
    assert_eq!(s.by(client).get("k").texts(), ["v"]);
}

#[test]
fn a_session_sees_its_own_write_with_one_answer() {
    let mut s = Scenario::cluster(5).r(1).w(1).allow_weak().build();
    let [a, b, c] = s.primaries("k");
    // The write reaches the others late.
    let merges = s.hold(Frames::merges().of("k"));
    let put = s.at(a).put("k", "mine");
    assert!(s.at(b).get("k").texts().is_empty(), "one answer may be an old one");
    assert_eq!(s.at(c).with(&put).get("k").texts(), ["mine"], "a session read asks on");
    s.release(merges);
    s.settle();
    assert_eq!(s.at(b).with(&put).get("k").answered(), [b], "one answer is enough");
    s.converge(&["k"]);
}
