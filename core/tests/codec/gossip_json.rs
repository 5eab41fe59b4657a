//! Gossip as protobufjs spells it out.

use quorate_core::ids::NodeId;
use quorate_core::message::{Gossip, LayoutId, MarksOf, MemberInfo, Pulse};

use crate::change_json::staging_fields;
use crate::json::{Fields, fields, layout_fields, node};

pub(crate) fn gossip_fields(gossip: &Gossip) -> Fields {
    let (first, last) = gossip.asks.unwrap_or((NodeId(0), NodeId(0)));
    let pulse = |pulse: &Pulse| {
        fields()
            .long("id", pulse.id.0)
            .small("incarnation", pulse.incarnation.0)
            .long("heartbeat", pulse.heartbeat)
            .list("witnesses", &pulse.witnesses, node)
            .long("durableMark", pulse.remembered.mark.0)
            .small("markedIn", pulse.remembered.life.0)
            .done()
    };
    let member = |member: &MemberInfo| {
        fields()
            .long("id", member.id.0)
            .small("incarnation", member.incarnation.0)
            .long("heartbeat", member.heartbeat)
            .text("label", &member.label)
            .text("zone", &member.zone)
            .small("weight", member.weight)
            .text("address", &member.address)
            .long("durableMark", member.remembered.mark.0)
            .small("markedIn", member.remembered.life.0)
            .done()
    };
    let common = fields()
        .flag("answer", gossip.asks.is_none())
        .long("first", first.0)
        .long("last", last.0)
        .list("pulses", &gossip.pulses, pulse)
        .list("members", &gossip.members, member)
        .list("wanted", &gossip.wanted, node)
        .long("layoutVersion", gossip.span.head.version.0)
        .list("layouts", &gossip.layouts, |update| layout_fields(update).done())
        .small("to", gossip.to.0)
        .bytes("layoutHash", &layout_hash(gossip.span.head))
        .long("layoutOldest", gossip.span.oldest.0)
        .long("layoutRead", gossip.span.read.0)
        .list("marks", &gossip.marks, |of| marks_fields(of).done());
    let staging = gossip.staging.iter();
    staging.fold(common, |all, staging| all.message("staging", staging_fields(staging)))
}

pub(crate) fn marks_fields(of: &MarksOf) -> Fields {
    fields()
        .long("node", of.node.0)
        .long("headVersion", of.head.version.0)
        .bytes("headHash", &layout_hash(of.head))
        .long("ack", of.marks.ack.0)
        .long("sync", of.marks.sync.0)
        .long("syncAck", of.marks.sync_ack.0)
}

pub(crate) fn layout_hash(id: LayoutId) -> Vec<u8> {
    if id.hash == 0 { Vec::new() } else { id.hash.to_be_bytes().to_vec() }
}
