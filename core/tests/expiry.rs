//! Values with a time to live: when they begin to read as tombstones, and what they hide.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;

use bytes::Bytes;
use machines::{ALICE, Alone, blind, key_of, key_without, layout, replies, run, sends, stores};
use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Held, Payload, Record, RecordOp, Write,
};
use quorate_core::ids::{Incarnation, Key, NodeId, RequestId};
use quorate_core::limits::TTL_MAX;
use quorate_core::machine::{Input, StoreOp, StoreOutcome};
use quorate_core::message::{
    Answer, Change, Entry, FailureCode, Message, Outcome, Put, QuorumChoice, Written,
};
use quorate_core::time::{Duration, UnixMs};

const START: u64 = 1_700_000_000_000;

/// One write of a case: its bytes or none, what it was shown of the writes before it, its request
/// and when it expires.
#[derive(Clone, Copy)]
struct Step {
    value: Option<&'static str>,
    shown: &'static [usize],
    request: u64,
    expires: Option<u64>,
}

const fn put(value: &'static str, expires: Option<u64>) -> Step {
    Step { value: Some(value), shown: &[], request: 0, expires }
}

const fn over(step: Step, shown: &'static [usize]) -> Step {
    Step { shown, ..step }
}

const fn of_request(step: Step, request: u64) -> Step {
    Step { request, ..step }
}

const DELETE: Step = Step { value: None, shown: &[], request: 0, expires: None };

/// The record after writes that were coordinated by nodes of their own, at the times 1, 2, ...
fn record(steps: &[Step]) -> Record {
    let mut held = Held::new();
    let mut dots = Vec::new();
    for (step, at) in steps.iter().zip(1..) {
        let payload = step.value.map_or(Payload::Tombstone, |text| Payload::Value(text.into()));
        let mut context = Context::new();
        for shown in step.shown {
            context.insert(dots[*shown]);
        }
        let expires = step.expires.map(UnixMs);
        let request = RequestId { client: step.request, sequence: step.request };
        let newborn = Actor { node: NodeId(at), incarnation: Incarnation(77), birth: Birth(1) };
        let write = Write { context, expires, request, ..blind(newborn, payload, UnixMs(at)) };
        // A second try at a coordinator that does not know of the first one.
        let mut copy = Held::new();
        dots.push(copy.apply(&RecordOp::Write(write)).unwrap().dot.unwrap());
        held.apply(&RecordOp::Merge(copy.into_record())).unwrap();
    }
    held.into_record()
}

/// A node that is the whole cluster.
fn lonely() -> Alone {
    Alone::with_config(1, 1, |config| {
        (config.r, config.w) = (1, 1);
        config.layouts = Some(layout(1, 1).into());
    })
}

/// What a reader is shown at `now` by a node that holds `record` alone.
fn read(record: &Record, now: u64) -> Entry {
    let mut alone = lonely();
    let (key, _) = key_of(&layout(1, 1), NodeId(1));
    let get = alone.get(&key);
    let [(ticket, StoreOp::Read { .. })] = &stores(&alone.frame(ALICE, Message::Get(get)))[..]
    else {
        panic!("one read");
    };
    let mut out = quorate_core::machine::Effects::new();
    let outcome = StoreOutcome::Read { record: Some(record.clone()) };
    let now = quorate_core::time::Now { unix: UnixMs(now), ..machines::now(0) };
    alone.node.handle(now, Input::Stored { ticket: *ticket, outcome }, &mut out);
    let reply = replies(&out.drain().collect::<Vec<_>>()).remove(0);
    let Ok(Answer::Entry(entry)) = reply.result else { panic!("an entry") };
    assert_eq!(entry.context, record.context().to_token(&key), "all is covered, whatever is shown");
    entry
}

