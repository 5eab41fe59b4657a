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

use alloc::collections::VecDeque;
use alloc::collections::vec_deque::Drain;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::causality::{Applied, ApplyRefusal, Record, RecordDigest, RecordOp};
use crate::ids::{Incarnation, Key, NodeId, Text};
use crate::layout::LayoutVersion;
use crate::message::{LayoutUpdate, Message};
use crate::ring::Slot;
use crate::time::{Duration, Instant};

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
    /// Tell people.
    Observe(Event),
}

/// An operation of the storage.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum StoreOp {
    /// Load the record, run [`Held::apply`](crate::causality::Held::apply), store it, in one
    /// critical section. Answers `Applied` and later `Durable`, or `Refused`, or `Failed`.
    Apply {
        /// The key.
        key: Key,
        /// Which of the node's copies.
        copy: HeldAs,
        /// What to apply.
        op: RecordOp,
    },
    /// Answers `Read` or `Failed`.
    Read {
        /// The key.
        key: Key,
        /// The answer is the merge of the node's own copy and its hints for these targets.
        hints: Vec<NodeId>,
    },
    /// Reads hints for one target, in the order of the engine, without those that are damaged.
    /// Answers `HintsFound` or `Failed`.
    FindHints {
        /// Whom they are for.
        target: NodeId,
        /// Begins behind the hint of this key; `None`: at the first one.
        after: Option<Key>,
        /// Ends with the hint that reaches this many bytes.
        bytes_max: usize,
    },
    /// Removes a hint unless it has changed. Answers `HintRemoved` or `Failed`.
    RemoveHint {
        /// Whom it is for.
        target: NodeId,
        /// Its key.
        key: Key,
        /// What it was when it was handed over.
        digest: RecordDigest,
    },
    /// Counts all hints, by target. Changes that are under way may be in it or not. Answers
    /// `HintsCounted` or `Failed`.
    CountHints,
    /// Stores the newest layout in the place of the former one. Answers `Durable` or `Failed`.
    SaveLayout(Arc<LayoutUpdate>),
}

/// One of the copies that a node may hold of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldAs {
    /// That of a primary.
    Own,
    /// That of a fallback, for a primary that could not be reached.
    Hint {
        /// The primary.
        target: NodeId,
    },
}

/// The hints that are held for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HintCount {
    /// Whom they are for.
    pub target: NodeId,
    /// How many there are.
    pub hints: u64,
    /// The sum of their [`hint_bytes`].
    pub bytes: u64,
    /// How many there are besides that cannot be read: they stay where they are.
    pub damaged: u64,
}

/// What a hint counts towards the limits on hints, however an engine stores it.
pub fn hint_bytes(key: &Key, record: &Record) -> u64 {
    key.as_bytes().len() as u64 + record.weight()
}

/// An answer of the storage.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum StoreOutcome {
    /// The change is in the engine's memory; `Durable` or `Failed` follows.
    Applied {
        /// What it did.
        applied: Applied,
        /// The record after it, for a [`RecordOp::Write`] only.
        record: Option<Record>,
        /// What became of the bytes of a hint; `None` for the node's own copy.
        hint: Option<HintChange>,
    },
    /// The change is synced: only this counts as an acknowledgement.
    Durable,
    /// The record refuses the change; nothing was stored.
    Refused(ApplyRefusal),
    /// The record, or `None` where there is none.
    Read {
        /// What is held.
        record: Option<Record>,
    },
    /// Some of the hints for a target.
    HintsFound {
        /// Their keys and what they hold.
        hints: Vec<(Key, Record)>,
        /// Whether there are others behind them.
        more: bool,
    },
    /// What became of a hint that was handed over.
    HintRemoved {
        /// Its [`hint_bytes`]; `None` where it has changed, and stays, or was gone before.
        bytes: Option<u64>,
    },
    /// All hints.
    HintsCounted(Vec<HintCount>),
    /// The storage cannot say, or cannot promise. Never an absence.
    Failed(StoreError),
}

/// What an operation did to the [`hint_bytes`] of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HintChange {
    /// Before it; `None`: there was no such hint.
    pub before: Option<u64>,
    /// After it.
    pub after: u64,
}

