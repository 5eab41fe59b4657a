//! The links of a client: doubles, strangers, silence, and no wake in vain.

mod hands;
mod machines;

use bytes::Bytes;
use hands::{Hands, entry};
use machines::{key_of, layout};
use quorate_core::client::{ClientEvent, ClientInput, ErrorCode, Link};
use quorate_core::ids::NodeId;
use quorate_core::message::{Answer, Failure, FailureCode, Outcome, Written};

#[test]
fn a_client_whose_every_node_is_gone_is_not_woken_in_vain() {
    let mut hands = Hands::new(&["ws://1"], layout(5, 3));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(3));
    for _ in 0..3 {
        hands.get(&key, 200);
        hands.refuse_dials();
        hands.pass(50);
        hands.refuse_dials();
    }
    hands.pass(300);
    assert_eq!(hands.ended.len(), 3);
    for _ in 0..30 {
        hands.refuse_dials();
        hands.pass(100);
    }
}

#[test]
fn more_seeds_than_are_dialled_at_once_wake_nobody_in_vain() {
    let seeds = ["ws://1", "ws://2", "ws://3", "ws://4", "ws://5", "ws://6"];
    let mut hands = Hands::new(&seeds, layout(6, 3));
    for _ in 0..2 {
        hands.refuse_dials();
        hands.pass(60);
    }
    // Some dials hang from here on.
    hands.pass(2_000);
    assert!(hands.open.len() <= 3);
}

#[test]
fn a_client_that_lost_its_only_seed_finds_the_others_by_the_layout() {
    let mut hands = Hands::new(&["ws://1"], layout(5, 3));
    hands.welcome(hands.at("ws://1"), 1);
    hands.refuse_dials();
    let (key, primaries) = key_of(&hands.layout, NodeId(3));
    let stranger = (2..=5).find(|id| !primaries.contains(&NodeId(*id))).unwrap();
    hands.get(&key, 5_000);
    for _ in 0..40 {
        let others: Vec<Link> = hands
            .open
            .iter()
            .filter(|(_, address)| ***address != *format!("ws://{stranger}"))
            .map(|(link, _)| *link)
            .collect();
        for link in others {
            hands.open.remove(&link);
            hands.input(ClientInput::Closed(link));
        }
        hands.pass(50);
    }
    hands.welcome(hands.at(&format!("ws://{stranger}")), stranger);
    assert_eq!(hands.sent.len(), 1, "it passes the call on");
}

#[test]
fn one_node_under_two_addresses_is_one_link() {
    let mut hands = Hands::new(&["ws://localhost:1", "ws://1"], layout(3, 3));
    let (a, b) = (hands.at("ws://localhost:1"), hands.at("ws://1"));
    hands.welcome(a, 1);
    hands.welcome(b, 1);
    assert_eq!(hands.hung_up, [b]);
    hands.input(ClientInput::Closed(b));
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let dialled = hands.dialled.len();
    hands.get(&key, 5_000);
    hands.pass(2_000);
    assert_eq!(hands.sent[0].0, a);
    let again = hands.dialled[dialled..].iter().filter(|address| &***address == "ws://1").count();
    assert_eq!(again, 0, "nobody dials a node that is connected");
}

#[test]
fn an_address_at_which_another_node_answers_is_not_dialled_without_end() {
    for first in [true, false] {
        let mut hands = Hands::new(&["ws://1"], layout(5, 3));
        hands.welcome(hands.at("ws://1"), 1);
        let (key, primaries) = machines::key_without(&hands.layout, NodeId(1));
        // Whoever is dialled, node 1 or node 9 answers: a proxy, or a layout that is out of date.
        let call = hands.get(&key, 5_000);
        for _ in 0..200 {
            let dialled: Vec<Link> = hands.open.keys().copied().filter(|link| link.0 > 1).collect();
            let before = hands.client.view().links().len();
            for link in dialled {
                let up = hands.client.view().links().iter().any(|(_, known)| *known == link);
                if !up {
                    hands.welcome(link, if first { 1 } else { 9 });
                }
            }
            assert!(before <= 3);
            hands.pass(10);
        }
        assert!(hands.dialled.len() < 60, "{} dials in two seconds", hands.dialled.len());
        assert!(!hands.sent.is_empty(), "somebody who is connected passes it on");
        let (link, _) = hands.sent[0];
        hands.reply(link, call, Ok(entry()));
        assert!(hands.ended[0].1.is_ok());
        assert!(!primaries.contains(&NodeId(1)));
    }
}

