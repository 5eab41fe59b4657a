//! One message of every kind at least: with every field set, and with as few as may be.

use std::sync::Arc;

use ::bytes::Bytes;
use quorate_core::causality::{Checksum, RecordDigest};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId, Text};
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::message::{
    Answer, CallId, Change, Defaults, Entry, EntryValue, Failure, Get, Hello, LayoutUpdate,
    MemberState, MemberStatus, Message, Outcome, PairStatus, Put, QuorumChoice, ReadKind, Receipt,
    Reject, RejectCode, RepairReply, RepairRequest, Reply, RequestHead, Role, StandIn, StatusReply,
    StatusRequest, Strictness, Unsupported, Welcome, Written,
};
use quorate_core::ring::Slot;
use quorate_core::time::{Duration, UnixMs};

use crate::between_nodes::{between_members, between_replicas};
use crate::change::changes;
use crate::collection::collections;
use crate::exchange::between_trees;
use crate::json::{FAILURE_CODES, REJECT_CODES, failure_name, reject_name};
use crate::status_json::{REPAIR_REFUSALS, refusal_name};

pub(crate) const GREAT: u64 = 0xfedc_ba98_7654_3210;
pub(crate) const TIME_MS: UnixMs = UnixMs(1_767_225_600_000);

pub(crate) fn examples() -> Vec<(String, Message)> {
    let mut examples: Vec<(String, Message)> = Vec::new();
    let mut add = |name: &str, message: Message| examples.push((name.to_owned(), message));
    handshakes(&mut add);
    requests(&mut add);
    replies(&mut add);
    between_replicas(&mut add);
    between_trees(&mut add);
    collections(&mut add);
    statuses(&mut add);
    between_members(&mut add);
    repairs(&mut add);
    changes(&mut add);
    examples
}

pub(crate) fn text(text: &str) -> Text {
    Text::from(text)
}

pub(crate) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(crate) fn layout_full() -> Option<Arc<LayoutUpdate>> {
    let member = |id, label: &str, zone: &str, weight| Member {
        id: NodeId(id),
        label: text(label),
        zone: text(zone),
        weight,
    };
    let members = vec![
        member(0x0a00_0000_0000_0001, "anna", "north", 1),
        member(0x0b00_0000_0000_0002, "ber\u{e9}nice", "", 300),
        member(u64::MAX, "", "s\u{fc}d", u32::MAX),
    ];
    let owners = vec![0, 1, 2, 0, 1, 2, 1, 0];
    let layout = Layout::from_parts(LayoutVersion(300), 3, members, owners).expect("in order");
    let addresses = ["ws://a.example:7400/", "wss://b.example/q", ""].map(text).into();
    Some(Arc::new(LayoutUpdate { layout, addresses }))
}

/// One slot of one member of which nothing is said.
pub(crate) fn layout_minimal() -> Option<Arc<LayoutUpdate>> {
    let member = Member { id: NodeId(0), label: text(""), zone: text(""), weight: 0 };
    let layout = Layout::from_parts(LayoutVersion(0), 1, vec![member], vec![0]);
    Some(Arc::new(LayoutUpdate { layout: layout.expect("in order"), addresses: vec![text("")] }))
}

