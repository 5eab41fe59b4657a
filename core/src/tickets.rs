//! Storage operations under way, and what each answer is for.

use alloc::collections::BTreeMap;

use crate::causality::RecordDigest;
use crate::config::NodeConfig;
use crate::ids::NodeId;
use crate::machine::{Effect, Effects, Peer, StoreOp, Ticket};
use crate::message::{CallId, MergeReason};
use crate::ring::Slot;

/// Who waits for an operation of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call that this node coordinates; as a fallback it keeps what is written as a hint.
    Call { call: CallId, hint_for: Option<NodeId> },
    /// A read for the coordinator on another node, under its call, which has a record of the given
    /// digest.
    Read { from: Peer, call: CallId, digest: Option<RecordDigest> },
    /// A merge for the coordinator on another node, under its call.
    Merge { from: Peer, call: CallId },
    /// A repair of this node's own record.
    Repair,
    /// A hint for the given target, for the coordinator on another node, under its call.
    Hint { from: Peer, call: CallId, target: NodeId },
    /// Hints of the given target that are to be handed over.
    Handoff { target: NodeId, call: CallId },
    /// The count of all hints.
    HintCount,
    /// A new layout.
    Layout,
}

/// The operations under way. A late answer dies by its ticket.
#[derive(Clone, Debug)]
pub(crate) struct Tickets {
    /// Operations above which nothing more is begun.
    limit: usize,
    /// The last ticket that was given.
    last: u64,
    /// What each open ticket is for.
    open: BTreeMap<Ticket, Purpose>,
}

impl Tickets {
    pub(crate) fn new(config: &NodeConfig) -> Tickets {
        Tickets { limit: config.limits.store_ops_max, last: 0, open: BTreeMap::new() }
    }

    /// Whether the storage has more to do than it may. Asked before anything is begun: what is
    /// begun is stored, too.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= self.limit
    }

    /// The same for what is sent for a `reason`: what nobody waits for gives way first.
    pub(crate) fn is_full_for(&self, reason: MergeReason) -> bool {
        let room = match reason {
            MergeReason::Write => self.limit,
            MergeReason::Repair => self.limit / 4 * 3,
            MergeReason::Handoff => self.limit / 2,
        };
        self.open.len() >= room
    }

    /// Runs an operation.
    pub(crate) fn store(
        &mut self,
        purpose: Purpose,
        slot: impl Into<Option<Slot>>,
        op: StoreOp,
        out: &mut Effects<Effect>,
    ) {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.open.insert(ticket, purpose);
        out.push(Effect::Store { ticket, slot: slot.into(), op });
    }

    /// The ticket of the operation that was run last.
    pub(crate) fn last(&self) -> Ticket {
        Ticket(self.last)
    }

    /// What an answer is for; the ticket stays open where another answer follows.
    pub(crate) fn purpose(&mut self, ticket: Ticket, more_follow: bool) -> Option<Purpose> {
        if more_follow { self.open.get(&ticket).copied() } else { self.open.remove(&ticket) }
    }

    /// How many operations are under way.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
