//! Every order about the layout and every answer, what is staged, and how layouts came about.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::message::{
    LIVE_LAYOUTS_MAX, LayoutAnswer, LayoutHistory, LayoutId, LayoutOrder, LayoutReply,
    LayoutReport, LayoutRequest, LayoutUpdate, Marks, MarksOf, PastLayout, SlotFigures, SlotWaits,
    StagedChange, Staging, Target,
};
use quorate_core::ring::Slot;

use crate::strategies::{
    call, layout_update, layout_version, node, nodes, number, small, string, text, unix,
};

pub(crate) fn layout_request() -> impl Strategy<Value = LayoutRequest> {
    let order = prop_oneof![
        Just(LayoutOrder::Show),
        Just(LayoutOrder::Measure),
        Just(LayoutOrder::History),
        vec(node().prop_flat_map(targeted), 0..20).prop_map(LayoutOrder::Stage),
        Just(LayoutOrder::Revert),
        staging().prop_map(LayoutOrder::Commit),
    ];
    (call(), order).prop_map(|(call, order)| LayoutRequest { call, order })
}

pub(crate) fn layout_reply() -> impl Strategy<Value = LayoutReply> {
    let figures = (small(), number(), number()).prop_map(|(slot, records, bytes)| SlotFigures {
        slot: Slot(slot),
        records,
        bytes,
    });
    let result = prop_oneof![
        string().prop_map(Err),
        report().prop_map(|report| Ok(LayoutAnswer::Report(report))),
        vec(figures, 0..50).prop_map(|figures| Ok(LayoutAnswer::Figures(figures))),
        vec(past(), 0..5).prop_map(|past| Ok(LayoutAnswer::Past(past))),
        staging().prop_map(|staging| Ok(LayoutAnswer::Staged(staging))),
        layout_version().prop_map(|version| Ok(LayoutAnswer::Committed(version))),
    ];
    (call(), result).prop_map(|(call, result)| LayoutReply { call, result })
}

pub(crate) fn layout_id() -> impl Strategy<Value = LayoutId> {
    (layout_version(), any::<u128>()).prop_map(|(version, hash)| LayoutId { version, hash })
}

pub(crate) fn marks_of() -> impl Strategy<Value = MarksOf> {
    (node(), layout_id(), marks()).prop_map(|(node, head, marks)| MarksOf { node, head, marks })
}

pub(crate) fn staging() -> impl Strategy<Value = Staging> {
    let words = btree_map(number(), (any::<prop::sample::Index>(), unix(), any::<bool>()), 0..20);
    let targets = vec(targeted(NodeId(0)), 20);
    (layout_id(), words, targets).prop_map(|(base, words, targets)| {
        let change = |(id, (index, at, auto)): (u64, (prop::sample::Index, _, _))| {
            let node = NodeId(id);
            let target = match index.get(&targets).1.clone() {
                Target::Member(member) => Target::Member(Member { id: node, ..member }),
                other @ (Target::AsItIs | Target::Gone) => other,
            };
            StagedChange { node, target, at, auto }
        };
        Staging { base, changes: words.into_iter().map(change).collect() }
    })
}

/// What a disk keeps: layouts in force of one shape, and how they came about.
pub(crate) fn history() -> impl Strategy<Value = LayoutHistory> {
    let versions = btree_map(1..u64::MAX, any::<u16>(), 1..=LIVE_LAYOUTS_MAX);
    (layout_update(), versions, marks(), vec(past(), 0..5)).prop_map(
        |(LayoutUpdate { layout, addresses }, versions, marks, past)| {
            let live = versions.into_iter().map(|(version, turned)| {
                let mut owners = layout.owners().to_vec();
                let turned = usize::from(turned) % owners.len();
                owners.rotate_left(turned);
                let members = layout.members().to_vec();
                let version = LayoutVersion(version);
                let layout = Layout::from_parts(version, layout.replication(), members, owners);
                let layout = layout.expect("parts in order");
                Arc::new(LayoutUpdate { layout, addresses: addresses.clone() })
            });
            LayoutHistory::new(live.collect(), marks).expect("of one shape").with_past(past)
        },
    )
}

fn marks() -> impl Strategy<Value = Marks> {
    (layout_version(), layout_version(), layout_version()).prop_map(|(ack, sync, sync_ack)| Marks {
        ack,
        sync,
        sync_ack,
    })
}

fn targeted(node: NodeId) -> impl Strategy<Value = (NodeId, Target)> {
    let member = member().prop_map(move |member| Target::Member(Member { id: node, ..member }));
    let target = prop_oneof![Just(Target::AsItIs), Just(Target::Gone), member];
    target.prop_map(move |target| (node, target))
}

fn member() -> impl Strategy<Value = Member> {
    (node(), text(), text(), small()).prop_map(|(id, label, zone, weight)| Member {
        id,
        label,
        zone,
        weight,
    })
}

fn report() -> impl Strategy<Value = LayoutReport> {
    let live = vec(layout_update().prop_map(Arc::new), 0..2);
    let waits = || {
        let waits = (small(), nodes());
        vec(waits.prop_map(|(slot, peers)| SlotWaits { slot: Slot(slot), peers }), 0..20)
    };
    let told = (live, layout_version(), vec(marks_of(), 0..20), staging());
    (told, waits(), waits(), number()).prop_map(
        |((live, read, marks, staging), to_fill, to_give, hints)| LayoutReport {
            live,
            read,
            marks,
            staging,
            to_fill,
            to_give,
            hints,
        },
    )
}

fn past() -> impl Strategy<Value = PastLayout> {
    let members = || vec(member(), 0..10);
    (layout_id(), unix(), members(), members(), members(), small()).prop_map(
        |(id, at, joined, left, changed, slots_moved)| PastLayout {
            id,
            at,
            joined,
            left,
            changed,
            slots_moved,
        },
    )
}
