//! Whom a coordinator asks, who stands in for whom, and who counts.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;

use machines::five::{asked, entry, five, five_with, hints, merges, reads, reply, some_record};
use machines::{ALICE, Alone, key_without, replies, run, sends, stores};
use quorate_core::causality::{Context, Held, Record};
use quorate_core::ids::{Epoch, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::{Effect, Event, HeldAs, Input, Peer, StoreOp, StoreOutcome};
use quorate_core::message::{
    Answer, CallId, Entry, FailureCode, Message, Outcome, QuorumChoice, ReplicaMerge,
    ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState, Reply, StandIn, Strictness,
};
use quorate_core::node::Fanout;

#[test]
fn a_primary_that_is_down_is_replaced_by_the_next_fallback_which_counts() {
    let mut five = five();
    let (second, third, fallback) = (five.second, five.third, five.fallbacks[0]);
    five.down(third);
    let sent = five.put(Strictness::Configured);
    assert_eq!(hints(&sent), [(second, None), (fallback, Some(third))]);
    let receipt = reply(&five.acknowledge(fallback, sent[1].1.call)).receipt.unwrap();
    assert_eq!(receipt.primaries, [NodeId(1)]);
    assert_eq!(receipt.fallbacks, [StandIn { node: fallback, primary: third }]);
}

#[test]
fn a_fallback_that_fails_is_replaced_by_the_one_after_it() {
    let mut five = five();
    let (third, [fourth, fifth]) = (five.third, five.fallbacks);
    five.down(third);
    five.put(Strictness::Configured);
    let sent = merges(&five.down(fourth));
    assert_eq!(hints(&sent), [(fifth, Some(third))]);
}

#[test]
fn a_strict_write_keeps_hints_that_do_not_count() {
    let mut five = five();
    let (second, third, fallback) = (five.second, five.third, five.fallbacks[0]);
    five.down(third);
    let sent = five.put(Strictness::Strict);
    assert_eq!(hints(&sent), [(second, None), (fallback, Some(third))]);
    assert!(replies(&five.acknowledge(fallback, sent[1].1.call)).is_empty());
    assert!(reply(&five.acknowledge(second, sent[0].1.call)).result.is_ok());
}

#[test]
fn a_strict_write_without_a_quorum_of_primaries_is_refused_with_the_numbers() {
    let mut five = five();
    let (second, third) = (five.second, five.third);
    five.down(second);
    five.down(third);
    let mut put = five.alone.put(&five.key, "v", 1);
    put.head.strictness = Strictness::Strict;
    let effects = five.alone.frame(ALICE, Message::Put(put));
    assert!(stores(&effects).is_empty());
    let reply = reply(&effects);
    let failure = reply.result.unwrap_err();
    assert_eq!((failure.code, failure.outcome), (FailureCode::QuorumUnavailable, Outcome::None));
    assert_eq!((failure.needed, failure.acked), (2, 1));
    let mut down = reply.down;
    down.sort_unstable();
    let mut expected = [second, third];
    expected.sort_unstable();
    assert_eq!(down, expected);
    assert_eq!(five.put(Strictness::Sloppy).len(), 2, "two fallbacks take it");
}

#[test]
fn a_primary_that_is_silent_is_replaced_after_a_while_and_avoided_from_then_on() {
    let mut five = five();
    let (second, third, [fourth, _]) = (five.second, five.third, five.fallbacks);
    let sent = five.put(Strictness::Configured);
    assert_eq!(hints(&sent), [(second, None), (third, None)]);
    five.acknowledge(second, sent[0].1.call);
    let sent = merges(&five.later(300));
    assert_eq!(hints(&sent), [(fourth, Some(third))]);
    five.acknowledge(fourth, sent[0].1.call);
    let mut put = five.alone.put(&five.key, "w", 2);
    put.head.strictness = Strictness::Sloppy;
    five.alone.millis += 10;
    let effects = five.alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let outcomes = run(&mut Held::new(), op);
    let effects = five.alone.stored(*ticket, outcomes[0].clone());
    // It was asked 310 ms ago: this request is the probe.
    assert_eq!(hints(&merges(&effects)), [(second, None), (third, None)]);
    let put = five.alone.put(&five.key, "x", 3);
    let effects = five.alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let outcomes = run(&mut Held::new(), op);
    let effects = five.alone.stored(*ticket, outcomes[0].clone());
    assert_eq!(hints(&merges(&effects)), [(second, None), (fourth, Some(third))]);
    // One word from it is enough.
    let told = five.acknowledge(third, CallId(1));
    assert!(told.contains(&Effect::Observe(Event::PeerTrusted(third))), "{told:?}");
}

#[test]
fn a_replica_that_holds_the_same_says_no_more_than_that() {
    let mut five = five();
    let record = some_record();
    let asked = five.get(Some(record.clone()), &Context::new());
    assert!(asked.iter().all(|(_, read)| read.digest == Some(record.digest())));
    let (second, call) = (five.second, asked[0].1.call);
    let entry = entry(&five.answer(second, call, ReplicaState::Same));
    assert_eq!(entry.values.len(), 1);
}

#[test]
fn a_read_asks_fallbacks_only_where_primaries_are_too_few() {
    let mut five = five();
    let (second, third, [fourth, _]) = (five.second, five.third, five.fallbacks);
    five.down(third);
    let reads = five.get(None, &Context::new());
    assert_eq!(asked(&reads), [(second, false)]);
    five.answer(second, reads[0].1.call, ReplicaState::Record(Record::new()));
    five.down(second);
    let reads = five.get(None, &Context::new());
    assert_eq!(asked(&reads), [(fourth, true)]);
    let held = ReplicaState::Record(some_record());
    assert_eq!(entry(&five.answer(fourth, reads[0].1.call, held)).values.len(), 1);
}

#[test]
fn a_session_read_is_content_with_one_replica_that_covers_its_context() {
    let mut five = five();
    let record = some_record();
    let reads = five.get(None, &record.context());
    let (second, third, call) = (five.second, five.third, reads[0].1.call);
    assert!(replies(&five.answer(second, call, ReplicaState::Same)).is_empty());
    let covered = ReplicaState::Record(record.clone());
    assert_eq!(entry(&five.answer(third, call, covered)).values.len(), 1);
    // Nobody else need be asked where the coordinator covers it.
    let mut get = five.alone.get(&five.key);
    get.context = record.context().to_token(&five.key);
    let effects = five.alone.frame(ALICE, Message::Get(get));
    let [(ticket, _)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let effects = five.alone.stored(*ticket, StoreOutcome::Read { record: Some(record) });
    assert_eq!(entry(&effects).values.len(), 1);
}

#[test]
fn a_session_read_that_nobody_covers_is_refused_as_stale() {
    let mut five = five();
    let reads = five.get(None, &some_record().context());
    let (second, third, call) = (five.second, five.third, reads[0].1.call);
    assert!(replies(&five.answer(second, call, ReplicaState::Same)).is_empty());
    let failure = reply(&five.answer(third, call, ReplicaState::Same)).result.unwrap_err();
    assert_eq!((failure.code, failure.outcome), (FailureCode::Stale, Outcome::None));
    assert_eq!((failure.needed, failure.acked), (1, 3), "one that covers it would do");
}

#[test]
fn a_read_of_a_quorum_asks_one_more_after_the_hedge_delay() {
    let mut five = five_with(|config| config.fanout = Fanout::Quorum);
    let (second, third) = (five.second, five.third);
    let record = some_record();
    // Reads earn the right to a hedge.
    for _ in 0..20 {
        let reads = five.get(Some(record.clone()), &Context::new());
        let [(node, read)] = &reads[..] else { panic!("R - 1 others are asked: {reads:?}") };
        five.alone.millis += 1;
        assert_eq!(entry(&five.answer(*node, read.call, ReplicaState::Same)).values.len(), 1);
    }
    let first = five.get(Some(record.clone()), &Context::new());
    let hedged = reads(&five.later(10));
    let both = [first[0].0, hedged[0].0];
    assert!(both == [second, third] || both == [third, second], "{both:?}");
    let reply = five.answer(hedged[0].0, hedged[0].1.call, ReplicaState::Same);
    assert_eq!(entry(&reply).values.len(), 1);
    five.get(Some(record), &Context::new());
    assert!(reads(&five.later(10)).is_empty(), "one in twenty");
}

#[test]
fn a_node_without_a_primary_within_reach_keeps_a_write_as_a_hint() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    let other = (2..=5).map(NodeId).find(|node| !primaries.contains(node)).unwrap();
    for primary in &primaries {
        alone.input(Input::PeerDown(Peer::Node(*primary)));
    }
    let mut put = alone.put(&key, "v", 1);
    put.head.receipt = true;
    let effects = alone.frame(ALICE, Message::Put(put));
    let [(ticket, op @ StoreOp::Apply { copy, .. })] = &stores(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*copy, HeldAs::Hint { target: primaries[0] });
    let outcomes = run(&mut Held::new(), op);
    let sent = merges(&alone.stored(*ticket, outcomes[0].clone()));
    assert_eq!(hints(&sent), [(other, Some(primaries[1]))]);
    alone.stored(*ticket, outcomes[1].clone());
    let merged = Message::ReplicaMerged(ReplicaMerged { call: sent[0].1.call, durable: true });
    let receipt = reply(&alone.frame(Peer::Node(other), merged)).receipt.unwrap();
    assert!(receipt.primaries.is_empty());
    let stand_ins = [
        StandIn { node: NodeId(1), primary: primaries[0] },
        StandIn { node: other, primary: primaries[1] },
    ];
    assert_eq!(receipt.fallbacks, stand_ins);
}

#[test]
fn a_strict_request_is_not_run_by_a_fallback() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    for primary in &primaries {
        alone.input(Input::PeerDown(Peer::Node(*primary)));
    }
    let mut put = alone.put(&key, "v", 1);
    put.head.strictness = Strictness::Strict;
    let effects = alone.frame(ALICE, Message::Put(put));
    let failure = reply(&effects).result.unwrap_err();
    assert_eq!((failure.code, failure.outcome), (FailureCode::QuorumUnavailable, Outcome::None));
    assert!(stores(&effects).is_empty());
}

