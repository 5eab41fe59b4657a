//! Who is there, and where the slots are.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{LayoutSpan, MarksOf, Staging};
use crate::ids::{Incarnation, NodeId, Remembered, Text};
use crate::layout::Layout;

/// A layout together with where its members listen.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct LayoutUpdate {
    /// Members, slots and owners.
    pub layout: Layout,
    /// The WebSocket URL of each member, in the order of `layout.members()`.
    pub addresses: Vec<Text>,
}

impl LayoutUpdate {
    /// Where `node` listens.
    pub fn address(&self, node: NodeId) -> Option<&Text> {
        let index = self.layout.members().binary_search_by_key(&node, |member| member.id).ok()?;
        self.addresses.get(index)
    }
}

/// One half of an exchange between members: what the sender knows, and what it asks for. The default
/// is an answer that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Gossip {
    /// In a question, the range of ids that it speaks of, both ends included: a member in it that
    /// is not among the pulses is unknown to the sender. `None`: an answer.
    pub asks: Option<(NodeId, NodeId)>,
    /// Signs of life, ascending by id.
    pub pulses: Vec<Pulse>,
    /// Members that the receiver lacks, or knows from an earlier life.
    pub members: Vec<MemberInfo>,
    /// Members that the sender lacks.
    pub wanted: Vec<NodeId>,
    /// The layouts that the sender holds to be in force.
    pub span: LayoutSpan,
    /// All of them, the oldest first, where the receiver does not know the newest one.
    pub layouts: Vec<Arc<LayoutUpdate>>,
    /// While a change is under way, how far members are, as far as the sender knows.
    pub marks: Vec<MarksOf>,
    /// What is staged for the next layout; `None`: nothing was.
    pub staging: Option<Staging>,
    /// The life of the receiver that it is meant for; 0: any. What comes late says nothing of what is
    /// remembered by now.
    pub to: Incarnation,
}

/// That a member was alive, and who doubts that it still is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pulse {
    /// The member.
    pub id: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// Raised by the member alone.
    pub heartbeat: u64,
    /// Members that have seen no greater heartbeat for too long.
    pub witnesses: Vec<NodeId>,
    /// What is remembered of its storage.
    pub remembered: Remembered,
}

/// All that there is to know of a member. But for the heartbeat and what is remembered it is the same
/// through one life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberInfo {
    /// Who it is.
    pub id: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// Raised by the member alone.
    pub heartbeat: u64,
    /// Its name for people.
    pub label: Text,
    /// Its failure domain.
    pub zone: Text,
    /// Its capacity in relation to the others.
    pub weight: u32,
    /// The WebSocket URL where others reach it.
    pub address: Text,
    /// What is remembered of its storage.
    pub remembered: Remembered,
}
