//! What a call may ask for, and what becomes of those that all nodes put off.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod hands;
mod machines;

use bytes::Bytes;
use hands::{Hands, entry};
use machines::{key_of, layout, value, write};
use quorate_core::causality::{Context, Held};
use quorate_core::client::{CallOptions, ErrorCode};
use quorate_core::ids::NodeId;
use quorate_core::limits::TTL_MAX;
use quorate_core::message::{
    Change, Failure, FailureCode, Message, Outcome, RequestHead, Strictness,
};
use quorate_core::time::Duration;

fn head(message: &Message) -> &RequestHead {
    match message {
        Message::Get(get) => &get.head,
        Message::Put(put) => &put.head,
        _ => panic!("a request"),
    }
}

fn put_off(code: FailureCode, retry_after_ms: u64) -> Failure {
    Failure::refused(code).retry_after(Duration::from_millis(retry_after_ms))
}

#[test]
fn a_call_is_as_strict_as_it_says_or_the_client_or_the_cluster() {
    for (client, call, expected) in [
        (None, None, Strictness::Configured),
        (Some(true), None, Strictness::Strict),
        (Some(false), None, Strictness::Sloppy),
        (Some(true), Some(false), Strictness::Sloppy),
        (None, Some(true), Strictness::Strict),
    ] {
        let mut hands = Hands::with(&["ws://1"], layout(1, 1), |config| config.strict = client);
        hands.welcome(hands.at("ws://1"), 1);
        let (key, _) = key_of(&hands.layout, NodeId(1));
        let options = CallOptions { strict: call, ..CallOptions::default() };
        let context = Bytes::new();
        hands.act(|client, now, out| client.get(now, key.clone(), context.clone(), options, out));
        hands
            .act(|client, now, out| client.delete(now, key.clone(), context.clone(), options, out));
        for frame in &hands.frames {
            assert_eq!(head(frame).strictness, expected, "{client:?} {call:?}");
        }
        assert_eq!(hands.frames.len(), 2);
    }
}

#[test]
fn a_session_read_carries_its_context_and_a_damaged_one_is_refused_here() {
    let mut hands = Hands::connected(1, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let mut held = Held::default();
    let record = write(&mut held, 1, value("mine"), &Context::new());
    let token = record.context().to_token(&key);
    assert!(!token.is_empty());
    let options = CallOptions::default();
    hands.act(|client, now, out| client.get(now, key.clone(), token.clone(), options, out));
    let Some(Message::Get(get)) = hands.frames.last() else { panic!("a get") };
    assert_eq!(get.context, token);
    let damaged = Bytes::from_static(b"nonsense");
    hands.act(|client, now, out| client.get(now, key.clone(), damaged, options, out));
    assert_eq!(hands.frames.len(), 1);
    assert_eq!(hands.ended[0].1.as_ref().unwrap_err().code, ErrorCode::BadContext);
}

#[test]
fn only_a_put_has_a_time_to_live_and_one_that_cannot_be_kept_is_refused_here() {
    let most = TTL_MAX.as_millis() as u64;
    // (ttl, what is sent, or the number in the refusal)
    for (ttl, expected) in [
        (Duration::from_millis(1), Ok(())),
        (TTL_MAX, Ok(())),
        (Duration::ZERO, Err(0)),
        (TTL_MAX + Duration::from_millis(1), Err(most + 1)),
        (Duration::MAX, Err(u64::MAX)),
    ] {
        let mut hands = Hands::connected(1, 1);
        let (key, _) = key_of(&hands.layout, NodeId(1));
        let options = CallOptions { ttl: Some(ttl), ..CallOptions::default() };
        let (value, context) = (Bytes::from_static(b"v"), Bytes::new);
        hands.act(|client, now, out| client.get(now, key.clone(), context(), options, out));
        hands.act(|client, now, out| client.delete(now, key.clone(), context(), options, out));
        assert_eq!((hands.frames.len(), hands.ended.len()), (0, 2), "{ttl:?}");
        hands.act(|client, now, out| client.put(now, key.clone(), value, context(), options, out));
        match expected {
            Ok(()) => {
                let Some(Message::Put(put)) = hands.frames.last() else { panic!("a put") };
                let Change::Value { ttl: sent, .. } = &put.change else { panic!("a value") };
                assert_eq!(*sent, Some(ttl));
            }
            Err(actual) => {
                let error = hands.ended[2].1.as_ref().unwrap_err();
                assert_eq!((error.limit, error.actual), (most, actual), "{ttl:?}");
                assert!(hands.frames.is_empty());
            }
        }
        let codes = hands.ended.iter().map(|ended| ended.1.as_ref().unwrap_err().code);
        assert!(codes.into_iter().all(|code| code == ErrorCode::BadTtl));
    }
}

#[test]
fn the_numbers_of_a_refused_quorum_are_kept_whoever_speaks_last() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let options = CallOptions { strict: Some(true), ..CallOptions::default() };
    let (value, context) = (Bytes::from_static(b"v"), Bytes::new());
    let call =
        hands.act(|client, now, out| client.put(now, key.clone(), value, context, options, out));
    let quorum = |acked| Failure::refused(FailureCode::QuorumUnavailable).quorum(2, acked);
    for failure in [quorum(1), quorum(0), Failure::refused(FailureCode::NotAPrimary)] {
        hands.reply(hands.last_sent(), call, Err(failure));
    }
    let error = hands.ended[0].1.as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::QuorumUnavailable);
    assert_eq!((error.needed, error.acked, error.outcome), (2, 1, Outcome::None));
    assert_eq!(hands.millis, 0, "told at once");
}

