//! Get, put and the reply to them.

use alloc::sync::Arc;

use super::{DecodeError, byte, layout, malformed, nodes_in, nodes_out, wire};
use crate::causality::{Checksum, RecordDigest};
use crate::ids::{Key, NodeId, RequestId, Text};
use crate::layout::LayoutVersion;
use crate::limits::ZONE_BYTES_MAX;
use crate::message::{
    Answer, CallId, Change, Entry, EntryValue, Failure, FailureCode, Get, Outcome, Put,
    QuorumChoice, ReadKind, Receipt, Reply, RequestHead, StandIn, Strictness, Written,
};
use crate::time::{Duration, UnixMs, micros};
use wire::FailureCode as Code;

pub(super) fn get_in(get: wire::Get) -> Result<Get, DecodeError> {
    Ok(Get {
        head: RequestHead {
            call: CallId(get.call),
            key: Key(get.key),
            quorum: quorum_in(get.r, get.w)?,
            budget: Duration::from_millis(get.budget_ms.into()),
            layout_version: LayoutVersion(get.layout_version),
            passed_on: get.passed_on,
            receipt: get.receipt,
            strictness: strictness_in(get.strictness)?,
            zone: zone_in(&get.zone)?,
        },
        context: get.context,
        read: read_kind_in(get.read)?,
    })
}

pub(super) fn put_in(put: wire::Put) -> Result<Put, DecodeError> {
    let change = match put.change.ok_or(malformed("a PUT without a value and without a delete"))? {
        wire::put::Change::Value(value) => Change::Value {
            payload: value.payload,
            checksum: Checksum(value.checksum),
            ttl: value.ttl_ms.map(Duration::from_millis),
        },
        wire::put::Change::Delete(wire::Delete {}) => Change::Delete,
    };
    Ok(Put {
        head: RequestHead {
            call: CallId(put.call),
            key: Key(put.key),
            quorum: quorum_in(put.r, put.w)?,
            budget: Duration::from_millis(put.budget_ms.into()),
            layout_version: LayoutVersion(put.layout_version),
            passed_on: put.passed_on,
            receipt: put.receipt,
            strictness: strictness_in(put.strictness)?,
            zone: zone_in(&put.zone)?,
        },
        context: put.context,
        request: RequestId { client: put.request_client, sequence: put.request_sequence },
        change,
    })
}

pub(super) fn reply_in(reply: wire::Reply) -> Result<Reply, DecodeError> {
    use wire::reply::Result as In;
    let result = match reply.result.ok_or(malformed("a REPLY without a result"))? {
        In::Entry(entry) => Ok(Answer::Entry(entry_in(entry))),
        In::Written(written) => {
            Ok(Answer::Written(Written { context: written.context, siblings: written.siblings }))
        }
        In::Failure(failure) => Err(failure_in(failure)?),
    };
    Ok(Reply {
        call: CallId(reply.call),
        layout_version: LayoutVersion(reply.layout_version),
        layout: reply.layout.map(layout::layout_in).transpose()?.map(Arc::new),
        receipt: reply.receipt.map(receipt_in).transpose()?,
        passed_on_by: reply.passed_on_by.map(NodeId),
        down: nodes_in(reply.down),
        result,
        copy: digest_in(&reply.copy)?,
    })
}

pub(super) fn ceil_millis(time: Duration) -> u32 {
    // Rounded up: a budget of less than a millisecond is not none.
    u32::try_from(micros(time).div_ceil(1_000)).unwrap_or(u32::MAX)
}

fn strictness_in(strictness: i32) -> Result<Strictness, DecodeError> {
    match wire::Strictness::try_from(strictness) {
        Ok(wire::Strictness::Unspecified) => Ok(Strictness::Configured),
        Ok(wire::Strictness::Strict) => Ok(Strictness::Strict),
        Ok(wire::Strictness::Sloppy) => Ok(Strictness::Sloppy),
        Err(_) => Err(malformed("a request of an unknown strictness")),
    }
}

/// A zone that is to be counted in; none where there is no name.
pub(super) fn zone_in(name: &str) -> Result<Option<Text>, DecodeError> {
    if name.len() > ZONE_BYTES_MAX {
        return Err(malformed("the name of a zone is longer than any zone's"));
    }
    Ok((!name.is_empty()).then(|| name.into()))
}

fn read_kind_in(read: i32) -> Result<ReadKind, DecodeError> {
    match wire::ReadKind::try_from(read) {
        Ok(wire::ReadKind::ReadQuorum) => Ok(ReadKind::Quorum),
        Ok(wire::ReadKind::ReadData) => Ok(ReadKind::Data),
        Ok(wire::ReadKind::ReadDigest) => Ok(ReadKind::Digest),
        Err(_) => Err(malformed("a GET of an unknown kind")),
    }
}

/// 16 bytes, or nothing.
pub(super) fn digest_in(bytes: &[u8]) -> Result<Option<RecordDigest>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes = bytes.try_into().map_err(|_| malformed("a digest is not 16 bytes long"))?;
    Ok(Some(RecordDigest(u128::from_be_bytes(bytes))))
}

fn quorum_in(r: u32, w: u32) -> Result<QuorumChoice, DecodeError> {
    Ok(QuorumChoice { r: byte(r, "R is above 255")?, w: byte(w, "W is above 255")? })
}

