//! Comparisons of replicas as protobufjs spells them out.

use quorate_core::causality::{Actor, HistoryOutline, Record};
use quorate_core::ids::Key;
use quorate_core::merkle::{Piece, StateHash};
use quorate_core::message::{
    BranchChildren, BranchHash, Compare, Compared, Comparison, Difference, Question,
};
use quorate_core::ring::Slot;
use serde_json::Value;

use crate::json::{Fields, actor_fields, base64, fields, record_fields, seen_fields};

pub(crate) fn compare_fields(compare: &Compare) -> Fields {
    let common = fields()
        .long("call", compare.call.0)
        .long("layoutVersion", compare.layout_version.0)
        .small("leaves", compare.leaves);
    match &compare.question {
        Question::Branches(branches) => {
            common.message("branches", fields().list("branches", branches, branch))
        }
        Question::States { piece, after, until, states } => {
            let asked = optional_key(piece_fields(*piece), "after", after.as_ref());
            let asked = optional_key(asked, "until", until.as_ref());
            common.message("states", asked.list("states", states, state))
        }
        Question::Records { slot, keys, bytes_max } => {
            let asked = fields().small("slot", slot.0).list("keys", keys, outline);
            common.message("records", asked.long("bytesMax", *bytes_max))
        }
        Question::Rest { piece, after, bytes_max } => {
            let asked = optional_key(piece_fields(*piece), "after", after.as_ref());
            common.message("rest", asked.long("bytesMax", *bytes_max))
        }
    }
}

pub(crate) fn compared_fields(compared: &Compared) -> Fields {
    let common = fields().long("call", compared.call.0);
    match &compared.answer {
        Comparison::NotNow => common,
        Comparison::Branches { differ, busy } => {
            let slot = |slot: &Slot| slot.0.into();
            let answer = fields().list("differ", differ, children).list("busy", busy, slot);
            common.message("branches", answer)
        }
        Comparison::States { differ, until } => {
            let answer = fields().list("differ", differ, state);
            common.message("states", optional_key(answer, "until", until.as_ref()))
        }
        Comparison::Records { records, wants, until, epoch } => {
            let want = |key: &Key| base64(key.as_bytes()).into();
            let answer = fields().list("records", records, key_record).list("wants", wants, want);
            let answer = optional_key(answer, "until", until.as_ref());
            common.message("records", answer.long("epoch", epoch.0))
        }
    }
}

fn piece_fields(piece: Piece) -> Fields {
    let Piece { slot, branch } = piece;
    fields().small("slot", slot.0).small("level", branch.level).small("index", branch.index)
}

fn optional_key(fields: Fields, name: &str, key: Option<&Key>) -> Fields {
    match key {
        Some(key) => fields.set(name, base64(key.as_bytes()).into()),
        None => fields,
    }
}

pub(crate) fn hash(fields: Fields, name: &str, hash: u128) -> Fields {
    if hash == 0 { fields } else { fields.bytes(name, &hash.to_be_bytes()) }
}

fn branch(asked: &BranchHash) -> Value {
    let place = fields()
        .small("slot", asked.slot.0)
        .small("level", asked.branch.level)
        .small("index", asked.branch.index);
    hash(place, "hash", asked.hash).done()
}

fn children(branch: &BranchChildren) -> Value {
    let hashes: Vec<u8> = branch.children.iter().flat_map(|hash| hash.to_be_bytes()).collect();
    fields()
        .small("slot", branch.slot.0)
        .small("level", branch.branch.level)
        .small("index", branch.branch.index)
        .bytes("children", &hashes)
        .done()
}

pub(crate) fn state((key, state): &(Key, StateHash)) -> Value {
    hash(fields().bytes("key", key.as_bytes()), "state", state.0).done()
}

fn outline(difference: &Difference) -> Value {
    let Difference { key, outline, theirs } = difference;
    let histories: Vec<_> = outline.histories().collect();
    let history = |(actor, history): &(Actor, &HistoryOutline)| {
        fields()
            .message("actor", actor_fields(*actor))
            .message("superseded", seen_fields(&history.superseded))
            .long("atMs", history.at.0)
            .list("live", &history.live, |counter| counter.0.to_string().into())
            .done()
    };
    let known = fields().bytes("key", key.as_bytes()).list("histories", &histories, history);
    hash(known, "state", theirs.0).done()
}

fn key_record((key, record): &(Key, Record)) -> Value {
    fields().bytes("key", key.as_bytes()).message("record", record_fields(record)).done()
}
