//! What one copy of a key does with writes: dots, retries, limits, truncation.

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Applied, ApplyRefusal, Birth, Checksum, Context, Counter, Dot, Held, History, Own,
    Payload, Record, RecordOp, Seen, Sibling, Write,
};
use quorate_core::ids::{Incarnation, NodeId, RequestId};
use quorate_core::time::{Duration, UnixMs};

const HOUR: u64 = 60 * 60 * 1_000;

fn actor(node: u64, incarnation: u32, birth: u64) -> Actor {
    Actor { node: NodeId(node), incarnation: Incarnation(incarnation), birth: Birth(birth) }
}

fn dot(actor: Actor, counter: u64) -> Dot {
    Dot { actor, counter: Counter(counter) }
}

fn request(sequence: u64) -> RequestId {
    RequestId { client: 9, sequence }
}

fn put(newborn: Actor, context: &Context, value: &str) -> Write {
    let payload = Payload::Value(Bytes::copy_from_slice(value.as_bytes()));
    Write {
        context: context.clone(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId::default(),
        newborn,
        continued: [].into(),
        siblings_max: 100,
        record_bytes_max: usize::MAX,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(4 * 60 * 60),
    }
}

fn applied(held: &mut Held, write: Write) -> Applied {
    let applied = held.apply(&RecordOp::Write(write)).expect("the write is in order");
    held.check_invariants();
    applied
}

fn dot_of(held: &mut Held, write: Write) -> Dot {
    applied(held, write).dot.expect("a write has a dot")
}

fn merge(held: &mut Held, record: &Record) {
    held.apply(&RecordOp::Merge(record.clone())).expect("an intact record");
    held.check_invariants();
}

fn values(held: &Held) -> Vec<String> {
    let text = |sibling: &&Sibling| {
        sibling.value_at(UnixMs(0)).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    held.record().values().iter().filter_map(text).collect()
}

#[test]
fn two_clients_that_chain_their_own_contexts_leave_two_siblings() {
    let mut held = Held::new();
    let mut contexts = [Context::new(), Context::new()];
    for turn in 0..200 {
        let context = &mut contexts[turn % 2];
        let write = put(actor(1, 1, 1), context, &format!("{turn}"));
        context.insert(dot_of(&mut held, write));
    }
    assert_eq!(values(&held), ["198", "199"]);
    assert_eq!(held.record().sibling_count(), 2);
    assert_eq!(held.record().actors(), 1);
}

#[test]
fn two_clients_with_one_context_and_one_coordinator_both_survive() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "old"));
    let shown = held.record().context();
    applied(&mut held, put(actor(1, 1, 1), &shown, "left"));
    applied(&mut held, put(actor(1, 1, 1), &shown, "right"));
    assert_eq!(values(&held), ["left", "right"]);
}

#[test]
fn a_blind_put_supersedes_nothing() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "b"));
    assert_eq!(values(&held), ["a", "b"]);
}

#[test]
fn a_value_concurrent_with_a_delete_survives() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "seen"));
    let shown = held.record().context();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "unseen"));
    let delete = Write {
        payload: Payload::Tombstone,
        checksum: Checksum(0),
        ..put(actor(1, 1, 1), &shown, "")
    };
    applied(&mut held, delete);
    assert_eq!(values(&held), ["unseen"]);
    assert_eq!(held.record().sibling_count(), 2);
}

#[test]
fn a_context_supersedes_writes_that_have_not_arrived_yet() {
    let (mut here, mut there) = (Held::new(), Held::new());
    applied(&mut there, put(actor(2, 1, 1), &Context::new(), "early"));
    applied(&mut here, put(actor(1, 1, 1), &there.record().context(), "late"));
    merge(&mut here, there.record());
    assert_eq!(values(&here), ["late"]);
}

