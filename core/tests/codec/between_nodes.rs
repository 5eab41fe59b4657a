//! Examples of what nodes say to each other.

use ::bytes::Bytes;
use quorate_core::causality::{
    Actor, Birth, Checksum, Counter, History, Payload, Record, RecordDigest, Seen, Sibling,
};
use quorate_core::ids::{DurableMark, Epoch, Incarnation, Key, NodeId, Remembered, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    CallId, Gossip, LayoutId, LayoutSpan, Marks, MarksOf, MemberInfo, MergeReason, Message, Pulse,
    ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
};
use quorate_core::time::UnixMs;

use crate::examples::{GREAT, TIME_MS, bytes, layout_full, layout_minimal, text};

pub(crate) fn record() -> Record {
    let actor = |node, birth| Actor {
        node: NodeId(node),
        incarnation: Incarnation(4_000_000_000),
        birth: Birth(birth),
    };
    let seen = |upto, also: &[u64]| Seen::from_parts(upto, also.to_vec()).expect("canonical");
    let payload = Payload::Value(bytes("a value"));
    let full = Sibling {
        checksum: Checksum::of(&payload),
        payload,
        written: TIME_MS,
        expires: Some(UnixMs(TIME_MS.0 + 60_000)),
        request: RequestId { client: GREAT, sequence: 300 },
    };
    let minimal = Sibling {
        payload: Payload::Value(Bytes::new()),
        checksum: Checksum(0),
        written: UnixMs(0),
        expires: None,
        request: RequestId::default(),
    };
    let tombstone = Sibling { payload: Payload::Tombstone, written: TIME_MS, ..minimal.clone() };
    let expired = Sibling { expires: Some(UnixMs(0)), ..minimal.clone() };
    let history = |superseded, at, live: Vec<(u64, Sibling)>| {
        let live = live.into_iter().map(|(counter, sibling)| (Counter(counter), sibling)).collect();
        History::from_parts(superseded, at, live).expect("sound")
    };
    let live = vec![(4, full), (7, tombstone), (u64::MAX, expired)];
    let histories = [
        (
            Actor { node: NodeId(0), incarnation: Incarnation(0), birth: Birth(0) },
            history(seen(0, &[]), UnixMs(0), vec![(1, minimal)]),
        ),
        (actor(1, 1), history(seen(3, &[5, 300, GREAT]), TIME_MS, live)),
        (actor(u64::MAX, u64::MAX), history(seen(70_000, &[]), TIME_MS, Vec::new())),
    ];
    Record::from_histories(histories).expect("ascending")
}

pub(crate) fn between_replicas(add: &mut impl FnMut(&str, Message)) {
    let call = CallId(300);
    let read = ReplicaRead { call, key: Key::from("cart"), digest: None, stand_in: false };
    let nothing = ReplicaRead { call: CallId(0), key: Key::from(vec![]), ..read.clone() };
    add("replica read, minimal", Message::ReplicaRead(nothing));
    add("replica read", Message::ReplicaRead(read.clone()));
    let digest = Some(RecordDigest(u128::from(GREAT)));
    add("replica read, full", Message::ReplicaRead(ReplicaRead { digest, stand_in: true, ..read }));
    let answer = |call, state| Message::ReplicaRecord(ReplicaRecord { call, state });
    add("replica record, minimal: it cannot say", answer(CallId(0), ReplicaState::Unreadable));
    add("replica record of nothing", answer(call, ReplicaState::Record(Record::new())));
    add("replica record, full", answer(call, ReplicaState::Record(record())));
    add("replica record, the same", answer(call, ReplicaState::Same));
    let merge = ReplicaMerge {
        call: CallId(0),
        key: Key::from(vec![]),
        record: Record::new(),
        hint_for: None,
        reason: MergeReason::Write,
        epoch: Epoch(0),
        layout_version: LayoutVersion(300),
    };
    add("replica merge, minimal", Message::ReplicaMerge(merge.clone()));
    let hint_for = Some(NodeId(0));
    let present_zero = ReplicaMerge { hint_for, ..merge.clone() };
    add("replica merge, present zero", Message::ReplicaMerge(present_zero));
    let (key, epoch) = (Key::from("cart"), Epoch(GREAT));
    let of_cart = ReplicaMerge { call, key, record: record(), epoch, ..merge };
    for (name, hint_for, reason) in [
        ("replica merge of a write", None, MergeReason::Write),
        ("replica merge of a repair", None, MergeReason::Repair),
        ("replica merge of a hint that comes home", None, MergeReason::Handoff),
        ("replica merge of what a comparison found", None, MergeReason::AntiEntropy),
        ("replica merge, full", Some(NodeId(GREAT)), MergeReason::Handoff),
    ] {
        add(name, Message::ReplicaMerge(ReplicaMerge { hint_for, reason, ..of_cart.clone() }));
    }
    let merged = |call, durable| Message::ReplicaMerged(ReplicaMerged { call, durable });
    add("replica merged, minimal", merged(CallId(0), false));
    add("replica merged, full", merged(call, true));
}

