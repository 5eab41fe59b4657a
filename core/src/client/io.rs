//! What comes into a client and what goes out.

use super::{CallError, Completion, DownReason};
use crate::ids::{NodeId, Text};
use crate::layout::LayoutVersion;
use crate::message::{CallId, Message, Reject};
use crate::time::Duration;

/// One connection of a client. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u32);

/// What happened to a client.
#[derive(Clone, Debug, PartialEq, Hash)]
#[allow(clippy::large_enum_variant, reason = "nearly all inputs are frames")]
pub enum ClientInput {
    /// A dial succeeded.
    Opened(Link),
    /// A connection is gone, or a dial failed.
    Closed(Link),
    /// A frame arrived.
    Frame {
        /// On which connection.
        link: Link,
        /// What it says.
        message: Message,
    },
    /// Time has passed.
    Wake,
    /// Whoever runs the client knows better when to dial what failed.
    Redial {
        /// Which address; `None`: all that are not given up.
        address: Option<Text>,
        /// After how long; `None`: it is given up.
        wait: Option<Duration>,
    },
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum ClientEffect {
    /// Open a connection; ends in `Opened` or `Closed`.
    Dial {
        /// Names it from here on.
        link: Link,
        /// A WebSocket URL.
        address: Text,
    },
    /// Send a frame.
    Send {
        /// On which connection.
        link: Link,
        /// What.
        message: Message,
    },
    /// Close a connection; nothing more is wanted from it.
    Hangup(Link),
    /// A call has ended.
    Complete {
        /// Which.
        call: CallId,
        /// How.
        result: Result<Completion, CallError>,
    },
    /// A ping was answered.
    Pong {
        /// Which.
        call: CallId,
        /// After how long.
        took: Duration,
    },
    /// Tell people.
    Observe(ClientEvent),
}

/// What users of a client may want to know.
#[derive(Clone, Debug, PartialEq, Hash)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A node has welcomed the client.
    Connected {
        /// Which.
        node: NodeId,
        /// Where.
        address: Text,
    },
    /// A connection is gone, or could not be made.
    Disconnected {
        /// The node, if it had welcomed the client.
        node: Option<NodeId>,
        /// Where.
        address: Text,
    },
    /// The client goes around a node from here on, as far as it can.
    NodeDown {
        /// Which.
        node: NodeId,
        /// Why.
        reason: DownReason,
    },
    /// A node that was down answers, or others have reached it.
    NodeUp {
        /// Which.
        node: NodeId,
    },
    /// The client has a newer layout, or the same one with other addresses.
    LayoutChanged {
        /// Its version.
        version: LayoutVersion,
    },
    /// A node refused the connection.
    Rejected {
        /// Where.
        address: Text,
        /// Why.
        reject: Reject,
    },
}
