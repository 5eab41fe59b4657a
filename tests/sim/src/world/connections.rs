//! Connections between machines: dialled, introduced, lost.

use quorate_core::client::ClientInput;
use quorate_core::ids::Text;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{Hello, Message};
use quorate_core::node::Node;
use quorate_core::time::Duration;

use super::{Event, World};
use crate::network::{Connection, End, Place};
use crate::observation::{Closed, Observation};

/// How long a dial into nothing takes to fail.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

impl World {
    pub(super) fn on_dialled(&mut self, from: End, to: usize) {
        if self.has_given_up(from) {
            return;
        }
        let here = End::Node(to);
        let cut = self.network.is_cut(from.place(), here.place());
        if cut || self.nodes[to].node.is_none() {
            let after = if cut { DIAL_TIMEOUT } else { Duration::ZERO };
            let at = self.now + after + self.network.delay(here.place(), from.place());
            return self.push(at, Event::Lost { at: from, other: here });
        }
        if let Some(old) = self.network.between(from, here) {
            self.close(old, |_| true);
        }
        let connection = self.network.open(from, here);
        match from {
            End::Node(node) => self.introduce(connection, node, to),
            End::Client(client, link) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Opened(link), out);
                });
            }
        }
    }

    /// Whether nobody waits for a dial any more.
    fn has_given_up(&mut self, from: End) -> bool {
        match from {
            End::Node(node) => self.nodes[node].node.is_none(),
            End::Client(client, link) => {
                let slot = &mut self.clients[client];
                slot.dead || slot.given_up.remove(&link)
            }
        }
    }

    /// A node dials whoever listens at a seed's address.
    pub(super) fn dial_seed(&mut self, from: usize, address: Text) {
        match self.at_address(&address).filter(|to| *to != from) {
            Some(to) => {
                let delay = self.network.delay(Place::Node(from), Place::Node(to));
                self.push(self.now + delay, Event::SeedDialled { from, address });
            }
            // Nobody is there, or the node itself, which refuses its own id.
            None => self.push(self.now, Event::SeedLost { at: from, address }),
        }
    }

    pub(super) fn on_seed_dialled(&mut self, from: usize, address: Text) {
        let Some(to) = self.at_address(&address).filter(|_| self.nodes[from].node.is_some()) else {
            return;
        };
        let (there, here) = (End::Node(from), End::Node(to));
        let cut = self.network.is_cut(there.place(), here.place());
        if cut || self.nodes[to].node.is_none() {
            let after = if cut { DIAL_TIMEOUT } else { Duration::ZERO };
            let at = self.now + after + self.network.delay(here.place(), there.place());
            return self.push(at, Event::SeedLost { at: from, address });
        }
        let node = self.nodes[to].id;
        self.input(from, Input::SeedUp { address, node });
        self.on_dialled(there, to);
    }

    /// The handshake of two nodes, in one step.
    fn introduce(&mut self, connection: Connection, a: usize, b: usize) {
        let ids = (self.nodes[a].id, self.nodes[b].id);
        if !self.shake_hands(a, b) {
            return self.close(connection, |_| true);
        }
        self.input(a, Input::PeerUp(Peer::Node(ids.1)));
        self.input(b, Input::PeerUp(Peer::Node(ids.0)));
    }

    /// HELLO and WELCOME of `a`, which dialled, and `b`; false where one of them wants nothing of
    /// the other.
    fn shake_hands(&mut self, a: usize, b: usize) -> bool {
        let id = self.nodes[b].id;
        let Some(hello) = self.nodes[a].node.as_ref().map(Node::hello) else { return false };
        let Some(Message::Welcome(welcome)) = self.greet(b, &hello) else { return false };
        let mut accepted = false;
        self.with_node(a, |dialler, _, _| {
            accepted = dialler.accepts(Some(id), &welcome).is_ok();
        });
        accepted
    }

    /// The answer of a node to a HELLO; `None` where it is down.
    pub(super) fn greet(&mut self, node: usize, hello: &Hello) -> Option<Message> {
        let mut answer = None;
        self.with_node(node, |machine, now, out| {
            answer = Some(match machine.welcome(now, hello, out) {
                Ok(welcome) => Message::Welcome(welcome),
                Err(reject) => Message::Reject(reject),
            });
        });
        answer
    }

    /// Closes a connection; the ends for which `told` holds learn of it after a while.
    pub(super) fn close(&mut self, connection: Connection, told: impl Fn(End) -> bool) {
        let Some((a, b)) = self.network.close(connection) else { return };
        self.observe(&Observation::Closed(Closed { a, b }));
        for (at, other) in [(a, b), (b, a)] {
            if told(at) {
                let when = self.now + self.network.delay(other.place(), at.place());
                self.push(when, Event::Lost { at, other });
            }
        }
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

    /// Who is at the other end, as `node` knows it.
    pub(super) fn peer(&self, connection: Connection, from: End) -> Peer {
        match from {
            End::Node(other) => Peer::Node(self.nodes[other].id),
            End::Client(..) => Peer::Client(connection.0),
        }
    }
}
