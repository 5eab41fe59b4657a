//! What happens in a world, as the invariants see it.

use std::fmt;

use bytes::Bytes;
use quorate_core::causality::{self, Record, RecordOp};
use quorate_core::client::{CallError, Completion};
use quorate_core::ids::{Incarnation, Key};
use quorate_core::machine::{Event, Found, HeldAs};
use quorate_core::message::{CallId, Message, Put, QuorumChoice, Reply, RequestHead, Strictness};
use quorate_core::node::NodeView;
use quorate_core::time::{Duration, Instant, UnixMs};

use crate::network::End;

/// Who makes a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// A client, by its index.
    Client(usize),
    /// A request by hand, put to a node without a client; each has a number of its own.
    Hand(u64),
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Client(index) => write!(f, "c{index}"),
            Caller::Hand(number) => write!(f, "hand{number}"),
        }
    }
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A read.
    Get,
    /// A read that is answered as soon as one replica knows what the reader was shown.
    Session {
        /// The token of that.
        context: Bytes,
    },
    /// A write of a value.
    Put {
        /// The bytes.
        value: Bytes,
        /// The token of what the writer was shown; empty: a blind put.
        context: Bytes,
    },
    /// A delete.
    Delete {
        /// The token of what the writer was shown; empty: whatever a quorum holds.
        context: Bytes,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending<'a> {
    /// A client's.
    Client(&'a Result<Completion, CallError>),
    /// A request by hand.
    Hand(&'a Reply),
}

/// Something that happened. Nodes are named by their index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observation<'a> {
    CallStarted(CallStarted<'a>),
    CallEnded(CallEnded<'a>),
    Cancelled(Cancelled),
    CallerGone(CallerGone),
    CallerThawed(CallerThawed),
    Sent(Sent<'a>),
    Closed(Closed),
    Delivered(Delivered<'a>),
    Handed(Handed<'a>),
    Applied(Applied<'a>),
    Synced(Synced<'a>),
    Removed(Removed<'a>),
    Crashed(Crashed<'a>),
    Started(Started<'a>),
    Stopped(Stopped),
    Resumed(Resumed),
    Replaced(Replaced),
    Destroyed(Destroyed<'a>),
    Told(Told<'a>),
    Stepped(Stepped<'a>),
}

/// A call begins; its frames, and even its end, come after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallStarted<'a> {
    /// Who calls.
    pub(crate) caller: Caller,
    /// Which of the caller's calls.
    pub(crate) call: CallId,
    /// The key.
    pub(crate) key: &'a Key,
    /// What is asked for.
    pub(crate) asked: &'a Asked,
    /// R and W; zeros stand for the configured ones.
    pub(crate) quorum: QuorumChoice,
    /// Whether fallbacks count.
    pub(crate) strictness: Strictness,
    /// Time for the whole call.
    pub(crate) timeout: Duration,
}

/// A call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallEnded<'a> {
    /// Who called.
    pub(crate) caller: Caller,
    /// Which of the caller's calls.
    pub(crate) call: CallId,
    /// How.
    pub(crate) ending: Ending<'a>,
}

/// A caller takes a call back, which ends it at once, if it is still open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancelled {
    /// Which client.
    pub(crate) client: usize,
    /// Which of its calls.
    pub(crate) call: CallId,
}

/// A client died: its calls under way will never end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerGone {
    /// Which.
    pub(crate) client: usize,
}

/// A client, whose timers and sockets had stood still since `since`, goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerThawed {
    /// Which.
    pub(crate) client: usize,
    /// The beginning.
    pub(crate) since: Instant,
}

/// A frame is given to the network, which may lose it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    /// The sender.
    pub(crate) from: End,
    /// The receiver.
    pub(crate) to: End,
    /// The frame.
    pub(crate) message: &'a Message,
}

/// A connection is gone, be it that its ends learn of it or not; no other has these ends, but
/// for nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    /// One end.
    pub(crate) a: End,
    /// The other end.
    pub(crate) b: End,
}

/// A frame reaches a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered<'a> {
    /// The sender.
    pub(crate) from: End,
    /// The receiver.
    pub(crate) to: End,
    /// The frame.
    pub(crate) message: &'a Message,
    /// Whether it is a duplicate.
    pub(crate) again: bool,
}

/// A request by hand reaches a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed<'a> {
    /// Which request.
    pub(crate) caller: Caller,
    /// The node.
    pub(crate) node: usize,
    /// The frame.
    pub(crate) message: &'a Message,
}

/// A storage carried out a change, be it that it said so or that it said it had failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied<'a> {
    /// Whose storage.
    pub(crate) node: usize,
    /// Which of its copies.
    pub(crate) copy: HeldAs,
    /// The key.
    pub(crate) key: &'a Key,
    /// The change.
    pub(crate) op: &'a RecordOp,
    /// What it did; `None` where the storage told the node that it failed.
    pub(crate) applied: Option<&'a causality::Applied>,
    /// The record after it.
    pub(crate) record: &'a Record,
}

/// What a storage holds of a key is synced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synced<'a> {
    /// Whose storage.
    pub(crate) node: usize,
    /// Which of its copies.
    pub(crate) copy: HeldAs,
    /// The key.
    pub(crate) key: &'a Key,
    /// What is synced.
    pub(crate) record: &'a Record,
}

/// A storage removed a copy from its memory: a hint that came home, or what was collected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removed<'a> {
    /// Whose storage.
    pub(crate) node: usize,
    /// Which of its copies.
    pub(crate) copy: HeldAs,
    /// The key.
    pub(crate) key: &'a Key,
    /// What it held.
    pub(crate) record: &'a Record,
}

/// A node ended as by `kill -9`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crashed<'a> {
    /// Which.
    pub(crate) node: usize,
    /// Keys that lost changes which were not synced; a key may come twice.
    pub(crate) lost: &'a [Key],
}

/// A node starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started<'a> {
    /// Which.
    pub(crate) node: usize,
    /// The life that begins.
    pub(crate) life: Incarnation,
    /// What its storage holds.
    pub(crate) found: &'a Found,
    /// What it reads on its wall clock.
    pub(crate) wall: UnixMs,
}

