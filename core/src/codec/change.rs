//! Changes of the layout: what is staged, what operators ask for, and how layouts came about.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::gossip::{hash_out, id_in, marks_in, marks_out};
use super::layout::{layout_out, layouts_in, member_in, member_out};
use super::{DecodeError, malformed, nodes_in, nodes_out, wire};
use crate::ids::NodeId;
use crate::layout::{LayoutVersion, Member};
use crate::message::{
    CallId, LayoutAnswer, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest, PastLayout,
    SlotFigures, SlotWaits, StagedChange, Staging, Target,
};
use crate::ring::Slot;
use crate::time::UnixMs;
use wire::layout_reply::Result as Answer;
use wire::layout_request::Order;
use wire::staged_change::Target as WireTarget;

pub(super) fn request_out(request: &LayoutRequest) -> wire::LayoutRequest {
    let order = match &request.order {
        LayoutOrder::Show => Order::Show(wire::ShowLayout {}),
        LayoutOrder::Measure => Order::Measure(wire::MeasureSlots {}),
        LayoutOrder::History => Order::History(wire::ShowHistory {}),
        LayoutOrder::Stage(targets) => {
            let change = |(node, target): &(NodeId, Target)| wire::StagedChange {
                node: node.0,
                target: target_out(target),
                ..wire::StagedChange::default()
            };
            Order::Stage(wire::StageChanges { changes: targets.iter().map(change).collect() })
        }
        LayoutOrder::Revert => Order::Revert(wire::RevertStaged {}),
        LayoutOrder::Commit(staging) => Order::Commit(staging_out(staging)),
    };
    wire::LayoutRequest { call: request.call.0, order: Some(order) }
}

pub(super) fn request_in(request: wire::LayoutRequest) -> Result<LayoutRequest, DecodeError> {
    let order = match request.order.ok_or(malformed("a request for layouts that asks nothing"))? {
        Order::Show(_) => LayoutOrder::Show,
        Order::Measure(_) => LayoutOrder::Measure,
        Order::History(_) => LayoutOrder::History,
        Order::Stage(stage) => {
            let changes = stage.changes.into_iter().map(change_in);
            LayoutOrder::Stage(changes.map(|change| (change.node, change.target)).collect())
        }
        Order::Revert(_) => LayoutOrder::Revert,
        Order::Commit(staging) => LayoutOrder::Commit(staging_in(staging)?),
    };
    Ok(LayoutRequest { call: CallId(request.call), order })
}

pub(super) fn reply_out(reply: &LayoutReply) -> wire::LayoutReply {
    let result = match &reply.result {
        Err(refusal) => Answer::Refusal(refusal.to_string()),
        Ok(LayoutAnswer::Report(report)) => Answer::Report(report_out(report)),
        Ok(LayoutAnswer::Figures(figures)) => Answer::Figures(wire::SlotFigures {
            slots: figures.iter().map(|figures| figures.slot.0).collect(),
            records: figures.iter().map(|figures| figures.records).collect(),
            bytes: figures.iter().map(|figures| figures.bytes).collect(),
        }),
        Ok(LayoutAnswer::Past(past)) => {
            Answer::Past(wire::PastLayouts { past: past.iter().map(past_out).collect() })
        }
        Ok(LayoutAnswer::Staged(staging)) => Answer::Staged(staging_out(staging)),
        Ok(LayoutAnswer::Committed(version)) => Answer::Committed(version.0),
    };
    wire::LayoutReply { call: reply.call.0, result: Some(result) }
}

pub(super) fn reply_in(reply: wire::LayoutReply) -> Result<LayoutReply, DecodeError> {
    let result = match reply.result.ok_or(malformed("an answer about layouts that says nothing"))? {
        Answer::Refusal(refusal) => Err(refusal),
        Answer::Report(report) => Ok(LayoutAnswer::Report(report_in(report)?)),
        Answer::Figures(figures) => Ok(LayoutAnswer::Figures(figures_in(&figures)?)),
        Answer::Past(past) => {
            let past = past.past.into_iter().map(past_in).collect::<Result<_, _>>()?;
            Ok(LayoutAnswer::Past(past))
        }
        Answer::Staged(staging) => Ok(LayoutAnswer::Staged(staging_in(staging)?)),
        Answer::Committed(version) => Ok(LayoutAnswer::Committed(LayoutVersion(version))),
    };
    Ok(LayoutReply { call: CallId(reply.call), result })
}

