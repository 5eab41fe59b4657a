//! Reads of one copy, for clients that coordinate them: what a primary says, and when it does not.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;

use bytes::Bytes;
use machines::{ALICE, Alone, key_of, key_without, layout, replies, sends, stores, value, write};
use quorate_core::causality::{Checksum, Context, Held, History, Record, Sibling};
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Effect, Event, StoreError, StoreOp, StoreOutcome};
use quorate_core::message::{Answer, Entry, Failure, FailureCode, Get, Message, ReadKind, Reply};

fn ask(alone: &mut Alone, key: &Key, read: ReadKind) -> Vec<Effect> {
    let get = Get { read, ..alone.get(key) };
    alone.frame(ALICE, Message::Get(get))
}

/// What becomes of a read for which the storage has an answer.
fn answered(alone: &mut Alone, key: &Key, read: ReadKind, outcome: StoreOutcome) -> Vec<Effect> {
    let effects = ask(alone, key, read);
    assert!(sends(&effects).is_empty(), "it asks nobody, and answers nobody yet");
    let [(ticket, StoreOp::Read { key: of, hints })] = &stores(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((of, hints.len()), (key, 0));
    alone.stored(*ticket, outcome)
}

fn found(record: &Record) -> StoreOutcome {
    StoreOutcome::Read { record: Some(record.clone()) }
}

fn one(effects: &[Effect]) -> Reply {
    let replies = replies(effects);
    assert_eq!((replies.len(), sends(effects).len()), (1, 1), "{effects:?}");
    replies.into_iter().next().expect("it is there")
}

fn assert_cannot_say(reply: &Reply) {
    let expected = Failure::refused(FailureCode::QuorumUnavailable).quorum(1, 0);
    assert_eq!((&reply.result, reply.copy), (&Err(expected), None));
}

#[test]
fn a_primary_gives_its_copy_or_the_digest_of_it() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&layout(3, 3), NodeId(2));
    let record = write(&mut Held::default(), 2, value("v"), &Context::new());
    let data = one(&answered(&mut alone, &key, ReadKind::Data, found(&record)));
    let Ok(Answer::Entry(entry)) = &data.result else { panic!("{data:?}") };
    assert_eq!(entry.values[0].payload, Bytes::from_static(b"v"));
    assert_eq!(entry.context, record.context().to_token(&key));
    assert_eq!(data.copy, Some(record.digest()));
    let digest = one(&answered(&mut alone, &key, ReadKind::Digest, found(&record)));
    assert_eq!(digest.result, Ok(Answer::Entry(Entry::default())));
    assert_eq!(digest.copy, data.copy);
}

#[test]
fn of_a_key_that_is_not_there_all_primaries_give_one_digest() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&layout(3, 3), NodeId(1));
    let nothing = StoreOutcome::Read { record: None };
    let reply = one(&answered(&mut alone, &key, ReadKind::Data, nothing));
    let Ok(Answer::Entry(entry)) = &reply.result else { panic!("{reply:?}") };
    assert!(entry.values.is_empty());
    assert_eq!(reply.copy, Some(Record::default().digest()));
}

#[test]
fn who_is_no_primary_says_so_and_passes_nothing_on() {
    let mut alone = Alone::new(5, 1);
    let (key, _) = key_without(&layout(5, 3), NodeId(1));
    for read in [ReadKind::Data, ReadKind::Digest] {
        let effects = ask(&mut alone, &key, read);
        assert!(stores(&effects).is_empty());
        let failure = one(&effects).result.unwrap_err();
        assert_eq!(failure.code, FailureCode::NotAPrimary);
    }
}

#[test]
fn a_copy_that_cannot_be_read_or_is_damaged_is_none() {
    let mut alone = Alone::new(3, 1);
    let (key, _) = key_of(&layout(3, 3), NodeId(1));
    for read in [ReadKind::Data, ReadKind::Digest] {
        let failed = StoreOutcome::Failed(StoreError::Io);
        assert_cannot_say(&one(&answered(&mut alone, &key, read, failed)));
        let record = write(&mut Held::default(), 1, value("v"), &Context::new());
        let rotten = rotten(&record);
        let effects = answered(&mut alone, &key, read, found(&rotten));
        assert_cannot_say(&one(&effects));
        let told = |effect: &Effect| matches!(effect, Effect::Observe(Event::Damaged { .. }));
        assert!(effects.iter().any(told), "{effects:?}");
    }
}

/// The same with a value that is not what its checksum says.
fn rotten(record: &Record) -> Record {
    let histories = record.histories().map(|(actor, history)| {
        let live = history.live().iter().map(|(counter, sibling)| {
            (*counter, Sibling { checksum: Checksum(7), ..sibling.clone() })
        });
        let superseded = history.superseded().clone();
        (
            actor,
            History::from_parts(superseded, history.at(), live.collect())
                .expect("what was a history is one"),
        )
    });
    Record::from_ascending(histories.collect()).expect("what was a record is one")
}

#[test]
fn who_does_not_know_whether_it_has_lost_something_gives_no_copy() {
    let mut alone = Alone::ungreeted(3, 1, |_| {});
    let (key, _) = key_of(&layout(3, 3), NodeId(1));
    let record = write(&mut Held::default(), 2, value("v"), &Context::new());
    for read in [ReadKind::Data, ReadKind::Digest] {
        assert_cannot_say(&one(&answered(&mut alone, &key, read, found(&record))));
    }
}