#[test]
fn an_actor_is_born_once_and_then_continued() {
    let mut held = Held::new();
    let first = applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    let second = applied(&mut held, put(actor(1, 1, 2), &Context::new(), "b"));
    assert_eq!((first.newborn, first.dot), (true, Some(dot(actor(1, 1, 1), 1))));
    assert_eq!((second.newborn, second.dot), (false, Some(dot(actor(1, 1, 1), 2))));
    assert_eq!(held.own(), Some(Own { actor: actor(1, 1, 1) }));
}

#[test]
fn an_actor_of_an_earlier_incarnation_is_not_continued() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    let next = applied(&mut held, put(actor(1, 2, 1), &Context::new(), "b"));
    assert_eq!((next.newborn, next.dot), (true, Some(dot(actor(1, 2, 1), 1))));
}

#[test]
fn a_copy_that_was_removed_and_received_again_is_continued_by_a_newborn() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    let older = held.record().clone();
    applied(&mut held, put(actor(1, 1, 2), &Context::new(), "b"));

    let mut again = Held::new();
    merge(&mut again, &older);
    let next = applied(&mut again, put(actor(1, 1, 3), &Context::new(), "c"));
    assert_eq!(next.dot, Some(dot(actor(1, 1, 3), 1)));
    merge(&mut again, held.record());
    assert_eq!(values(&again), ["a", "b", "c"]);
}

#[test]
fn a_merge_gives_no_right_to_mint() {
    let mut left = Held::new();
    applied(&mut left, put(actor(1, 1, 1), &Context::new(), "a"));
    let mut right = Held::new();
    merge(&mut right, left.record());
    assert_eq!(right.own(), None);
    merge(&mut left, right.record());
    assert_eq!(left.own(), Some(Own { actor: actor(1, 1, 1) }));
}

#[test]
fn an_own_actor_that_the_record_does_not_know_is_left_out() {
    let own = Some(Own { actor: actor(1, 1, 1) });
    assert_eq!(Held::from_parts(Record::new(), own), Held::new());
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    assert_eq!(Held::from_parts(held.record().clone(), own), held);
}

#[test]
fn a_claim_of_dots_that_the_own_actor_never_minted_begins_a_new_actor() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    let mut forged = Context::new();
    forged.insert(dot(actor(1, 1, 1), 2));
    let next = applied(&mut held, put(actor(1, 1, 2), &forged, "b"));
    assert_eq!(next.dot, Some(dot(actor(1, 1, 2), 1)));
    assert_eq!(values(&held), ["a", "b"]);
}

#[test]
fn an_actor_whose_counters_are_used_up_is_followed_by_a_newborn() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    let all = Seen::from_parts(u64::MAX, Vec::new()).expect("an unbroken run is canonical");
    let used_up = History::from_parts(all, UnixMs(1), Vec::new()).expect("not empty");
    let record = Record::from_histories([(actor(1, 1, 1), used_up)]).expect("one actor");
    merge(&mut held, &record);
    let next = applied(&mut held, put(actor(1, 1, 2), &Context::new(), "b"));
    assert_eq!(next.dot, Some(dot(actor(1, 1, 2), 1)));
}

#[test]
fn a_newborn_that_is_known_already_is_refused() {
    let mut forged = Context::new();
    forged.insert(dot(actor(1, 1, 1), 1));
    let mut held = Held::new();
    let refusal = ApplyRefusal::ActorTaken { actor: actor(1, 1, 1) };
    let write = RecordOp::Write(put(actor(1, 1, 1), &forged, "a"));
    assert_eq!(held.apply(&write), Err(refusal));

    applied(&mut held, put(actor(2, 1, 1), &forged, "b"));
    let before = held.clone();
    let write = RecordOp::Write(put(actor(1, 1, 1), &Context::new(), "a"));
    assert_eq!(held.apply(&write), Err(refusal));
    assert_eq!(held, before);
}