#[test]
fn a_slow_answer_of_the_only_node_is_waited_for() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let slow = hands.get(&key, 5_000);
    let link = hands.last_sent();
    hands.pass(1_000);
    let quick = hands.get(&key, 5_000);
    hands.pass(1_000);
    hands.reply(link, quick, Ok(entry()));
    hands.pass(2_000);
    hands.reply(link, slow, Ok(entry()));
    let ended: Vec<_> = hands.ended.iter().map(|(id, result)| (*id, result.is_ok())).collect();
    assert_eq!(ended, [(quick, true), (slow, true)]);
}

#[test]
fn the_last_refusal_ends_a_call_that_waits_for_nobody_else() {
    let mut hands = Hands::new(&["ws://1", "ws://2"], layout(2, 2));
    hands.welcome(hands.at("ws://1"), 1);
    hands.welcome(hands.at("ws://2"), 2);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let call = hands.get(&key, 4_000);
    let first = hands.last_sent();
    hands.pass(600);
    let second = hands.last_sent();
    assert_ne!(first, second, "the silent node is passed over");
    let refusal = Failure::refused(FailureCode::Storage);
    hands.reply(second, call, Err(refusal));
    assert_eq!(hands.ended.len(), 0, "the first one may still answer");
    hands.reply(first, call, Err(refusal));
    assert_eq!(hands.ended.len(), 1);
    assert_eq!(hands.ended[0].1.as_ref().unwrap_err().code, ErrorCode::Storage);
}

#[test]
fn a_call_with_little_time_does_not_cost_others_their_link() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let put = hands.put(&key);
    let link = hands.last_sent();
    hands.get(&key, 40);
    hands.pass(150);
    assert_eq!(hands.hung_up, []);
    hands.reply(link, put, Ok(Answer::Written(Written { context: Bytes::new(), siblings: 1 })));
    assert!(hands.ended.iter().any(|(id, result)| *id == put && result.is_ok()));
    // A link on which nothing comes in for long is given up, however little time each call has.
    for _ in 0..40 {
        hands.get(&key, 40);
        hands.pass(100);
    }
    assert!(hands.hung_up.contains(&link));
}

#[test]
fn an_answer_of_the_wrong_kind_is_no_answer() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let get = hands.get(&key, 1_000);
    let put = hands.put(&key);
    let link = hands.last_sent();
    hands.reply(link, get, Ok(Answer::Written(Written { context: Bytes::new(), siblings: 1 })));
    hands.reply(link, put, Ok(entry()));
    hands.pass(6_000);
    let outcome = |id| {
        let ended = hands.ended.iter().find(|(ended, _)| *ended == id).unwrap();
        ended.1.as_ref().unwrap_err().outcome
    };
    assert_eq!((outcome(get), outcome(put)), (Outcome::None, Outcome::Unknown));
}

#[test]
fn primaries_that_swallow_dials_delay_only_the_first_call() {
    let mut hands = Hands::new(&["ws://1"], layout(5, 3));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = machines::key_without(&hands.layout, NodeId(1));
    let seed = hands.at("ws://1");
    for round in 0..5 {
        let begun = hands.millis;
        let call = hands.get(&key, 5_000);
        while hands.sent.last().is_none_or(|(_, sent)| *sent != call) {
            hands.pass(10);
            assert!(hands.millis - begun < 4_900, "nobody is asked");
        }
        let waited = hands.millis - begun;
        assert!(round == 0 || waited < 100, "call {round} waited {waited} ms");
        assert_eq!(hands.last_sent(), seed);
        hands.reply(seed, call, Ok(entry()));
        hands.pass(1_500);
    }
}

#[test]
fn what_is_taken_back_leaves_the_backlog() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.calls_max = 1;
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let first = hands.get(&key, 5_000);
    let link = hands.last_sent();
    for _ in 0..100 {
        let queued = hands.get(&key, 5_000);
        hands.act(|client, now, out| client.cancel(now, queued, out));
    }
    let last = hands.get(&key, 5_000);
    assert_eq!(hands.sent.len(), 1);
    hands.reply(link, first, Ok(entry()));
    assert_eq!(hands.sent.last(), Some(&(link, last)));
    // A reply that nobody waits for makes no room.
    let third = hands.get(&key, 5_000);
    hands.reply(link, first, Ok(entry()));
    assert_eq!(hands.sent.last(), Some(&(link, last)));
    hands.reply(link, last, Ok(entry()));
    assert_eq!(hands.sent.last(), Some(&(link, third)));
}