#[test]
fn a_primary_that_keeps_a_passed_on_request_for_long_is_not_waited_for() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    let get = alone.get(&key);
    let first = sends(&alone.frame(ALICE, Message::Get(get)));
    assert!(matches!(&first[..], [(to, Message::Get(_))] if *to == Peer::Node(primaries[0])));
    alone.millis += 600;
    let second = sends(&alone.input(Input::Wake));
    assert!(matches!(&second[..], [(to, Message::Get(_))] if *to == Peer::Node(primaries[1])));
    // The first one answers after all, and that is an answer.
    let Message::Get(get) = &first[0].1 else { panic!("a get") };
    let answer = Reply {
        call: get.head.call,
        layout_version: alone.layout.layout.version(),
        layout: None,
        receipt: None,
        passed_on_by: None,
        copy: None,
        down: Vec::new(),
        result: Ok(Answer::Entry(Entry::default())),
    };
    let reply = reply(&alone.frame(Peer::Node(primaries[0]), Message::Reply(answer)));
    assert_eq!(reply.result, Ok(Answer::Entry(Entry::default())));
}

#[test]
fn a_hint_is_kept_beside_the_own_copy_and_a_stand_in_reads_both() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    let record = some_record();
    let merge = ReplicaMerge {
        call: CallId(5),
        key: key.clone(),
        record,
        hint_for: Some(primaries[0]),
        epoch: Epoch(1),
        reason: Default::default(),
        layout_version: LayoutVersion(0),
    };
    let from = Peer::Node(primaries[1]);
    let effects = alone.frame(from, Message::ReplicaMerge(merge));
    let [(ticket, op @ StoreOp::Apply { copy, .. })] = &stores(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*copy, HeldAs::Hint { target: primaries[0] });
    for outcome in run(&mut Held::new(), op) {
        alone.stored(*ticket, outcome);
    }
    for stand_in in [false, true] {
        let read = ReplicaRead { call: CallId(6), key: key.clone(), digest: None, stand_in };
        let effects = alone.frame(from, Message::ReplicaRead(read));
        let [(_, StoreOp::Read { hints, .. })] = &stores(&effects)[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(hints.contains(&primaries[0]), stand_in);
    }
}

