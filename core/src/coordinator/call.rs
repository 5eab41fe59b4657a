//! One request that this node runs.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::roster::Roster;
use crate::causality::{Context, Dot, Record, RecordDigest};
use crate::ids::{Epoch, Key, NodeId, RequestId, Text};
use crate::incoming::Asker;
use crate::layouts::Begun;
use crate::message::{Entry, EntryValue, Receipt, StandIn};
use crate::quorum::{Quorum, Replicas};
use crate::request;
use crate::time::{Instant, UnixMs};
use crate::turn::Turn;

/// A request under way, or answered and waiting for late replicas.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Who wants the answer: several where a retry met the first try; none once it is answered.
    pub(crate) askers: Vec<Asker>,
    pub(crate) key: Key,
    pub(crate) roster: Roster,
    pub(crate) quorum: Quorum,
    /// Whether fallbacks count.
    pub(crate) sloppy: bool,
    /// The zone in which a local request is to be counted, where it has primaries of the key.
    pub(crate) zone: Option<Text>,
    /// When it began.
    pub(crate) begun: Instant,
    /// This node's epoch when it began: all that it holds in memory was read after that.
    pub(crate) epoch: Epoch,
    /// The layouts that it goes by.
    pub(crate) layouts: Begun,
    /// When it ends at the latest.
    pub(crate) deadline: Instant,
    /// When something is to be done about it; at most `deadline`.
    /// Invariant: `(timer, id)` is in the coordinator's `timers`.
    pub(crate) timer: Instant,
    pub(crate) stage: Stage,
}

/// What a call is doing.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Reading from the replicas.
    Read {
        get: request::Get,
        /// What this node itself holds, once it is known: others need not send the same.
        own: Option<OwnCopy>,
        /// Whether the others were asked.
        asked: bool,
        /// A delete that is to cover what the read returns.
        then: Option<RequestId>,
    },
    /// Writing to the replicas.
    Write {
        put: request::Put,
        /// What the writer had been shown.
        context: Context,
        request: RequestId,
        /// The name of the write, once it is applied.
        dot: Option<Dot>,
        /// Distinct siblings that stand after it.
        siblings: u32,
        /// What the others are sent, once it is applied.
        record: Record,
    },
}

/// What a node that reads holds itself.
#[derive(Clone, Debug)]
pub(crate) struct OwnCopy {
    pub(crate) record: Arc<Record>,
    /// Its digest, once somebody was asked.
    digest: Option<RecordDigest>,
}

impl OwnCopy {
    pub(crate) fn new(record: Arc<Record>) -> OwnCopy {
        OwnCopy { record, digest: None }
    }

    pub(crate) fn digest(&mut self) -> RecordDigest {
        *self.digest.get_or_insert_with(|| self.record.digest())
    }
}

impl Call {
    /// When half of the time is over.
    pub(crate) fn half_time(&self) -> Instant {
        self.begun + self.deadline.since(self.begun) / 2
    }

    /// Whether somebody who asked wants to know who did what.
    pub(crate) fn wants_receipt(&self) -> bool {
        self.askers.iter().any(|asker| asker.receipt)
    }

    /// Who did what.
    pub(crate) fn receipt(
        &self,
        turn: &Turn<'_>,
        needed: usize,
        answered: Replicas,
        repaired: Replicas,
    ) -> Receipt {
        let stand_ins: Vec<(usize, usize)> = match &self.stage {
            Stage::Read { get, .. } => get.stand_ins().collect(),
            Stage::Write { put, .. } => put.stand_ins().collect(),
        };
        let stood_in = stand_ins.into_iter().filter(|(index, _)| answered.contains(*index));
        let stand_in = |(index, primary)| StandIn {
            node: self.roster.node(index),
            primary: self.roster.node(primary),
        };
        Receipt {
            coordinator: turn.config.id,
            primaries: self.roster.primaries_of(answered),
            repaired: self.roster.primaries_of(repaired),
            needed: u8::try_from(needed).unwrap_or(u8::MAX),
            layout_version: self.layouts.read.version,
            fallbacks: stood_in.map(stand_in).collect(),
            zone: self.roster.zone().cloned(),
        }
    }

    /// The primary that the node of `index` stands in for.
    pub(crate) fn hint_for(&self, index: usize) -> Option<NodeId> {
        let primary = |(stand_in, primary)| (stand_in == index).then_some(primary);
        let primary = match &self.stage {
            Stage::Read { get, .. } => get.stand_ins().find_map(primary),
            Stage::Write { put, .. } => put.stand_ins().find_map(primary),
        };
        primary.map(|primary| self.roster.node(primary))
    }
}

/// What a reader at `now` is shown of a record. Of a value that has expired it is told only that it
/// is covered, as if it were deleted.
pub(crate) fn entry(key: &Key, record: &Record, now: UnixMs) -> Entry {
    let context = sane_or!(
        record.context(),
        ContextClaimsMore => crate::causality::wrong::one_more(record)
    );
    let mut entry = Entry { context: context.to_token(key), ..Entry::default() };
    let values = record.values();
    sane_or!(let values, ShowsNewestOnly => values.into_iter().take(1).collect());
    sane_or!(let values, ExpiredHidesLive => crate::causality::wrong::expired_if_any(values, now));
    for sibling in values {
        sane_or!(let now, ExpiredIsShown => UnixMs(0));
        match sibling.value_at(now) {
            Some(payload) => entry.values.push(EntryValue {
                payload: payload.clone(),
                checksum: sibling.checksum,
                written: sibling.written,
                expires: sibling.expires,
            }),
            None => entry.tombstones += 1,
        }
    }
    entry
}
