//! What coordinators and replicas say to each other.

use bytes::Bytes;

use super::{DecodeError, malformed, record, wire};
use crate::causality::{Record, RecordDigest};
use crate::ids::{Epoch, Key, NodeId};
use crate::message::{
    CallId, MergeReason, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
};

pub(super) fn read_out(read: &ReplicaRead) -> wire::ReplicaRead {
    let digest = read.digest.map(|digest| Bytes::copy_from_slice(&digest.0.to_be_bytes()));
    wire::ReplicaRead {
        call: read.call.0,
        key: read.key.0.clone(),
        digest: digest.unwrap_or_default(),
        stand_in: read.stand_in,
    }
}

pub(super) fn read_in(read: wire::ReplicaRead) -> Result<ReplicaRead, DecodeError> {
    let digest = match &*read.digest {
        [] => None,
        bytes => {
            let bytes = bytes.try_into().map_err(|_| malformed("a digest is not 16 bytes long"))?;
            Some(RecordDigest(u128::from_be_bytes(bytes)))
        }
    };
    Ok(ReplicaRead { call: CallId(read.call), key: Key(read.key), digest, stand_in: read.stand_in })
}

pub(super) fn record_out(answer: &ReplicaRecord) -> wire::ReplicaRecord {
    let (readable, same, record) = match &answer.state {
        ReplicaState::Unreadable => (false, false, None),
        ReplicaState::Same => (true, true, None),
        ReplicaState::Record(record) => (true, false, Some(record::record_out(record))),
    };
    wire::ReplicaRecord { call: answer.call.0, readable, record, same }
}

pub(super) fn record_in(answer: wire::ReplicaRecord) -> Result<ReplicaRecord, DecodeError> {
    let state = match (answer.readable, answer.same) {
        (false, _) => ReplicaState::Unreadable,
        (true, true) => ReplicaState::Same,
        (true, false) => ReplicaState::Record(present(answer.record)?),
    };
    Ok(ReplicaRecord { call: CallId(answer.call), state })
}

pub(super) fn merge_out(merge: &ReplicaMerge) -> wire::ReplicaMerge {
    let reason = match merge.reason {
        MergeReason::Write => wire::MergeReason::MergeWrite,
        MergeReason::Repair => wire::MergeReason::MergeRepair,
        MergeReason::Handoff => wire::MergeReason::MergeHandoff,
        MergeReason::AntiEntropy => wire::MergeReason::MergeAntiEntropy,
    };
    wire::ReplicaMerge {
        call: merge.call.0,
        key: merge.key.0.clone(),
        record: Some(record::record_out(&merge.record)),
        hint_for: merge.hint_for.map(|node| node.0),
        reason: reason.into(),
        epoch: merge.epoch.0,
    }
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
    })
}

pub(super) fn merged_out(merged: ReplicaMerged) -> wire::ReplicaMerged {
    wire::ReplicaMerged { call: merged.call.0, durable: merged.durable }
}

pub(super) fn merged_in(merged: wire::ReplicaMerged) -> ReplicaMerged {
    ReplicaMerged { call: CallId(merged.call), durable: merged.durable }
}

fn present(record: Option<wire::Record>) -> Result<Record, DecodeError> {
    record::record_in(record.ok_or(malformed("a record is missing"))?)
}