pub(crate) fn between_members(add: &mut impl FnMut(&str, Message)) {
    let answer = Gossip::default();
    let question = Gossip { asks: Some((NodeId(0), NodeId(0))), ..answer.clone() };
    let nothing = Pulse {
        id: NodeId(0),
        incarnation: Incarnation(0),
        heartbeat: 0,
        witnesses: Vec::new(),
        remembered: Remembered { mark: DurableMark(0), life: Incarnation(0) },
    };
    let pulse = Pulse {
        id: NodeId(0x0a00_0000_0000_0001),
        incarnation: Incarnation(4_000_000_000),
        heartbeat: u64::MAX,
        witnesses: vec![NodeId(GREAT), NodeId(0)],
        remembered: Remembered { mark: DurableMark(300), life: Incarnation(4_000_000_001) },
    };
    let nobody = MemberInfo {
        id: NodeId(0),
        incarnation: Incarnation(0),
        heartbeat: 0,
        label: text(""),
        zone: text(""),
        weight: 0,
        address: text(""),
        remembered: Remembered { mark: DurableMark(0), life: Incarnation(0) },
    };
    let member = MemberInfo {
        id: NodeId(0x0b00_0000_0000_0002),
        incarnation: Incarnation(u32::MAX),
        heartbeat: 300,
        label: text("ber\u{e9}nice"),
        zone: text("north"),
        weight: u32::MAX,
        address: text("wss://b.example/q"),
        remembered: Remembered { mark: DurableMark(u64::MAX), life: Incarnation(4_000_000_001) },
    };
    let (head, marks) = (LayoutId::default(), Marks::default());
    let no_marks = MarksOf { node: NodeId(0), head, marks };
    let marks = MarksOf {
        node: NodeId(0x0b00_0000_0000_0003),
        head: LayoutId { version: LayoutVersion(300), hash: 1 },
        marks: Marks {
            ack: LayoutVersion(300),
            sync: LayoutVersion(299),
            sync_ack: LayoutVersion(298),
        },
    };
    let full = Gossip {
        asks: Some((NodeId(1), NodeId(u64::MAX))),
        pulses: vec![nothing.clone(), pulse],
        members: vec![member, nobody.clone()],
        wanted: vec![NodeId(GREAT), NodeId(0)],
        span: LayoutSpan {
            head: LayoutId { version: LayoutVersion(300), hash: 1 << 127 },
            oldest: LayoutVersion(299),
            read: LayoutVersion(299),
        },
        layouts: layout_full().into_iter().collect(),
        marks: vec![marks, no_marks],
        staging: None,
        to: Incarnation(4_000_000_002),
    };
    let least = Gossip {
        pulses: vec![nothing],
        members: vec![nobody],
        wanted: vec![NodeId(0)],
        layouts: layout_minimal().into_iter().collect(),
        marks: vec![no_marks],
        ..answer.clone()
    };
    add("gossip, a question, minimal", Message::Gossip(question));
    add("gossip, a question, full", Message::Gossip(full.clone()));
    add("gossip, an answer, minimal", Message::Gossip(answer));
    add("gossip, an answer of zeros", Message::Gossip(least));
    add("gossip, an answer, full", Message::Gossip(Gossip { asks: None, ..full }));
}
