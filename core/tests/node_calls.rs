//! Calls of one node: strays, late words, retries, limits.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;

use machines::{ALICE, Alone, key_of, key_without, replies, run, sends, stores, value, write};
use quorate_core::causality::{Actor, Birth, Context, Counter, Dot, Held, Payload, Record};
use quorate_core::ids::{Epoch, Incarnation, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::Limits;
use quorate_core::machine::{Event, Input, Peer, StoreError, StoreOutcome};
use quorate_core::message::{
    Answer, CallId, Failure, FailureCode, MergeReason, Message, Outcome, QuorumChoice,
    ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState, Reply,
};
use quorate_core::time::Duration;

const TWO: Peer = Peer::Node(NodeId(2));
const THREE: Peer = Peer::Node(NodeId(3));

fn merged(call: CallId, durable: bool) -> Message {
    Message::ReplicaMerged(ReplicaMerged { call, durable })
}

fn record_of(call: CallId, record: Option<Record>) -> Message {
    let state = record.map_or(ReplicaState::Unreadable, ReplicaState::Record);
    Message::ReplicaRecord(ReplicaRecord { call, state })
}

fn read_of(key: Key) -> Message {
    Message::ReplicaRead(ReplicaRead { call: CallId(7), key, digest: None, stand_in: false })
}

/// The call under which replicas were asked.
fn asked(effects: &[quorate_core::machine::Effect]) -> CallId {
    let call = |(_, message)| match message {
        Message::ReplicaRead(read) => Some(read.call),
        Message::ReplicaMerge(merge) => Some(merge.call),
        Message::Get(get) => Some(get.head.call),
        Message::Put(put) => Some(put.head.call),
        _ => None,
    };
    sends(effects).into_iter().find_map(call).expect("somebody was asked")
}

fn failure(effects: &[quorate_core::machine::Effect]) -> Failure {
    let [reply] = &replies(effects)[..] else { panic!("one reply, not {effects:?}") };
    reply.result.clone().expect_err("a failure")
}

/// The call under which replicas were asked to read: the node's own storage takes its time.
fn asked_without_digest(alone: &mut Alone) -> CallId {
    alone.millis += 20;
    asked(&alone.input(Input::Wake))
}

/// A delete without context that has read `v` from the replicas 1 and 3 and goes on to write.
/// Answers the call of the read and what the write wants stored.
fn delete_in_its_write(
    alone: &mut Alone,
) -> (CallId, Vec<(quorate_core::machine::Ticket, quorate_core::machine::StoreOp)>) {
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let delete = alone.delete(&key, 1);
    let effects = alone.frame(ALICE, Message::Put(delete));
    let call = asked_without_digest(alone);
    let [(read, _)] = stores(&effects)[..] else { panic!("one read") };
    let record = write(&mut Held::new(), 3, value("v"), &Context::new());
    assert!(stores(&alone.frame(THREE, record_of(call, Some(record.clone())))).is_empty());
    let effects = alone.stored(read, StoreOutcome::Read { record: Some(record) });
    (call, stores(&effects))
}

#[test]
fn an_acknowledgement_of_what_nobody_was_asked_counts_for_nothing() {
    let mut alone = Alone::new(3, 1);
    let (call, writes) = delete_in_its_write(&mut alone);
    for stray in [call, CallId(call.0 + 1)] {
        for from in [TWO, THREE, TWO] {
            assert!(replies(&alone.frame(from, merged(stray, true))).is_empty());
        }
    }
    let [(ticket, op)] = &writes[..] else { panic!("one write") };
    let [applied, durable] = &run(&mut Held::new(), op)[..] else { panic!("two answers") };
    let asked = sends(&alone.stored(*ticket, applied.clone()));
    assert_eq!(asked.len(), 2, "both replicas are sent the record");
    assert!(replies(&alone.stored(*ticket, durable.clone())).is_empty(), "one of two");
}

#[test]
fn a_replica_that_could_not_read_may_still_acknowledge_the_write_of_a_delete() {
    let mut alone = Alone::new(3, 1);
    let (call, writes) = delete_in_its_write(&mut alone);
    // Replica 2 says in both ways that its read failed, a little late.
    alone.frame(TWO, record_of(call, None));
    alone.frame(TWO, merged(call, false));
    let [(ticket, op)] = &writes[..] else { panic!("one write") };
    let outcomes = run(&mut Held::new(), op);
    let effects = alone.stored(*ticket, outcomes[0].clone());
    let write = asked(&effects);
    alone.stored(*ticket, outcomes[1].clone());
    let [reply] = &replies(&alone.frame(TWO, merged(write, true)))[..] else { panic!("a reply") };
    assert!(reply.result.is_ok());
}

#[test]
fn a_read_that_fails_late_does_not_refuse_the_write_of_a_delete() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let delete = alone.delete(&key, 1);
    let effects = alone.frame(ALICE, Message::Put(delete));
    let call = asked_without_digest(&mut alone);
    let [(read, _)] = stores(&effects)[..] else { panic!("one read") };
    let record = write(&mut Held::new(), 3, value("v"), &Context::new());
    alone.frame(TWO, record_of(call, Some(record.clone())));
    let effects = alone.frame(THREE, record_of(call, Some(record)));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
    let effects = alone.stored(read, StoreOutcome::Failed(StoreError::Damaged));
    assert!(replies(&effects).is_empty(), "the write is under way: {effects:?}");
    let outcomes = run(&mut Held::new(), op);
    let write = asked(&alone.stored(*ticket, outcomes[0].clone()));
    alone.stored(*ticket, outcomes[1].clone());
    assert!(replies(&alone.frame(TWO, merged(write, true)))[0].result.is_ok());
}

