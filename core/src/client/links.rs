//! The connections of a client: which there are, which to open, when to try again.
//!
//! Invariant: at most one link per address, and `nodes` names exactly the links that are up.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{ClientEffect, ClientEvent, Link};
use crate::backoff;
use crate::ids::{NodeId, Text};
use crate::machine::Effects;
use crate::message::CallId;
use crate::prng::Prng;
use crate::time::{Duration, Instant, Now};

/// How long a dial with its handshake may take.
const DIAL: Duration = Duration::from_secs(3);

/// Seeds that are dialled at the same time as long as none has answered.
const SEEDS_AT_ONCE: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Links {
    seeds: Vec<Text>,
    /// Where the next round over the seeds begins.
    next_seed: usize,
    /// Ascending: a client has some dozens at most, and small code.
    links: Vec<(Link, Connection)>,
    /// Ascending.
    nodes: Vec<(NodeId, Link)>,
    /// Addresses that failed, until they work.
    failures: Vec<(Text, Failures)>,
    last_link: u32,
    prng: Prng,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) address: Text,
    pub(super) state: State,
    /// Requests sent and not answered.
    pub(super) in_flight: usize,
    /// Requests that wait since too many are in flight.
    pub(super) backlog: VecDeque<CallId>,
    /// When a frame last came in.
    pub(super) heard: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Dialling, or waiting for the welcome.
    Opening { until: Instant },
    /// Welcomed.
    Up(NodeId),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    until: Instant,
}

/// What a client can do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Up(Link),
    Opening,
    /// Not before.
    Failed(Instant),
    Idle,
}

impl Links {
    pub(super) fn new(mut seeds: Vec<Text>, seed: u64) -> Links {
        let mut prng = Prng::stream(seed, "links");
        // Each client begins elsewhere, so that the first seed does not carry them all.
        for index in (1..seeds.len()).rev() {
            seeds.swap(index, prng.below(index as u64 + 1) as usize);
        }
        Links {
            seeds,
            next_seed: 0,
            links: Vec::new(),
            nodes: Vec::new(),
            failures: Vec::new(),
            last_link: 0,
            prng,
        }
    }

    pub(super) fn get(&self, link: Link) -> Option<&Connection> {
        let index = self.links.binary_search_by_key(&link, |(link, _)| *link).ok()?;
        Some(&self.links[index].1)
    }

    pub(super) fn get_mut(&mut self, link: Link) -> Option<&mut Connection> {
        let index = self.links.binary_search_by_key(&link, |(link, _)| *link).ok()?;
        Some(&mut self.links[index].1)
    }

    /// The nodes that are connected.
    pub(super) fn up(&self) -> impl Iterator<Item = (NodeId, Link)> {
        self.nodes.iter().copied()
    }

