//! What may go wrong.

use quorate_core::ids::Key;

use super::World;
use crate::network::End;

impl World {
    /// Ends a node as by `kill -9`: what is not synced is lost.
    pub fn crash(&mut self, node: usize) {
        self.nodes[node].node = None;
        self.nodes[node].life += 1;
        self.nodes[node].disk.crash();
        for connection in self.network.of(|end| end.is_node(node)) {
            self.close(connection, |end| !end.is_node(node));
        }
    }

    /// Starts a node that is down, as a new incarnation on the disk that it left.
    pub fn restart(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        self.start(node);
    }

    /// Empties the disk of a node that is down.
    pub fn wipe(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        self.nodes[node].disk.wipe();
    }

    /// From here on a node cannot read or change its record of a key.
    pub fn damage(&mut self, node: usize, key: &str) {
        self.nodes[node].disk.damage(Key::from(key.as_bytes().to_vec()));
    }

    /// Cuts all ways between the nodes of `side` and the others; clients reach everyone.
    pub fn partition(&mut self, side: &[usize]) {
        for a in side {
            for b in (0..self.nodes.len()).filter(|b| !side.contains(b)) {
                self.network.cut(*a, b);
                if let Some(connection) = self.network.between(End::Node(*a), End::Node(b)) {
                    self.close(connection, |_| true);
                }
            }
        }
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.network.heal();
    }
}