#[test]
fn what_is_shown_depends_on_the_time_of_the_reader_and_nothing_expired_hides_a_value() {
    // (what is written, the time, the values shown, the tombstones)
    for (why, steps, now, values, tombstones) in [
        ("its time is not over", &[put("a", Some(9))][..], 8, &["a"][..], 0),
        ("its time is over", &[put("a", Some(9))], 9, &[], 1),
        ("a value without end", &[put("a", None)], u64::MAX, &["a"], 0),
        ("one of two", &[put("a", Some(9)), put("b", None)], 9, &["b"], 1),
        ("one of two, the newer", &[put("a", None), put("b", Some(9))], 9, &["a"], 1),
        ("each at its time", &[put("a", Some(9)), put("b", Some(10))], 9, &["b"], 1),
        ("both", &[put("a", Some(9)), put("b", Some(10))], 10, &[], 2),
        ("equal, one for ever", &[put("a", Some(9)), put("a", None)], 9, &["a"], 0),
        ("equal, the newer expires", &[put("a", None), put("a", Some(9))], 9, &["a"], 0),
        ("equal, both expire", &[put("a", Some(9)), put("a", Some(8))], 8, &["a"], 0),
        ("equal, both gone", &[put("a", Some(9)), put("a", Some(8))], 9, &[], 1),
        ("over one without end", &[put("a", None), over(put("a", Some(9)), &[0])], 9, &[], 1),
        ("without end over it", &[put("a", Some(9)), over(put("a", None), &[0])], 9, &["a"], 0),
        ("beside a delete", &[DELETE, put("a", Some(9))], 8, &["a"], 1),
        ("beside a delete, gone", &[DELETE, put("a", Some(9))], 9, &[], 2),
        ("under a delete", &[put("a", Some(9)), over(DELETE, &[0])], 8, &[], 1),
        (
            "a retry that overtook the first try",
            &[of_request(put("a", Some(9)), 7), of_request(put("a", Some(12)), 7)],
            9,
            &["a"],
            0,
        ),
    ] {
        let entry = read(&record(steps), now);
        let shown: Vec<&[u8]> = entry.values.iter().map(|value| &value.payload[..]).collect();
        let expected: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        assert_eq!((shown, entry.tombstones), (expected, tombstones), "{why}");
    }
}

#[test]
fn a_reader_is_told_when_a_value_expires() {
    let equal = record(&[put("a", Some(9)), put("a", Some(12)), put("b", None)]);
    let moments = |now| -> Vec<Option<UnixMs>> {
        read(&equal, now).values.iter().map(|value| value.expires).collect()
    };
    assert_eq!(moments(5), [None, Some(UnixMs(12))], "the last of equal ones counts");
    assert_eq!(moments(12), [None]);
}

#[test]
fn no_record_depends_on_the_time() {
    let one = record(&[put("a", Some(9))]);
    let other = record(&[put("a", None)]);
    assert_ne!(one.digest(), other.digest(), "replicas that differ in it alone find out");
    let mut both = record(&[DELETE, put("b", Some(3))]);
    assert!(both.merge(&record(&[DELETE, put("b", Some(3)), put("a", Some(2))])));
    assert_eq!(both.sibling_count(), 3, "what has expired stands until it is overwritten");
    assert_eq!(both.values().len(), 3);
}

fn with_ttl(alone: &mut Alone, key: &Key, sequence: u64, ttl: Duration) -> Put {
    let mut put = alone.put(key, "v", sequence);
    put.head.quorum = QuorumChoice { r: 3, w: 1 };
    let payload = Bytes::from_static(b"v");
    put.change = Change::Value { checksum: Checksum::of_value(&payload), payload, ttl: Some(ttl) };
    put
}

/// Carries out the one write among effects; what the node does then.
fn carry_out(alone: &mut Alone, held: &mut Held, effects: &[quorate_core::machine::Effect]) {
    let [(ticket, op)] = &stores(effects)[..] else { panic!("one write") };
    for outcome in run(held, op) {
        alone.stored(*ticket, outcome);
    }
}

fn expiries(held: &Held) -> Vec<Option<UnixMs>> {
    held.record().siblings().map(|(_, sibling)| sibling.expires).collect()
}

