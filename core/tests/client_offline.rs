//! Times in which no node can be reached, and pings: who waits, who is refused, who is dialled when.

mod hands;
mod machines;

use hands::{Hands, entry};
use machines::{key_of, layout};
use quorate_core::client::{ClientInput, ErrorCode, Link, Offline};
use quorate_core::ids::{Key, NodeId};
use quorate_core::message::{CallId, Failure, FailureCode, Outcome};
use quorate_core::time::Duration;

/// A client of one node, connected.
fn alone(change: impl FnOnce(&mut quorate_core::client::ClientConfig)) -> (Hands, Link, Key) {
    let mut hands = Hands::with(&["ws://1"], layout(1, 1), change);
    let link = hands.at("ws://1");
    hands.welcome(link, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    (hands, link, key)
}

fn lose(hands: &mut Hands, link: Link) {
    hands.open.remove(&link);
    hands.input(ClientInput::Closed(link));
}

fn codes(hands: &Hands) -> Vec<(u64, ErrorCode, Outcome)> {
    let ended = hands.ended.iter();
    let failed = ended.filter_map(|(id, result)| Some((id, result.as_ref().err()?)));
    failed.map(|(id, error)| (id.0, error.code, error.outcome)).collect()
}

fn redial(hands: &mut Hands, address: Option<&str>, wait_ms: Option<u64>) {
    let wait = wait_ms.map(Duration::from_millis);
    hands.input(ClientInput::Redial { address: address.map(Into::into), wait });
}

#[test]
fn calls_wait_while_no_node_can_be_reached_and_so_many_at_most() {
    let (mut hands, link, key) = alone(|config| config.queue_max = 2);
    lose(&mut hands, link);
    for _ in 0..4 {
        hands.get(&key, 5_000);
    }
    let full = ErrorCode::QueueFull;
    assert_eq!(codes(&hands), [(3, full, Outcome::None), (4, full, Outcome::None)]);
    let error = hands.ended[0].1.as_ref().unwrap_err();
    assert_eq!((error.limit, error.actual, error.retryable()), (2, 3, true));
    hands.pass(100);
    hands.welcome(hands.at("ws://1"), 1);
    hands.answer_all();
    assert_eq!(hands.ended.len(), 4);
    assert!(hands.ended[2..].iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn calls_that_were_under_way_are_not_refused_for_a_full_queue() {
    let (mut hands, link, key) = alone(|config| config.queue_max = 0);
    for _ in 0..3 {
        hands.get(&key, 5_000);
    }
    lose(&mut hands, link);
    hands.get(&key, 5_000);
    assert_eq!(codes(&hands), [(4, ErrorCode::QueueFull, Outcome::None)]);
}

#[test]
fn calls_fail_at_once_where_they_are_not_to_wait() {
    let (mut hands, link, key) = alone(|config| config.offline = Offline::Fail);
    hands.get(&key, 5_000);
    hands.put(&key);
    lose(&mut hands, link);
    hands.get(&key, 5_000);
    hands.put(&key);
    let unreachable = |id, outcome| (id, ErrorCode::Unreachable, outcome);
    let expected = [
        unreachable(1, Outcome::None),
        unreachable(2, Outcome::Unknown),
        unreachable(3, Outcome::None),
        unreachable(4, Outcome::None),
    ];
    assert_eq!(codes(&hands), expected);
    // The next dial is no more than a hope, until it succeeds.
    hands.pass(100);
    let next = hands.at("ws://1");
    hands.get(&key, 5_000);
    assert_eq!(codes(&hands).len(), 5);
    hands.welcome(next, 1);
    hands.get(&key, 5_000);
    hands.answer_all();
    assert!(hands.ended.last().unwrap().1.is_ok());
}

#[test]
fn a_call_that_is_not_to_wait_waits_for_the_first_dial_of_another_node() {
    let mut hands = Hands::with(&["ws://1"], layout(2, 2), |it| it.offline = Offline::Fail);
    let link = hands.at("ws://1");
    hands.welcome(link, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    lose(&mut hands, link);
    let call = hands.get(&key, 5_000);
    assert_eq!(hands.ended, []);
    hands.welcome(hands.at("ws://2"), 2);
    hands.reply(hands.last_sent(), call, Ok(entry()));
    assert!(hands.ended[0].1.is_ok());
}

#[test]
fn a_dial_that_hangs_is_no_reason_to_wait() {
    let mut hands = Hands::with(&["ws://1"], layout(1, 1), |it| it.offline = Offline::Fail);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    hands.refuse_dials();
    hands.get(&key, 5_000);
    assert_eq!(codes(&hands), [(1, ErrorCode::Unreachable, Outcome::None)]);
}

#[test]
fn a_lost_node_is_not_dialled_again_where_it_is_not_to_be() {
    let (mut hands, link, key) = alone(|config| config.redial_max = None);
    hands.get(&key, 5_000);
    lose(&mut hands, link);
    hands.get(&key, 5_000);
    assert_eq!(codes(&hands).len(), 2, "nobody waits in vain");
    assert!(codes(&hands).iter().all(|(_, code, _)| *code == ErrorCode::Unreachable));
    hands.pass(60_000);
    redial(&mut hands, None, Some(0));
    assert_eq!(hands.dialled.len(), 1);
    assert_eq!(hands.client.next_wake(), None);
    // Whoever wants it all the same says so.
    redial(&mut hands, Some("ws://1"), Some(0));
    assert_eq!(hands.dialled.len(), 2);
}

#[test]
fn pauses_grow_up_to_the_longest() {
    let pauses = |longest_ms: u64| {
        let longest = Some(Duration::from_millis(longest_ms));
        let mut hands = Hands::with(&["ws://1"], layout(1, 1), |it| it.redial_max = longest);
        let mut pauses = Vec::new();
        for dials in 1..=30 {
            assert_eq!(hands.dialled.len(), dials);
            hands.refuse_dials();
            let failed = hands.millis;
            while hands.dialled.len() == dials {
                hands.pass(1);
            }
            pauses.push(hands.millis - failed);
        }
        pauses
    };
    let (short, long) = (pauses(20), pauses(30_000));
    assert!(short.iter().all(|pause| *pause <= 21), "{short:?}");
    assert!(long.iter().any(|pause| *pause > 10_000), "{long:?}");
    assert!(long.iter().all(|pause| *pause <= 30_001), "{long:?}");
}

#[test]
fn an_address_is_dialled_when_whoever_runs_the_client_says() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.refuse_dials();
    redial(&mut hands, Some("ws://1"), Some(7_000));
    redial(&mut hands, Some("ws://unknown"), Some(0));
    hands.pass(6_999);
    assert_eq!(hands.dialled.len(), 1);
    hands.pass(1);
    assert_eq!(hands.dialled.len(), 2);
    hands.refuse_dials();
    redial(&mut hands, Some("ws://1"), Some(60_000));
    // The network is back.
    redial(&mut hands, None, Some(0));
    assert_eq!(hands.dialled.len(), 3);
    hands.refuse_dials();
    redial(&mut hands, Some("ws://1"), None);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    hands.get(&key, 5_000);
    assert_eq!(codes(&hands), [(1, ErrorCode::Unreachable, Outcome::None)]);
}

#[test]
fn a_ping_is_answered_by_whatever_the_node_says_to_it() {
    let (mut hands, link, key) = alone(|_| {});
    let ping = ping(&mut hands, 1, 5_000);
    assert_eq!(hands.sent, [(link, ping)]);
    hands.pass(30);
    hands.reply(link, ping, Err(Failure::refused(FailureCode::KeySize)));
    hands.reply(link, ping, Err(Failure::refused(FailureCode::KeySize)));
    assert_eq!(hands.pongs, [(ping, Duration::from_millis(30))]);
    assert_eq!(hands.client.next_wake(), None);
    // It is told apart from calls, and no call is taken for it.
    let call = hands.get(&key, 5_000);
    assert_eq!(call, CallId(ping.0 + 1));
    hands.reply(link, call, Ok(entry()));
    assert_eq!((hands.pongs.len(), hands.ended.len()), (1, 1));
    assert_eq!(hands.client.view().stats().calls, 1);
    let latencies: Vec<_> = hands.client.view().latencies().collect();
    assert_eq!((latencies.len(), latencies[0].1.answers), (1, 1));
}

#[test]
fn a_ping_connects_where_it_must() {
    let mut hands = Hands::new(&["ws://1"], layout(2, 1));
    hands.welcome(hands.at("ws://1"), 1);
    let first = ping(&mut hands, 2, 5_000);
    let second = ping(&mut hands, 2, 5_000);
    let link = hands.at("ws://2");
    hands.welcome(link, 2);
    assert_eq!(hands.sent, [(link, first), (link, second)]);
    hands.reply(link, first, Ok(entry()));
    lose(&mut hands, link);
    assert_eq!(hands.pongs.len(), 1);
    assert_eq!(codes(&hands), [(second.0, ErrorCode::Unreachable, Outcome::None)]);
    let (third, fourth) = (ping(&mut hands, 2, 5_000), ping(&mut hands, 3, 5_000));
    let unreachable = |call: CallId| (call.0, ErrorCode::Unreachable, Outcome::None);
    assert_eq!(codes(&hands)[1..], [unreachable(third), unreachable(fourth)]);
}

#[test]
fn a_ping_ends_at_its_deadline_and_a_silent_node_is_found() {
    let (mut hands, link, _) = alone(|_| {});
    let first = ping(&mut hands, 1, 200);
    hands.pass(200);
    assert_eq!(codes(&hands), [(first.0, ErrorCode::Timeout, Outcome::None)]);
    hands.pass(400);
    assert_eq!(hands.events_of(NodeId(1)).last(), Some(&"down: silent"));
    let second = ping(&mut hands, 1, 60_000);
    hands.act(|client, now, out| client.cancel(now, second, out));
    let third = ping(&mut hands, 1, 60_000);
    hands.pass(3_000);
    assert_eq!(hands.hung_up, [link]);
    let expected = [(second, ErrorCode::Aborted), (third, ErrorCode::Unreachable)];
    let found: Vec<_> =
        codes(&hands)[1..].iter().map(|(id, code, _)| (CallId(*id), *code)).collect();
    assert_eq!(found, expected);
    hands.pass(100);
    hands.welcome(hands.at("ws://1"), 1);
    let last = ping(&mut hands, 1, 60_000);
    hands.act(|client, _, out| client.close(out));
    assert_eq!(codes(&hands).last(), Some(&(last.0, ErrorCode::Closed, Outcome::None)));
}

fn ping(hands: &mut Hands, node: u64, timeout_ms: u64) -> CallId {
    let timeout = Some(Duration::from_millis(timeout_ms));
    hands.act(|client, now, out| client.ping(now, NodeId(node), timeout, out))
}
