//! Names for those who take part: nodes and clients.

use std::fmt;

use quorate_core::ids::NodeId;

use crate::network::Place;

/// A node of the cluster, up or down. Its number stands in its label: `n0`, `n1`, ...
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub(super) usize);

/// A real client: it computes the ring, routes and tries again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub(super) usize);

impl Node {
    /// Its number, as a [`World`](crate::World) takes it.
    pub fn index(self) -> usize {
        self.0
    }

    /// Its id in layouts, receipts and dots.
    pub fn id(self) -> NodeId {
        NodeId(self.0 as u64 + 1)
    }

    /// The node with an id.
    ///
    /// # Panics
    /// Where the id is that of no node of a world.
    pub(super) fn of(id: NodeId) -> Node {
        let index = usize::try_from(id.0).ok().and_then(|id| id.checked_sub(1));
        Node(index.expect("the ids of a world begin with 1"))
    }
}

impl Client {
    /// Its number, as a [`World`](crate::World) takes it.
    pub fn index(self) -> usize {
        self.0
    }
}

impl From<Node> for Place {
    fn from(node: Node) -> Place {
        Place::Node(node.0)
    }
}

impl From<Client> for Place {
    fn from(client: Client) -> Place {
        Place::Client(client.0)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Place::from(*self).fmt(f)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Place::from(*self).fmt(f)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
