//! One request that this node runs.

use alloc::vec::Vec;

use crate::causality::{Context, Dot, Payload, Record};
use crate::ids::{Key, NodeId, RequestId};
use crate::message::{Entry, EntryValue, Receipt};
use crate::quorum::{Quorum, Replicas};
use crate::request;
use crate::ring::Slot;
use crate::time::Instant;
use crate::turn::{Asker, Turn};

/// A request under way, or answered and waiting for late replicas.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Who wants the answer: several where a retry met the first try; none once it is answered.
    pub(crate) askers: Vec<Asker>,
    pub(crate) key: Key,
    pub(crate) slot: Slot,
    /// The primaries of the key, in the order of its preference list.
    pub(crate) replicas: Vec<NodeId>,
    /// This node's index among them.
    pub(crate) own: usize,
    pub(crate) quorum: Quorum,
    /// Invariant: `(deadline, id)` is in the coordinator's `deadlines`.
    pub(crate) deadline: Instant,
    pub(crate) stage: Stage,
}

/// What a call is doing.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Reading from the replicas.
    Read {
        get: request::Get,
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
    },
}

impl Call {
    /// The index of `node` among the replicas.
    pub(crate) fn index_of(&self, node: NodeId) -> Option<usize> {
        self.replicas.iter().position(|replica| *replica == node)
    }

    /// The ids of `replicas`.
    pub(crate) fn nodes(&self, replicas: Replicas) -> Vec<NodeId> {
        replicas.iter().filter_map(|index| self.replicas.get(index).copied()).collect()
    }

    /// Who did what.
    pub(crate) fn receipt(
        &self,
        turn: &Turn<'_>,
        needed: u8,
        answered: Replicas,
        repaired: Replicas,
    ) -> Receipt {
        Receipt {
            coordinator: turn.config.id,
            primaries: self.nodes(answered),
            repaired: self.nodes(repaired),
            needed,
            layout_version: turn.config.layout.layout.version(),
        }
    }
}

/// The replicas within reach: this node, and those whose connection is up.
pub(crate) fn reachable(turn: &Turn<'_>, replicas: &[NodeId]) -> Replicas {
    let within = |(index, node): (usize, &NodeId)| {
        (*node == turn.config.id || turn.peers.is_up(*node)).then_some(index)
    };
    replicas.iter().enumerate().filter_map(within).collect()
}

/// What a reader is shown of a record.
pub(crate) fn entry(key: &Key, record: &Record) -> Entry {
    let context = sane_or!(
        record.context(),
        ContextClaimsMore => crate::causality::wrong::one_more(record)
    );
    let mut entry = Entry { context: context.to_token(key), ..Entry::default() };
    let values = record.values();
    sane_or!(let values, ShowsNewestOnly => values.into_iter().take(1).collect());
    for sibling in values {
        match &sibling.payload {
            Payload::Value(payload) => entry.values.push(EntryValue {
                payload: payload.clone(),
                checksum: sibling.checksum,
                written: sibling.written,
            }),
            Payload::Tombstone => entry.tombstones += 1,
        }
    }
    entry
}

/// Whether every value of a record matches its checksum.
pub(crate) fn is_intact(record: &Record) -> bool {
    record.siblings().all(|(_, sibling)| sibling.is_intact())
}
