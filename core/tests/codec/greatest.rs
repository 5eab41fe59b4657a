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
    Gossip, LayoutAnswer, LayoutId, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest,
    LayoutSpan, LayoutUpdate, Marks, MarksOf, MemberInfo, MergeReason, Message, PastLayout, Pulse,
    Receipt, ReplicaMerge, Reply, STAGED_MAX, SlotFigures, SlotWaits, StagedChange, Staging,
    StandIn, Target,
};
use quorate_core::ring::Slot;
use quorate_core::time::UnixMs;

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

/// As many small changes as can be staged.
fn staging() -> Staging {
    let change = |id| StagedChange {
        node: NodeId(id),
        target: Target::AsItIs,
        at: UnixMs(1_700_000_000_000),
        auto: false,
    };
    Staging { changes: (0..STAGED_MAX as u64).map(change).collect(), ..Staging::default() }
}

/// How far as many members are that say little.
fn marks(count: u64) -> Vec<MarksOf> {
    let of = |id| MarksOf {
        node: NodeId(id),
        head: LayoutId { version: LayoutVersion(1), hash: 1 },
        marks: Marks::all(LayoutVersion(1)),
    };
    (1..=count).map(of).collect()
}

fn nodes(count: u64) -> Vec<NodeId> {
    (1..=count).map(NodeId).collect()
}

fn slots() -> impl Iterator<Item = Slot> {
    (0..65_536).map(Slot)
}

fn layout_reply(answer: LayoutAnswer) -> Message {
    Message::LayoutReply(LayoutReply { call: CallId(1), result: Ok(answer) })
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
        Message::Gossip(Gossip { staging: Some(staging()), ..no_gossip() }),
        Message::LayoutRequest(LayoutRequest {
            call: CallId(1),
            order: LayoutOrder::Commit(staging()),
        }),
        Message::LayoutRequest(LayoutRequest {
            call: CallId(1),
            order: LayoutOrder::Stage(
                nodes(STAGED_MAX as u64).into_iter().map(|id| (id, Target::Gone)).collect(),
            ),
        }),
        layout_reply(LayoutAnswer::Report(LayoutReport {
            live: update(&members).into_iter().collect(),
            staging: staging(),
            to_fill: slots().map(|slot| SlotWaits { slot, peers: vec![NodeId(1)] }).collect(),
            to_give: slots().map(|slot| SlotWaits { slot, peers: Vec::new() }).collect(),
            marks: marks(10_000),
            ..LayoutReport::default()
        })),
        layout_reply(LayoutAnswer::Report(LayoutReport {
            to_fill: slots().map(|slot| SlotWaits { slot, peers: nodes(15) }).collect(),
            ..LayoutReport::default()
        })),
        layout_reply(LayoutAnswer::Figures(
            slots().map(|slot| SlotFigures { slot, records: 1, bytes: 1 }).collect(),
        )),
        layout_reply(LayoutAnswer::Past(vec![PastLayout {
            id: LayoutId { version: LayoutVersion(1), hash: 1 },
            at: UnixMs(1),
            joined: members.clone(),
            left: members.clone(),
            changed: members.clone(),
            slots_moved: 65_536,
        }])),
    ];
    for message in messages {
        let frame = body(&message);
        let length = frame.len();
        assert!(decode(frame).is_ok_and(|decoded| decoded == message), "{length} bytes");
    }
}