#[test]
fn a_delete_writes_a_tombstone_unless_there_never_was_anything() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut held = Held::new();
    let standing = write(&mut held, 2, value("v"), &Context::new());
    let deleted = write(&mut held, 2, Payload::Tombstone, &standing.context());
    // What replicas say that they hold may not be synced: a tombstone is no reason to write none.
    let cases = [
        (Some(deleted.clone()), standing, 1),
        (Some(deleted.clone()), deleted.clone(), 1),
        (Some(deleted), Record::new(), 1),
        (None, Record::new(), 0),
    ];
    for (sequence, (own, other, writes)) in (1..).zip(cases) {
        let delete = alone.delete(&key, sequence);
        let effects = alone.frame(ALICE, Message::Put(delete));
        let call = asked_without_digest(&mut alone);
        let [(read, _)] = stores(&effects)[..] else { panic!("one read") };
        alone.stored(read, StoreOutcome::Read { record: own });
        let effects = alone.frame(THREE, record_of(call, Some(other)));
        assert_eq!((stores(&effects).len(), replies(&effects).len()), (writes, 1 - writes));
    }
}

#[test]
fn an_answer_to_an_earlier_life_is_no_answer_to_this_one() {
    let written_under = |seed| {
        let mut alone = Alone::new(3, seed);
        let (key, _) = key_of(&alone.layout, NodeId(1));
        let put = alone.put(&key, "v", 1);
        let effects = alone.frame(ALICE, Message::Put(put));
        let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
        let outcomes = run(&mut Held::new(), op);
        let call = asked(&alone.stored(*ticket, outcomes[0].clone()));
        (alone, call)
    };
    let (_, before) = written_under(1);
    let (mut alone, after) = written_under(2);
    assert_ne!(before, after);
    assert!(replies(&alone.frame(TWO, merged(before, true))).is_empty());
    assert!(replies(&alone.frame(THREE, merged(before, true))).is_empty());
    // The same for requests that are passed on.
    let passed_under = |seed| {
        let mut alone = Alone::new(5, seed);
        let (key, _) = key_without(&alone.layout, NodeId(1));
        let get = alone.get(&key);
        asked(&alone.frame(ALICE, Message::Get(get)))
    };
    assert_ne!(passed_under(1), passed_under(2));
}

#[test]
fn a_new_connection_to_a_node_means_that_the_old_one_is_gone() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut get = alone.get(&key);
    get.head.quorum = QuorumChoice { r: 3, w: 2 };
    alone.frame(ALICE, Message::Get(get));
    asked_without_digest(&mut alone);
    let effects = alone.input(Input::PeerUp(TWO));
    assert_eq!(failure(&effects).code, FailureCode::QuorumUnavailable);
    assert!(alone.node.view().is_up(NodeId(2)));
}

