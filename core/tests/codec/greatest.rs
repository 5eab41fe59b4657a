//! The greatest messages that are real pass the guard.

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::Payload;
use quorate_core::codec::decode;
use quorate_core::ids::{DurableMark, Epoch, Incarnation, Key, NodeId, Remembered, Text};
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::merkle::StateHash;
use quorate_core::message::{
    Answer, CallId, Collect, CollectAnswer, CollectStep, Collected, Entry, EpochOf, Failure,
    Gossip, LayoutId, LayoutSpan, LayoutUpdate, MemberInfo, MergeReason, Message, Pulse, Receipt,
    ReplicaMerge, Reply, StandIn,
};

use super::{body, record_of};

fn bare_reply(result: Result<Answer, Failure>) -> Reply {
    Reply {
        call: CallId(1),
        layout_version: LayoutVersion(1),
        layout: None,
        receipt: None,
        passed_on_by: None,
        copy: None,
        down: Vec::new(),
        result,
    }
}

fn no_gossip() -> Gossip {
    let head = LayoutId { version: LayoutVersion(1), hash: 1 };
    let span = LayoutSpan { head, ..LayoutSpan::default() };
    Gossip { span, ..Gossip::default() }
}

/// Keys of one round of a collection.
const KEYS: usize = 64;

fn keys() -> Vec<Key> {
    vec![Key::from("k"); KEYS]
}

fn collect(step: CollectStep) -> Message {
    Message::Collect(Collect { call: CallId(1), layout_version: LayoutVersion(1), step })
}

/// The first epochs of as many members.
fn epochs(count: u64) -> Vec<EpochOf> {
    let epoch = |id| EpochOf { node: NodeId(id), epoch: Epoch::first(Incarnation(1)) };
    (1..=count).map(epoch).collect()
}

/// Signs of life of as many members, each doubted by as many, all numbers small.
fn pulses(count: u64, witnesses: u64) -> Vec<Pulse> {
    let witnesses: Vec<NodeId> = (1..=witnesses).map(NodeId).collect();
    let pulse = |id| Pulse {
        id: NodeId(id),
        incarnation: Incarnation(1),
        heartbeat: 1,
        witnesses: witnesses.clone(),
        remembered: Remembered { mark: DurableMark(1), life: Incarnation(1) },
    };
    (1..=count).map(pulse).collect()
}

/// As many members of which little is to be said.
fn infos(count: u64) -> Vec<MemberInfo> {
    let member = |id| MemberInfo {
        id: NodeId(id),
        incarnation: Incarnation(1),
        heartbeat: 1,
        label: Text::from(""),
        zone: Text::from(""),
        weight: 1,
        address: Text::from("ws://a"),
        remembered: Remembered { mark: DurableMark(1), life: Incarnation(1) },
    };
    (1..=count).map(member).collect()
}

#[test]
fn the_guard_lets_the_greatest_real_messages_through() {
    let text = |text: &str| Text::from(text);
    let members: Vec<Member> = (1..=10_000)
        .map(|id| Member { id: NodeId(id), label: text(""), zone: text(""), weight: 1 })
        .collect();
    let addresses: Vec<Text> = members.iter().map(|_| text("")).collect();
    let owners = |members: u16| (0..members).cycle().take(65_536).collect::<Vec<u16>>();
    let update = |members: &[Member]| {
        let owners = owners(members.len() as u16);
        let layout = Layout::from_parts(LayoutVersion(1), 3, members.to_vec(), owners);
        let addresses = addresses[..members.len()].to_vec();
        Some(Arc::new(LayoutUpdate { layout: layout.expect("in order"), addresses }))
    };
    let reply = |layout, result| Message::Reply(Reply { layout, ..bare_reply(result) });
    let merge = |record| {
        Message::ReplicaMerge(ReplicaMerge {
            call: CallId(1),
            key: Key::from("k"),
            record,
            hint_for: None,
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        })
    };
    let receipt = Receipt {
        coordinator: NodeId(1),
        primaries: (1..=16).map(NodeId).collect(),
        repaired: (1..=16).map(NodeId).collect(),
        needed: 9,
        layout_version: LayoutVersion(1),
        fallbacks: (1..=16).map(|id| StandIn { node: NodeId(id), primary: NodeId(id) }).collect(),
        zone: None,
    };
    let empty = || Ok(Answer::Entry(Entry::default()));
    let value = Payload::Value(Bytes::new());
    let messages = [
        reply(update(&members), empty()),
        reply(update(&members[..100]), empty()),
        reply(update(&members[..1]), empty()),
        merge(record_of(1, 100, Payload::Tombstone)),
        merge(record_of(1, 1_000, value.clone())),
        merge(record_of(50, 2, Payload::Tombstone)),
        merge(record_of(1_000, 1, value)),
        merge(record_of(1_000, 0, Payload::Tombstone)),
        Message::Reply(Reply { receipt: Some(receipt), ..bare_reply(empty()) }),
        Message::Gossip(Gossip { pulses: pulses(10_000, 0), ..no_gossip() }),
        Message::Gossip(Gossip { pulses: pulses(10_000, 3), ..no_gossip() }),
        Message::Gossip(Gossip { members: infos(10_000), ..no_gossip() }),
        Message::Gossip(Gossip {
            pulses: pulses(4_000, 1),
            members: infos(4_000),
            wanted: (1..=10_000).map(NodeId).collect(),
            layouts: update(&members[..1_000]).into_iter().collect(),
            ..no_gossip()
        }),
        collect(CollectStep::Confirm { keys: keys(), since: Some(1), floors: epochs(10_000) }),
        collect(CollectStep::Remove(keys().into_iter().map(|key| (key, StateHash(1))).collect())),
        Message::Collected(Collected {
            call: CallId(1),
            answer: CollectAnswer::Confirmed { states: vec![None; KEYS], since: 1 },
        }),
    ];
    for message in messages {
        let frame = body(&message);
        let length = frame.len();
        assert!(decode(frame).is_ok_and(|decoded| decoded == message), "{length} bytes");
    }
}
