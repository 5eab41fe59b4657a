//! What the paths work on: keys of 20 bytes, values of 100 bytes, three nodes.

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Held, Payload, Record, RecordOp, Write,
};
use quorate_core::ids::{Epoch, Incarnation, Key, NodeId, RequestId};
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::limits::Limits;
use quorate_core::message::{
    Answer, CallId, Change, Entry, EntryValue, LayoutUpdate, MergeReason, Message, Put,
    QuorumChoice, ReplicaMerge, Reply, RequestHead, Strictness,
};
use quorate_core::time::{Duration, Instant, Now, UnixMs};

/// When it all happens.
pub(crate) const BEGIN: UnixMs = UnixMs(1_700_000_000_000);

/// So many microseconds later.
pub(crate) fn now(micros: u64) -> Now {
    Now { instant: Instant(micros), unix: UnixMs(BEGIN.0 + micros / 1_000) }
}

pub(crate) fn key(number: u64) -> Key {
    Key::from(format!("key:{number:016}").into_bytes())
}

pub(crate) fn value() -> Bytes {
    Bytes::from_static(&[b'v'; 100])
}

/// A layout whose slots go round the nodes 1, 2, ...
pub(crate) fn layout(nodes: u16, slots: u32) -> Arc<LayoutUpdate> {
    let member = |id: u16| Member {
        id: NodeId(id.into()),
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: 1,
    };
    let members = (1..=nodes).map(member).collect();
    let owners = (0..slots).map(|slot| (slot % u32::from(nodes)) as u16).collect();
    let layout = Layout::from_parts(LayoutVersion(1), 3, members, owners);
    let layout = layout.expect("the layout is one");
    let addresses = (1..=nodes).map(|id| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses })
}

/// The first actor of a node.
pub(crate) fn actor(node: u64) -> Actor {
    Actor { node: NodeId(node), incarnation: Incarnation(1), birth: Birth(1) }
}

/// A write of the usual value through a node.
pub(crate) fn write(node: u64, context: Context, sequence: u64) -> Write {
    let limits = Limits::default();
    let payload = Payload::Value(value());
    Write {
        context,
        checksum: Checksum::of(&payload),
        payload,
        written: BEGIN,
        expires: None,
        request: RequestId { client: 1, sequence },
        newborn: actor(node),
        continued: [].into(),
        siblings_max: limits.siblings_max,
        record_bytes_max: limits.record_bytes_max,
        actors_kept: limits.actors_kept,
        actor_age_min: limits.actor_age_min,
    }
}

/// What the nodes hold after a write through the first one and a second, later one through another,
/// whose writer had seen the first; `siblings` write blindly after that, each through one more node.
pub(crate) fn held(siblings: u64) -> Held {
    let mut held = Held::new();
    let first = RecordOp::Write(write(1, Context::new(), 1));
    held.apply(&first).expect("a first write");
    let second = RecordOp::Write(write(2, held.record().context(), 2));
    held.apply(&second).expect("a second write");
    for number in 0..siblings {
        let mut blind = write(3 + number, Context::new(), 3 + number);
        blind.payload = Payload::Value(Bytes::from(vec![number as u8; 100]));
        blind.checksum = Checksum::of(&blind.payload);
        held.apply(&RecordOp::Write(blind)).expect("a blind write");
    }
    held
}

pub(crate) fn record() -> Record {
    held(0).into_record()
}

pub(crate) fn head(call: u64, key: Key) -> RequestHead {
    RequestHead {
        call: CallId(call),
        key,
        quorum: QuorumChoice::default(),
        strictness: Strictness::Configured,
        budget: Duration::from_secs(5),
        layout_version: LayoutVersion(1),
        passed_on: false,
        receipt: false,
        zone: None,
    }
}

/// A put whose writer has been shown two actors.
pub(crate) fn put() -> Message {
    let key = key(1);
    let context = record().context().to_token(&key);
    Message::Put(put_of(key, context, 7))
}

pub(crate) fn put_of(key: Key, context: Bytes, call: u64) -> Put {
    let payload = value();
    let checksum = Checksum::of_value(&payload);
    let request = RequestId { client: 1, sequence: call };
    let change = Change::Value { payload, checksum, ttl: None };
    Put { head: head(call, key), context, request, change }
}

/// The answer to a get: one value.
pub(crate) fn reply() -> Message {
    Message::Reply(reply_of(7, Answer::Entry(entry(&key(1)))))
}

pub(crate) fn entry(key: &Key) -> Entry {
    let payload = value();
    let checksum = Checksum::of_value(&payload);
    let value = EntryValue { payload, checksum, written: BEGIN, expires: None };
    Entry { values: vec![value], tombstones: 0, context: record().context().to_token(key) }
}

pub(crate) fn reply_of(call: u64, answer: Answer) -> Reply {
    Reply {
        call: CallId(call),
        layout_version: LayoutVersion(1),
        layout: None,
        receipt: None,
        passed_on_by: None,
        copy: None,
        down: Vec::new(),
        result: Ok(answer),
    }
}

/// What a coordinator sends the other replicas.
pub(crate) fn merge() -> Message {
    Message::ReplicaMerge(ReplicaMerge {
        call: CallId(7),
        key: key(1),
        record: record(),
        hint_for: None,
        reason: MergeReason::Write,
        epoch: Epoch::first(Incarnation(1)),
        layout_version: LayoutVersion(0),
    })
}