#[test]
fn a_request_without_time_is_refused_before_anything_happens() {
    for nodes in [3, 5] {
        let mut alone = Alone::new(nodes, 1);
        let (key, _) = match nodes {
            3 => key_of(&alone.layout, NodeId(1)),
            _ => key_without(&alone.layout, NodeId(1)),
        };
        let mut put = alone.put(&key, "v", 1);
        put.head.budget = Duration::ZERO;
        let effects = alone.frame(ALICE, Message::Put(put));
        assert_eq!(effects.len(), 1);
        let failure = failure(&effects);
        assert_eq!((failure.code, failure.outcome), (FailureCode::Timeout, Outcome::None));
    }
}

#[test]
fn a_context_that_no_reader_was_shown_is_too_long() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let limits = Limits::default();
    let with = |actors: usize, counters: u64| {
        let mut context = Context::new();
        for birth in 0..actors as u64 {
            let incarnation = Incarnation(5);
            let actor = Actor { node: NodeId(8), incarnation, birth: Birth(birth) };
            for counter in (1..=counters).step_by(2) {
                context.insert(Dot { actor, counter: Counter(counter) });
            }
        }
        context
    };
    let max = limits.context_actors_max;
    let bytes = limits.context_bytes_max as u64;
    let contexts = [(with(max, 1), false), (with(max + 1, 1), true), (with(1, 2 * bytes), true)];
    for (sequence, (context, refused)) in (1..).zip(contexts) {
        let mut put = alone.put(&key, "v", sequence);
        put.context = context.to_token(&key);
        let effects = alone.frame(ALICE, Message::Put(put));
        assert_eq!(stores(&effects).is_empty(), refused);
        if refused {
            let failure = failure(&effects);
            assert_eq!(failure.code, FailureCode::BadContext);
            assert!(failure.limit > 0 && failure.actual > failure.limit);
        }
    }
}

#[test]
fn a_retry_that_wants_more_copies_is_not_answered_with_fewer() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut held = Held::new();
    let mut first = alone.put(&key, "v", 1);
    first.head.quorum = QuorumChoice { r: 3, w: 1 };
    let effects = alone.frame(ALICE, Message::Put(first));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
    let outcomes = run(&mut held, op);
    alone.stored(*ticket, outcomes[0].clone());
    let again = |alone: &mut Alone| {
        let mut again = alone.put(&key, "v", 1);
        again.head.quorum = QuorumChoice { r: 1, w: 3 };
        stores(&alone.frame(ALICE, Message::Put(again)))
    };
    let second = again(&mut alone);
    let [(again_ticket, op)] = &second[..] else { panic!("it does not wait for the first try") };
    assert_eq!(replies(&alone.stored(*ticket, outcomes[1].clone())).len(), 1, "W=1");
    assert!(again(&mut alone).is_empty(), "the third try waits for the second one");
    let (ticket, outcomes) = (again_ticket, run(&mut held, op));
    assert!(matches!(&outcomes[0], StoreOutcome::Applied { applied, .. } if !applied.changed));
    let call = asked(&alone.stored(*ticket, outcomes[0].clone()));
    assert!(replies(&alone.stored(*ticket, outcomes[1].clone())).is_empty());
    assert!(replies(&alone.frame(TWO, merged(call, true))).is_empty());
    let both = replies(&alone.frame(THREE, merged(call, true)));
    let one = |reply: &&Reply| matches!(&reply.result, Ok(Answer::Written(w)) if w.siblings == 1);
    assert_eq!((both.len(), both.iter().filter(one).count()), (2, 2), "W=3");
}