#[test]
fn overloaded_nodes_are_asked_again_after_all_others_and_no_sooner_than_they_wish() {
    for code in [FailureCode::Overloaded, FailureCode::NotReady] {
        let mut hands = Hands::connected(3, 3);
        let (key, _) = key_of(&hands.layout, NodeId(1));
        let call = hands.get(&key, 5_000);
        let first = hands.last_sent();
        for _ in 0..3 {
            hands.reply(hands.last_sent(), call, Err(put_off(code, 200)));
        }
        let asked: Vec<_> = hands.sent.iter().map(|(link, _)| *link).collect();
        assert_eq!(asked.len(), 3, "others first");
        assert!(asked.iter().skip(1).all(|link| *link != first));
        hands.pass(199);
        assert_eq!(hands.sent.len(), 3);
        hands.pass(60);
        assert_eq!(hands.sent.len(), 4, "with jitter");
        assert_eq!(hands.last_sent(), first);
        hands.reply(first, call, Ok(entry()));
        assert!(hands.ended[0].1.is_ok());
    }
}

#[test]
fn a_pause_never_passes_the_deadline() {
    let mut hands = Hands::connected(1, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 300);
    hands.reply(hands.last_sent(), call, Err(put_off(FailureCode::Overloaded, 400)));
    let error = hands.ended[0].1.as_ref().unwrap_err();
    assert_eq!((error.code, hands.millis), (ErrorCode::Overloaded, 0), "better said now");
    assert_eq!(error.retry_after, Duration::from_millis(400));
}

#[test]
fn a_cluster_that_stays_overloaded_is_not_asked_for_ever() {
    let mut hands = Hands::connected(1, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 600_000);
    while hands.ended.is_empty() {
        let sent = hands.sent.len();
        assert!(sent < 20, "it goes on and on");
        hands.reply(hands.last_sent(), call, Err(put_off(FailureCode::Overloaded, 100)));
        hands.pass(2_000);
        assert!(hands.sent.len() > sent || !hands.ended.is_empty(), "it hangs");
    }
    assert_eq!(hands.ended[0].1.as_ref().unwrap_err().code, ErrorCode::Overloaded);
}

#[test]
fn new_calls_go_around_a_node_that_asked_to_be_left_alone() {
    let mut hands = Hands::connected(3, 3);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 5_000);
    let busy = hands.last_sent();
    hands.reply(busy, call, Err(put_off(FailureCode::Overloaded, 500)));
    hands.reply(hands.last_sent(), call, Ok(entry()));
    hands.get(&key, 5_000);
    assert_ne!(hands.last_sent(), busy);
    hands.answer_all();
    hands.pass(501);
    hands.get(&key, 5_000);
    assert_eq!(hands.last_sent(), busy);
}

#[test]
fn a_cluster_without_a_layout_is_asked_until_it_has_one() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    let link = hands.at("ws://1");
    hands.welcome_with(link, 1, None, &[]);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 5_000);
    assert_eq!(hands.sent, [(link, call)]);
    hands.reply(link, call, Err(put_off(FailureCode::NotReady, 100)));
    hands.pass(200);
    hands.reply(link, call, Ok(entry()));
    assert!(hands.ended[0].1.is_ok());
    let late = hands.get(&key, 50);
    hands.reply(link, late, Err(put_off(FailureCode::NotReady, 100)));
    assert_eq!(hands.ended[1].1.as_ref().unwrap_err().code, ErrorCode::NotReady);
}
