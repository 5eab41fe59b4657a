//! Changes of the layout as protobufjs spells them out.

use quorate_core::ids::NodeId;
use quorate_core::layout::Member;
use quorate_core::message::{
    LayoutAnswer, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest, PastLayout, SlotWaits,
    StagedChange, Staging, Target,
};

use crate::gossip_json::{layout_hash, marks_fields};
use crate::json::{Fields, fields, layout_fields, node};

pub(crate) fn order_fields(request: &LayoutRequest) -> Fields {
    let common = fields().long("call", request.call.0);
    match &request.order {
        LayoutOrder::Show => common.message("show", fields()),
        LayoutOrder::Measure => common.message("measure", fields()),
        LayoutOrder::History => common.message("history", fields()),
        LayoutOrder::Stage(targets) => {
            let change = |(id, target): &(NodeId, Target)| target_fields(*id, target).done();
            common.message("stage", fields().list("changes", targets, change))
        }
        LayoutOrder::Revert => common.message("revert", fields()),
        LayoutOrder::Commit(staging) => common.message("commit", staging_fields(staging)),
    }
}

pub(crate) fn layout_reply_fields(reply: &LayoutReply) -> Fields {
    let common = fields().long("call", reply.call.0);
    match &reply.result {
        Err(refusal) => common.set("refusal", refusal.as_str().into()),
        Ok(LayoutAnswer::Report(report)) => common.message("report", report_fields(report)),
        Ok(LayoutAnswer::Figures(figures)) => common.message(
            "figures",
            fields()
                .list("slots", figures, |of| of.slot.0.into())
                .list("records", figures, |of| of.records.to_string().into())
                .list("bytes", figures, |of| of.bytes.to_string().into()),
        ),
        Ok(LayoutAnswer::Past(past)) => {
            common.message("past", fields().list("past", past, |past| past_fields(past).done()))
        }
        Ok(LayoutAnswer::Staged(staging)) => common.message("staged", staging_fields(staging)),
        // One of several that may be set is spelled out even where it is 0.
        Ok(LayoutAnswer::Committed(version)) => {
            common.set("committed", version.0.to_string().into())
        }
    }
}

pub(crate) fn staging_fields(staging: &Staging) -> Fields {
    let change = |change: &StagedChange| {
        target_fields(change.node, &change.target)
            .long("atMs", change.at.0)
            .flag("auto", change.auto)
            .done()
    };
    fields()
        .long("baseVersion", staging.base.version.0)
        .bytes("baseHash", &layout_hash(staging.base))
        .list("changes", &staging.changes, change)
}

fn target_fields(id: NodeId, target: &Target) -> Fields {
    let common = fields().long("node", id.0);
    match target {
        Target::AsItIs => common,
        Target::Gone => common.message("gone", fields()),
        Target::Member(member) => common.message("member", role_fields(member)),
    }
}

fn role_fields(member: &Member) -> Fields {
    fields().text("label", &member.label).text("zone", &member.zone).small("weight", member.weight)
}

fn report_fields(report: &LayoutReport) -> Fields {
    let waits = |waits: &SlotWaits| {
        fields().small("slot", waits.slot.0).list("peers", &waits.peers, node).done()
    };
    fields()
        .list("live", &report.live, |update| layout_fields(update).done())
        .long("read", report.read.0)
        .list("marks", &report.marks, |of| marks_fields(of).done())
        .message("staging", staging_fields(&report.staging))
        .list("toFill", &report.to_fill, waits)
        .list("toGive", &report.to_give, waits)
        .long("hints", report.hints)
}

fn past_fields(past: &PastLayout) -> Fields {
    let member = |member: &Member| role_fields(member).long("id", member.id.0).done();
    let hash = layout_hash(past.id);
    fields()
        .long("version", past.id.version.0)
        .bytes("hash", &hash)
        .long("atMs", past.at.0)
        .list("joined", &past.joined, member)
        .list("left", &past.left, member)
        .list("changed", &past.changed, member)
        .small("slotsMoved", past.slots_moved)
}
