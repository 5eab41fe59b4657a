//! What happens when an event is due.

use quorate_core::client::ClientInput;
use quorate_core::machine::Input;
use quorate_core::message::{Message, Role};
use quorate_core::node::Node;

use super::{Event, World};
use crate::detail::{Detail, Obstacle};
use crate::disk::Ended;
use crate::marks::Mark;
use crate::network::{Connection, End, Place};
use crate::observation::{By, Delivered, Observation, Synced};

impl World {
    pub(super) fn take(&mut self, event: Event) {
        let Some(event) = self.park(event) else { return };
        self.taken += 1;
        self.trace.event(self.now, &event);
        match event {
            Event::Dialled { from, to } => self.on_dialled(from, to),
            Event::SeedDialled { from, address } => self.on_seed_dialled(from, address),
            Event::SeedLost { at, address } => self.input(at, Input::SeedDown { address }),
            Event::Frame { connection, from, to, message, again, cause } => {
                if let Some(sight) = &mut self.sight {
                    sight.on_arrival(cause);
                }
                let open = self.network.is_open(connection);
                if again || open {
                    self.watch.add(Mark::FrameOutlivesConnection, !open);
                    self.on_frame(connection, from, to, message, again);
                } else {
                    let by = Obstacle::Connection;
                    self.observe_detail(&Detail::Stopped { from, to, message: &message, by });
                }
            }
            Event::Handed { node, client, message } => self.on_handed(node, client, message),
            Event::Lost { at, other } => self.on_lost(at, other),
            Event::Stored { node, life, ticket, outcome } => {
                if self.is_alive(node, life) {
                    self.tell_mark(node);
                }
                if self.is_alive(node, life) {
                    self.observe_detail(&Detail::Learned { node, ticket });
                    self.go_on(node, ticket);
                    self.input(node, Input::Stored { ticket, outcome });
                    self.sync(node);
                }
            }
            Event::Changed { node, life } => {
                if self.is_alive(node, life) {
                    self.sync(node);
                }
            }
            Event::Synced { node, life } => {
                if self.is_alive(node, life) {
                    self.on_synced(node);
                }
            }
            Event::WakeNode { node, life } => {
                if self.is_alive(node, life)
                    && self.nodes[node].wake.is_some_and(|at| at <= self.now)
                {
                    self.nodes[node].wake = None;
                    self.input(node, Input::Wake);
                    let next = self.nodes[node].node.as_ref().and_then(Node::next_wake);
                    assert!(
                        next.is_none_or(|next| next.at > self.now),
                        "node {node} woken in vain"
                    );
                }
            }
            Event::WakeClient { client } => {
                if self.clients[client].wake.is_some_and(|at| at <= self.now) {
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
    }

    /// Keeps what a paused node or a frozen client would have to see.
    fn park(&mut self, event: Event) -> Option<Event> {
        // A connection needs both ends.
        let places = match &event {
            Event::Dialled { from, to } => [from.place(), Place::Node(*to)],
            Event::Frame { to, .. } => [to.place(); 2],
            Event::SeedDialled { from, address } => {
                let to = self.at_address(address).unwrap_or(*from);
                [Place::Node(*from), Place::Node(to)]
            }
            Event::SeedLost { at, .. } => [Place::Node(*at); 2],
            Event::Lost { at, .. } => [at.place(); 2],
            Event::Handed { node, .. }
            | Event::Stored { node, .. }
            | Event::Changed { node, .. }
            | Event::Synced { node, .. }
            | Event::WakeNode { node, .. } => [Place::Node(*node); 2],
            Event::WakeClient { client } => [Place::Client(*client); 2],
        };
        let still = places.into_iter().find(|place| match place {
            Place::Node(node) => self.nodes[*node].paused.is_some(),
            Place::Client(client) => self.clients[*client].frozen.is_some(),
        });
        let waiting = match still {
            None => return Some(event),
            Some(Place::Node(node)) => &mut self.nodes[node].paused,
            Some(Place::Client(client)) => &mut self.clients[client].frozen,
        };
        if let Some((_, waiting)) = waiting {
            waiting.push(event);
        }
        None
    }

    /// Tells a node of its last commit, unless it knows.
    pub(super) fn tell_mark(&mut self, node: usize) {
        if self.nodes[node].node.is_some()
            && let Some(mark) = self.disks[node].tell_mark()
        {
            self.input(node, Input::Marked(mark));
        }
    }

    fn is_alive(&self, node: usize, life: u64) -> bool {
        self.nodes[node].life == life && self.nodes[node].node.is_some()
    }

    fn on_frame(
        &mut self,
        connection: Connection,
        from: End,
        to: End,
        message: Message,
        again: bool,
    ) {
        let gone = match to {
            // No socket outlives its process, so none carries anything to the next one.
            End::Node(node) => {
                self.nodes[node].node.is_none() || connection <= self.nodes[node].inherits
            }
            End::Client(client, _) => self.clients[client].dead,
        };
        if gone {
            let by = Obstacle::Receiver;
            return self.observe_detail(&Detail::Stopped { from, to, message: &message, by });
        }
        self.observe(&Observation::Delivered(Delivered { from, to, message: &message, again }));
        match (to, message) {
            (End::Client(client, link), message) => {
                let message = self.outdated(client, message);
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Frame { link, message }, out);
                });
            }
            (End::Node(node), Message::Hello(hello)) if hello.role == Role::Client => {
                let Some(answer) = self.greet(node, &hello) else { return };
                self.send(connection, End::Node(node), answer);
            }
            (End::Node(node), message) => {
                let from = self.peer(connection, from);
                self.input(node, Input::Frame { from, message });
            }
        }
    }

    /// A client that is to begin with an old layout is shown that one in all welcomes before the
    /// first reply: it greets several seeds, and one current welcome would be enough.
    fn outdated(&mut self, client: usize, message: Message) -> Message {
        let stale = &mut self.clients[client].stale;
        let Message::Welcome(mut welcome) = message else {
            stale.take_if(|_| matches!(message, Message::Reply(_)));
            return message;
        };
        if let Some(stale) = stale {
            welcome.layout = Some(stale.clone());
        }
        Message::Welcome(welcome)
    }

    /// Begins a sync of what is applied, unless one is under way.
    fn sync(&mut self, node: usize) {
        if let Some(at) = self.disks[node].begin_sync(self.now) {
            let life = self.nodes[node].life;
            self.push(at, Event::Synced { node, life });
        }
    }

    fn on_synced(&mut self, node: usize) {
        let Ended { told, failed, copies, discarded } = self.disks[node].end_sync(self.now);
        if failed {
            self.observe_detail(&Detail::SyncFailed { node, waiting: told.len() });
        }
        for (copy, key) in copies {
            // A hint may be gone.
            if let Some(held) = self.disks[node].copy_synced(copy, &key).cloned() {
                let record = held.record();
                self.observe(&Observation::Synced(Synced { node, copy, key: &key, record }));
            }
        }
        self.mourn(node, By::Node, &discarded);
        let life = self.nodes[node].life;
        self.tell_mark(node);
        for (ticket, outcome) in told {
            if self.is_alive(node, life) {
                self.go_on(node, ticket);
                self.input(node, Input::Stored { ticket, outcome });
            }
        }
        if self.is_alive(node, life) {
            self.sync(node);
        }
    }
}