pub(super) fn staging_out(staging: &Staging) -> wire::Staging {
    let change = |change: &StagedChange| wire::StagedChange {
        node: change.node.0,
        at_ms: change.at.0,
        auto: change.auto,
        target: target_out(&change.target),
    };
    wire::Staging {
        base_version: staging.base.version.0,
        base_hash: hash_out(staging.base),
        changes: staging.changes.iter().map(change).collect(),
    }
}

pub(super) fn staging_in(staging: wire::Staging) -> Result<Staging, DecodeError> {
    let changes: Vec<StagedChange> = staging.changes.into_iter().map(change_in).collect();
    if !changes.is_sorted_by(|one, next| one.node < next.node) {
        return Err(malformed("staged changes are not ascending"));
    }
    Ok(Staging { base: id_in(staging.base_version, &staging.base_hash)?, changes })
}

fn change_in(change: wire::StagedChange) -> StagedChange {
    let node = NodeId(change.node);
    let target = match change.target {
        None => Target::AsItIs,
        Some(WireTarget::Gone(_)) => Target::Gone,
        Some(WireTarget::Member(member)) => {
            Target::Member(Member { id: node, ..member_in(member) })
        }
    };
    StagedChange { node, target, at: UnixMs(change.at_ms), auto: change.auto }
}

fn target_out(target: &Target) -> Option<WireTarget> {
    match target {
        Target::AsItIs => None,
        Target::Gone => Some(WireTarget::Gone(wire::Nobody {})),
        Target::Member(member) => {
            Some(WireTarget::Member(wire::Member { id: 0, ..member_out(member) }))
        }
    }
}

fn report_out(report: &LayoutReport) -> wire::LayoutReport {
    wire::LayoutReport {
        live: report.live.iter().map(|update| layout_out(update)).collect(),
        read: report.read.0,
        marks: report.marks.iter().map(marks_out).collect(),
        staging: Some(staging_out(&report.staging)),
        to_fill: report.to_fill.iter().map(waits_out).collect(),
        to_give: report.to_give.iter().map(waits_out).collect(),
        hints: report.hints,
    }
}

fn report_in(report: wire::LayoutReport) -> Result<LayoutReport, DecodeError> {
    Ok(LayoutReport {
        live: layouts_in(report.live)?,
        read: LayoutVersion(report.read),
        marks: report.marks.into_iter().map(marks_in).collect::<Result<_, _>>()?,
        staging: staging_in(report.staging.unwrap_or_default())?,
        to_fill: report.to_fill.into_iter().map(waits_in).collect(),
        to_give: report.to_give.into_iter().map(waits_in).collect(),
        hints: report.hints,
    })
}

fn waits_out(waits: &SlotWaits) -> wire::SlotWaits {
    wire::SlotWaits { slot: waits.slot.0, peers: nodes_out(&waits.peers) }
}

fn waits_in(waits: wire::SlotWaits) -> SlotWaits {
    SlotWaits { slot: Slot(waits.slot), peers: nodes_in(waits.peers) }
}

fn figures_in(figures: &wire::SlotFigures) -> Result<Vec<SlotFigures>, DecodeError> {
    let wire::SlotFigures { slots, records, bytes } = figures;
    if records.len() != slots.len() || bytes.len() != slots.len() {
        return Err(malformed("the figures of slots have different lengths"));
    }
    let figures = slots.iter().zip(records.iter().zip(bytes));
    let figures = figures.map(|(slot, (records, bytes))| SlotFigures {
        slot: Slot(*slot),
        records: *records,
        bytes: *bytes,
    });
    Ok(figures.collect())
}

pub(super) fn past_out(past: &PastLayout) -> wire::PastLayout {
    let members = |members: &[Member]| members.iter().map(member_out).collect();
    wire::PastLayout {
        version: past.id.version.0,
        hash: hash_out(past.id),
        at_ms: past.at.0,
        joined: members(&past.joined),
        left: members(&past.left),
        changed: members(&past.changed),
        slots_moved: past.slots_moved,
    }
}

pub(super) fn past_in(past: wire::PastLayout) -> Result<PastLayout, DecodeError> {
    let members = |members: Vec<wire::Member>| members.into_iter().map(member_in).collect();
    Ok(PastLayout {
        id: id_in(past.version, &past.hash)?,
        at: UnixMs(past.at_ms),
        joined: members(past.joined),
        left: members(past.left),
        changed: members(past.changed),
        slots_moved: past.slots_moved,
    })
}
