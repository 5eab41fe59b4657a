//! What members say of each other.

use bytes::Bytes;

use super::{DecodeError, change, layout, malformed, nodes_in, nodes_out, text, wire};
use crate::ids::{DurableMark, Incarnation, NodeId, Remembered};
use crate::layout::LayoutVersion;
use crate::message::{Gossip, LayoutId, LayoutSpan, Marks, MarksOf, MemberInfo, Pulse};

pub(super) fn gossip_out(gossip: &Gossip) -> wire::Gossip {
    let (first, last) = gossip.asks.unwrap_or((NodeId(0), NodeId(0)));
    wire::Gossip {
        answer: gossip.asks.is_none(),
        first: first.0,
        last: last.0,
        pulses: gossip.pulses.iter().map(pulse_out).collect(),
        members: gossip.members.iter().map(member_out).collect(),
        wanted: nodes_out(&gossip.wanted),
        layout_version: gossip.span.head.version.0,
        layouts: gossip.layouts.iter().map(|update| layout::layout_out(update)).collect(),
        to: gossip.to.0,
        layout_hash: hash_out(gossip.span.head),
        layout_oldest: gossip.span.oldest.0,
        layout_read: gossip.span.read.0,
        marks: gossip.marks.iter().map(marks_out).collect(),
        staging: gossip.staging.as_ref().map(change::staging_out),
    }
}

pub(super) fn gossip_in(gossip: wire::Gossip) -> Result<Gossip, DecodeError> {
    let pulses = gossip.pulses.into_iter().map(pulse_in).collect::<alloc::vec::Vec<_>>();
    if !pulses.is_sorted_by(|one, next| one.id < next.id) {
        return Err(malformed("the pulses of a GOSSIP are not ascending"));
    }
    Ok(Gossip {
        asks: (!gossip.answer).then_some((NodeId(gossip.first), NodeId(gossip.last))),
        pulses,
        members: gossip.members.into_iter().map(member_in).collect(),
        wanted: nodes_in(gossip.wanted),
        span: LayoutSpan {
            head: id_in(gossip.layout_version, &gossip.layout_hash)?,
            oldest: LayoutVersion(gossip.layout_oldest),
            read: LayoutVersion(gossip.layout_read),
        },
        layouts: layout::layouts_in(gossip.layouts)?,
        marks: gossip.marks.into_iter().map(marks_in).collect::<Result<_, _>>()?,
        staging: gossip.staging.map(change::staging_in).transpose()?,
        to: Incarnation(gossip.to),
    })
}

pub(super) fn marks_out(of: &MarksOf) -> wire::LayoutMarks {
    wire::LayoutMarks {
        node: of.node.0,
        head_version: of.head.version.0,
        head_hash: hash_out(of.head),
        ack: of.marks.ack.0,
        sync: of.marks.sync.0,
        sync_ack: of.marks.sync_ack.0,
    }
}

pub(super) fn marks_in(marks: wire::LayoutMarks) -> Result<MarksOf, DecodeError> {
    Ok(MarksOf {
        node: NodeId(marks.node),
        head: id_in(marks.head_version, &marks.head_hash)?,
        marks: Marks {
            ack: LayoutVersion(marks.ack),
            sync: LayoutVersion(marks.sync),
            sync_ack: LayoutVersion(marks.sync_ack),
        },
    })
}

pub(super) fn hash_out(id: LayoutId) -> Bytes {
    if id.hash == 0 { Bytes::new() } else { Bytes::copy_from_slice(&id.hash.to_be_bytes()) }
}

/// A node of a version that tells no hash has a hash of 0.
pub(super) fn id_in(version: u64, hash: &[u8]) -> Result<LayoutId, DecodeError> {
    let hash = match hash {
        [] => 0,
        hash => u128::from_be_bytes(
            hash.try_into().map_err(|_| malformed("the hash of a layout has not 16 bytes"))?,
        ),
    };
    Ok(LayoutId { version: LayoutVersion(version), hash })
}

fn pulse_out(pulse: &Pulse) -> wire::Pulse {
    wire::Pulse {
        id: pulse.id.0,
        incarnation: pulse.incarnation.0,
        heartbeat: pulse.heartbeat,
        witnesses: nodes_out(&pulse.witnesses),
        durable_mark: pulse.remembered.mark.0,
        marked_in: pulse.remembered.life.0,
    }
}

fn pulse_in(pulse: wire::Pulse) -> Pulse {
    Pulse {
        id: NodeId(pulse.id),
        incarnation: Incarnation(pulse.incarnation),
        heartbeat: pulse.heartbeat,
        witnesses: nodes_in(pulse.witnesses),
        remembered: remembered(pulse.durable_mark, pulse.marked_in),
    }
}

fn member_out(member: &MemberInfo) -> wire::MemberInfo {
    wire::MemberInfo {
        id: member.id.0,
        incarnation: member.incarnation.0,
        heartbeat: member.heartbeat,
        label: member.label.as_ref().into(),
        zone: member.zone.as_ref().into(),
        weight: member.weight,
        address: member.address.as_ref().into(),
        durable_mark: member.remembered.mark.0,
        marked_in: member.remembered.life.0,
    }
}

fn member_in(member: wire::MemberInfo) -> MemberInfo {
    MemberInfo {
        id: NodeId(member.id),
        incarnation: Incarnation(member.incarnation),
        heartbeat: member.heartbeat,
        label: text(member.label),
        zone: text(member.zone),
        weight: member.weight,
        address: text(member.address),
        remembered: remembered(member.durable_mark, member.marked_in),
    }
}

fn remembered(mark: u64, life: u32) -> Remembered {
    Remembered { mark: DurableMark(mark), life: Incarnation(life) }
}
