//! The common shape of the machines: what comes in, what goes out.
//!
//! ```text
//!            Input                         Effect
//!  socket  ---------> +----------------+ ---------> socket   Send, Dial, Hangup
//!  storage ---------> | Node::handle   | ---------> storage  Store
//!  clock   ---------> +----------------+ ---------> people   Observe
//!                        next_wake()
//! ```
//!
//! The embedder calls [`Node::handle`](crate::node::Node::handle) with one input, carries out all
//! effects in their order, and wakes the machine no later than
//! [`Node::next_wake`](crate::node::Node::next_wake) says.

mod event;
mod storage;

use alloc::collections::VecDeque;
use alloc::collections::vec_deque::Drain;

pub use event::Event;
pub use storage::{
    Confirmed, Found, HeldAs, HintChange, HintCount, PastLife, PastLives, Standing, StateChange,
    StoreError, StoreOp, StoreOutcome, hint_bytes,
};

use crate::ids::{DurableMark, NodeId, Text};
use crate::message::Message;
use crate::ring::Slot;
use crate::time::Instant;

/// The other end of a connection whose HELLO was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A node; there is one connection to it at a time.
    Node(NodeId),
    /// A client, under a number that the embedder gave its connection and never gives again.
    Client(u64),
}

/// Names an operation of the storage until its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Input {
    /// A frame arrived.
    Frame {
        /// Who sent it.
        from: Peer,
        /// What it says.
        message: Message,
    },
    /// A connection is open and its HELLO accepted, whoever dialled.
    PeerUp(Peer),
    /// A connection is gone, or a dial failed.
    PeerDown(Peer),
    /// A dial of a seed found a node; its `PeerUp` follows.
    SeedUp {
        /// Where it listens.
        address: Text,
        /// Who answered.
        node: NodeId,
    },
    /// A dial of a seed found nobody, or somebody of no use.
    SeedDown {
        /// Where nobody listens.
        address: Text,
    },
    /// The storage answers.
    Stored {
        /// The operation.
        ticket: Ticket,
        /// What became of it.
        outcome: StoreOutcome,
    },
    /// The storage has synced all commits up to this one.
    Marked(DurableMark),
    /// Time has passed.
    Wake,
}

/// What the embedder is to do.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Effect {
    /// Send a frame; dropped silently where the connection is gone.
    Send {
        /// To whom.
        to: Peer,
        /// What.
        message: Message,
    },
    /// Run a storage operation.
    Store {
        /// Names it in the answers.
        ticket: Ticket,
        /// The slot of the key: operations of one key keep their order. `None`: no single key.
        slot: Option<Slot>,
        /// What to do.
        op: StoreOp,
    },
    /// Connect to a node; ends in `PeerUp` or `PeerDown`.
    Dial {
        /// The node that should answer.
        node: NodeId,
        /// Where it listens.
        address: Text,
    },
    /// Connect to whoever listens at a seed's address; ends in `SeedUp` or `SeedDown`.
    DialSeed {
        /// Where it listens.
        address: Text,
    },
    /// Close a connection.
    Hangup(Peer),
    /// Set everything aside that the storage holds, and begin another life with an empty one that is
    /// to be refilled: what is there is an old copy. The last effect of a machine.
    StartOver,
    /// Tell people.
    Observe(Event),
}

/// When a machine wants to be woken, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wake {
    /// No later than this.
    pub at: Instant,
    /// What waits.
    pub reason: WakeReason,
}

/// What waits for a [`Wake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WakeReason {
    /// The deadline of a request.
    Deadline,
    /// A peer is to be dialled again.
    Dial,
    /// A request is to be tried again.
    Retry,
    /// A round of gossip is due.
    Gossip,
    /// Hints are to be handed over.
    Handoff,
    /// Replicas are to be compared.
    AntiEntropy,
    /// Records that are dead are to be collected.
    Collection,
    /// What moved away is to be removed.
    Leftovers,
}

/// The effects of a call, in order. The embedder keeps one and drains it after each input.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Effects<E> {
    queue: VecDeque<E>,
}

impl<E> Effects<E> {
    /// No effects.
    pub fn new() -> Effects<E> {
        Effects { queue: VecDeque::new() }
    }

    /// Adds an effect behind all others.
    pub fn push(&mut self, effect: E) {
        self.queue.push_back(effect);
    }

    /// Takes the first effect.
    pub fn pop(&mut self) -> Option<E> {
        self.queue.pop_front()
    }

    /// Takes all effects, first to last.
    pub fn drain(&mut self) -> Drain<'_, E> {
        self.queue.drain(..)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl<E> Default for Effects<E> {
    fn default() -> Effects<E> {
        Effects::new()
    }
}

impl Effects<Effect> {
    /// Sends a frame.
    pub(crate) fn send(&mut self, to: Peer, message: Message) {
        self.push(Effect::Send { to, message });
    }

    /// Tells people.
    pub(crate) fn observe(&mut self, event: Event) {
        self.push(Effect::Observe(event));
    }
}
