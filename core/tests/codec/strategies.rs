//! Every message that can be sent: each variant, each field, small and extreme.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_core::causality::{
    Actor, Birth, Checksum, Counter, Held, History, Own, Payload, Record, RecordDigest, Seen,
    Sibling,
};
use quorate_core::ids::{
    ClusterId, DurableMark, Epoch, Incarnation, Key, NodeId, Remembered, RequestId, Text,
};
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::message::{
    CallId, Change, Defaults, FailureCode, Get, Gossip, Hello, LayoutSpan, LayoutUpdate,
    MemberInfo, MergeReason, Message, Pulse, Put, QuorumChoice, ReadKind, Reject, RejectCode,
    RepairRequest, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
    RequestHead, Role, StatusRequest, Strictness, Unsupported, Welcome,
};
use quorate_core::ring::Slot;
use quorate_core::time::{Duration, UnixMs};

use crate::change_strategies::{layout_id, layout_reply, layout_request, marks_of, staging};
use crate::collection_strategies::{collect, collected};
use crate::exchange_strategies::{compare, compared};
use crate::reply_strategies::reply;
use crate::status_strategies::{repair_reply, status};

pub(crate) const REJECT_CODES: [RejectCode; 6] = [
    RejectCode::Version,
    RejectCode::Cluster,
    RejectCode::Credentials,
    RejectCode::Identity,
    RejectCode::Full,
    RejectCode::Malformed,
];

pub(crate) const FAILURE_CODES: [FailureCode; 18] = [
    FailureCode::QuorumUnavailable,
    FailureCode::Timeout,
    FailureCode::Overloaded,
    FailureCode::WeakQuorum,
    FailureCode::BadQuorum,
    FailureCode::BadContext,
    FailureCode::KeySize,
    FailureCode::ValueTooLarge,
    FailureCode::TooManySiblings,
    FailureCode::RecordTooLarge,
    FailureCode::Damaged,
    FailureCode::Storage,
    FailureCode::StorageFull,
    FailureCode::NotAPrimary,
    FailureCode::Stale,
    FailureCode::NotReady,
    FailureCode::BadTtl,
    FailureCode::Unrecognized,
];

const READ_KINDS: [ReadKind; 3] = [ReadKind::Quorum, ReadKind::Data, ReadKind::Digest];

/// Any message, each variant as often as the others.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello().prop_map(Message::Hello),
        welcome().prop_map(Message::Welcome),
        (select(&REJECT_CODES), string())
            .prop_map(|(code, text)| Message::Reject(Reject { code, text })),
        string().prop_map(|text| Message::Unsupported(Unsupported { text })),
        (head(), blob(), select(&READ_KINDS)).prop_map(|(head, context, read)| Message::Get(Get {
            head,
            context,
            read
        })),
        put().prop_map(Message::Put),
        reply().prop_map(Message::Reply),
        replica_read().prop_map(Message::ReplicaRead),
        (call(), replica_state())
            .prop_map(|(call, state)| Message::ReplicaRecord(ReplicaRecord { call, state })),
        replica_merge().prop_map(Message::ReplicaMerge),
        (call(), any::<bool>()).prop_map(|(call, durable)| {
            Message::ReplicaMerged(ReplicaMerged { call, durable })
        }),
        compare().prop_map(Message::Compare),
        compared().prop_map(Message::Compared),
        (call(), any::<bool>())
            .prop_map(|(call, slots)| Message::StatusRequest(StatusRequest { call, slots })),
        status().prop_map(Message::StatusReply),
        gossip().prop_map(Message::Gossip),
        (call(), option::of(small().prop_map(Slot)))
            .prop_map(|(call, slot)| Message::RepairRequest(RepairRequest { call, slot })),
        repair_reply().prop_map(Message::RepairReply),
        collect().prop_map(Message::Collect),
        collected().prop_map(Message::Collected),
        layout_request().prop_map(Message::LayoutRequest),
        layout_reply().prop_map(Message::LayoutReply),
    ]
}

/// What a disk keeps: a record and perhaps one of its actors as the own one.
pub(crate) fn held() -> impl Strategy<Value = Held> {
    (record(), any::<prop::sample::Index>(), any::<bool>()).prop_map(|(record, index, owned)| {
        let actors: Vec<Actor> = record.histories().map(|(actor, _)| actor).collect();
        let own = (owned && !actors.is_empty()).then(|| Own { actor: *index.get(&actors) });
        Held::from_parts(record, own)
    })
}

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        select(&[0, 1, 127, 128, 1 << 31, 1 << 32, 1 << 53, u64::MAX - 1, u64::MAX][..]),
        any::<u64>(),
        0..1_000_u64,
    ]
}

pub(crate) fn small() -> impl Strategy<Value = u32> {
    prop_oneof![select(&[0, 1, 127, 128, u32::MAX][..]), any::<u32>(), 0..1_000_u32]
}

pub(crate) fn blob() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Bytes::new()), vec(any::<u8>(), 0..300).prop_map(Bytes::from)]
}

