//! Examples of how operators change the layout.

use quorate_core::ids::NodeId;
use quorate_core::layout::{LayoutVersion, Member};
use quorate_core::message::{
    CallId, Gossip, LayoutAnswer, LayoutId, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest,
    Marks, MarksOf, Message, PastLayout, SlotFigures, SlotWaits, StagedChange, Staging, Target,
};
use quorate_core::ring::Slot;
use quorate_core::time::UnixMs;

use crate::examples::{GREAT, TIME_MS, layout_full, layout_minimal, text};

const BASE: LayoutId =
    LayoutId { version: LayoutVersion(300), hash: 0x0123_4567_89ab_cdef_0011_2233_4455_6677 };

const ANNA: NodeId = NodeId(0x0a00_0000_0000_0001);

pub(crate) fn changes(add: &mut impl FnMut(&str, Message)) {
    orders(add);
    answers(add);
    let gossip = |staging| Message::Gossip(Gossip { staging: Some(staging), ..Gossip::default() });
    add("gossip, nothing staged", gossip(Staging::default()));
    add("gossip, what is staged", gossip(staging_full()));
}

fn nobody(id: NodeId) -> Member {
    Member { id, label: text(""), zone: text(""), weight: 0 }
}

fn anna() -> Member {
    Member { id: ANNA, label: text("anna"), zone: text("s\u{fc}d"), weight: 300 }
}

fn staging_full() -> Staging {
    let change = |node, target, at, auto| StagedChange { node: NodeId(node), target, at, auto };
    Staging {
        base: BASE,
        changes: vec![
            change(0, Target::Member(nobody(NodeId(0))), UnixMs(0), false),
            change(7, Target::AsItIs, TIME_MS, false),
            change(ANNA.0, Target::Member(anna()), TIME_MS, true),
            change(u64::MAX, Target::Gone, UnixMs(u64::MAX), false),
        ],
    }
}

fn orders(add: &mut impl FnMut(&str, Message)) {
    let order = |call, order| Message::LayoutRequest(LayoutRequest { call: CallId(call), order });
    add("layout request, show, minimal", order(0, LayoutOrder::Show));
    add("layout request, show, full", order(u64::MAX, LayoutOrder::Show));
    add("layout request, measure", order(300, LayoutOrder::Measure));
    add("layout request, history", order(300, LayoutOrder::History));
    add("layout request, stage, minimal", order(0, LayoutOrder::Stage(Vec::new())));
    let targets = vec![
        (ANNA, Target::Member(anna())),
        (NodeId(u64::MAX), Target::Gone),
        // In any order, and more than once: the last one holds.
        (NodeId(0), Target::Member(nobody(NodeId(0)))),
        (ANNA, Target::AsItIs),
    ];
    add("layout request, stage, full", order(300, LayoutOrder::Stage(targets)));
    add("layout request, revert", order(300, LayoutOrder::Revert));
    add("layout request, commit, minimal", order(0, LayoutOrder::Commit(Staging::default())));
    add("layout request, commit, full", order(300, LayoutOrder::Commit(staging_full())));
}

fn answers(add: &mut impl FnMut(&str, Message)) {
    let least = |result| Message::LayoutReply(LayoutReply { call: CallId(0), result });
    let full = |result| Message::LayoutReply(LayoutReply { call: CallId(300), result });
    add("layout reply, refusal, minimal", least(Err(String::new())));
    add("layout reply, refusal", full(Err("nothing is staged: \u{1f511}".to_owned())));

    let minimal = LayoutAnswer::Report(LayoutReport::default());
    add("layout reply, report, minimal", least(Ok(minimal)));
    let nowhere = MarksOf { node: NodeId(0), head: LayoutId::default(), marks: Marks::default() };
    let zeros = LayoutReport {
        live: layout_minimal().into_iter().collect(),
        marks: vec![nowhere],
        to_fill: vec![SlotWaits { slot: Slot(0), peers: Vec::new() }],
        to_give: vec![SlotWaits { slot: Slot(0), peers: vec![NodeId(0)] }],
        ..LayoutReport::default()
    };
    add("layout reply, report, present zeros", least(Ok(LayoutAnswer::Report(zeros))));
    let [ack, sync, sync_ack] = [300, 299, 298].map(LayoutVersion);
    let report = LayoutReport {
        live: layout_full().into_iter().collect(),
        read: LayoutVersion(299),
        marks: vec![
            MarksOf { node: ANNA, head: BASE, marks: Marks { ack, sync, sync_ack } },
            nowhere,
        ],
        staging: staging_full(),
        to_fill: vec![
            SlotWaits { slot: Slot(3), peers: vec![ANNA, NodeId(u64::MAX)] },
            SlotWaits { slot: Slot(65_535), peers: vec![NodeId(GREAT)] },
        ],
        to_give: vec![
            SlotWaits { slot: Slot(0), peers: vec![ANNA] },
            SlotWaits { slot: Slot(7), peers: Vec::new() },
        ],
        hints: 1 << 53,
    };
    add("layout reply, report, full", full(Ok(LayoutAnswer::Report(report))));

    add("layout reply, figures, minimal", least(Ok(LayoutAnswer::Figures(Vec::new()))));
    let figures = vec![
        SlotFigures { slot: Slot(0), records: 0, bytes: 0 },
        SlotFigures { slot: Slot(65_535), records: 300, bytes: u64::MAX },
    ];
    add("layout reply, figures, full", full(Ok(LayoutAnswer::Figures(figures))));

    add("layout reply, history, minimal", least(Ok(LayoutAnswer::Past(Vec::new()))));
    let first = PastLayout {
        id: LayoutId::default(),
        at: UnixMs(0),
        joined: Vec::new(),
        left: Vec::new(),
        changed: Vec::new(),
        slots_moved: 0,
    };
    let next = PastLayout {
        id: BASE,
        at: TIME_MS,
        joined: vec![nobody(NodeId(0)), anna()],
        left: vec![nobody(NodeId(7))],
        changed: vec![anna(), nobody(NodeId(u64::MAX))],
        slots_moved: 65_536,
    };
    add("layout reply, history, full", full(Ok(LayoutAnswer::Past(vec![first, next]))));

    add("layout reply, staged, minimal", least(Ok(LayoutAnswer::Staged(Staging::default()))));
    add("layout reply, staged, full", full(Ok(LayoutAnswer::Staged(staging_full()))));
    let committed = |version| Ok(LayoutAnswer::Committed(LayoutVersion(version)));
    add("layout reply, committed, minimal", least(committed(0)));
    add("layout reply, committed, full", full(committed(GREAT)));
}