#[test]
fn a_retry_keeps_the_moment_of_the_first_try_whether_its_answer_is_remembered_or_not() {
    for answers_kept in [0, 8] {
        let mut alone =
            Alone::with_config(3, 1, |config| config.limits.answers_kept = answers_kept);
        let (key, _) = key_of(&alone.layout, NodeId(1));
        let mut held = Held::new();
        for _ in 0..3 {
            let put = with_ttl(&mut alone, &key, 1, Duration::from_secs(30));
            let effects = alone.frame(ALICE, Message::Put(put));
            match stores(&effects)[..] {
                [] => assert_eq!((replies(&effects).len(), answers_kept), (1, 8)),
                _ => carry_out(&mut alone, &mut held, &effects),
            }
            assert_eq!(expiries(&held), [Some(UnixMs(START + 30_000))]);
            alone.millis += 1_000;
        }
    }
}

#[test]
fn replicas_are_sent_the_moment_and_not_the_time_to_live() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut held = Held::new();
    let put = with_ttl(&mut alone, &key, 1, Duration::from_micros(1_500));
    let effects = alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
    let outcomes = run(&mut held, op);
    alone.millis += 500;
    let merges = sends(&alone.stored(*ticket, outcomes[0].clone()));
    let records = merges.iter().filter_map(|(_, message)| match message {
        Message::ReplicaMerge(merge) => Some(&merge.record),
        _ => None,
    });
    let records: Vec<&Record> = records.collect();
    assert_eq!(records, [held.record(), held.record()]);
    assert_eq!(expiries(&held), [Some(UnixMs(START + 2))], "whole milliseconds, rounded up");
}

#[test]
fn a_time_to_live_that_is_zero_or_beyond_all_bounds_is_refused_before_anything_is_stored() {
    for (ttl, fine) in [
        (Duration::ZERO, false),
        (Duration::from_millis(1), true),
        (TTL_MAX, true),
        (TTL_MAX + Duration::from_millis(1), false),
        (Duration::from_millis(u64::MAX), false),
    ] {
        let mut alone = Alone::new(3, 1);
        let (key, _) = key_of(&alone.layout, NodeId(1));
        let put = with_ttl(&mut alone, &key, 1, ttl);
        let effects = alone.frame(ALICE, Message::Put(put));
        assert_eq!(stores(&effects).len(), usize::from(fine), "{ttl:?}");
        if !fine {
            let failure = replies(&effects)[0].result.clone().unwrap_err();
            assert_eq!((failure.code, failure.outcome), (FailureCode::BadTtl, Outcome::None));
            assert_eq!(failure.limit, TTL_MAX.as_millis() as u64);
            assert_eq!(failure.actual, ttl.as_millis() as u64);
        }
    }
}

#[test]
fn a_node_that_passes_a_put_on_hands_on_its_time_to_live() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    let put = with_ttl(&mut alone, &key, 1, Duration::from_secs(30));
    let change = put.change.clone();
    let sent = sends(&alone.frame(ALICE, Message::Put(put)));
    let [(to, Message::Put(passed))] = &sent[..] else { panic!("one frame: {sent:?}") };
    assert_eq!(*to, quorate_core::machine::Peer::Node(primaries[0]));
    assert_eq!(passed.change, change);
}

#[test]
fn a_blind_delete_writes_over_values_that_have_expired() {
    let mut alone = lonely();
    let (key, _) = key_of(&layout(1, 1), NodeId(1));
    let mut held = Held::new();
    held.apply(&RecordOp::Merge(record(&[put("a", Some(9)), put("b", Some(10))]))).unwrap();
    let delete = alone.delete(&key, 1);
    let effects = alone.frame(ALICE, Message::Put(delete));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one read") };
    let effects = alone.stored(*ticket, run(&mut held, op).remove(0));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write: {effects:?}") };
    let outcomes = run(&mut held, op);
    let values = held.record().values();
    assert_eq!(values.len(), 1, "by another clock they may not have expired yet");
    assert_eq!(values[0].payload, Payload::Tombstone);
    let mut effects = Vec::new();
    for outcome in outcomes {
        effects.extend(alone.stored(*ticket, outcome));
    }
    let Ok(Answer::Written(Written { siblings, .. })) = replies(&effects)[0].result.clone() else {
        panic!("acknowledged");
    };
    assert_eq!(siblings, 1);
}
