//! The connections of a client: which there are, which to open, when to try again.
//!
//! Invariant: at most one link per address, and `nodes` names exactly the links that are up.

use alloc::collections::{BTreeMap, VecDeque};
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
    links: BTreeMap<Link, Connection>,
    nodes: BTreeMap<NodeId, Link>,
    /// Addresses that failed, until they work.
    failures: BTreeMap<Text, Failures>,
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
            links: BTreeMap::new(),
            nodes: BTreeMap::new(),
            failures: BTreeMap::new(),
            last_link: 0,
            prng,
        }
    }

    pub(super) fn get(&self, link: Link) -> Option<&Connection> {
        self.links.get(&link)
    }

    pub(super) fn get_mut(&mut self, link: Link) -> Option<&mut Connection> {
        self.links.get_mut(&link)
    }

    /// The nodes that are connected.
    pub(super) fn up(&self) -> impl Iterator<Item = (NodeId, Link)> {
        self.nodes.iter().map(|(node, link)| (*node, *link))
    }

    pub(super) fn is_any_up(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether `node` can be sent to, which is at `address`.
    pub(super) fn reach(&self, now: Now, node: NodeId, address: Option<&Text>) -> Reach {
        if let Some(link) = self.nodes.get(&node) {
            return Reach::Up(*link);
        }
        let Some(address) = address else { return Reach::Failed(Instant(u64::MAX)) };
        if self.links.values().any(|connection| connection.address == *address) {
            return Reach::Opening;
        }
        match self.failures.get(address) {
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
        self.links.insert(link, connection);
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
            let open = self.links.values().any(|connection| connection.address == address);
            let failed = self.failures.get(&address);
            if !open && failed.is_none_or(|failures| failures.until <= now.instant) {
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
        if self.nodes.contains_key(&node) {
            return false;
        }
        let Some(connection) = self.links.get_mut(&link) else { return false };
        connection.state = State::Up(node);
        let address = connection.address.clone();
        self.failures.remove(&address);
        self.nodes.insert(node, link);
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
        let connection = self.links.remove(&link)?;
        let node = match connection.state {
            State::Up(node) => {
                self.nodes.remove(&node);
                Some(node)
            }
            State::Opening { .. } => None,
        };
        let failures = self.failures.entry(connection.address.clone());
        let failures = failures.or_insert(Failures { count: 0, until: now.instant });
        failures.count = failures.count.saturating_add(1);
        failures.until = now.instant + backoff::wait(&mut self.prng, failures.count);
        let address = connection.address.clone();
        out.push(ClientEffect::Observe(ClientEvent::Disconnected { node, address }));
        Some(connection)
    }

    /// Forgets a link that turned out to be one too many; its address did not fail.
    pub(super) fn discard(&mut self, link: Link, out: &mut Effects<ClientEffect>) {
        if self.links.remove(&link).is_some() {
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
        let opening = self.links.values().filter_map(|connection| match connection.state {
            State::Opening { until } => Some(until),
            State::Up(_) => None,
        });
        let wanted = calls_wait || !self.is_any_up();
        let again = self.failures.iter().filter(move |(address, _)| {
            wanted && !self.links.values().any(|connection| connection.address == **address)
        });
        opening.chain(again.map(|(_, failures)| failures.until)).min()
    }

    /// Hangs up everything.
    pub(super) fn close(&mut self, out: &mut Effects<ClientEffect>) {
        for link in core::mem::take(&mut self.links).into_keys() {
            out.push(ClientEffect::Hangup(link));
        }
        self.nodes.clear();
    }
}