#[test]
fn a_write_whose_deadline_is_found_long_over_may_have_happened() {
    let mut hands = Hands::new(&["ws://1"], layout(1, 1));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    hands.put(&key);
    // A tab that slept, or a thread that was not scheduled.
    hands.millis += 60_000;
    hands.input(ClientInput::Wake);
    let [(_, Err(error))] = &hands.ended[..] else { panic!("one call has failed") };
    assert_eq!((error.code, error.outcome), (ErrorCode::Timeout, Outcome::Unknown));
}

#[test]
fn the_link_that_was_idle_for_longest_makes_room() {
    let mut hands = Hands::with(&["ws://1"], layout(5, 1), |config| config.connections_max = 3);
    hands.welcome(hands.at("ws://1"), 1);
    let use_node = |hands: &mut Hands, node: u64| {
        let (key, _) = key_of(&hands.layout, NodeId(node));
        let call = hands.get(&key, 5_000);
        if hands.ended.last().is_none_or(|(id, _)| *id != call)
            && hands.sent.last().is_none_or(|(_, sent)| *sent != call)
        {
            hands.welcome(hands.at(&format!("ws://{node}")), node);
        }
        let link = hands.last_sent();
        assert_eq!(link, hands.at(&format!("ws://{node}")));
        hands.reply(link, call, Ok(entry()));
        hands.pass(10);
        link
    };
    use_node(&mut hands, 1);
    let second = use_node(&mut hands, 2);
    use_node(&mut hands, 3);
    use_node(&mut hands, 1);
    assert_eq!(hands.hung_up, [], "three are allowed");
    use_node(&mut hands, 4);
    assert_eq!(hands.hung_up, [second], "node 2 was used before the others");
    assert_eq!(hands.events_of(NodeId(2)), ["connected", "disconnected"], "that is no failure");
    use_node(&mut hands, 2);
    assert_eq!(hands.open.len(), 3);
}

#[test]
fn a_link_that_is_in_use_is_not_hung_up_for_another() {
    let mut hands = Hands::with(&["ws://1"], layout(3, 1), |config| config.connections_max = 1);
    let link = hands.at("ws://1");
    hands.welcome(link, 1);
    let (key, _) = key_of(&hands.layout, NodeId(1));
    let first = hands.get(&key, 5_000);
    let (other, _) = key_of(&hands.layout, NodeId(2));
    let second = hands.get(&other, 5_000);
    assert_eq!(hands.hung_up, []);
    assert_eq!(hands.sent, [(link, first), (link, second)], "node 1 passes it on");
}

#[test]
fn at_the_limit_nobody_is_hung_up_for_a_mere_preference() {
    let mut hands = Hands::with(&["ws://1"], layout(3, 3), |config| config.connections_max = 1);
    let link = hands.at("ws://1");
    hands.welcome(link, 1);
    let (key, primaries) = key_of(&hands.layout, NodeId(2));
    assert!(primaries.contains(&NodeId(1)));
    hands.get(&key, 5_000);
    assert_eq!((hands.last_sent(), hands.dialled.len()), (link, 1));
}

#[test]
fn a_dial_that_hangs_delays_a_call_for_half_a_second_at_most() {
    let mut hands = Hands::new(&["ws://1"], layout(5, 3));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = machines::key_without(&hands.layout, NodeId(1));
    hands.get(&key, 5_000);
    assert_eq!(hands.sent, []);
    hands.pass(500);
    assert_eq!(hands.last_sent(), hands.at("ws://1"), "it passes the call on");
}

#[test]
fn dials_of_a_node_that_is_gone_are_told_as_one_loss() {
    let mut hands = Hands::new(&["ws://1"], layout(3, 3));
    hands.welcome(hands.at("ws://1"), 1);
    let (key, _) = key_of(&hands.layout, NodeId(2));
    for _ in 0..5 {
        hands.get(&key, 5_000);
        let link = hands.open.iter().find(|(_, address)| &***address == "ws://2");
        if let Some(link) = link.map(|(link, _)| *link) {
            hands.open.remove(&link);
            hands.input(ClientInput::Closed(link));
        }
        hands.pass(1_100);
        hands.answer_all();
    }
    let downs = hands.events_of(NodeId(2));
    assert_eq!(downs, ["down: unreachable"]);
    let lost = |event: &&ClientEvent| matches!(event, ClientEvent::Disconnected { .. });
    assert!(hands.events.iter().filter(lost).count() > 1, "each dial was told");
}
