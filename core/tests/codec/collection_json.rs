//! Collections as protobufjs spells them out.

use quorate_core::ids::Key;
use quorate_core::merkle::StateHash;
use quorate_core::message::{Collect, CollectAnswer, CollectStep, Collected, EpochOf};
use serde_json::Value;

use crate::exchange_json::{hash, state};
use crate::json::{Fields, base64, fields};

pub(crate) fn collect_fields(collect: &Collect) -> Fields {
    let common =
        fields().long("call", collect.call.0).long("layoutVersion", collect.layout_version.0);
    match &collect.step {
        CollectStep::Confirm { keys, since, floors } => {
            let key = |key: &Key| base64(key.as_bytes()).into();
            let floor = |floor: &EpochOf| epoch_fields(*floor).done();
            let asked = fields().list("keys", keys, key).optional_long("since", *since);
            common.message("confirm", asked.list("floors", floors, floor))
        }
        CollectStep::NewEpoch => common.message("newEpoch", fields()),
        CollectStep::Remove(records) => {
            common.message("remove", fields().list("records", records, state))
        }
    }
}

pub(crate) fn collected_fields(collected: &Collected) -> Fields {
    let common = fields().long("call", collected.call.0);
    match &collected.answer {
        CollectAnswer::NotNow => common,
        CollectAnswer::Confirmed { states, since } => {
            let answer = fields().list("held", states, held).long("since", *since);
            common.message("confirmed", answer)
        }
        CollectAnswer::Begun(epoch) => common.message("epoch", epoch_fields(*epoch)),
    }
}

fn held(state: &Option<StateHash>) -> Value {
    match state {
        Some(state) => hash(fields(), "state", state.0).done(),
        None => fields().flag("unsettled", true).done(),
    }
}

/// A number of fixed length is spelled out like any other.
fn epoch_fields(EpochOf { node, epoch }: EpochOf) -> Fields {
    fields().long("node", node.0).long("epoch", epoch.0)
}