    pub(super) fn is_any_up(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether `node` can be sent to, which is at `address`.
    pub(super) fn reach(&self, now: Now, node: NodeId, address: Option<&Text>) -> Reach {
        if let Ok(index) = self.nodes.binary_search_by_key(&node, |(node, _)| *node) {
            return Reach::Up(self.nodes[index].1);
        }
        let Some(address) = address else { return Reach::Failed(Instant(u64::MAX)) };
        if self.is_open(address) {
            return Reach::Opening;
        }
        match self.failures_of(address) {
            Some(failures) if failures.until > now.instant => Reach::Failed(failures.until),
            Some(_) | None => Reach::Idle,
        }
    }

    pub(super) fn dial(&mut self, now: Now, address: Text, out: &mut Effects<ClientEffect>) {
        self.last_link += 1;
        let link = Link(self.last_link);
        let state = State::Opening { until: now.instant + DIAL };
        let heard = now.instant;
        let connection = Connection {
            address: address.clone(),
            state,
            in_flight: 0,
            backlog: VecDeque::new(),
            heard,
        };
        self.links.push((link, connection));
        out.push(ClientEffect::Dial { link, address });
    }

    /// As long as nobody is connected, dials a few seeds.
    pub(super) fn dial_seeds(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        if self.is_any_up() {
            return;
        }
        for offset in 0..self.seeds.len() {
            if self.links.len() >= SEEDS_AT_ONCE {
                return;
            }
            let index = (self.next_seed + offset) % self.seeds.len();
            let address = self.seeds[index].clone();
            let failed = self.failures_of(&address);
            if !self.is_open(&address)
                && failed.is_none_or(|failures| failures.until <= now.instant)
            {
                self.dial(now, address, out);
                self.next_seed = index + 1;
            }
        }
    }

    /// The node behind a link has welcomed us. Answers false where another link to the same node
    /// is up already.
    pub(super) fn on_welcome(
        &mut self,
        link: Link,
        node: NodeId,
        out: &mut Effects<ClientEffect>,
    ) -> bool {
        let Err(place) = self.nodes.binary_search_by_key(&node, |(node, _)| *node) else {
            return false;
        };
        let Some(connection) = self.get_mut(link) else { return false };
        connection.state = State::Up(node);
        let address = connection.address.clone();
        self.failures.retain(|(failed, _)| *failed != address);
        self.nodes.insert(place, (node, link));
        out.push(ClientEffect::Observe(ClientEvent::Connected { node, address }));
        true
    }

    /// A link is gone.
    pub(super) fn remove(
        &mut self,
        now: Now,
        link: Link,
        out: &mut Effects<ClientEffect>,
    ) -> Option<Connection> {
        let connection = self.take(link)?;
        let node = match connection.state {
            State::Up(node) => {
                self.nodes.retain(|(up, _)| *up != node);
                Some(node)
            }
            State::Opening { .. } => None,
        };
        let address = connection.address.clone();
        let count = self.failures_of(&address).map_or(0, |failures| failures.count);
        let count = count.saturating_add(1);
        let until = now.instant + backoff::wait(&mut self.prng, count);
        self.failures.retain(|(failed, _)| *failed != address);
        self.failures.push((address.clone(), Failures { count, until }));
        out.push(ClientEffect::Observe(ClientEvent::Disconnected { node, address }));
        Some(connection)
    }

    /// Forgets a link that turned out to be one too many; its address did not fail.
    pub(super) fn discard(&mut self, link: Link, out: &mut Effects<ClientEffect>) {
        if self.take(link).is_some() {
            out.push(ClientEffect::Hangup(link));
        }
    }

    /// Links whose dial or handshake takes too long.
    pub(super) fn overdue(&self, now: Now) -> Vec<Link> {
        let late = |connection: &Connection| match connection.state {
            State::Opening { until } => until <= now.instant,
            State::Up(_) => false,
        };
        let late = self.links.iter().filter(|(_, connection)| late(connection));
        late.map(|(link, _)| *link).collect()
    }

    /// When a dial runs out of time, or may be tried again.
    pub(super) fn next_wake(&self, calls_wait: bool) -> Option<Instant> {
        let opening = self.links.iter().filter_map(|(_, connection)| match connection.state {
            State::Opening { until } => Some(until),
            State::Up(_) => None,
        });
        let wanted = calls_wait || !self.is_any_up();
        let again =
            self.failures.iter().filter(move |(address, _)| wanted && !self.is_open(address));
        opening.chain(again.map(|(_, failures)| failures.until)).min()
    }

    /// Hangs up everything.
    pub(super) fn close(&mut self, out: &mut Effects<ClientEffect>) {
        for link in core::mem::take(&mut self.links).into_iter().map(|(link, _)| link) {
            out.push(ClientEffect::Hangup(link));
        }
        self.nodes.clear();
    }

    fn take(&mut self, link: Link) -> Option<Connection> {
        let index = self.links.binary_search_by_key(&link, |(link, _)| *link).ok()?;
        Some(self.links.remove(index).1)
    }

    fn is_open(&self, address: &Text) -> bool {
        self.links.iter().any(|(_, connection)| connection.address == *address)
    }

    fn failures_of(&self, address: &Text) -> Option<Failures> {
        let found = self.failures.iter().find(|(failed, _)| failed == address);
        found.map(|(_, failures)| *failures)
    }
}