fn handshakes(add: &mut impl FnMut(&str, Message)) {
    let hello = Hello {
        version_min: 0,
        version_max: 0,
        cluster: None,
        role: Role::Client,
        layout_version: LayoutVersion(0),
        credentials: Bytes::new(),
    };
    let node = Role::Node { id: NodeId(GREAT), incarnation: Incarnation(4_000_000_000) };
    let nobody = Role::Node { id: NodeId(0), incarnation: Incarnation(0) };
    add("hello, minimal", Message::Hello(hello.clone()));
    add(
        "hello of a client",
        Message::Hello(Hello { version_min: 1, version_max: 1, ..hello.clone() }),
    );
    add(
        "hello, full",
        Message::Hello(Hello {
            version_min: 1,
            version_max: u32::MAX,
            cluster: Some(ClusterId(0x0123_4567_89ab_cdef)),
            role: node,
            layout_version: LayoutVersion(u64::MAX),
            credentials: bytes("secret"),
        }),
    );
    add(
        "hello, present zeros",
        Message::Hello(Hello { cluster: Some(ClusterId(0)), role: nobody, ..hello }),
    );
    let welcome = Welcome {
        version: 0,
        cluster: ClusterId(0),
        node: NodeId(0),
        label: text(""),
        incarnation: Incarnation(0),
        defaults: Defaults {
            r: 0,
            w: 0,
            allow_weak: false,
            key_bytes_max: 0,
            value_bytes_max: 0,
            calls_max: 0,
            strict: false,
        },
        layout: None,
        down: Vec::new(),
    };
    add("welcome, minimal", Message::Welcome(welcome.clone()));
    add("welcome, least layout", Message::Welcome(Welcome { layout: layout_minimal(), ..welcome }));
    add(
        "welcome, full",
        Message::Welcome(Welcome {
            version: 1,
            cluster: ClusterId(0x0123_4567_89ab_cdef),
            node: NodeId(0x0a00_0000_0000_0001),
            label: text("anna"),
            incarnation: Incarnation(u32::MAX),
            defaults: Defaults {
                r: 2,
                w: 255,
                allow_weak: true,
                key_bytes_max: 1_024,
                value_bytes_max: 1_048_576,
                calls_max: 127,
                strict: true,
            },
            layout: layout_full(),
            down: vec![NodeId(u64::MAX), NodeId(0)],
        }),
    );
    let reject = |code, text: &str| Message::Reject(Reject { code, text: text.to_owned() });
    for code in REJECT_CODES {
        add(&format!("reject, {}", reject_name(code)), reject(code, "what to do: \u{1f511}"));
    }
    add("reject, minimal", reject(RejectCode::Full, ""));
    let unsupported = |text: &str| Message::Unsupported(Unsupported { text: text.to_owned() });
    add("unsupported, minimal", unsupported(""));
    add("unsupported, full", unsupported("a frame of a kind that this version does not know"));
}

fn head_minimal() -> RequestHead {
    RequestHead {
        call: CallId(0),
        key: Key::from(vec![]),
        quorum: QuorumChoice { r: 0, w: 0 },
        strictness: Strictness::Configured,
        budget: Duration::ZERO,
        layout_version: LayoutVersion(0),
        passed_on: false,
        receipt: false,
        zone: None,
    }
}

fn head_full() -> RequestHead {
    RequestHead {
        call: CallId(u64::MAX),
        key: Key::from(vec![0, 0xff, 0x80, b'k']),
        quorum: QuorumChoice { r: 2, w: 3 },
        strictness: Strictness::Strict,
        budget: Duration::from_millis(5_000),
        layout_version: LayoutVersion(1 << 53),
        passed_on: true,
        receipt: true,
        zone: None,
    }
}

fn requests(add: &mut impl FnMut(&str, Message)) {
    let usual = RequestHead {
        call: CallId(1),
        key: Key::from("cart"),
        budget: Duration::from_millis(5_000),
        layout_version: LayoutVersion(1),
        ..head_minimal()
    };
    let get = |head, context| Message::Get(Get { head, context, read: ReadKind::Quorum });
    add("get, minimal", get(head_minimal(), Bytes::new()));
    add("get", get(usual.clone(), Bytes::new()));
    add("get, full", get(head_full(), bytes("context")));
    let sloppy = RequestHead { strictness: Strictness::Sloppy, ..usual.clone() };
    add("get, sloppy", get(sloppy, Bytes::new()));
    let local = RequestHead { zone: Some("eu".into()), ..usual.clone() };
    add("get, local", get(local.clone(), Bytes::new()));
    let greatest = RequestHead {
        quorum: QuorumChoice { r: 255, w: 255 },
        budget: Duration::from_millis(u32::MAX.into()),
        layout_version: LayoutVersion(u64::MAX),
        ..head_full()
    };
    add("get, greatest numbers", get(greatest, Bytes::new()));
    for (name, read) in [("get, data", ReadKind::Data), ("get, digest", ReadKind::Digest)] {
        add(name, Message::Get(Get { head: usual.clone(), context: Bytes::new(), read }));
    }
    let delete = Put {
        head: head_minimal(),
        context: Bytes::new(),
        request: RequestId::default(),
        change: Change::Delete,
    };
    let full = Put {
        head: head_full(),
        context: bytes("context"),
        request: RequestId { client: GREAT, sequence: 300 },
        change: value("a value"),
    };
    add("put of nothing, minimal", Message::Put(Put { change: no_value(), ..delete.clone() }));
    add("put, full", Message::Put(full.clone()));
    let expiring = |payload: Bytes, ttl_ms| Change::Value {
        checksum: Checksum::of_value(&payload),
        payload,
        ttl: Some(Duration::from_millis(ttl_ms)),
    };
    let change = expiring(bytes("a value"), 86_400_000);
    add("put with a time to live", Message::Put(Put { change, ..full.clone() }));
    // It is refused, but not by the codec.
    let change = expiring(Bytes::new(), 0);
    add("put, time to live of zero", Message::Put(Put { change, ..delete.clone() }));
    add("put, blind", Message::Put(Put { head: usual, context: Bytes::new(), ..full.clone() }));
    add("put, local", Message::Put(Put { head: local, context: Bytes::new(), ..full.clone() }));
    add("delete, minimal", Message::Put(delete));
    add("delete, full", Message::Put(Put { change: Change::Delete, ..full }));
}

