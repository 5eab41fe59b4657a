//! Where a key lives, why there, and what is held of it.

use quorate_core::causality::{self, Payload, Record};
use quorate_core::ids::{Key, NodeId};
use quorate_core::ring::{Fate, Look, Position};
use serde::Serialize;

use super::{number, text};
use crate::trace::{Lives, Words};
use crate::world::World;

/// Where a key lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Location {
    /// Its place on the ring.
    pub position: String,
    /// Its slot.
    pub slot: u32,
    /// How its primaries are found.
    pub walk: Vec<Step>,
    /// The preference list, primaries first, then whoever else holds a copy; each copy once.
    pub nodes: Vec<Copy>,
}

/// One slot that the walk looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The slot.
    pub slot: u32,
    /// The number of its owner.
    pub node: usize,
    /// Which primary it becomes, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<usize>,
    /// Why it is passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

/// Why the walk passes over a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Skipped {
    /// It is a primary already.
    #[serde(rename = "taken before")]
    TakenBefore,
    /// Its zone has a primary, and there are zones that have none.
    #[serde(rename = "zone")]
    Zone,
}

/// A node, and one copy that it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copy {
    /// The number of the node.
    pub node: usize,
    /// Whether it is a primary of the key.
    pub primary: bool,
    /// What stands in the copy.
    pub siblings: Vec<Sibling>,
    /// The primary for which it is kept as a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint_for: Option<usize>,
}

/// A value that nothing supersedes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sibling {
    /// The value; `None`: it was deleted.
    pub value: Option<String>,
    /// The name of its write.
    pub dot: String,
}

impl Location {
    /// Where a key lives by the newest layout.
    pub fn of(world: &World, key: &str) -> Location {
        let layout = &world.newest_layout().layout;
        let slot = layout.slot_of(key.as_bytes());
        let primaries = layout.primaries(slot);
        let members = layout.members();
        let mut taken = 0;
        let mut walk = Vec::new();
        for Look { slot, member, fate } in layout.walk(slot) {
            if taken == primaries.len() {
                break;
            }
            let node = number(members[usize::from(member)].id);
            let (place, skipped) = match fate {
                Fate::Listed => (Some(taken), None),
                Fate::ListedBefore => (None, Some(Skipped::TakenBefore)),
                Fate::ZoneListed => (None, Some(Skipped::Zone)),
            };
            taken += usize::from(place.is_some());
            walk.push(Step { slot: slot.0, node, taken: place, skipped });
        }
        let listed: Vec<usize> = layout.preference_list(slot).map(number).collect();
        let others = (0..world.node_count()).filter(|node| !listed.contains(node));
        let copies = Copies { world, key: Key::from(key.as_bytes().to_vec()), primaries };
        let nodes = listed.iter().flat_map(|node| copies.at(*node, true));
        let nodes = nodes.chain(others.flat_map(|node| copies.at(node, false)));
        Location {
            position: Position::of(key.as_bytes()).to_string(),
            slot: slot.0,
            nodes: nodes.collect(),
            walk,
        }
    }
}

/// All copies of one key.
struct Copies<'a> {
    world: &'a World,
    key: Key,
    primaries: &'a [NodeId],
}

impl Copies<'_> {
    /// The copies at a node; where there is none, an empty one if `always`.
    fn at(&self, node: usize, always: bool) -> Vec<Copy> {
        let primary = self.primaries.iter().any(|id| number(*id) == node);
        let copy = |record: &Record, hint_for| Copy {
            node,
            primary,
            siblings: siblings(self.world, record),
            hint_for,
        };
        let own = self.world.records_of(node).find(|(key, _)| **key == self.key);
        let own = own.map(|(_, record)| copy(record, None));
        let hints = self.world.hints_of(node).filter(|(_, key, _)| **key == self.key);
        let hints = hints.map(|(target, _, record)| copy(record, Some(number(target))));
        let mut copies: Vec<Copy> = own.into_iter().chain(hints).collect();
        if copies.is_empty() && always {
            copies.push(copy(&Record::new(), None));
        }
        copies
    }
}

fn siblings(world: &World, record: &Record) -> Vec<Sibling> {
    let unnamed = Lives::new();
    let lives = world.lives().unwrap_or(&unnamed);
    let siblings = record.siblings().map(|(dot, sibling)| {
        let mut words = Words { text: String::new(), lives };
        words.dot(dot);
        Sibling { value: value_of(sibling), dot: words.text }
    });
    siblings.collect()
}

/// The value of a sibling as a text; `None`: it is a tombstone.
pub(super) fn value_of(sibling: &causality::Sibling) -> Option<String> {
    match &sibling.payload {
        Payload::Value(value) => Some(text(value)),
        Payload::Tombstone => None,
    }
}
