//! Messages as protobufjs spells them out: `Frame.toObject(frame, { longs: String, enums: String,
//! bytes: String })`. 64-bit numbers are decimal texts, bytes are base64, what has its default
//! value is absent. Nothing here knows of the encoder.

use quorate_core::causality::{Actor, Counter, History, Payload, Record, Seen, Sibling};
use quorate_core::ids::{NodeId, Text};
use quorate_core::layout::Member;
use quorate_core::message::{
    Answer, Change, Entry, EntryValue, FailureCode, Get, Hello, LayoutUpdate, MergeReason, Message,
    Outcome, Put, ReadKind, Receipt, Reject, RejectCode, RepairRequest, ReplicaMerge,
    ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState, Reply, RequestHead, Role, StandIn,
    StatusRequest, Strictness, Unsupported, Welcome, Written,
};
use quorate_core::time::Duration;
use serde_json::{Map, Value};

use crate::change_json::{layout_reply_fields, order_fields};
use crate::collection_json::{collect_fields, collected_fields};
use crate::exchange_json::{compare_fields, compared_fields};
use crate::gossip_json::gossip_fields;
use crate::status_json::{repair_fields, status_fields};

pub(crate) const REJECT_CODES: [RejectCode; 6] = [
    RejectCode::Version,
    RejectCode::Cluster,
    RejectCode::Credentials,
    RejectCode::Identity,
    RejectCode::Full,
    RejectCode::Malformed,
];

pub(crate) fn reject_name(code: RejectCode) -> &'static str {
    match code {
        RejectCode::Version => "REJECT_VERSION",
        RejectCode::Cluster => "REJECT_CLUSTER",
        RejectCode::Credentials => "REJECT_CREDENTIALS",
        RejectCode::Identity => "REJECT_IDENTITY",
        RejectCode::Full => "REJECT_FULL",
        RejectCode::Malformed => "REJECT_MALFORMED",
    }
}

pub(crate) const FAILURE_CODES: [FailureCode; 17] = [
    FailureCode::QuorumUnavailable,
    FailureCode::Timeout,
    FailureCode::Overloaded,
    FailureCode::WeakQuorum,
    FailureCode::BadQuorum,
    FailureCode::BadContext,
    FailureCode::KeySize,
    FailureCode::ValueTooLarge,
    FailureCode::TooManySiblings,
    FailureCode::Damaged,
    FailureCode::Storage,
    FailureCode::NotAPrimary,
    FailureCode::RecordTooLarge,
    FailureCode::Stale,
    FailureCode::NotReady,
    FailureCode::BadTtl,
    FailureCode::StorageFull,
];

pub(crate) fn failure_name(code: FailureCode) -> &'static str {
    match code {
        FailureCode::QuorumUnavailable => "FAILURE_QUORUM_UNAVAILABLE",
        FailureCode::Timeout => "FAILURE_TIMEOUT",
        FailureCode::Overloaded => "FAILURE_OVERLOADED",
        FailureCode::WeakQuorum => "FAILURE_WEAK_QUORUM",
        FailureCode::BadQuorum => "FAILURE_BAD_QUORUM",
        FailureCode::BadContext => "FAILURE_BAD_CONTEXT",
        FailureCode::BadTtl => "FAILURE_BAD_TTL",
        FailureCode::KeySize => "FAILURE_KEY_SIZE",
        FailureCode::ValueTooLarge => "FAILURE_VALUE_TOO_LARGE",
        FailureCode::TooManySiblings => "FAILURE_TOO_MANY_SIBLINGS",
        FailureCode::Damaged => "FAILURE_DAMAGED",
        FailureCode::Storage => "FAILURE_STORAGE",
        FailureCode::StorageFull => "FAILURE_STORAGE_FULL",
        FailureCode::NotAPrimary => "FAILURE_NOT_A_PRIMARY",
        FailureCode::RecordTooLarge => "FAILURE_RECORD_TOO_LARGE",
        FailureCode::Stale => "FAILURE_STALE",
        FailureCode::NotReady => "FAILURE_NOT_READY",
        FailureCode::Unrecognized => panic!("no example: nobody means to send it"),
    }
}

