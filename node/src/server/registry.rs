//! The connections of a node whose HELLO was accepted.
//!
//! Invariant: a node has at most one connection; of two, the newer stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quorate_core::ids::NodeId;
use quorate_core::machine::Peer;
use quorate_core::message::Message;

use super::ConnectionId;
use crate::socket::Outbox;

#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: HashMap<ConnectionId, Connection>,
    nodes: BTreeMap<NodeId, ConnectionId>,
    /// Connections with something in their outbox that were not woken yet.
    dirty: Vec<ConnectionId>,
    /// Invariant: the sum of `calls` of all connections.
    calls: usize,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) outbox: Arc<Outbox>,
    /// Requests of a client that are not answered.
    calls: usize,
    dirty: bool,
}

impl Registry {
    /// Adds a connection. Returns the one of the same node that it replaces.
    pub(super) fn insert(
        &mut self,
        id: ConnectionId,
        peer: Peer,
        outbox: Arc<Outbox>,
    ) -> Option<Connection> {
        let former = match peer {
            Peer::Node(node) => self.nodes.insert(node, id).and_then(|former| self.take(former)),
            Peer::Client(_) => None,
        };
        self.connections.insert(id, Connection { peer, outbox, calls: 0, dirty: false });
        former
    }

    /// Removes a connection; `None` where it was replaced before.
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
        connection.outbox.push(message);
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