#[test]
fn quorums_of_one_and_of_all_work_with_fallbacks() {
    let mut five = five();
    let (second, third) = (five.second, five.third);
    five.down(second);
    five.down(third);
    let mut put = five.alone.put(&five.key, "v", 1);
    put.head.quorum = QuorumChoice { r: 1, w: 3 };
    let effects = five.alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let outcomes = run(&mut Held::new(), op);
    let sent = merges(&five.alone.stored(*ticket, outcomes[0].clone()));
    five.alone.stored(*ticket, outcomes[1].clone());
    let [fourth, fifth] = five.fallbacks;
    assert_eq!(hints(&sent), [(fourth, Some(second)), (fifth, Some(third))]);
    assert!(replies(&five.acknowledge(fourth, sent[0].1.call)).is_empty());
    assert!(reply(&five.acknowledge(fifth, sent[1].1.call)).result.is_ok());
}

#[test]
fn absence_is_not_told_on_the_word_of_fallbacks_alone() {
    for held in [None, Some(some_record())] {
        let mut alone = Alone::new(5, 1);
        let (key, primaries) = key_without(&alone.layout, NodeId(1));
        for primary in &primaries {
            alone.input(Input::PeerDown(Peer::Node(*primary)));
        }
        let get = alone.get(&key);
        let effects = alone.frame(ALICE, Message::Get(get));
        let [(ticket, _)] = &stores(&effects)[..] else { panic!("{effects:?}") };
        let effects = alone.stored(*ticket, StoreOutcome::Read { record: None });
        let [(other, read)] = &reads(&effects)[..] else { panic!("{effects:?}") };
        assert!(read.stand_in);
        let found = held.is_some();
        let state = held.map_or(ReplicaState::Same, ReplicaState::Record);
        let answer = Message::ReplicaRecord(ReplicaRecord { call: read.call, state });
        let result = reply(&alone.frame(Peer::Node(*other), answer)).result;
        match result {
            Ok(Answer::Entry(entry)) => assert!(found && entry.values.len() == 1),
            Err(failure) => {
                assert!(!found);
                assert_eq!(failure.code, FailureCode::QuorumUnavailable);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_fallback_is_read_for_primaries_that_are_connected_only_after_half_of_the_time() {
    let mut five = five();
    let [fourth, fifth] = five.fallbacks;
    let asked_first = five.get(None, &Context::new());
    assert_eq!(asked_first.len(), 2);
    for _ in 0..8 {
        assert!(reads(&five.later(300)).is_empty(), "they may only be slow");
    }
    let late = reads(&five.later(100));
    assert!(
        asked(&late).iter().all(|(node, stand_in)| { [fourth, fifth].contains(node) && *stand_in })
    );
    let held = ReplicaState::Record(some_record());
    assert_eq!(entry(&five.answer(late[0].0, late[0].1.call, held)).values.len(), 1);
}

#[test]
fn a_hint_that_is_stored_after_its_call_has_ended_is_counted_all_the_same() {
    let mut alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    for primary in &primaries {
        alone.input(Input::PeerDown(Peer::Node(*primary)));
    }
    let put = alone.put(&key, "v", 1);
    let effects = alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    alone.millis += 5_000;
    let failure = reply(&alone.input(Input::Wake)).result.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Unknown);
    for outcome in run(&mut Held::new(), op) {
        alone.stored(*ticket, outcome);
    }
    let counters = alone.node.view().counters();
    assert!(counters.contains(&("hints", 1)), "{counters:?}");
}

#[test]
fn a_fallback_that_has_no_room_for_a_hint_of_its_own_takes_no_write() {
    let mut alone = Alone::with_config(5, 1, |config| config.limits.hint_bytes_max = 2);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    for primary in &primaries {
        alone.input(Input::PeerDown(Peer::Node(*primary)));
    }
    let put = alone.put(&key, "too much", 1);
    let effects = alone.frame(ALICE, Message::Put(put));
    assert!(stores(&effects).is_empty());
    let failure = reply(&effects).result.unwrap_err();
    assert_eq!((failure.code, failure.outcome), (FailureCode::Overloaded, Outcome::None));
    assert!(failure.retry_after > Default::default());
}