/// The fields of one message. What has its default value is left out, unless it is optional.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn set(mut self, name: &str, value: Value) -> Fields {
        let before = self.0.insert(name.to_owned(), value);
        assert_eq!(before, None, "{name} is set twice");
        self
    }

    fn set_if(self, set: bool, name: &str, value: impl Into<Value>) -> Fields {
        if set { self.set(name, value.into()) } else { self }
    }

    pub(crate) fn small(self, name: &str, number: impl Into<u32>) -> Fields {
        let number: u32 = number.into();
        self.set_if(number != 0, name, number)
    }

    pub(crate) fn long(self, name: &str, number: u64) -> Fields {
        self.set_if(number != 0, name, number.to_string())
    }

    pub(crate) fn optional_long(self, name: &str, number: Option<u64>) -> Fields {
        match number {
            Some(number) => self.set(name, number.to_string().into()),
            None => self,
        }
    }

    pub(crate) fn flag(self, name: &str, flag: bool) -> Fields {
        self.set_if(flag, name, flag)
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Fields {
        self.set_if(!text.is_empty(), name, text)
    }

    pub(crate) fn bytes(self, name: &str, bytes: &[u8]) -> Fields {
        self.set_if(!bytes.is_empty(), name, base64(bytes))
    }

    pub(crate) fn list<T>(
        self,
        name: &str,
        items: &[T],
        spell_out: impl Fn(&T) -> Value,
    ) -> Fields {
        let items: Vec<Value> = items.iter().map(spell_out).collect();
        self.set_if(!items.is_empty(), name, items)
    }

    pub(crate) fn message(self, name: &str, fields: Fields) -> Fields {
        self.set(name, fields.done())
    }

    fn optional<T>(self, name: &str, part: Option<T>, fields: impl Fn(T) -> Fields) -> Fields {
        match part {
            Some(part) => self.message(name, fields(part)),
            None => self,
        }
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

pub(crate) fn fields() -> Fields {
    Fields::default()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let three = [0, 1, 2].map(|index| chunk.get(index).copied().unwrap_or(0));
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            let stands = digit <= chunk.len();
            text.push(if stands { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

/// The frame of a message, as protobufjs reads it.
pub(crate) fn json(message: &Message) -> Value {
    let (kind, body) = match message {
        Message::Hello(hello) => ("hello", hello_fields(hello)),
        Message::Welcome(welcome) => ("welcome", welcome_fields(welcome)),
        Message::Reject(Reject { code, text }) => {
            ("reject", fields().set("code", reject_name(*code).into()).text("text", text))
        }
        Message::Unsupported(Unsupported { text }) => ("unsupported", fields().text("text", text)),
        Message::Get(Get { head, context, read }) => {
            let common = head_fields(head).bytes("context", context);
            ("get", read_name(*read).into_iter().fold(common, |all, it| all.set("read", it.into())))
        }
        Message::Put(put) => ("put", put_fields(put)),
        Message::Reply(reply) => ("reply", reply_fields(reply)),
        Message::ReplicaRead(read) => ("replicaRead", read_fields(read)),
        Message::ReplicaRecord(answer) => ("replicaRecord", answer_fields(answer)),
        Message::ReplicaMerge(merge) => ("replicaMerge", merge_fields(merge)),
        Message::ReplicaMerged(ReplicaMerged { call, durable }) => {
            ("replicaMerged", fields().long("call", call.0).flag("durable", *durable))
        }
        Message::Compare(compare) => ("compare", compare_fields(compare)),
        Message::Compared(compared) => ("compared", compared_fields(compared)),
        Message::StatusRequest(StatusRequest { call, slots }) => {
            ("statusRequest", fields().long("call", call.0).flag("slots", *slots))
        }
        Message::StatusReply(status) => ("statusReply", status_fields(status)),
        Message::Gossip(gossip) => ("gossip", gossip_fields(gossip)),
        Message::RepairRequest(RepairRequest { call, slot }) => {
            let common = fields().long("call", call.0);
            let slot = slot.map(|slot| slot.0.into());
            ("repairRequest", slot.into_iter().fold(common, |all, slot| all.set("slot", slot)))
        }
        Message::RepairReply(reply) => ("repairReply", repair_fields(reply)),
        Message::Collect(collect) => ("collect", collect_fields(collect)),
        Message::Collected(collected) => ("collected", collected_fields(collected)),
        Message::LayoutRequest(request) => ("layoutRequest", order_fields(request)),
        Message::LayoutReply(reply) => ("layoutReply", layout_reply_fields(reply)),
    };
    fields().message(kind, body).done()
}

fn read_name(read: ReadKind) -> Option<&'static str> {
    match read {
        ReadKind::Quorum => None,
        ReadKind::Data => Some("READ_DATA"),
        ReadKind::Digest => Some("READ_DIGEST"),
    }
}

fn hello_fields(hello: &Hello) -> Fields {
    let common = fields()
        .small("versionMin", hello.version_min)
        .small("versionMax", hello.version_max)
        .optional_long("cluster", hello.cluster.map(|cluster| cluster.0))
        .long("layoutVersion", hello.layout_version.0)
        .bytes("credentials", &hello.credentials);
    match hello.role {
        Role::Client => common.set("role", "ROLE_CLIENT".into()),
        Role::Node { id, incarnation } => common
            .set("role", "ROLE_NODE".into())
            .optional_long("node", Some(id.0))
            .small("incarnation", incarnation.0),
    }
}

fn welcome_fields(welcome: &Welcome) -> Fields {
    let defaults = &welcome.defaults;
    fields()
        .small("version", welcome.version)
        .long("cluster", welcome.cluster.0)
        .long("node", welcome.node.0)
        .text("label", &welcome.label)
        .small("incarnation", welcome.incarnation.0)
        .message(
            "defaults",
            fields()
                .small("r", defaults.r)
                .small("w", defaults.w)
                .flag("allowWeak", defaults.allow_weak)
                .small("keyBytesMax", defaults.key_bytes_max)
                .small("valueBytesMax", defaults.value_bytes_max)
                .small("callsMax", defaults.calls_max)
                .flag("strict", defaults.strict),
        )
        .optional("layout", welcome.layout.as_deref(), layout_fields)
        .list("down", &welcome.down, node)
}

pub(crate) fn node(node: &NodeId) -> Value {
    node.0.to_string().into()
}

pub(crate) fn layout_fields(update: &LayoutUpdate) -> Fields {
    let LayoutUpdate { layout, addresses } = update;
    let members: Vec<_> = layout.members().iter().zip(addresses).collect();
    let member = |(member, address): &(&Member, &Text)| {
        fields()
            .long("id", member.id.0)
            .text("label", &member.label)
            .text("zone", &member.zone)
            .small("weight", member.weight)
            .text("address", address)
            .done()
    };
    fields()
        .long("version", layout.version().0)
        .small("replication", layout.replication())
        .list("members", &members, member)
        .list("owners", layout.owners(), |owner| (*owner).into())
}

fn head_fields(head: &RequestHead) -> Fields {
    let budget_ms = u32::try_from(millis(head.budget)).expect("a short budget");
    let strictness = match head.strictness {
        Strictness::Configured => "",
        Strictness::Strict => "STRICTNESS_STRICT",
        Strictness::Sloppy => "STRICTNESS_SLOPPY",
    };
    fields()
        .text("strictness", strictness)
        .long("call", head.call.0)
        .bytes("key", head.key.as_bytes())
        .small("r", head.quorum.r)
        .small("w", head.quorum.w)
        .small("budgetMs", budget_ms)
        .long("layoutVersion", head.layout_version.0)
        .flag("passedOn", head.passed_on)
        .flag("receipt", head.receipt)
        .text("zone", head.zone.as_deref().unwrap_or_default())
}

fn put_fields(put: &Put) -> Fields {
    let common = head_fields(&put.head)
        .bytes("context", &put.context)
        .long("requestClient", put.request.client)
        .long("requestSequence", put.request.sequence);
    match &put.change {
        Change::Value { payload, checksum, ttl } => common.message(
            "value",
            fields()
                .bytes("payload", payload)
                .long("checksum", checksum.0)
                .optional_long("ttlMs", ttl.map(millis)),
        ),
        Change::Delete => common.message("delete", fields()),
    }
}

fn reply_fields(reply: &Reply) -> Fields {
    let copy = reply.copy.map(|digest| digest.0.to_be_bytes());
    let common = fields()
        .long("call", reply.call.0)
        .long("layoutVersion", reply.layout_version.0)
        .optional("layout", reply.layout.as_deref(), layout_fields)
        .optional("receipt", reply.receipt.as_ref(), receipt_fields)
        .optional_long("passedOnBy", reply.passed_on_by.map(|node| node.0))
        .list("down", &reply.down, node)
        .bytes("copy", copy.as_ref().map_or(&[][..], |digest| digest));
    match &reply.result {
        Ok(Answer::Entry(entry)) => common.message("entry", entry_fields(entry)),
        Ok(Answer::Written(Written { context, siblings })) => common
            .message("written", fields().bytes("context", context).small("siblings", *siblings)),
        Err(failure) => common.message(
            "failure",
            fields()
                .set("code", failure_name(failure.code).into())
                .flag("unknown", failure.outcome == Outcome::Unknown)
                .small("needed", failure.needed)
                .small("acked", failure.acked)
                .long("limit", failure.limit)
                .long("actual", failure.actual)
                .small(
                    "retryAfterMs",
                    u32::try_from(millis(failure.retry_after)).expect("a short time"),
                ),
        ),
    }
}

fn entry_fields(entry: &Entry) -> Fields {
    let value = |value: &EntryValue| {
        fields()
            .bytes("payload", &value.payload)
            .long("checksum", value.checksum.0)
            .long("writtenMs", value.written.0)
            .optional_long("expiresMs", value.expires.map(|at| at.0))
            .done()
    };
    fields()
        .list("values", &entry.values, value)
        .small("tombstones", entry.tombstones)
        .bytes("context", &entry.context)
}

fn receipt_fields(receipt: &Receipt) -> Fields {
    let stand_in = |stand_in: &StandIn| {
        fields().long("node", stand_in.node.0).long("primary", stand_in.primary.0).done()
    };
    fields()
        .long("coordinator", receipt.coordinator.0)
        .list("primaries", &receipt.primaries, node)
        .list("repaired", &receipt.repaired, node)
        .small("needed", receipt.needed)
        .long("layoutVersion", receipt.layout_version.0)
        .list("fallbacks", &receipt.fallbacks, stand_in)
        .text("zone", receipt.zone.as_deref().unwrap_or_default())
}

fn read_fields(read: &ReplicaRead) -> Fields {
    let digest = read.digest.map(|digest| digest.0.to_be_bytes());
    fields()
        .long("call", read.call.0)
        .bytes("key", read.key.as_bytes())
        .bytes("digest", digest.as_ref().map_or(&[][..], |digest| digest))
        .flag("standIn", read.stand_in)
}

fn answer_fields(answer: &ReplicaRecord) -> Fields {
    let common = fields().long("call", answer.call.0);
    match &answer.state {
        ReplicaState::Unreadable => common,
        ReplicaState::Same => common.flag("readable", true).flag("same", true),
        ReplicaState::Record(record) => {
            common.flag("readable", true).message("record", record_fields(record))
        }
    }
}

fn merge_fields(merge: &ReplicaMerge) -> Fields {
    let reason = match merge.reason {
        MergeReason::Write => "",
        MergeReason::Repair => "MERGE_REPAIR",
        MergeReason::Handoff => "MERGE_HANDOFF",
        MergeReason::AntiEntropy => "MERGE_ANTI_ENTROPY",
    };
    fields()
        .long("call", merge.call.0)
        .bytes("key", merge.key.as_bytes())
        .message("record", record_fields(&merge.record))
        .optional_long("hintFor", merge.hint_for.map(|node| node.0))
        .text("reason", reason)
        .long("epoch", merge.epoch.0)
        .long("layoutVersion", merge.layout_version.0)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a short time")
}

pub(crate) fn record_fields(record: &Record) -> Fields {
    let histories: Vec<_> = record.histories().collect();
    let history = |(actor, history): &(Actor, &History)| {
        fields()
            .message("actor", actor_fields(*actor))
            .message("superseded", seen_fields(history.superseded()))
            .long("atMs", history.at().0)
            .list("live", history.live(), |live| live_fields(live).done())
            .done()
    };
    fields().list("histories", &histories, history)
}

pub(crate) fn actor_fields(actor: Actor) -> Fields {
    fields()
        .long("node", actor.node.0)
        .small("incarnation", actor.incarnation.0)
        .long("birth", actor.birth.0)
}

pub(crate) fn seen_fields(seen: &Seen) -> Fields {
    let also = |counter: &u64| counter.to_string().into();
    fields().long("upto", seen.upto()).list("also", seen.also(), also)
}

fn live_fields((counter, sibling): &(Counter, Sibling)) -> Fields {
    let common = fields()
        .long("counter", counter.0)
        .long("checksum", sibling.checksum.0)
        .long("writtenMs", sibling.written.0)
        .optional_long("expiresMs", sibling.expires.map(|at| at.0))
        .long("requestClient", sibling.request.client)
        .long("requestSequence", sibling.request.sequence);
    match &sibling.payload {
        Payload::Value(value) => common.bytes("payload", value),
        Payload::Tombstone => common.flag("tombstone", true),
    }
}

#[test]
fn base64_is_the_standard_one() {
    let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
    for (bytes, text) in cases {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
    assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
}