/// A node is asked to stop; its end follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    /// Which.
    pub(crate) node: usize,
    /// Whether the stop was a clean one, so that its storage says so.
    pub(crate) is_clean: bool,
}

/// A node that had stood still since `since`, timers and all, goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resumed {
    /// Which.
    pub(crate) node: usize,
    /// The beginning.
    pub(crate) since: Instant,
}

/// Who takes away what was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A fault of the device, or of the people who look after it.
    Fault,
    /// The node: it set its storage aside, or discarded what cannot be read.
    Node,
}

/// The directory of a node that is down gave way to another one; what that destroyed follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    /// Whose.
    pub(crate) node: usize,
    /// By whom.
    pub(crate) by: By,
    /// When the last commit was made of what is there in its place.
    pub(crate) committed_at: Instant,
}

/// What was synced is no more: by a wipe, by an older snapshot, by rot, or because its node gave up
/// what such a fault had left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destroyed<'a> {
    /// Whose.
    pub(crate) node: usize,
    /// By whom.
    pub(crate) by: By,
    /// Which of its copies.
    pub(crate) copy: HeldAs,
    /// The key.
    pub(crate) key: &'a Key,
    /// What was synced.
    pub(crate) before: &'a Record,
    /// What is left.
    pub(crate) after: &'a Record,
}

/// A node told people something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// Which.
    pub(crate) node: usize,
    /// What.
    pub(crate) event: &'a Event,
}

/// A node has handled an input, and all that it wanted done is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stepped<'a> {
    /// Which.
    pub(crate) node: usize,
    /// The node.
    pub(crate) view: NodeView<'a>,
}

/// The head of a request, and the write if it is one; `None` for any other frame.
pub(crate) fn request_of(message: &Message) -> Option<(&RequestHead, Option<&Put>)> {
    match message {
        Message::Get(get) => Some((&get.head, None)),
        Message::Put(put) => Some((&put.head, Some(put))),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Reply(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaRecord(_)
        | Message::ReplicaMerge(_)
        | Message::ReplicaMerged(_)
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_)
        | Message::RepairRequest(_)
        | Message::RepairReply(_)
        | Message::LayoutRequest(_)
        | Message::LayoutReply(_)
        | Message::Collect(_)
        | Message::Collected(_)
        | Message::Gossip(_) => None,
    }
}

/// The key that a frame names.
pub(crate) fn key_in(message: &Message) -> Option<&Key> {
    match message {
        Message::Get(get) => Some(&get.head.key),
        Message::Put(put) => Some(&put.head.key),
        Message::ReplicaRead(read) => Some(&read.key),
        Message::ReplicaMerge(merge) => Some(&merge.key),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Reply(_)
        | Message::ReplicaRecord(_)
        | Message::ReplicaMerged(_)
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_)
        | Message::RepairRequest(_)
        | Message::RepairReply(_)
        | Message::LayoutRequest(_)
        | Message::LayoutReply(_)
        | Message::Collect(_)
        | Message::Collected(_)
        | Message::Gossip(_) => None,
    }
}
