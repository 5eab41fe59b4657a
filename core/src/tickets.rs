//! Storage operations under way, and what each answer is for.

use alloc::collections::BTreeMap;

use crate::config::NodeConfig;
use crate::machine::{Effect, Effects, Peer, StoreOp, Ticket};
use crate::message::CallId;
use crate::ring::Slot;

/// Who waits for an operation of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call that this node coordinates.
    Call(CallId),
    /// A read or merge for the coordinator on another node, under its call.
    Replica(Peer, CallId),
    /// A repair of this node's own record.
    Repair,
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

    /// Runs an operation.
    pub(crate) fn store(
        &mut self,
        purpose: Purpose,
        slot: Slot,
        op: StoreOp,
        out: &mut Effects<Effect>,
    ) {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.open.insert(ticket, purpose);
        out.push(Effect::Store { ticket, slot, op });
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