#[test]
fn a_retry_is_answered_with_the_first_dot() {
    let mut held = Held::new();
    let write = Write { request: request(1), ..put(actor(1, 1, 1), &Context::new(), "a") };
    let first = dot_of(&mut held, write.clone());
    applied(&mut held, put(actor(1, 1, 2), &Context::new(), "b"));
    let before = held.clone();
    let retry = applied(&mut held, Write { written: UnixMs(7), ..write });
    assert_eq!(retry, Applied { dot: Some(first), ..Applied::default() });
    assert_eq!(held, before);
}

#[test]
fn a_retry_after_a_restart_is_answered_with_the_first_dot() {
    let mut held = Held::new();
    let write = Write { request: request(1), ..put(actor(1, 1, 1), &Context::new(), "a") };
    let first = dot_of(&mut held, write.clone());
    let retry = dot_of(&mut held, Write { newborn: actor(1, 2, 1), ..write });
    assert_eq!(retry, first);
}

#[test]
fn a_retry_through_another_coordinator_that_has_the_first_try_is_answered_with_its_dot() {
    let (mut left, mut right) = (Held::new(), Held::new());
    let write = Write { request: request(1), ..put(actor(1, 1, 1), &Context::new(), "a") };
    let first = dot_of(&mut left, write.clone());
    merge(&mut right, left.record());
    assert_eq!(dot_of(&mut right, Write { newborn: actor(2, 1, 1), ..write }), first);
    assert_eq!(right.record().siblings().count(), 1);
}

#[test]
fn a_retry_through_another_coordinator_is_one_value() {
    let (mut left, mut right) = (Held::new(), Held::new());
    let write = Write { request: request(1), ..put(actor(1, 1, 1), &Context::new(), "a") };
    applied(&mut left, write.clone());
    let second = dot_of(&mut right, Write { newborn: actor(2, 1, 1), ..write });
    assert_eq!(second, dot(actor(2, 1, 1), 1));
    merge(&mut right, left.record());
    assert_eq!(right.record().siblings().count(), 2);
    assert_eq!(right.record().sibling_count(), 1);
    assert_eq!(values(&right), ["a"]);
}

#[test]
fn writes_without_a_request_id_are_never_retries() {
    let mut held = Held::new();
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "a"));
    applied(&mut held, put(actor(1, 1, 1), &Context::new(), "b"));
    assert_eq!(values(&held), ["a", "b"]);
}

#[test]
fn more_siblings_than_allowed_are_refused_on_a_write_but_not_on_a_merge() {
    let limited = |context: &Context, value: &str| Write {
        siblings_max: 2,
        record_bytes_max: usize::MAX,
        ..put(actor(1, 1, 1), context, value)
    };
    let mut held = Held::new();
    applied(&mut held, limited(&Context::new(), "a"));
    applied(&mut held, limited(&Context::new(), "b"));
    let before = held.clone();
    let third = RecordOp::Write(limited(&Context::new(), "c"));
    assert_eq!(held.apply(&third), Err(ApplyRefusal::Siblings { count: 3, max: 2 }));
    assert_eq!(held, before);

    // Equal bytes are no new sibling, and what the write supersedes does not count.
    applied(&mut held, limited(&Context::new(), "a"));
    let shown = held.record().context();
    let mut other = Held::new();
    applied(&mut other, put(actor(2, 1, 1), &Context::new(), "d"));
    merge(&mut held, other.record());
    assert_eq!(held.record().sibling_count(), 3);
    applied(&mut held, limited(&shown, "e"));
    assert_eq!(held.record().sibling_count(), 2);
}

