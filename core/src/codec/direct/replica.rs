//! What coordinators and replicas say to each other.

use super::part::{Part, Writer};
use super::{Reader, record};
use crate::codec::wire;
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::message::{
    CallId, MergeReason, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord, ReplicaState,
};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<ReplicaRead> {
    let call = CallId(reader.number(1)?);
    let key = Key(reader.bytes(2)?);
    let digest = record::digest(reader, 3)?;
    Some(ReplicaRead { call, key, digest, stand_in: reader.flag(4)? })
}

pub(super) fn record(reader: &mut Reader<'_>) -> Option<ReplicaRecord> {
    let call = CallId(reader.number(1)?);
    let readable = reader.flag(2)?;
    let record = reader.nested(3, record::record)?;
    let state = match (readable, record, reader.flag(4)?) {
        (true, Some(record), false) => ReplicaState::Record(record),
        (true, None, true) => ReplicaState::Same,
        (false, None, false) => ReplicaState::Unreadable,
        _ => return None,
    };
    Some(ReplicaRecord { call, state })
}

pub(super) fn merge(reader: &mut Reader<'_>) -> Option<ReplicaMerge> {
    Some(ReplicaMerge {
        call: CallId(reader.number(1)?),
        key: Key(reader.bytes(2)?),
        record: reader.one(3, record::record)?,
        hint_for: reader.optional_fixed64(4)?.map(NodeId),
        reason: reason_in(reader.number(5)?)?,
        epoch: Epoch(reader.fixed64(6)?),
        layout_version: LayoutVersion(reader.number(7)?),
    })
}

pub(super) fn merged(reader: &mut Reader<'_>) -> Option<ReplicaMerged> {
    Some(ReplicaMerged { call: CallId(reader.number(1)?), durable: reader.flag(2)? })
}

impl Part for ReplicaRead {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.call.0);
        writer.bytes(2, self.key.as_bytes());
        record::write_digest(self.digest, 3, writer);
        writer.number(4, self.stand_in);
    }

    fn guess(&self) -> usize {
        self.key.as_bytes().len() + 26
    }
}

impl Part for ReplicaRecord {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.call.0);
        writer.number(2, !matches!(self.state, ReplicaState::Unreadable));
        if let ReplicaState::Record(record) = &self.state {
            writer.part(3, record);
        }
        writer.number(4, matches!(self.state, ReplicaState::Same));
    }

    fn guess(&self) -> usize {
        match &self.state {
            ReplicaState::Record(record) => record.guess() + 10,
            ReplicaState::Same | ReplicaState::Unreadable => 0,
        }
    }
}

impl Part for ReplicaMerge {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.call.0);
        writer.bytes(2, self.key.as_bytes());
        writer.part(3, &self.record);
        writer.optional_fixed64(4, self.hint_for.map(|node| node.0));
        writer.number(5, reason_out(self.reason) as u32);
        writer.fixed64(6, self.epoch.0);
        writer.number(7, self.layout_version.0);
    }

    fn guess(&self) -> usize {
        self.key.as_bytes().len() + self.record.guess() + 27
    }
}

impl Part for ReplicaMerged {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.call.0);
        writer.number(2, self.durable);
    }
}

fn reason_in(reason: u64) -> Option<MergeReason> {
    let reasons =
        [MergeReason::Write, MergeReason::Repair, MergeReason::Handoff, MergeReason::AntiEntropy];
    reasons.into_iter().find(|known| reason_out(*known) as u64 == reason)
}

fn reason_out(reason: MergeReason) -> wire::MergeReason {
    match reason {
        MergeReason::Write => wire::MergeReason::MergeWrite,
        MergeReason::Repair => wire::MergeReason::MergeRepair,
        MergeReason::Handoff => wire::MergeReason::MergeHandoff,
        MergeReason::AntiEntropy => wire::MergeReason::MergeAntiEntropy,
    }
}
