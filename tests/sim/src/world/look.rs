//! What one may look at.

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::machine::Event as NodeEvent;
use quorate_core::message::LayoutUpdate;
use quorate_core::node::Node;
use quorate_core::time::Instant;
use std::sync::Arc;

use super::World;

impl World {
    /// Members, slots and addresses; nodes are numbered in the order of the members.
    pub fn layout(&self) -> &Arc<LayoutUpdate> {
        &self.layout
    }

    /// The machine of a node; `None` while it is down.
    pub fn node(&self, node: usize) -> Option<&Node> {
        self.nodes[node].node.as_ref()
    }

    /// The numbers of the primaries of a key, in the order of its preference list.
    pub fn primaries(&self, key: &str) -> Vec<usize> {
        let layout = &self.layout.layout;
        let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
        ids.filter_map(|id| self.index(*id)).collect()
    }

    /// The numbers of the nodes that are no primaries of a key.
    pub fn strangers(&self, key: &str) -> Vec<usize> {
        let primaries = self.primaries(key);
        (0..self.nodes.len()).filter(|node| !primaries.contains(node)).collect()
    }

    /// What a node holds for a key.
    pub fn record(&self, node: usize, key: &str) -> Record {
        let key = Key::from(key.as_bytes().to_vec());
        self.nodes[node].disk.record(&key).cloned().unwrap_or_default()
    }

    /// All keys that a node holds.
    pub fn keys(&self, node: usize) -> Vec<Key> {
        self.nodes[node].disk.keys().cloned().collect()
    }

    /// What a node told people.
    pub fn events(&self, node: usize) -> &[NodeEvent] {
        &self.nodes[node].events
    }

    /// The time since the world began.
    pub fn now(&self) -> Instant {
        self.now
    }
}
