//! Single frames that are late, lost, doubled or forged, and the repairs that follow.

use quorate_core::causality::Payload;
use quorate_core::client::ErrorCode;
use quorate_core::ids::Epoch;
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::Event;
use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge};
use quorate_sim::Passing;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};

#[test]
fn a_duplicate_acknowledgement_counts_once() {
    let mut s = Scenario::cluster(5).strict().r(1).w(3).timeout(secs(1)).build();
    let [a, b, c] = s.primaries("k");
    let copies = s.copy(Frames::acknowledgements().from(b).to(a));
    s.lose(Frames::acknowledgements().from(c).to(a));
    let put = s.at(a).start_put("k", "v");
    s.wait(ms(100));
    assert_eq!(s.waiting(copies), 1);
    s.release(copies);
    let unknown = s.try_finish(put).unknown(ErrorCode::Timeout);
    assert_eq!((unknown.acked(), unknown.needed()), (2, 3));
}

#[test]
fn a_duplicate_read_answer_counts_once() {
    let mut s = Scenario::cluster(5).strict().r(3).w(1).timeout(secs(1)).build();
    let [a, b, c] = s.primaries("k");
    s.at(a).put("k", "v");
    s.settle();
    let copies = s.copy(Frames::read_answers().from(b).to(a));
    s.lose(Frames::read_answers().from(c).to(a));
    let get = s.at(a).start_get("k");
    s.wait(ms(100));
    s.release(copies);
    let refused = s.try_finish(get).refused(ErrorCode::Timeout);
    assert_eq!((refused.acked(), refused.needed()), (2, 3));
}

#[test]
fn a_merge_that_comes_twice_changes_nothing_the_second_time() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let copies = s.copy(Frames::merges().of("k"));
    let one = s.at(a).put("k", "one");
    s.at(b).with(&one).put("k", "two");
    s.settle();
    s.release(copies);
    s.settle();
    s.expect("k").siblings(["two"]).agree();
}

#[test]
fn a_read_repairs_a_replica_that_missed_a_write() {
    let mut s = Scenario::cluster(3).build();
    let [a, b, c] = s.primaries("k");
    s.crash(c);
    s.at(a).put("k", "v");
    s.restart(c);
    s.settle();
    s.expect("k").at(c).nothing();
    s.at(b).get("k");
    s.settle();
    s.expect("k").siblings(["v"]).agree();
    assert_eq!(s.repaired("k"), [c]);
    // Once they agree, a read repairs nothing.
    s.at(b).get("k");
    s.settle();
    assert_eq!(s.repaired("k"), [c]);
}

#[test]
fn a_late_read_answer_repairs_a_stale_replica() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.lose(Frames::merges().to(c).first(1));
    s.at(a).put("k", "v");
    let late = s.hold(Frames::read_answers().from(c).to(b));
    let read = s.at(b).get("k");
    assert_eq!((read.texts(), read.repaired().len()), (vec!["v".to_owned()], 0));
    s.expect("k").at(c).nothing();
    s.release(late);
    s.settle();
    assert_eq!(s.repaired("k"), [c]);
    s.expect("k").siblings(["v"]).agree();
}

#[test]
fn a_fresh_value_in_a_late_answer_repairs_those_that_answered_in_time() {
    let mut s = Scenario::cluster(5).r(2).w(1).allow_weak().build();
    let [a, b, c] = s.primaries("k");
    s.lose(Frames::merges().from(c).first(2));
    s.at(c).put("k", "v");
    s.settle();
    s.expect("k").among(&[a, b]).nothing();
    s.delay(Frames::read_answers().from(c).to(a), ms(100));
    assert!(s.at(a).get("k").texts().is_empty(), "two that know nothing are a quorum here");
    s.settle();
    assert_eq!(s.repaired("k"), {
        let mut both = [a, b];
        both.sort();
        both
    });
    s.expect("k").siblings(["v"]).agree();
}

