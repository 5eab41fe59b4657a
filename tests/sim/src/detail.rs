//! What happens in a world and concerns no promise: the log and the marks see it, no invariant.

use quorate_core::machine::{StoreOp, StoreOutcome, Ticket};
use quorate_core::message::Message;

use crate::network::End;

/// Something that happened, beside the [`Observation`](crate::Observation)s.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail<'a> {
    /// A frame goes no further, or not for now.
    Stopped { from: End, to: End, message: &'a Message, by: Obstacle },
    /// A storage answers, other than that it carried out a change to a record.
    Answered { node: usize, ticket: Ticket, op: &'a StoreOp, outcome: &'a StoreOutcome },
    /// A node learns what its storage answers to an operation.
    Learned { node: usize, ticket: Ticket },
    /// A sync failed while so many changes waited for it.
    SyncFailed { node: usize, waiting: usize },
    /// A node stands still.
    Paused { node: usize },
    /// A client stands still.
    Frozen { client: usize },
}

/// What stops a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// A rule holds it.
    Hold,
    /// A rule loses it.
    Rule,
    /// The link is cut.
    Cut,
    /// The weather of the link loses it.
    Weather,
    /// The sender has no connection.
    Unconnected,
    /// The connection broke while it was under way.
    Connection,
    /// Whoever should receive it is gone.
    Receiver,
}