#[test]
fn damaged_bytes_are_refused_and_change_nothing() {
    let mut held = Held::new();
    let damaged = Write { checksum: Checksum(1), ..put(actor(1, 1, 1), &Context::new(), "a") };
    assert_eq!(held.apply(&RecordOp::Write(damaged)), Err(ApplyRefusal::Checksum));
    assert_eq!(held, Held::new());

    let intact = put(actor(1, 1, 1), &Context::new(), "a");
    let rotten = Sibling {
        payload: Payload::Value(Bytes::from_static(b"b")),
        checksum: intact.checksum,
        written: intact.written,
        expires: None,
        request: intact.request,
    };
    let live = vec![(Counter(1), rotten)];
    let history = History::from_parts(Seen::new(), UnixMs(1), live).expect("valid");
    let record = Record::from_histories([(actor(1, 1, 1), history)]).expect("one actor");
    let merge_rotten = RecordOp::Merge(record.clone());
    assert_eq!(held.apply(&merge_rotten), Err(ApplyRefusal::Checksum));
    assert_eq!(held, Held::new());

    // A copy that has the write already keeps its own bytes, and heals the rotten one.
    applied(&mut held, intact);
    let before = held.clone();
    assert_eq!(held.apply(&merge_rotten), Ok(Applied::default()));
    assert_eq!(held, before);
    let mut rotten = Held::from_parts(record, None);
    merge(&mut rotten, held.record());
    assert_eq!(rotten.record(), held.record());
}

/// A record of `count` actors that were superseded one hour after another, and one that stands.
fn long_history(count: u64) -> Held {
    let mut held = Held::new();
    for node in 1..=count {
        let write = put(actor(node, 1, 1), &held.record().context(), &format!("by {node}"));
        applied(&mut held, Write { written: UnixMs(node * HOUR), actors_kept: 99, ..write });
    }
    held
}

#[test]
fn a_write_drops_the_oldest_actors_without_siblings() {
    let mut held = long_history(12);
    let next = put(actor(12, 1, 2), &Context::new(), "last");
    let written = UnixMs(100 * HOUR);
    let outcome = applied(&mut held, Write { written, ..next });
    assert_eq!(outcome.truncated, 2);
    let left: Vec<u64> = held.record().histories().map(|(actor, _)| actor.node.0).collect();
    assert_eq!(left, (3..=12).collect::<Vec<_>>());
    assert_eq!(values(&held), ["last", "by 12"]);
}

#[test]
fn truncation_keeps_young_actors_live_siblings_and_the_own_actor() {
    let mut held = long_history(12);
    // Actor n was superseded at hour n + 1, so at hour 12 those up to 6 are older than 4 hours.
    let next = Write {
        written: UnixMs(12 * HOUR),
        actors_kept: 0,
        ..put(actor(12, 1, 2), &Context::new(), "last")
    };
    assert_eq!(applied(&mut held, next).truncated, 6);
    let left: Vec<u64> = held.record().histories().map(|(actor, _)| actor.node.0).collect();
    assert_eq!(left, (7..=12).collect::<Vec<_>>());
    assert_eq!(held.own(), Some(Own { actor: actor(12, 1, 1) }));
}

#[test]
fn a_merge_truncates_nothing() {
    let long = long_history(60);
    let mut held = Held::new();
    merge(&mut held, long.record());
    assert_eq!(held.record().actors(), 60);
}

#[test]
fn a_put_that_adds_nothing_to_an_old_history_does_not_make_it_young() {
    let mut held = long_history(3);
    let shown = held.record().context();
    applied(&mut held, Write { written: UnixMs(50 * HOUR), ..put(actor(9, 1, 1), &shown, "x") });
    let at = |node| held.record().history(actor(node, 1, 1)).map(History::at);
    assert_eq!(at(1), Some(UnixMs(2 * HOUR)));
    assert_eq!(at(3), Some(UnixMs(50 * HOUR)));
}

#[test]
fn an_expired_value_reads_as_a_tombstone() {
    let mut held = Held::new();
    let write =
        Write { expires: Some(UnixMs(10)), ..put(actor(1, 1, 1), &Context::new(), "short") };
    applied(&mut held, write);
    let value_at = |now| held.record().values()[0].value_at(UnixMs(now)).is_some();
    assert!(value_at(9));
    assert!(!value_at(10));
}
