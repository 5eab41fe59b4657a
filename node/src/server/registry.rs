//! The connections of a node whose HELLO was accepted.
//!
//! Invariant: a node has at most one connection. Where two nodes dial each other at the same time,
//! both ends keep the same one (see [`Link`]), so neither closes what the other one keeps.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quorate_core::ids::{Incarnation, NodeId};
use quorate_core::machine::Peer;
use quorate_core::message::Message;

use super::ConnectionId;
use crate::socket::{Outbox, Pushed};

#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: HashMap<ConnectionId, Connection>,
    nodes: BTreeMap<NodeId, ConnectionId>,
    /// Connections with something in their outbox that were not woken yet.
    dirty: Vec<ConnectionId>,
    /// Invariant: the sum of `calls` of all connections.
    calls: usize,
    /// Frames that found no room in their class.
    dropped: u64,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) outbox: Arc<Outbox>,
    /// `None`: to a client.
    link: Option<Link>,
    /// Requests of a client that are not answered.
    calls: usize,
    dirty: bool,
}

/// A connection to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The other end.
    pub(super) node: NodeId,
    /// Its life.
    pub(super) incarnation: Incarnation,
    /// The end that dialled.
    pub(super) dialler: NodeId,
}

/// What became of a connection to a node.
#[derive(Debug)]
pub(super) enum Inserted {
    /// It is the only one.
    Alone,
    /// It replaces this one.
    Replaced(Connection),
    /// Another one stays.
    Refused,
}

impl Link {
    /// Whether this one stays when `newer` comes. Both ends see the same two connections, maybe in
    /// another order, and what is compared is the same at both.
    ///
    /// Of two that crossed, the one that the lower id dialled stays. Of two with one dialler the
    /// newer stays, since whoever dials again has given up the first; so does one from a new life
    /// of the other end, since the other life's connections are gone.
    fn outlasts(&self, newer: &Link) -> bool {
        self.incarnation == newer.incarnation && self.dialler < newer.dialler
    }
}

impl Registry {
    /// Adds the connection of a client.
    pub(super) fn insert_client(&mut self, id: ConnectionId, outbox: Arc<Outbox>) {
        self.add(id, Peer::Client(id.0), None, outbox);
    }

    /// Adds a connection to a node, unless it has one that stays.
    pub(super) fn insert_node(
        &mut self,
        id: ConnectionId,
        link: Link,
        outbox: Arc<Outbox>,
    ) -> Inserted {
        let former = self.nodes.get(&link.node).copied();
        let stays = former.and_then(|former| self.connections.get(&former)).is_some_and(|former| {
            !former.outbox.is_ending() && former.link.is_some_and(|it| it.outlasts(&link))
        });
        if stays {
            return Inserted::Refused;
        }
        let former = former.and_then(|former| self.take(former));
        self.nodes.insert(link.node, id);
        self.add(id, Peer::Node(link.node), Some(link), outbox);
        former.map_or(Inserted::Alone, Inserted::Replaced)
    }

    fn add(&mut self, id: ConnectionId, peer: Peer, link: Option<Link>, outbox: Arc<Outbox>) {
        self.connections.insert(id, Connection { peer, outbox, link, calls: 0, dirty: false });
    }

    /// Removes a connection; `None` where it was replaced before, or never let in.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.take(id)?;
        if let Peer::Node(node) = connection.peer {
            self.nodes.remove(&node);
        }
        Some(connection)
    }

    /// Whose connection it is; `None` once it was replaced.
    pub(super) fn peer(&self, id: ConnectionId) -> Option<Peer> {
        self.connections.get(&id).map(|connection| connection.peer)
    }

    pub(super) fn has_node(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    /// Puts a frame into a peer's outbox; dropped where the connection is gone.
    pub(super) fn send(&mut self, to: Peer, message: &Message) {
        let Some(id) = self.id(to) else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match connection.outbox.push(message) {
            Pushed::Waits => {}
            Pushed::Dropped => self.dropped += 1,
        }
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(id);
        }
        if matches!((to, message), (Peer::Client(_), Message::Reply(_))) && connection.calls > 0 {
            connection.calls -= 1;
            self.calls -= 1;
        }
    }

    /// Counts a request of a client.
    pub(super) fn count_call(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.calls += 1;
            self.calls += 1;
        }
    }

    /// Requests of clients that are not answered.
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Frames that found no room in their class: repairs and hints, which come again.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Lets every connection send what was gathered: once per turn.
    pub(super) fn flush(&mut self) {
        for id in self.dirty.drain(..) {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.dirty = false;
                connection.outbox.wake();
            }
        }
    }

    pub(super) fn outbox(&self, peer: Peer) -> Option<&Arc<Outbox>> {
        self.connections.get(&self.id(peer)?).map(|connection| &connection.outbox)
    }

    pub(super) fn outboxes(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.connections.values().map(|connection| &connection.outbox)
    }

    pub(super) fn clients(&self) -> usize {
        self.connections.len() - self.nodes.len()
    }

    fn id(&self, peer: Peer) -> Option<ConnectionId> {
        match peer {
            Peer::Node(node) => self.nodes.get(&node).copied(),
            // A client is named by its connection.
            Peer::Client(number) => Some(ConnectionId(number)),
        }
    }

    fn take(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        self.calls -= connection.calls;
        Some(connection)
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    const LOW: NodeId = NodeId(1);
    const HIGH: NodeId = NodeId(2);
    const LIFE: Incarnation = Incarnation(7);

    /// One end of a pair of nodes, and which of two connections it keeps.
    fn kept(at: NodeId, arriving: [(u64, NodeId); 2]) -> u64 {
        let node = if at == LOW { HIGH } else { LOW };
        let mut registry = Registry::default();
        for (id, dialler) in arriving {
            let link = Link { node, incarnation: LIFE, dialler };
            registry.insert_node(ConnectionId(id), link, Arc::new(Outbox::new()));
        }
        let kept = registry.connections.keys().copied().collect::<Vec<_>>();
        assert_eq!(registry.nodes.get(&node), kept.first());
        assert_eq!(kept.len(), 1);
        kept[0].0
    }

    #[test]
    fn both_ends_keep_the_same_of_two_connections_that_crossed() {
        let (by_low, by_high) = ((1, LOW), (2, HIGH));
        for order in [[by_low, by_high], [by_high, by_low]] {
            assert_eq!([kept(LOW, order), kept(HIGH, order)], [1, 1], "{order:?}");
        }
    }

    #[test]
    fn of_two_connections_with_one_dialler_the_newer_stays() {
        for dialler in [LOW, HIGH] {
            for at in [LOW, HIGH] {
                assert_eq!(kept(at, [(1, dialler), (2, dialler)]), 2);
            }
        }
    }

    #[test]
    fn a_new_life_and_a_connection_that_ends_make_room() {
        let mut registry = Registry::default();
        let mut insert = |id: u64, dialler, life| {
            let link = Link { node: HIGH, incarnation: Incarnation(life), dialler };
            let outbox = Arc::new(Outbox::new());
            (registry.insert_node(ConnectionId(id), link, Arc::clone(&outbox)), outbox)
        };
        insert(1, LOW, 7);
        assert!(matches!(insert(2, HIGH, 7).0, Inserted::Refused));
        let (inserted, outbox) = insert(3, LOW, 8);
        assert!(matches!(inserted, Inserted::Replaced(_)), "the other end was started again");
        outbox.close(CloseCode::Normal, "hung up");
        assert!(matches!(insert(4, HIGH, 8).0, Inserted::Replaced(_)));
    }
}