fn entry_in(entry: wire::Entry) -> Entry {
    let values = entry.values.into_iter().map(|value| EntryValue {
        payload: value.payload,
        checksum: Checksum(value.checksum),
        written: UnixMs(value.written_ms),
        expires: value.expires_ms.map(UnixMs),
    });
    Entry { values: values.collect(), tombstones: entry.tombstones, context: entry.context }
}

pub(super) fn receipt_out(receipt: &Receipt) -> wire::Receipt {
    wire::Receipt {
        coordinator: receipt.coordinator.0,
        primaries: nodes_out(&receipt.primaries),
        repaired: nodes_out(&receipt.repaired),
        needed: receipt.needed.into(),
        layout_version: receipt.layout_version.0,
        fallbacks: receipt.fallbacks.iter().map(stand_in_out).collect(),
        zone: receipt.zone.as_deref().unwrap_or_default().into(),
    }
}

fn receipt_in(receipt: wire::Receipt) -> Result<Receipt, DecodeError> {
    Ok(Receipt {
        coordinator: NodeId(receipt.coordinator),
        primaries: nodes_in(receipt.primaries),
        repaired: nodes_in(receipt.repaired),
        needed: byte(receipt.needed, "a quorum above 255")?,
        layout_version: LayoutVersion(receipt.layout_version),
        fallbacks: receipt.fallbacks.into_iter().map(stand_in_in).collect(),
        zone: zone_in(&receipt.zone)?,
    })
}

fn stand_in_out(stand_in: &StandIn) -> wire::StandIn {
    wire::StandIn { node: stand_in.node.0, primary: stand_in.primary.0 }
}

fn stand_in_in(stand_in: wire::StandIn) -> StandIn {
    StandIn { node: NodeId(stand_in.node), primary: NodeId(stand_in.primary) }
}

pub(super) fn failure_out(failure: &Failure) -> wire::Failure {
    let code = match failure.code {
        FailureCode::QuorumUnavailable => Code::FailureQuorumUnavailable,
        FailureCode::Timeout => Code::FailureTimeout,
        FailureCode::Overloaded => Code::FailureOverloaded,
        FailureCode::WeakQuorum => Code::FailureWeakQuorum,
        FailureCode::BadQuorum => Code::FailureBadQuorum,
        FailureCode::BadContext => Code::FailureBadContext,
        FailureCode::KeySize => Code::FailureKeySize,
        FailureCode::ValueTooLarge => Code::FailureValueTooLarge,
        FailureCode::TooManySiblings => Code::FailureTooManySiblings,
        FailureCode::RecordTooLarge => Code::FailureRecordTooLarge,
        FailureCode::Damaged => Code::FailureDamaged,
        FailureCode::Storage => Code::FailureStorage,
        FailureCode::StorageFull => Code::FailureStorageFull,
        FailureCode::NotAPrimary => Code::FailureNotAPrimary,
        FailureCode::Stale => Code::FailureStale,
        FailureCode::NotReady => Code::FailureNotReady,
        FailureCode::BadTtl => Code::FailureBadTtl,
        FailureCode::Unrecognized => Code::FailureUnspecified,
    };
    wire::Failure {
        code: code.into(),
        unknown: failure.outcome == Outcome::Unknown,
        needed: failure.needed,
        acked: failure.acked,
        limit: failure.limit,
        actual: failure.actual,
        retry_after_ms: ceil_millis(failure.retry_after),
    }
}

fn failure_in(failure: wire::Failure) -> Result<Failure, DecodeError> {
    let code = match failure.code() {
        Code::FailureQuorumUnavailable => FailureCode::QuorumUnavailable,
        Code::FailureTimeout => FailureCode::Timeout,
        Code::FailureOverloaded => FailureCode::Overloaded,
        Code::FailureWeakQuorum => FailureCode::WeakQuorum,
        Code::FailureBadQuorum => FailureCode::BadQuorum,
        Code::FailureBadContext => FailureCode::BadContext,
        Code::FailureKeySize => FailureCode::KeySize,
        Code::FailureValueTooLarge => FailureCode::ValueTooLarge,
        Code::FailureTooManySiblings => FailureCode::TooManySiblings,
        Code::FailureRecordTooLarge => FailureCode::RecordTooLarge,
        Code::FailureDamaged => FailureCode::Damaged,
        Code::FailureStorage => FailureCode::Storage,
        Code::FailureStorageFull => FailureCode::StorageFull,
        Code::FailureNotAPrimary => FailureCode::NotAPrimary,
        Code::FailureStale => FailureCode::Stale,
        Code::FailureNotReady => FailureCode::NotReady,
        Code::FailureBadTtl => FailureCode::BadTtl,
        // Where a later version names a reason that is not known here, it is told as well.
        Code::FailureUnspecified => FailureCode::Unrecognized,
    };
    let outcome = if failure.unknown { Outcome::Unknown } else { Outcome::None };
    Ok(Failure {
        code,
        outcome,
        needed: failure.needed,
        acked: failure.acked,
        limit: failure.limit,
        actual: failure.actual,
        retry_after: Duration::from_millis(failure.retry_after_ms.into()),
    })
}