fn value(text: &'static str) -> Change {
    let payload = bytes(text);
    Change::Value { checksum: Checksum::of_value(&payload), payload, ttl: None }
}

fn no_value() -> Change {
    Change::Value { payload: Bytes::new(), checksum: Checksum(0), ttl: None }
}

fn replies(add: &mut impl FnMut(&str, Message)) {
    let minimal = |result| Reply {
        call: CallId(0),
        layout_version: LayoutVersion(0),
        layout: None,
        receipt: None,
        passed_on_by: None,
        copy: None,
        down: Vec::new(),
        result,
    };
    let receipt = Receipt {
        coordinator: NodeId(0x0a00_0000_0000_0001),
        primaries: vec![NodeId(0x0a00_0000_0000_0001), NodeId(u64::MAX)],
        repaired: vec![NodeId(0x0b00_0000_0000_0002), NodeId(0)],
        needed: 2,
        layout_version: LayoutVersion(300),
        fallbacks: vec![
            StandIn { node: NodeId(GREAT), primary: NodeId(0x0b00_0000_0000_0002) },
            StandIn { node: NodeId(0), primary: NodeId(0) },
        ],
        zone: None,
    };
    let no_receipt = Receipt {
        coordinator: NodeId(0),
        primaries: Vec::new(),
        repaired: Vec::new(),
        needed: 0,
        layout_version: LayoutVersion(0),
        fallbacks: Vec::new(),
        zone: None,
    };
    let full = |result| Reply {
        call: CallId(u64::MAX),
        layout_version: LayoutVersion(300),
        layout: layout_full(),
        receipt: Some(receipt.clone()),
        passed_on_by: Some(NodeId(0x0b00_0000_0000_0002)),
        copy: None,
        down: vec![NodeId(0x0b00_0000_0000_0002), NodeId(0)],
        result,
    };
    let value = |text| EntryValue {
        payload: bytes(text),
        checksum: Checksum::of_value(text.as_bytes()),
        written: TIME_MS,
        expires: None,
    };
    let nothing = EntryValue {
        payload: Bytes::new(),
        checksum: Checksum(0),
        written: UnixMs(0),
        expires: None,
    };
    let fleeting = EntryValue { expires: Some(UnixMs(TIME_MS.0 + 60_000)), ..value("fleeting") };
    let expiring = Entry {
        values: vec![fleeting, EntryValue { expires: Some(UnixMs(0)), ..nothing.clone() }],
        tombstones: 1,
        context: bytes("context"),
    };
    let entry = Entry {
        values: vec![value("one"), value("another"), nothing],
        tombstones: 2,
        context: bytes("context"),
    };
    add("reply, absent, minimal", Message::Reply(minimal(Ok(Answer::Entry(Entry::default())))));
    add("reply, entry", Message::Reply(minimal(Ok(Answer::Entry(entry.clone())))));
    add("reply, values that expire", Message::Reply(minimal(Ok(Answer::Entry(expiring)))));
    add("reply, entry, full", Message::Reply(full(Ok(Answer::Entry(entry.clone())))));
    let copy = Some(RecordDigest(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10));
    let of_one = |entry| Reply { copy, ..minimal(Ok(Answer::Entry(entry))) };
    add("reply, copy", Message::Reply(of_one(entry.clone())));
    add("reply, digest of a copy", Message::Reply(of_one(Entry::default())));
    let present_zeros = Reply {
        layout: layout_minimal(),
        receipt: Some(no_receipt),
        passed_on_by: Some(NodeId(0)),
        copy: None,
        ..minimal(Ok(Answer::Entry(Entry::default())))
    };
    add("reply, present zeros", Message::Reply(present_zeros));
    let written = |context, siblings| Ok(Answer::Written(Written { context, siblings }));
    add("reply, written, minimal", Message::Reply(minimal(written(Bytes::new(), 0))));
    add("reply, written, full", Message::Reply(full(written(bytes("context"), 3))));
    let counted = Receipt { zone: Some("eu".into()), ..receipt.clone() };
    let local = minimal(written(bytes("context"), 1));
    add("reply, local", Message::Reply(Reply { receipt: Some(counted), ..local }));
    for (index, code) in FAILURE_CODES.into_iter().enumerate() {
        let name = failure_name(code);
        let minimal = minimal(Err(Failure::refused(code)));
        add(&format!("reply, {name}, minimal"), Message::Reply(minimal));
        let failure = Failure {
            code,
            outcome: Outcome::Unknown,
            needed: 2,
            acked: 1,
            limit: 100 + index as u64,
            actual: u64::MAX - index as u64,
            retry_after: Duration::from_millis(250),
        };
        let reply = Reply { layout: None, ..full(Err(failure)) };
        add(&format!("reply, {name}, full"), Message::Reply(reply));
    }
}

