//! What happens in a world, as the invariants see it.

use std::fmt;

use bytes::Bytes;
use quorate_core::causality::{Applied, Record, RecordOp};
use quorate_core::client::{CallError, Completion};
use quorate_core::ids::{Key, RequestId};
use quorate_core::machine::Event;
use quorate_core::message::{CallId, Message, QuorumChoice, Reply, RequestHead};
use quorate_core::node::NodeView;
use quorate_core::time::{Duration, Instant};

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
pub enum Ending<'a> {
    /// A client's.
    Client(&'a Result<Completion, CallError>),
    /// A request by hand.
    Hand(&'a Reply),
}

/// Something that happened. Nodes are named by their index.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A call begins; its frames, and even its end, come after it.
    CallStarted {
        /// Who calls.
        caller: Caller,
        /// Which of the caller's calls.
        call: CallId,
        /// The key.
        key: &'a Key,
        /// What is asked for.
        asked: &'a Asked,
        /// R and W; zeros stand for the configured ones.
        quorum: QuorumChoice,
        /// Time for the whole call.
        timeout: Duration,
    },
    /// A call ends.
    CallEnded {
        /// Who called.
        caller: Caller,
        /// Which of the caller's calls.
        call: CallId,
        /// How.
        ending: Ending<'a>,
    },
    /// A caller takes a call back, which ends it at once, if it is still open.
    Cancelled {
        /// Which client.
        client: usize,
        /// Which of its calls.
        call: CallId,
    },
    /// A client died: its calls under way will never end.
    CallerGone {
        /// Which.
        client: usize,
    },
    /// A client, whose timers and sockets had stood still since `since`, goes on.
    CallerThawed {
        /// Which.
        client: usize,
        /// The beginning.
        since: Instant,
    },
    /// A frame is given to the network, which may lose it.
    Sent {
        /// The sender.
        from: End,
        /// The receiver.
        to: End,
        /// The frame.
        message: &'a Message,
    },
    /// A connection is gone, be it that its ends learn of it or not; no other has these ends, but
    /// for nodes.
    Closed {
        /// One end.
        a: End,
        /// The other end.
        b: End,
    },
    /// A frame reaches a machine.
    Delivered {
        /// The sender.
        from: End,
        /// The receiver.
        to: End,
        /// The frame.
        message: &'a Message,
        /// Whether it is a duplicate.
        again: bool,
    },
    /// A request by hand reaches a node.
    Handed {
        /// Which request.
        caller: Caller,
        /// The node.
        node: usize,
        /// The frame.
        message: &'a Message,
    },
    /// A storage carried out a change, be it that it said so or that it said it had failed.
    Applied {
        /// Whose storage.
        node: usize,
        /// The key.
        key: &'a Key,
        /// The change.
        op: &'a RecordOp,
        /// What it did; `None` where the storage told the node that it failed.
        applied: Option<&'a Applied>,
        /// The record after it.
        record: &'a Record,
    },
    /// What a storage holds of a key is synced.
    Synced {
        /// Whose storage.
        node: usize,
        /// The key.
        key: &'a Key,
        /// What is synced.
        record: &'a Record,
    },
    /// A node ended as by `kill -9`.
    Crashed {
        /// Which.
        node: usize,
        /// Keys that lost changes which were not synced; a key may come twice.
        lost: &'a [Key],
    },
    /// A node starts.
    Started {
        /// Which.
        node: usize,
    },
    /// A node that had stood still since `since`, timers and all, goes on.
    Resumed {
        /// Which.
        node: usize,
        /// The beginning.
        since: Instant,
    },
    /// A fault of the device destroyed what was synced: by a wipe, by an older snapshot, by rot.
    Destroyed {
        /// Whose.
        node: usize,
        /// The key.
        key: &'a Key,
        /// What was synced.
        before: &'a Record,
        /// What is left.
        after: &'a Record,
    },
    /// A node told people something.
    Told {
        /// Which.
        node: usize,
        /// What.
        event: &'a Event,
    },
    /// A node has handled an input, and all that it wanted done is done.
    Stepped {
        /// Which.
        node: usize,
        /// The node.
        view: NodeView<'a>,
    },
}

/// The head of a request, and the name of the write if it is one; `None` for any other frame.
pub(crate) fn request_of(message: &Message) -> Option<(&RequestHead, Option<RequestId>)> {
    match message {
        Message::Get(get) => Some((&get.head, None)),
        Message::Put(put) => Some((&put.head, Some(put.request))),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Reply(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaRecord(_)
        | Message::ReplicaMerge(_)
        | Message::ReplicaMerged(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_) => None,
    }
}
