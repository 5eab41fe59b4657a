//! What people may want to know.

use alloc::vec::Vec;

use super::{Peer, StoreError};
use crate::ids::{Incarnation, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::merkle::TreesMisfit;
use crate::message::ChangeRefusal;
use crate::time::Duration;

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
    /// Whoever is no member of a layout any more, and silent for long, is known no more.
    MemberForgotten(NodeId),
    /// Another process lives under this node's id: one of the two must be stopped.
    IdentityConflict {
        /// The id.
        node: NodeId,
        /// The life of the other process, or of the one that was refused.
        incarnation: Incarnation,
    },
    /// A message claimed what cannot be: an absurd heartbeat, or one of the receiver's own.
    GossipRefused(NodeId),
    /// What is staged, and nobody has to look at, cannot be put in force; it is tried again.
    ChangeRefused(ChangeRefusal),
    /// A peer is slow or silent: requests go around it for a while.
    PeerAvoided(NodeId),
    /// A peer that was avoided answers again.
    PeerTrusted(NodeId),
    /// A new layout is in force.
    LayoutChanged(LayoutVersion),
    /// A layout was in force here, and another one has taken its place: the two were made on two
    /// sides of a partition.
    LayoutReplaced(LayoutVersion),
    /// All members hold what they must hold in a layout: reads go by it.
    LayoutSynced(LayoutVersion),
    /// Others remember commits that are not here: something that was durable is lost.
    DataLost {
        /// Whether what is left is an old copy, which is set aside as a whole.
        is_old: bool,
    },
    /// An own copy cannot be read. It is removed, and taken from the other primaries again.
    RecordRotten {
        /// The key.
        key: Key,
    },
    /// All that was lost and that the other primaries have is here again.
    Refilled,
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
    /// A comparison found that this node lacked something of a record: it took it from a peer, and
    /// holds it durably.
    RecordTaken {
        /// The key.
        key: Key,
        /// The peer.
        from: NodeId,
    },
    /// A comparison found that a peer lacked something of a record: it was given it, and holds it
    /// durably.
    RecordGiven {
        /// The key.
        key: Key,
        /// The peer.
        to: NodeId,
    },
    /// The own copy of a record that was dead is removed for good: no member holds anything older.
    Collected {
        /// The key.
        key: Key,
    },
    /// A node sent a record that it had read before a collection began; it was not merged.
    StaleRefused(NodeId),
    /// Hints for a target cannot be read. They are told of once, stay where they are, and hold
    /// nothing back.
    HintsDamaged {
        /// The target.
        target: NodeId,
        /// How many there are by now.
        hints: u64,
    },
    /// The trees that the former life had saved are in use: nothing is counted.
    TreesKept,
    /// The trees that the former life had saved are of no use here: everything is counted.
    TreesUnfit(TreesMisfit),
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
            | Event::HintDropped { key, .. }
            | Event::RecordTaken { key, .. }
            | Event::RecordGiven { key, .. }
            | Event::RecordRotten { key }
            | Event::Collected { key } => Some(key),
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
            | Event::MemberForgotten(_)
            | Event::IdentityConflict { .. }
            | Event::GossipRefused(_)
            | Event::ChangeRefused(_)
            | Event::PeerAvoided(_)
            | Event::PeerTrusted(_)
            | Event::LayoutChanged(_)
            | Event::LayoutReplaced(_)
            | Event::LayoutSynced(_)
            | Event::DataLost { .. }
            | Event::Refilled
            | Event::StaleRefused(_)
            | Event::HintsDamaged { .. }
            | Event::TreesKept
            | Event::TreesUnfit(_) => None,
        }
    }
}