#[test]
fn storage_that_hangs_fills_no_table() {
    let limits = Limits { store_ops_max: 4, ..Limits::default() };
    let mut alone = Alone::with_limits(3, 1, limits);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let read = read_of(key.clone());
    for _ in 0..4 {
        assert_eq!(stores(&alone.frame(TWO, read.clone())).len(), 1);
    }
    let effects = alone.frame(TWO, read);
    assert_eq!(sends(&effects), [(TWO, record_of(CallId(7), None))]);
    let overloaded = |effect: &quorate_core::machine::Effect| {
        matches!(
            effect,
            quorate_core::machine::Effect::Observe(Event::Overloaded { limit: "store_ops_max" })
        )
    };
    assert!(effects.iter().any(overloaded));
    let record = write(&mut Held::new(), 2, value("v"), &Context::new());
    let merge = ReplicaMerge {
        call: CallId(8),
        key: key.clone(),
        record,
        hint_for: None,
        reason: MergeReason::Write,
        epoch: Epoch(1),
        layout_version: LayoutVersion(0),
    };
    let effects = alone.frame(TWO, Message::ReplicaMerge(merge));
    assert_eq!(sends(&effects), [(TWO, merged(CallId(8), false))]);
    let put = alone.put(&key, "v", 1);
    let effects = alone.frame(ALICE, Message::Put(put));
    assert!(stores(&effects).is_empty());
    assert_eq!(failure(&effects).code, FailureCode::Overloaded);
}

#[test]
fn a_delete_that_has_read_begins_no_write_for_which_there_is_no_room() {
    let limits = Limits { store_ops_max: 2, ..Limits::default() };
    let mut alone = Alone::with_limits(3, 1, limits);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let delete = alone.delete(&key, 1);
    alone.frame(ALICE, Message::Put(delete));
    let call = asked_without_digest(&mut alone);
    let read = read_of(key);
    assert_eq!(stores(&alone.frame(TWO, read)).len(), 1, "the table is full");
    let record = write(&mut Held::new(), 3, value("v"), &Context::new());
    alone.frame(TWO, record_of(call, Some(record.clone())));
    let effects = alone.frame(THREE, record_of(call, Some(record)));
    assert!(stores(&effects).is_empty());
    let refused = failure(&effects);
    assert_eq!((refused.code, refused.outcome), (FailureCode::Overloaded, Outcome::None));
}

#[test]
fn a_delete_that_is_tried_again_deletes_what_its_answer_covers() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut held = Held::new();
    write(&mut held, 1, value("old"), &Context::new());
    for round in 0..2 {
        let delete = alone.delete(&key, 1);
        let effects = alone.frame(ALICE, Message::Put(delete));
        let call = asked_without_digest(&mut alone);
        let [(read, op)] = &stores(&effects)[..] else { panic!("one read") };
        alone.stored(*read, run(&mut held, op)[0].clone());
        let found = Some(held.record().clone());
        let effects = alone.frame(TWO, record_of(call, found));
        let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
        let outcomes = run(&mut held, op);
        assert_eq!(held.record().values().len(), 1, "a tombstone alone, in round {round}");
        alone.stored(*ticket, outcomes[0].clone());
        // Nobody acknowledges in time, and another writer comes between.
        alone.millis += 5_000;
        let unknown = failure(&alone.input(Input::Wake));
        assert_eq!(unknown.outcome, Outcome::Unknown);
        write(&mut held, 1, value("new"), &Context::new());
    }
}

#[test]
fn a_replica_that_answers_twice_is_one_replica() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&alone.layout, NodeId(1));
    let mut put = alone.put(&key, "v", 1);
    put.head.quorum = QuorumChoice { r: 1, w: 3 };
    let effects = alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write") };
    let outcomes = run(&mut Held::new(), op);
    let call = asked(&alone.stored(*ticket, outcomes[0].clone()));
    alone.stored(*ticket, outcomes[1].clone());
    for _ in 0..3 {
        assert!(replies(&alone.frame(TWO, merged(call, true))).is_empty());
        // Nobody who is not asked has a say, either.
        assert!(replies(&alone.frame(Peer::Node(NodeId(9)), merged(call, true))).is_empty());
    }
    assert!(replies(&alone.frame(THREE, merged(call, true)))[0].result.is_ok());
    let mut get = alone.get(&key);
    get.head.quorum = QuorumChoice { r: 3, w: 1 };
    alone.frame(ALICE, Message::Get(get));
    let call = asked_without_digest(&mut alone);
    for _ in 0..3 {
        let record = Some(Record::new());
        assert!(replies(&alone.frame(TWO, record_of(call, record))).is_empty());
    }
}
