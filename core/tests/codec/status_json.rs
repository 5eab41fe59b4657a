//! What a node tells an operator, as protobufjs spells it out.

use quorate_core::ids::Text;
use quorate_core::message::{
    MemberState, MemberStatus, PairStatus, RepairRefusal, RepairReply, StatusReply,
};
use serde_json::Value;

use crate::json::{Fields, fields, millis, node};

pub(crate) fn status_fields(status: &StatusReply) -> Fields {
    let member = |member: &MemberStatus| {
        let state = match member.state {
            MemberState::Up => "MEMBER_UP",
            MemberState::Suspected => "MEMBER_SUSPECTED",
            MemberState::Down => "MEMBER_DOWN",
        };
        fields()
            .long("id", member.id.0)
            .text("label", &member.label)
            .text("zone", &member.zone)
            .small("weight", member.weight)
            .text("address", &member.address)
            .flag("up", member.up)
            .small("slots", member.slots)
            .small("replicas", member.replicas)
            .text("state", state)
            .long("heartbeat", member.heartbeat)
            .long("heartbeatAgeMs", millis(member.heartbeat_age))
            .list("witnesses", &member.witnesses, node)
            .long("hints", member.hints)
            .long("hintBytes", member.hint_bytes)
            .long("downMs", millis(member.down))
            .done()
    };
    let number =
        |(name, value): &(Text, u64)| fields().text("name", name).long("value", *value).done();
    fields()
        .long("call", status.call.0)
        .long("cluster", status.cluster.0)
        .long("node", status.node.0)
        .text("label", &status.label)
        .small("incarnation", status.incarnation.0)
        .long("layoutVersion", status.layout_version.0)
        .long("uptimeMs", millis(status.uptime))
        .text("software", &status.software)
        .text("storage", &status.storage)
        .long("records", status.records)
        .list("members", &status.members, member)
        .list("counters", &status.counters, number)
        .list("limits", &status.limits, number)
        .long("nowMs", status.now.0)
        .list("comparisons", &status.comparisons, pair)
}

fn pair(pair: &PairStatus) -> Value {
    fields()
        .small("slot", pair.slot.0)
        .long("peer", pair.peer.0)
        .optional_long("comparedMs", pair.compared.map(|at| at.0))
        .optional_long("equalMs", pair.equal.map(|at| at.0))
        .done()
}

pub(crate) const REPAIR_REFUSALS: [RepairRefusal; 5] = [
    RepairRefusal::NoLayout,
    RepairRefusal::NoSuchSlot,
    RepairRefusal::NotAPrimary,
    RepairRefusal::Off,
    RepairRefusal::Unrecognized,
];

pub(crate) fn refusal_name(refusal: RepairRefusal) -> &'static str {
    match refusal {
        RepairRefusal::NoLayout => "REPAIR_NO_LAYOUT",
        RepairRefusal::NoSuchSlot => "REPAIR_NO_SUCH_SLOT",
        RepairRefusal::NotAPrimary => "REPAIR_NOT_A_PRIMARY",
        RepairRefusal::Off => "REPAIR_OFF",
        RepairRefusal::Unrecognized => "REPAIR_UNSPECIFIED",
        _ => panic!("{refusal:?} has no name here"),
    }
}

/// A part of a `oneof` is there even where it is zero.
pub(crate) fn repair_fields(reply: &RepairReply) -> Fields {
    let common = fields().long("call", reply.call.0).long("nowMs", reply.now.0);
    match reply.result {
        Ok(pairs) => common.set("pairs", pairs.into()),
        Err(refusal) => common.set("refusal", refusal_name(refusal).into()),
    }
}
