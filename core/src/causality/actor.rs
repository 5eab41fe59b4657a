//! Who mints dots, and the dots.

use crate::ids::{Incarnation, NodeId};

/// Counts the actors that one incarnation of a node has born.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Birth(pub u64);

/// Counts the writes of one actor, from 1. Zero names no write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counter(pub u64);

/// One writer of one key: born once, by one incarnation of one node.
///
/// Invariant: all writes of an actor go through one copy of one key that never went back in time,
/// so a counter of an actor is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// The node that mints.
    pub node: NodeId,
    /// The life of the node's data in which the actor was born.
    pub incarnation: Incarnation,
    /// Tells the actors of one incarnation apart.
    pub birth: Birth,
}

/// The name of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who minted it.
    pub actor: Actor,
    /// Which of the actor's writes it is, from 1.
    pub counter: Counter,
}