/// Why the storage cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreError {
    /// The engine or the device failed.
    Io,
    /// What is stored does not decode, or does not match its checksum.
    Damaged,
    /// The engine stopped.
    Closed,
}

/// What people may want to know.
#[derive(Clone, Debug, PartialEq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A connection to a node is there.
    NodeUp(NodeId),
    /// A connection to a node is gone.
    NodeDown(NodeId),
    /// A replica was stale and is sent the merged record.
    Repaired {
        /// The key.
        key: Key,
        /// The replica.
        node: NodeId,
    },
    /// A request went on to a primary.
    PassedOn {
        /// The primary.
        to: NodeId,
    },
    /// A named table is full; the request was answered `Overloaded`.
    Overloaded {
        /// Name of the limit.
        limit: &'static str,
    },
    /// A record has more actors than is healthy.
    ManyActors {
        /// The key.
        key: Key,
        /// How many.
        actors: usize,
    },
    /// Old actors were dropped from a record.
    Truncated {
        /// The key.
        key: Key,
        /// How many.
        actors: usize,
    },
    /// A value did not match its checksum.
    Damaged {
        /// The key.
        key: Key,
        /// Where it came from; `None`: the node's own storage or a client.
        node: Option<NodeId>,
    },
    /// The node's own storage failed.
    StorageFailed(StoreError),
    /// A peer sent a frame that its role does not allow; it was ignored.
    Misbehaved(Peer),
    /// A member was met for the first time, or in a new life.
    MemberMet(NodeId),
    /// This node has seen no heartbeat of a member for too long.
    MemberSuspected(NodeId),
    /// Enough witnesses agree that a member is down.
    MemberDown {
        /// Which.
        node: NodeId,
        /// Who says so.
        witnesses: Vec<NodeId>,
    },
    /// A member that was suspected or down is heard from.
    MemberUp(NodeId),
    /// A member is down for so long that somebody should look after it.
    MemberStaysDown {
        /// Which.
        node: NodeId,
        /// Since when, as a time span.
        down: Duration,
    },
    /// Another process lives under this node's id: one of the two must be stopped.
    IdentityConflict {
        /// The id.
        node: NodeId,
        /// The life of the other process, or of the one that was refused.
        incarnation: Incarnation,
    },
    /// A message claimed what cannot be: an absurd heartbeat, or one of the receiver's own.
    GossipRefused(NodeId),
    /// A peer is slow or silent: requests go around it for a while.
    PeerAvoided(NodeId),
    /// A peer that was avoided answers again.
    PeerTrusted(NodeId),
    /// A new layout is in force.
    LayoutChanged(LayoutVersion),
    /// A hint came home: its target holds it durably, and it was removed here.
    HandedOver {
        /// The key.
        key: Key,
        /// The primary.
        target: NodeId,
    },
    /// A hint for a target that stays away was given to the other primaries of its key, and
    /// removed here.
    HintDropped {
        /// The key.
        key: Key,
        /// The target.
        target: NodeId,
    },
    /// Hints for a target cannot be read. They are told of once, stay where they are, and hold
    /// nothing back.
    HintsDamaged {
        /// The target.
        target: NodeId,
        /// How many there are by now.
        hints: u64,
    },
}

impl Event {
    /// The key that it is about, if it is about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Event::Repaired { key, .. }
            | Event::ManyActors { key, .. }
            | Event::Truncated { key, .. }
            | Event::Damaged { key, .. }
            | Event::HandedOver { key, .. }
            | Event::HintDropped { key, .. } => Some(key),
            Event::NodeUp(_)
            | Event::NodeDown(_)
            | Event::PassedOn { .. }
            | Event::Overloaded { .. }
            | Event::StorageFailed(_)
            | Event::Misbehaved(_)
            | Event::MemberMet(_)
            | Event::MemberSuspected(_)
            | Event::MemberDown { .. }
            | Event::MemberUp(_)
            | Event::MemberStaysDown { .. }
            | Event::IdentityConflict { .. }
            | Event::GossipRefused(_)
            | Event::PeerAvoided(_)
            | Event::PeerTrusted(_)
            | Event::LayoutChanged(_)
            | Event::HintsDamaged { .. } => None,
        }
    }
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
