//! What a node knows of itself and the others.

use alloc::vec::Vec;

use super::CallId;
use crate::ids::{ClusterId, Incarnation, NodeId, Text};
use crate::layout::LayoutVersion;
use crate::ring::Slot;
use crate::time::{Duration, UnixMs};

/// Asks a node how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRequest {
    /// Names the request.
    pub call: CallId,
    /// Whether the answer is to tell of comparisons: there are many.
    pub slots: bool,
}

/// What a node knows of itself and the others.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StatusReply {
    /// The request's.
    pub call: CallId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The answering node.
    pub node: NodeId,
    /// Its name for people.
    pub label: Text,
    /// The life of its data.
    pub incarnation: Incarnation,
    /// Its newest layout.
    pub layout_version: LayoutVersion,
    /// Time since it started.
    pub uptime: Duration,
    /// Name and version of its software.
    pub software: Text,
    /// Name of its storage engine.
    pub storage: Text,
    /// Records that it holds, as its engine estimates it.
    pub records: u64,
    /// Everyone in the layout.
    pub members: Vec<MemberStatus>,
    /// Named counts since the start.
    pub counters: Vec<(Text, u64)>,
    /// Named limits.
    pub limits: Vec<(Text, u64)>,
    /// Its wall clock; zero where it is of a version that does not tell.
    pub now: UnixMs,
    /// Where they were asked for: each slot of which it is a primary, with each other primary.
    pub comparisons: Vec<PairStatus>,
}

/// When a slot was compared with another primary of it, by the answering node's wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairStatus {
    /// The slot.
    pub slot: Slot,
    /// The other primary.
    pub peer: NodeId,
    /// When the two were last compared, and made equal where they were not; `None`: not in this
    /// life of the node.
    pub compared: Option<UnixMs>,
    /// When they were last found to be equal.
    pub equal: Option<UnixMs>,
}

/// A member as one node sees it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct MemberStatus {
    /// Its id.
    pub id: NodeId,
    /// Its name for people.
    pub label: Text,
    /// Its failure domain.
    pub zone: Text,
    /// Its capacity.
    pub weight: u32,
    /// Its WebSocket URL.
    pub address: Text,
    /// Whether the answering node is connected to it (or is it).
    pub up: bool,
    /// Slots that it owns.
    pub slots: u32,
    /// Slots of which it is a primary.
    pub replicas: u32,
    /// What the answering node holds it for.
    pub state: MemberState,
    /// Its last known heartbeat.
    pub heartbeat: u64,
    /// Time since that rose.
    pub heartbeat_age: Duration,
    /// Members that suspect it.
    pub witnesses: Vec<NodeId>,
    /// Records that the answering node holds for it.
    pub hints: u64,
    /// Bytes of those.
    pub hint_bytes: u64,
    /// Time since it was found to be down; zero where it is not.
    pub down: Duration,
}

/// What a node holds another one for (DESIGN.md §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// Its heartbeat rises.
    #[default]
    Up,
    /// Its heartbeat is overdue.
    Suspected,
    /// Two independent witnesses have found that; one, in a cluster of two.
    Down,
}
