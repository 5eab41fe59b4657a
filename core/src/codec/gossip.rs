//! What members say of each other.

use alloc::sync::Arc;

use super::{DecodeError, layout, malformed, nodes_in, nodes_out, text, wire};
use crate::ids::{DurableMark, Incarnation, NodeId, Remembered};
use crate::layout::LayoutVersion;
use crate::message::{Gossip, MemberInfo, Pulse};

pub(super) fn gossip_out(gossip: &Gossip) -> wire::Gossip {
    let (first, last) = gossip.asks.unwrap_or((NodeId(0), NodeId(0)));
    wire::Gossip {
        answer: gossip.asks.is_none(),
        first: first.0,
        last: last.0,
        pulses: gossip.pulses.iter().map(pulse_out).collect(),
        members: gossip.members.iter().map(member_out).collect(),
        wanted: nodes_out(&gossip.wanted),
        layout_version: gossip.layout_version.0,
        layout: gossip.layout.as_deref().map(layout::layout_out),
        to: gossip.to.0,
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
        layout_version: LayoutVersion(gossip.layout_version),
        layout: gossip.layout.map(layout::layout_in).transpose()?.map(Arc::new),
        to: Incarnation(gossip.to),
    })
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
