//! Every comparison that replicas can make.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_core::causality::{Counter, HistoryOutline, Outline, Record};
use quorate_core::ids::Key;
use quorate_core::merkle::{Branch, Piece, StateHash};
use quorate_core::message::{
    BranchChildren, BranchHash, Compare, Compared, Comparison, Difference, Question,
};
use quorate_core::ring::Slot;

use crate::strategies::{
    actor, call, epoch, key, layout_version, number, record, seen, small, unix,
};

pub(crate) fn compare() -> impl Strategy<Value = Compare> {
    let branch_hash = (slot(), branch(), hash()).prop_map(|(slot, branch, hash)| BranchHash {
        slot,
        branch,
        hash,
    });
    let difference = (key(), outline(), hash().prop_map(StateHash))
        .prop_map(|(key, outline, theirs)| Difference { key, outline, theirs });
    let records = (slot(), vec(difference, 0..6), number());
    let question = prop_oneof![
        vec(branch_hash, 0..40).prop_map(Question::Branches),
        (piece(), option::of(key()), option::of(key()), states()).prop_map(
            |(piece, after, until, states)| Question::States { piece, after, until, states },
        ),
        records.prop_map(|(slot, keys, bytes_max)| Question::Records { slot, keys, bytes_max }),
        (piece(), option::of(key()), number())
            .prop_map(|(piece, after, bytes_max)| Question::Rest { piece, after, bytes_max }),
    ];
    (call(), layout_version(), small(), question).prop_map(
        |(call, layout_version, leaves, question)| Compare {
            call,
            layout_version,
            leaves,
            question,
        },
    )
}

pub(crate) fn compared() -> impl Strategy<Value = Compared> {
    let children = (slot(), branch(), vec(hash(), 0..20))
        .prop_map(|(slot, branch, children)| BranchChildren { slot, branch, children });
    let records = (vec((key(), record()), 0..4), vec(key(), 0..6), option::of(key()), epoch());
    let answer = prop_oneof![
        Just(Comparison::NotNow),
        (vec(children, 0..10), vec(slot(), 0..20))
            .prop_map(|(differ, busy)| Comparison::Branches { differ, busy }),
        (states(), option::of(key()))
            .prop_map(|(differ, until)| Comparison::States { differ, until }),
        records.prop_map(|(records, wants, until, epoch)| Comparison::Records {
            records,
            wants,
            until,
            epoch,
        }),
    ];
    (call(), answer).prop_map(|(call, answer)| Compared { call, answer })
}

fn slot() -> impl Strategy<Value = Slot> {
    small().prop_map(Slot)
}

fn piece() -> impl Strategy<Value = Piece> {
    (slot(), branch()).prop_map(|(slot, branch)| Piece { slot, branch })
}

fn branch() -> impl Strategy<Value = Branch> {
    (any::<u8>(), small()).prop_map(|(level, index)| Branch { level, index })
}

pub(crate) fn hash() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0), any::<u128>()]
}

pub(crate) fn states() -> impl Strategy<Value = Vec<(Key, StateHash)>> {
    vec((key(), hash().prop_map(StateHash)), 0..30)
}

/// Those of records, and others: a sender may say more than any record of ours would.
fn outline() -> impl Strategy<Value = Outline> {
    let live = vec(number(), 0..5).prop_map(|mut live| {
        live.sort_unstable();
        live.dedup();
        live.into_iter().map(Counter).collect()
    });
    let history = (seen(), unix(), live).prop_map(|(superseded, at, live)| HistoryOutline {
        superseded,
        at,
        live,
    });
    let any_outline = btree_map(actor(), history, 0..8)
        .prop_map(|histories| Outline::from_histories(histories).expect("ascending"));
    prop_oneof![record().prop_map(|record: Record| record.outline()), any_outline]
}
