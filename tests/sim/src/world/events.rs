//! What happens when an event is due.

use quorate_core::client::ClientInput;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{Message, Role};
use quorate_core::node::Node;

use super::{Event, World};
use crate::network::{Connection, End};

impl World {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Dialled { from, to } => self.on_dialled(from, to),
            Event::Frame { connection, to, message } => {
                if self.network.is_open(connection) {
                    self.on_frame(connection, to, message);
                }
            }
            Event::Lost { at, other } => self.on_lost(at, other),
            Event::Stored { node, life, ticket, outcome, sync } => {
                if self.nodes[node].life == life && self.nodes[node].node.is_some() {
                    if let Some(key) = sync {
                        self.nodes[node].disk.sync(&key);
                    }
                    self.input(node, Input::Stored { ticket, outcome });
                }
            }
            Event::WakeNode { node } => {
                self.nodes[node].wake = None;
                self.input(node, Input::Wake);
                let next = self.nodes[node].node.as_ref().and_then(Node::next_wake);
                assert!(next.is_none_or(|next| next.at > self.now), "node {node} woken in vain");
            }
            Event::WakeClient { client } => {
                self.clients[client].wake = None;
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Wake, out);
                });
                let next = self.clients[client].client.next_wake();
                let later = next.is_none_or(|next| next.at > self.now);
                assert!(later, "client {client} woken in vain");
            }
        }
    }

    pub(super) fn on_dialled(&mut self, from: End, to: usize) {
        let cut = matches!(from, End::Node(node) if self.network.is_cut(node, to));
        let gone = matches!(from, End::Node(node) if self.nodes[node].node.is_none());
        if gone {
            return;
        }
        if cut || self.nodes[to].node.is_none() {
            let at = self.now + self.network.delay();
            return self.push(at, Event::Lost { at: from, other: End::Node(to) });
        }
        if let Some(old) = self.network.between(from, End::Node(to)) {
            self.close(old, |_| true);
        }
        let connection = self.network.open(from, End::Node(to));
        match from {
            End::Node(node) => self.introduce(connection, node, to),
            End::Client(client, link) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Opened(link), out);
                });
            }
        }
    }

    /// The handshake of two nodes, in one step.
    pub(super) fn introduce(&mut self, connection: Connection, a: usize, b: usize) {
        let ids = (self.nodes[a].id, self.nodes[b].id);
        let (Some(dialler), Some(dialled)) = (&self.nodes[a].node, &self.nodes[b].node) else {
            return self.close(connection, |_| true);
        };
        let welcome = dialled.welcome(&dialler.hello()).expect("members of one cluster");
        dialler.accepts(ids.1, &welcome).expect("the node that was meant");
        self.input(a, Input::PeerUp(Peer::Node(ids.1)));
        self.input(b, Input::PeerUp(Peer::Node(ids.0)));
    }

    pub(super) fn on_frame(&mut self, connection: Connection, to: End, message: Message) {
        match (to, message) {
            (End::Client(client, link), message) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Frame { link, message }, out);
                });
            }
            (End::Node(node), Message::Hello(hello)) if hello.role == Role::Client => {
                let Some(machine) = &self.nodes[node].node else { return };
                let answer = match machine.welcome(&hello) {
                    Ok(welcome) => Message::Welcome(welcome),
                    Err(reject) => Message::Reject(reject),
                };
                self.send(connection, End::Node(node), answer);
            }
            (End::Node(node), message) => {
                let Some(from) = self.peer_of(connection, node) else { return };
                self.input(node, Input::Frame { from, message });
            }
        }
    }

    /// Who is at the other end, as `node` knows it.
    pub(super) fn peer_of(&self, connection: Connection, node: usize) -> Option<Peer> {
        let (a, b) = self.network.ends(connection)?;
        let other = if a.is_node(node) { b } else { a };
        Some(match other {
            End::Node(other) => Peer::Node(self.nodes[other].id),
            End::Client(..) => Peer::Client(connection.0),
        })
    }

    pub(super) fn on_lost(&mut self, at: End, other: End) {
        match (at, other) {
            (End::Node(node), End::Node(other)) => {
                // A newer connection may be there already.
                if self.network.between(at, End::Node(other)).is_none() {
                    let peer = Peer::Node(self.nodes[other].id);
                    self.input(node, Input::PeerDown(peer));
                }
            }
            (End::Node(_), End::Client(..)) => {}
            (End::Client(client, link), _) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Closed(link), out);
                });
            }
        }
    }
}
