//! Connections between machines: dialled, introduced, lost.

use quorate_core::client::ClientInput;
use quorate_core::machine::{Input, Peer};
use quorate_core::time::Duration;

use super::{Event, World};
use crate::network::{Connection, End};
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

    /// The handshake of two nodes, in one step.
    fn introduce(&mut self, connection: Connection, a: usize, b: usize) {
        let ids = (self.nodes[a].id, self.nodes[b].id);
        let (Some(dialler), Some(dialled)) = (&self.nodes[a].node, &self.nodes[b].node) else {
            return self.close(connection, |_| true);
        };
        let welcome = dialled.welcome(&dialler.hello()).expect("members of one cluster");
        dialler.accepts(ids.1, &welcome).expect("the node that was meant");
        self.input(a, Input::PeerUp(Peer::Node(ids.1)));
        self.input(b, Input::PeerUp(Peer::Node(ids.0)));
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