fn statuses(add: &mut impl FnMut(&str, Message)) {
    let request = |call, slots| Message::StatusRequest(StatusRequest { call: CallId(call), slots });
    add("status request, minimal", request(0, false));
    add("status request, full", request(u64::MAX, true));
    let nobody = MemberStatus {
        id: NodeId(0),
        label: text(""),
        zone: text(""),
        weight: 0,
        address: text(""),
        up: false,
        slots: 0,
        replicas: 0,
        state: MemberState::Up,
        heartbeat: 0,
        heartbeat_age: Duration::ZERO,
        witnesses: Vec::new(),
        hints: 0,
        hint_bytes: 0,
        down: Duration::ZERO,
    };
    let minimal = StatusReply {
        call: CallId(0),
        cluster: ClusterId(0),
        node: NodeId(0),
        label: text(""),
        incarnation: Incarnation(0),
        layout_version: LayoutVersion(0),
        uptime: Duration::ZERO,
        software: text(""),
        storage: text(""),
        records: 0,
        members: Vec::new(),
        counters: Vec::new(),
        limits: Vec::new(),
        now: UnixMs(0),
        comparisons: Vec::new(),
    };
    let member = MemberStatus {
        id: NodeId(0x0a00_0000_0000_0001),
        label: text("anna"),
        zone: text("north"),
        weight: 300,
        address: text("ws://a.example:7400/"),
        up: true,
        slots: 1_024,
        replicas: 3_072,
        state: MemberState::Down,
        heartbeat: u64::MAX,
        heartbeat_age: Duration::from_millis(12_000),
        witnesses: vec![NodeId(GREAT), NodeId(0)],
        hints: 300,
        hint_bytes: 1 << 53,
        down: Duration::from_millis(4_000),
    };
    let doubted = MemberStatus { state: MemberState::Suspected, ..nobody.clone() };
    let full = StatusReply {
        call: CallId(300),
        cluster: ClusterId(0x0123_4567_89ab_cdef),
        node: NodeId(0x0a00_0000_0000_0001),
        label: text("anna"),
        incarnation: Incarnation(4_000_000_000),
        layout_version: LayoutVersion(5),
        uptime: Duration::from_millis(86_400_000),
        software: text("quorate 0.1.0"),
        storage: text("memory"),
        records: 1 << 53,
        members: vec![member, nobody, doubted],
        counters: vec![(text("gets"), u64::MAX), (text("puts"), 0), (text(""), 0)],
        limits: vec![(text("key_bytes_max"), 1_024), (text("siblings_max"), 100)],
        now: TIME_MS,
        comparisons: vec![
            PairStatus {
                slot: Slot(1_023),
                peer: NodeId(GREAT),
                compared: Some(TIME_MS),
                equal: Some(UnixMs(TIME_MS.0 - 30_000)),
            },
            PairStatus { slot: Slot(0), peer: NodeId(0), compared: Some(UnixMs(0)), equal: None },
            PairStatus { slot: Slot(7), peer: NodeId(1), compared: None, equal: Some(UnixMs(0)) },
        ],
    };
    add("status reply, minimal", Message::StatusReply(minimal));
    add("status reply, full", Message::StatusReply(full));
}

fn repairs(add: &mut impl FnMut(&str, Message)) {
    let request = |call, slot| Message::RepairRequest(RepairRequest { call: CallId(call), slot });
    add("repair request, minimal", request(0, None));
    add("repair request, slot 0", request(300, Some(Slot(0))));
    add("repair request, full", request(u64::MAX, Some(Slot(u32::MAX))));
    let reply =
        |call, now, result| Message::RepairReply(RepairReply { call: CallId(call), now, result });
    add("repair reply, minimal", reply(0, UnixMs(0), Ok(0)));
    add("repair reply, full", reply(u64::MAX, TIME_MS, Ok(u32::MAX)));
    for refusal in REPAIR_REFUSALS {
        let name = format!("repair reply, {}", refusal_name(refusal));
        add(&name, reply(300, TIME_MS, Err(refusal)));
    }
}
