//! What happens in a world and concerns no promise: the log and the marks see it, no invariant.

use quorate_core::ids::Key;
use quorate_core::machine::StoreOutcome;
use quorate_core::message::Message;

use crate::network::End;

/// Something that happened, beside the [`Observation`](crate::Observation)s.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail<'a> {
    /// A frame goes no further, or not for now.
    Stopped { from: End, to: End, message: &'a Message, by: Obstacle },
    /// A storage answers a read, or a change that it did not carry out.
    Answered { node: usize, key: &'a Key, outcome: &'a StoreOutcome },
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
    /// The link is cut, or its weather loses the frame.
    Link,
    /// The connection is gone.
    Connection,
    /// Whoever should receive it is gone.
    Receiver,
}
