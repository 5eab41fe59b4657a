//! Carrying out what the machines want done.

use quorate_core::client::{Client, ClientEffect, Link};
use quorate_core::machine::{Effect, Effects, Input, Peer, StoreOutcome};
use quorate_core::message::Message;
use quorate_core::node::Node;
use quorate_core::time::Now;

use super::{BY_HAND, Event, World};
use crate::network::{Connection, End};

impl World {
    /// Closes a connection; the ends for which `told` holds learn of it after a while.
    pub(super) fn close(&mut self, connection: Connection, told: impl Fn(End) -> bool) {
        let Some((a, b)) = self.network.close(connection) else { return };
        for (at, other) in [(a, b), (b, a)] {
            if told(at) {
                let when = self.now + self.network.delay();
                self.push(when, Event::Lost { at, other });
            }
        }
    }

    pub(super) fn send(&mut self, connection: Connection, from: End, message: Message) {
        let Some((a, b)) = self.network.ends(connection) else { return };
        let to = if a == from { b } else { a };
        let at = self.network.arrival(self.now, connection, to);
        self.push(at, Event::Frame { connection, to, message });
    }

    pub(super) fn input(&mut self, node: usize, input: Input) {
        self.with_node(node, |machine, now, out| machine.handle(now, input, out));
    }

    pub(super) fn with_node(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Node, Now, &mut Effects<Effect>),
    ) {
        let now = self.clock();
        let mut out = Effects::new();
        let Some(node) = &mut self.nodes[index].node else { return };
        act(node, now, &mut out);
        node.check_invariants();
        let wake = node.next_wake().map(|wake| wake.at.max(self.now));
        for effect in out.drain() {
            self.on_effect(index, effect);
        }
        if let Some(at) = wake
            && self.nodes[index].wake.is_none_or(|queued| at < queued)
        {
            self.nodes[index].wake = Some(at);
            self.push(at, Event::WakeNode { node: index });
        }
    }

    pub(super) fn on_effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { to: Peer::Client(peer), message: Message::Reply(reply) }
                if peer >= BY_HAND =>
            {
                self.replies.insert((peer - BY_HAND, reply.call), reply);
            }
            Effect::Send { to, message } => {
                let connection = match to {
                    Peer::Client(connection) => Some(Connection(connection)),
                    Peer::Node(id) => self
                        .index(id)
                        .and_then(|other| self.network.between(End::Node(node), End::Node(other))),
                };
                if let Some(connection) = connection {
                    self.send(connection, End::Node(node), message);
                }
            }
            Effect::Store { ticket, slot: _, op } => {
                let (outcome, sync) = self.nodes[node].disk.run(&op);
                let life = self.nodes[node].life;
                let at = self.now + self.config.apply;
                self.push(at, Event::Stored { node, life, ticket, outcome, sync: None });
                if sync.is_some() {
                    let at = at + self.config.sync;
                    let outcome = StoreOutcome::Durable;
                    self.push(at, Event::Stored { node, life, ticket, outcome, sync });
                }
            }
            Effect::Dial { node: id, .. } => {
                let at = self.now + self.network.delay();
                if let Some(to) = self.index(id) {
                    self.push(at, Event::Dialled { from: End::Node(node), to });
                }
            }
            Effect::Hangup(Peer::Client(connection)) => {
                self.close(Connection(connection), |_| true);
            }
            Effect::Hangup(Peer::Node(id)) => {
                let other = self.index(id).map(End::Node);
                let open = other.and_then(|other| self.network.between(End::Node(node), other));
                if let Some(connection) = open {
                    self.close(connection, |_| true);
                }
            }
            Effect::Observe(event) => self.nodes[node].events.push(event),
        }
    }

    pub(super) fn with_client<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Client, Now, &mut Effects<ClientEffect>) -> T,
    ) -> T {
        let now = self.clock();
        let mut out = Effects::new();
        let slot = &mut self.clients[index];
        let result = act(&mut slot.client, now, &mut out);
        slot.client.check_invariants();
        let wake = slot.client.next_wake().map(|wake| wake.at.max(self.now));
        for effect in out.drain() {
            self.on_client_effect(index, effect);
        }
        if let Some(at) = wake
            && self.clients[index].wake.is_none_or(|queued| at < queued)
        {
            self.clients[index].wake = Some(at);
            self.push(at, Event::WakeClient { client: index });
        }
        result
    }

    pub(super) fn on_client_effect(&mut self, client: usize, effect: ClientEffect) {
        let connection =
            |world: &World, link: Link| world.network.of(|end| end == End::Client(client, link));
        match effect {
            ClientEffect::Dial { link, address } => {
                let at = self.now + self.network.delay();
                let from = End::Client(client, link);
                match self.at_address(&address) {
                    Some(to) => self.push(at, Event::Dialled { from, to }),
                    None => self.push(at, Event::Lost { at: from, other: from }),
                }
            }
            ClientEffect::Send { link, message } => {
                for connection in connection(self, link) {
                    self.send(connection, End::Client(client, link), message.clone());
                }
            }
            ClientEffect::Hangup(link) => {
                for connection in connection(self, link) {
                    self.close(connection, |end| end != End::Client(client, link));
                }
            }
            ClientEffect::Complete { call, result } => {
                let before = self.clients[client].ended.insert(call, (self.now, result));
                assert!(before.is_none(), "call {call:?} ended twice");
            }
            ClientEffect::Observe(_) => {}
        }
    }
}
