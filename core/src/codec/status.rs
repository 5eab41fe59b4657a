//! Status.

use super::{DecodeError, malformed, nodes_in, nodes_out, text, wire};
use crate::ids::{ClusterId, Incarnation, NodeId, Text};
use crate::layout::LayoutVersion;
use crate::message::{CallId, MemberState, MemberStatus, PairStatus, StatusReply, StatusRequest};
use crate::ring::Slot;
use crate::time::{Duration, UnixMs};

pub(super) fn request_out(request: StatusRequest) -> wire::StatusRequest {
    wire::StatusRequest { call: request.call.0, slots: request.slots }
}

pub(super) fn request_in(request: wire::StatusRequest) -> StatusRequest {
    StatusRequest { call: CallId(request.call), slots: request.slots }
}

pub(super) fn status_out(status: &StatusReply) -> wire::StatusReply {
    wire::StatusReply {
        call: status.call.0,
        cluster: status.cluster.0,
        node: status.node.0,
        label: status.label.as_ref().into(),
        incarnation: status.incarnation.0,
        layout_version: status.layout_version.0,
        uptime_ms: millis(status.uptime),
        software: status.software.as_ref().into(),
        storage: status.storage.as_ref().into(),
        records: status.records,
        members: status.members.iter().map(member_out).collect(),
        counters: status.counters.iter().map(number_out).collect(),
        limits: status.limits.iter().map(number_out).collect(),
        now_ms: status.now.0,
        comparisons: status.comparisons.iter().map(pair_out).collect(),
    }
}

pub(super) fn status_in(status: wire::StatusReply) -> Result<StatusReply, DecodeError> {
    Ok(StatusReply {
        call: CallId(status.call),
        cluster: ClusterId(status.cluster),
        node: NodeId(status.node),
        label: text(status.label),
        incarnation: Incarnation(status.incarnation),
        layout_version: LayoutVersion(status.layout_version),
        uptime: Duration::from_millis(status.uptime_ms),
        software: text(status.software),
        storage: text(status.storage),
        records: status.records,
        members: status.members.into_iter().map(member_in).collect::<Result<_, _>>()?,
        counters: status.counters.into_iter().map(number_in).collect(),
        limits: status.limits.into_iter().map(number_in).collect(),
        now: UnixMs(status.now_ms),
        comparisons: status.comparisons.into_iter().map(pair_in).collect(),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn member_out(member: &MemberStatus) -> wire::MemberStatus {
    let state = match member.state {
        MemberState::Up => wire::MemberState::MemberUp,
        MemberState::Suspected => wire::MemberState::MemberSuspected,
        MemberState::Down => wire::MemberState::MemberDown,
    };
    wire::MemberStatus {
        id: member.id.0,
        label: member.label.as_ref().into(),
        zone: member.zone.as_ref().into(),
        weight: member.weight,
        address: member.address.as_ref().into(),
        up: member.up,
        slots: member.slots,
        replicas: member.replicas,
        state: state.into(),
        heartbeat: member.heartbeat,
        heartbeat_age_ms: millis(member.heartbeat_age),
        witnesses: nodes_out(&member.witnesses),
        hints: member.hints,
        hint_bytes: member.hint_bytes,
        down_ms: millis(member.down),
    }
}

fn member_in(member: wire::MemberStatus) -> Result<MemberStatus, DecodeError> {
    let known = wire::MemberState::try_from(member.state);
    let state = match known.map_err(|_| malformed("a state of a member that is not known"))? {
        wire::MemberState::MemberUp => MemberState::Up,
        wire::MemberState::MemberSuspected => MemberState::Suspected,
        wire::MemberState::MemberDown => MemberState::Down,
        // The former version tells of connections alone: that there is none says that the member
        // is overdue, and of witnesses nothing.
        wire::MemberState::MemberUnspecified if member.up => MemberState::Up,
        wire::MemberState::MemberUnspecified => MemberState::Suspected,
    };
    Ok(MemberStatus {
        id: NodeId(member.id),
        label: text(member.label),
        zone: text(member.zone),
        weight: member.weight,
        address: text(member.address),
        up: member.up,
        slots: member.slots,
        replicas: member.replicas,
        state,
        heartbeat: member.heartbeat,
        heartbeat_age: Duration::from_millis(member.heartbeat_age_ms),
        witnesses: nodes_in(member.witnesses),
        hints: member.hints,
        hint_bytes: member.hint_bytes,
        down: Duration::from_millis(member.down_ms),
    })
}

fn pair_out(pair: &PairStatus) -> wire::PairStatus {
    wire::PairStatus {
        slot: pair.slot.0,
        peer: pair.peer.0,
        compared_ms: pair.compared.map(|at| at.0),
        equal_ms: pair.equal.map(|at| at.0),
    }
}

fn pair_in(pair: wire::PairStatus) -> PairStatus {
    PairStatus {
        slot: Slot(pair.slot),
        peer: NodeId(pair.peer),
        compared: pair.compared_ms.map(UnixMs),
        equal: pair.equal_ms.map(UnixMs),
    }
}

fn number_out((name, value): &(Text, u64)) -> wire::Number {
    wire::Number { name: name.as_ref().into(), value: *value }
}

fn number_in(number: wire::Number) -> (Text, u64) {
    (text(number.name), number.value)
}
