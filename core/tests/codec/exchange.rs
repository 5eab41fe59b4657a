//! Examples of how replicas compare what they hold.

use quorate_core::causality::{Outline, Record};
use quorate_core::ids::{Epoch, Key};
use quorate_core::layout::LayoutVersion;
use quorate_core::merkle::{Branch, Piece, StateHash};
use quorate_core::message::{
    BranchChildren, BranchHash, CallId, Compare, Compared, Comparison, Difference, Message,
    Question,
};
use quorate_core::ring::Slot;

use crate::between_nodes::record;
use crate::examples::GREAT;

const HASH: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

const NOWHERE: Piece = Piece { slot: Slot(0), branch: Branch::ROOT };

const LEAF: Piece = Piece { slot: Slot(65_535), branch: Branch { level: 4, index: 300 } };

pub(crate) fn between_trees(add: &mut impl FnMut(&str, Message)) {
    questions(add);
    answers(add);
}

fn questions(add: &mut impl FnMut(&str, Message)) {
    let least = |question| {
        let (call, layout_version) = (CallId(0), LayoutVersion(0));
        Message::Compare(Compare { call, layout_version, leaves: 0, question })
    };
    let full = |question| {
        let (call, layout_version) = (CallId(300), LayoutVersion(GREAT));
        Message::Compare(Compare { call, layout_version, leaves: 65_536, question })
    };
    let root = BranchHash { slot: Slot(0), branch: Branch::ROOT, hash: 0 };
    let branch = Branch { level: 3, index: 70_000 };
    let branches = vec![root, BranchHash { slot: Slot(65_535), branch, hash: HASH }];
    add("compare of no branches", least(Question::Branches(Vec::new())));
    add("compare of branches", full(Question::Branches(branches)));

    let window = |piece, after, until, states| Question::States { piece, after, until, states };
    add("compare of states, minimal", least(window(NOWHERE, None, None, Vec::new())));
    let zero = Some(Key::from(vec![]));
    let zeros = vec![(Key::from(vec![]), StateHash(0))];
    add(
        "compare of states, present zeros",
        least(window(NOWHERE, zero.clone(), zero.clone(), zeros)),
    );
    let states =
        vec![(Key::from("cart"), StateHash(HASH)), (Key::from("list"), StateHash(u128::MAX))];
    let (after, until) = (Some(Key::from("bag")), Some(Key::from("list")));
    add("compare of states, full", full(window(LEAF, after.clone(), until, states)));

    let records = |slot, keys, bytes_max| Question::Records { slot, keys, bytes_max };
    add("compare of records, minimal", least(records(Slot(0), Vec::new(), 0)));
    let difference = |key, outline, theirs| Difference { key, outline, theirs: StateHash(theirs) };
    let keys = vec![
        difference(Key::from("cart"), record().outline(), HASH),
        difference(Key::from("list"), Outline::default(), u128::MAX),
        difference(Key::from(vec![]), Outline::default(), 0),
    ];
    add("compare of records, full", full(records(Slot(70_000), keys, 1 << 53)));

    let rest = |piece, after, bytes_max| Question::Rest { piece, after, bytes_max };
    add("compare of the rest, minimal", least(rest(NOWHERE, None, 0)));
    add("compare of the rest, present zero", least(rest(NOWHERE, zero, 0)));
    add("compare of the rest, full", full(rest(LEAF, after, u64::MAX)));
}

fn answers(add: &mut impl FnMut(&str, Message)) {
    let least = |answer| Message::Compared(Compared { call: CallId(0), answer });
    let full = |answer| Message::Compared(Compared { call: CallId(300), answer });
    add("compared: not now, minimal", least(Comparison::NotNow));
    add("compared: not now", full(Comparison::NotNow));

    let branches = |differ, busy| Comparison::Branches { differ, busy };
    add("compared branches, minimal", least(branches(Vec::new(), Vec::new())));
    let mut children = vec![0; 16];
    (children[0], children[15]) = (HASH, u128::MAX);
    let leaf = Branch { level: 2, index: 255 };
    let differ = vec![
        BranchChildren { slot: Slot(0), branch: Branch::ROOT, children },
        BranchChildren { slot: Slot(65_535), branch: leaf, children: vec![HASH] },
    ];
    add("compared branches, full", full(branches(differ, vec![Slot(0), Slot(70_000)])));

    let states = |differ, until| Comparison::States { differ, until };
    let zero = Some(Key::from(vec![]));
    add("compared states, minimal", least(states(Vec::new(), None)));
    let zeros = vec![(Key::from(vec![]), StateHash(0))];
    add("compared states, present zeros", least(states(zeros, zero.clone())));
    let differ = vec![(Key::from("cart"), StateHash(HASH)), (Key::from("list"), StateHash(0))];
    add("compared states, full", full(states(differ, Some(Key::from("list")))));

    let records =
        |records, wants, until, epoch| Comparison::Records { records, wants, until, epoch };
    add("compared records, minimal", least(records(Vec::new(), Vec::new(), None, Epoch(0))));
    let nothing = (Key::from(vec![]), Record::new());
    let zeros = records(vec![nothing], vec![Key::from(vec![])], zero, Epoch(0));
    add("compared records, present zeros", least(zeros));
    let given = vec![(Key::from("cart"), record())];
    let wants = vec![Key::from("bag"), Key::from("list")];
    let answer = records(given, wants, Some(Key::from("cart")), Epoch(GREAT));
    add("compared records, full", full(answer));
}
