//! What coordinators and replicas say to each other.

use super::request::digest_in;
use super::{DecodeError, malformed, record, wire};
use crate::causality::Record;
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::message::{
    CallId, MergeReason, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
};

pub(super) fn read_in(read: wire::ReplicaRead) -> Result<ReplicaRead, DecodeError> {
    let digest = digest_in(&read.digest)?;
    Ok(ReplicaRead { call: CallId(read.call), key: Key(read.key), digest, stand_in: read.stand_in })
}

pub(super) fn record_in(answer: wire::ReplicaRecord) -> Result<ReplicaRecord, DecodeError> {
    let state = match (answer.readable, answer.same) {
        (false, _) => ReplicaState::Unreadable,
        (true, true) => ReplicaState::Same,
        (true, false) => ReplicaState::Record(present(answer.record)?),
    };
    Ok(ReplicaRecord { call: CallId(answer.call), state })
}

pub(super) fn merge_in(merge: wire::ReplicaMerge) -> Result<ReplicaMerge, DecodeError> {
    let reason = match wire::MergeReason::try_from(merge.reason) {
        Ok(wire::MergeReason::MergeWrite) => MergeReason::Write,
        Ok(wire::MergeReason::MergeRepair) => MergeReason::Repair,
        Ok(wire::MergeReason::MergeHandoff) => MergeReason::Handoff,
        Ok(wire::MergeReason::MergeAntiEntropy) => MergeReason::AntiEntropy,
        Err(_) => return Err(malformed("a merge for an unknown reason")),
    };
    Ok(ReplicaMerge {
        call: CallId(merge.call),
        key: Key(merge.key),
        record: present(merge.record)?,
        hint_for: merge.hint_for.map(NodeId),
        reason,
        epoch: Epoch(merge.epoch),
        layout_version: LayoutVersion(merge.layout_version),
    })
}

pub(super) fn merged_in(merged: wire::ReplicaMerged) -> ReplicaMerged {
    ReplicaMerged { call: CallId(merged.call), durable: merged.durable }
}

fn present(record: Option<wire::Record>) -> Result<Record, DecodeError> {
    record::record_in(record.ok_or(malformed("a record is missing"))?)
}