pub(crate) fn string() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,40}", "[\u{0}-\u{7f}]{0,200}"]
}

pub(crate) fn text() -> impl Strategy<Value = Text> {
    string().prop_map(Text::from)
}

pub(crate) fn call() -> impl Strategy<Value = CallId> {
    number().prop_map(CallId)
}

pub(crate) fn node() -> impl Strategy<Value = NodeId> {
    number().prop_map(NodeId)
}

pub(crate) fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    vec(node(), 0..20)
}

pub(crate) fn incarnation() -> impl Strategy<Value = Incarnation> {
    small().prop_map(Incarnation)
}

pub(crate) fn epoch() -> impl Strategy<Value = Epoch> {
    number().prop_map(Epoch)
}

pub(crate) fn layout_version() -> impl Strategy<Value = LayoutVersion> {
    number().prop_map(LayoutVersion)
}

pub(crate) fn checksum() -> impl Strategy<Value = Checksum> {
    number().prop_map(Checksum)
}

pub(crate) fn unix() -> impl Strategy<Value = UnixMs> {
    number().prop_map(UnixMs)
}

fn request() -> impl Strategy<Value = RequestId> {
    (number(), number()).prop_map(|(client, sequence)| RequestId { client, sequence })
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 1_024)].prop_map(Key::from)
}

fn hello() -> impl Strategy<Value = Hello> {
    let node = (node(), incarnation()).prop_map(|(id, incarnation)| Role::Node { id, incarnation });
    let role = prop_oneof![Just(Role::Client), node];
    let cluster = option::of(number().prop_map(ClusterId));
    (small(), small(), cluster, role, layout_version(), blob()).prop_map(
        |(version_min, version_max, cluster, role, layout_version, credentials)| Hello {
            version_min,
            version_max,
            cluster,
            role,
            layout_version,
            credentials,
        },
    )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let layout = option::of(layout_update());
    (small(), number(), node(), text(), incarnation(), defaults(), layout, nodes()).prop_map(
        |(version, cluster, node, label, incarnation, defaults, layout, down)| Welcome {
            version,
            cluster: ClusterId(cluster),
            node,
            label,
            incarnation,
            defaults,
            layout: layout.map(Arc::new),
            down,
        },
    )
}

fn defaults() -> impl Strategy<Value = Defaults> {
    let sizes = (small(), small(), small());
    (any::<u8>(), any::<u8>(), any::<bool>(), sizes, any::<bool>()).prop_map(
        |(r, w, allow_weak, (key_bytes_max, value_bytes_max, calls_max), strict)| Defaults {
            r,
            w,
            allow_weak,
            key_bytes_max,
            value_bytes_max,
            calls_max,
            strict,
        },
    )
}

pub(crate) fn layout_update() -> impl Strategy<Value = LayoutUpdate> {
    let members = btree_map(number(), (text(), text(), small(), text()), 1..200);
    let owners = (0..9_u32).prop_flat_map(|bits| vec(any::<u16>(), 1 << bits));
    (layout_version(), 1..=16_u8, members, owners).prop_map(
        |(version, replication, members, owners)| {
            let owners = owners.iter().map(|owner| owner % members.len() as u16).collect();
            let mut addresses = Vec::new();
            let mut listed = Vec::new();
            for (id, (label, zone, weight, address)) in members {
                listed.push(Member { id: NodeId(id), label, zone, weight });
                addresses.push(address);
            }
            let layout = Layout::from_parts(version, replication, listed, owners);
            LayoutUpdate { layout: layout.expect("parts in order"), addresses }
        },
    )
}

fn head() -> impl Strategy<Value = RequestHead> {
    let quorum = (any::<u8>(), any::<u8>()).prop_map(|(r, w)| QuorumChoice { r, w });
    let rest = (any::<bool>(), any::<bool>(), zone());
    (call(), key(), quorum, strictness(), small(), layout_version(), rest).prop_map(
        |(call, key, quorum, strictness, budget_ms, layout_version, (passed_on, receipt, zone))| {
            RequestHead {
                call,
                key,
                quorum,
                strictness,
                budget: Duration::from_millis(budget_ms.into()),
                layout_version,
                passed_on,
                receipt,
                zone,
            }
        },
    )
}

/// No zone has an empty name here.
pub(crate) fn zone() -> impl Strategy<Value = Option<Text>> {
    option::of("[a-zé]{1,20}".prop_map(Text::from))
}

fn strictness() -> impl Strategy<Value = Strictness> {
    select(&[Strictness::Configured, Strictness::Strict, Strictness::Sloppy])
}

fn put() -> impl Strategy<Value = Put> {
    let ttl = option::of(number().prop_map(Duration::from_millis));
    let value = (blob(), checksum(), ttl).prop_map(|(payload, checksum, ttl)| Change::Value {
        payload,
        checksum,
        ttl,
    });
    let change = prop_oneof![Just(Change::Delete), value];
    (head(), blob(), request(), change).prop_map(|(head, context, request, change)| Put {
        head,
        context,
        request,
        change,
    })
}