#[test]
fn a_merge_that_overtakes_an_earlier_one_is_not_undone_by_it() {
    let mut s = Scenario::cluster(5).build();
    let [a, _, c] = s.primaries("k");
    let late = s.hold(Frames::merges().from(a).to(c).first(1));
    let one = s.at(a).put("k", "one");
    let two = s.at(a).with(&one).put("k", "two");
    s.settle();
    s.expect("k").at(c).dots([two.dot()]);
    s.release(late);
    s.settle();
    s.expect("k").dots([two.dot()]).agree();
}

#[test]
fn links_that_lose_double_and_reorder_frames_lose_no_write() {
    let calm = |s: &mut Scenario| s.converge(&["k"]);
    let mut s = Scenario::cluster(5)
        .weather(|w| (w.loss, w.duplicates, w.reorder) = (50, 300, 300))
        .build();
    let alice = s.client();
    let mut acknowledged = Vec::new();
    for n in 0..30 {
        if s.by(alice).try_put("k", &n.to_string()).is_ok() {
            acknowledged.push(n.to_string());
        }
    }
    calm(&mut s);
    let [a, ..] = s.primaries::<3>("k");
    let texts = s.at(a).get("k").texts();
    assert!(acknowledged.len() > 10 && acknowledged.iter().all(|text| texts.contains(text)));
}

#[test]
fn a_value_that_does_not_match_its_checksum_is_refused_before_anyone_stores_it() {
    let mut s = Scenario::cluster(5).build();
    let [a, ..] = s.primaries::<3>("k");
    s.at(a).damaged().try_put("k", "v").refused(ErrorCode::Damaged);
    s.settle();
    s.expect("k").everywhere().nothing();
}

#[test]
fn a_frame_that_only_nodes_may_send_is_ignored_from_a_client() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).put("k", "v");
    let record = s.world().record(a.index(), "k");
    let merge = ReplicaMerge {
        call: CallId(1),
        key: "l".into(),
        record,
        hint_for: None,
        reason: MergeReason::Write,
        epoch: Epoch(0),
        layout_version: LayoutVersion(0),
    };
    s.send(b, Message::ReplicaMerge(merge));
    s.settle();
    assert!(s.told(b).iter().any(|event| matches!(event, Event::Misbehaved(_))));
    s.expect("l").everywhere().nothing();
}

#[test]
fn too_many_requests_of_one_client_are_refused_at_once() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("k");
    let gets: Vec<_> = (0..1_024).map(|_| s.at(a).as_sender(9).start_get("k")).collect();
    let over = s.at(a).as_sender(9).start_get("k");
    let refused = s.try_finish(over).refused(ErrorCode::Overloaded);
    assert_eq!((refused.limit(), refused.took()), (1_024, ms(0)));
    // Another client is served meanwhile.
    s.by(alice).get("k");
    gets.into_iter().for_each(|get| assert!(s.finish(get).texts().is_empty()));
}

#[test]
fn what_a_free_predicate_holds_is_released_by_converging() {
    let mut s = Scenario::cluster(3).r(1).w(1).allow_weak().build();
    let [a, b, c] = s.primaries("k");
    let long = |passing: &Passing<'_>| {
        let Message::ReplicaMerge(merge) = passing.message else { return false };
        merge.record.siblings().any(
            |(_, sibling)| matches!(&sibling.payload, Payload::Value(value) if value.len() > 8),
        )
    };
    let held = s.hold(Frames::that(long));
    let short = s.at(a).put("k", "short");
    s.settle();
    assert_eq!(s.waiting(held), 0);
    s.at(a).with(&short).put("k", "long enough");
    s.settle();
    assert_eq!(s.waiting(held), 2);
    s.expect("k").at(b).siblings(["short"]);
    s.converge(&["k"]);
    assert_eq!(s.waiting(held), 0);
    s.expect("k").at(c).siblings(["long enough"]).agree();
}

#[test]
fn a_free_predicate_and_the_other_words_narrow_each_other() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    let merges = |passing: &Passing<'_>| matches!(passing.message, Message::ReplicaMerge(_));
    let to_b = s.copy(Frames::that(merges).from(a).to(b).of("k").first(1));
    let none = s.copy(Frames::that(merges).to(c).of("other"));
    let one = s.at(a).put("k", "one");
    s.at(a).with(&one).put("k", "two");
    s.settle();
    assert_eq!((s.waiting(to_b), s.waiting(none)), (1, 0));
}