fn replica_read() -> impl Strategy<Value = ReplicaRead> {
    let digest = option::of(any::<u128>().prop_map(RecordDigest));
    (call(), key(), digest, any::<bool>()).prop_map(|(call, key, digest, stand_in)| ReplicaRead {
        call,
        key,
        digest,
        stand_in,
    })
}

fn replica_state() -> impl Strategy<Value = ReplicaState> {
    prop_oneof![
        Just(ReplicaState::Unreadable),
        Just(ReplicaState::Same),
        record().prop_map(ReplicaState::Record),
    ]
}

fn replica_merge() -> impl Strategy<Value = ReplicaMerge> {
    let reason = select(&[
        MergeReason::Write,
        MergeReason::Repair,
        MergeReason::Handoff,
        MergeReason::AntiEntropy,
    ]);
    (call(), key(), record(), option::of(node()), reason, epoch()).prop_map(
        |(call, key, record, hint_for, reason, epoch)| ReplicaMerge {
            call,
            key,
            record,
            hint_for,
            reason,
            epoch,
            layout_version: LayoutVersion(0),
        },
    )
}

fn gossip() -> impl Strategy<Value = Gossip> {
    let pulses = btree_map(number(), (incarnation(), number(), nodes(), remembered()), 0..30);
    let layouts = vec(layout_update().prop_map(Arc::new), 0..2);
    let asks = option::of((node(), node()));
    let told = (span(), layouts, vec(marks_of(), 0..20), option::of(staging()));
    (asks, pulses, vec(member_info(), 0..20), nodes(), told, incarnation()).prop_map(
        |(asks, pulses, members, wanted, (span, layouts, marks, staging), to)| {
            let pulse = |(id, (incarnation, heartbeat, witnesses, remembered))| Pulse {
                id: NodeId(id),
                incarnation,
                heartbeat,
                witnesses,
                remembered,
            };
            let pulses = pulses.into_iter().map(pulse).collect();
            Gossip { asks, pulses, members, wanted, span, layouts, marks, staging, to }
        },
    )
}

fn span() -> impl Strategy<Value = LayoutSpan> {
    (layout_id(), layout_version(), layout_version()).prop_map(|(head, oldest, read)| LayoutSpan {
        head,
        oldest,
        read,
    })
}

fn remembered() -> impl Strategy<Value = Remembered> {
    (number(), incarnation()).prop_map(|(mark, life)| Remembered { mark: DurableMark(mark), life })
}

fn member_info() -> impl Strategy<Value = MemberInfo> {
    (node(), incarnation(), number(), text(), text(), small(), text(), remembered()).prop_map(
        |(id, incarnation, heartbeat, label, zone, weight, address, remembered)| MemberInfo {
            id,
            incarnation,
            heartbeat,
            label,
            zone,
            weight,
            address,
            remembered,
        },
    )
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    btree_map(actor(), history(), 0..12)
        .prop_map(|histories: BTreeMap<_, _>| Record::from_histories(histories).expect("sound"))
}

pub(crate) fn actor() -> impl Strategy<Value = Actor> {
    (node(), incarnation(), number()).prop_map(|(node, incarnation, birth)| Actor {
        node,
        incarnation,
        birth: Birth(birth),
    })
}

pub(crate) fn seen() -> impl Strategy<Value = Seen> {
    (0..1_000_u64, btree_set(1_002..=u64::MAX, 0..4)).prop_map(|(upto, also)| {
        Seen::from_parts(upto, also.into_iter().collect()).expect("canonical")
    })
}

/// Some counters; the lot decides which of them are superseded and which live.
fn history() -> impl Strategy<Value = History> {
    let counters = btree_map(1..=u64::MAX, option::of(sibling()), 0..6);
    let close = btree_map(1..20_u64, option::of(sibling()), 1..12);
    (prop_oneof![counters, close], btree_set(number(), 0..4), number(), unix()).prop_filter_map(
        "a history knows of something",
        |(counters, also, upto, at)| {
            let mut superseded = Seen::from_parts(upto, Vec::new())?;
            let alone: BTreeSet<u64> = counters.keys().copied().collect();
            for counter in also.difference(&alone) {
                superseded.insert(Counter(*counter));
            }
            let mut live = Vec::new();
            for (counter, sibling) in counters {
                match sibling {
                    Some(sibling) if !superseded.contains(Counter(counter)) => {
                        live.push((Counter(counter), sibling));
                    }
                    Some(_) => {}
                    None => {
                        superseded.insert(Counter(counter));
                    }
                }
            }
            live.retain(|(counter, _)| !superseded.contains(*counter));
            History::from_parts(superseded, at, live)
        },
    )
}

fn sibling() -> impl Strategy<Value = Sibling> {
    let payload = prop_oneof![Just(Payload::Tombstone), blob().prop_map(Payload::Value)];
    (payload, checksum(), unix(), option::of(unix()), request()).prop_map(
        |(payload, checksum, written, expires, request)| Sibling {
            payload,
            checksum,
            written,
            expires,
            request,
        },
    )
}
