//! The connections of a client: which there are, which to open, when to try again.
//!
//! Invariant: at most one link per address, and `nodes` names exactly the links that are up.
//! Nobody is woken in vain: of the waits that a wake finds over, none is named again.

use alloc::vec::Vec;

use super::sorted::Sorted;
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

/// Members of the layout that serve as seeds beside those that the client was given.
const MEMBERS_AS_SEEDS: usize = 16;

/// A node from which nothing came in for so long, while requests were in flight, may be dead.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(super) struct Links {
    /// Those that the client was given, then members of the layout.
    seeds: Vec<Text>,
    /// How many the client was given.
    given: usize,
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
    /// Requests sent and not answered, also those whose calls have ended.
    pub(super) in_flight: Sorted<CallId, ()>,
    /// Requests that wait since too many are in flight.
    /// Invariant: exactly the calls in the stage `Queued` of this link.
    pub(super) backlog: Sorted<CallId, ()>,
    /// When a frame last came in.
    pub(super) heard: Instant,
    /// Since when nothing has come in although something is in flight.
    pub(super) quiet: Instant,
}

impl Connection {
    /// Something came in.
    pub(super) fn on_heard(&mut self, now: Now) {
        self.heard = now.instant;
        self.quiet = now.instant;
    }

    /// A request goes out.
    pub(super) fn on_sent(&mut self, now: Now, call: CallId) {
        if self.in_flight.is_empty() {
            self.quiet = now.instant;
        }
        self.in_flight.insert(call, ());
    }

    /// Whether nothing came in since `asked`, and for long.
    pub(super) fn is_silent(&self, now: Now, asked: Instant) -> bool {
        self.heard <= asked && now.instant.since(self.quiet) >= SILENCE
    }
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
    /// Whether a wake found the wait over: the address is dialled when somebody wants it.
    over: bool,
}

/// What a client can do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Up(Link),
    /// A dial is under way; `again`: after one that failed.
    Opening {
        again: bool,
    },
    /// It failed a moment ago, or another node answers there.
    Failed,
    /// It may be dialled; `again`: after a dial that failed.
    Idle {
        again: bool,
    },
}

impl Links {
    pub(super) fn new(mut seeds: Vec<Text>, seed: u64) -> Links {
        let mut prng = Prng::stream(seed, "links");
        // Each client begins elsewhere, so that the first seed does not carry them all.
        for index in (1..seeds.len()).rev() {
            seeds.swap(index, prng.below(index as u64 + 1) as usize);
        }
        Links {
            given: seeds.len(),
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

    /// Requests in all backlogs.
    pub(super) fn queued(&self) -> usize {
        self.links.iter().map(|(_, connection)| connection.backlog.len()).sum()
    }

    pub(super) fn is_any_up(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether `node` can be sent to, which is at `address`.
    pub(super) fn reach(&self, now: Now, node: NodeId, address: Option<&Text>) -> Reach {
        if let Ok(index) = self.nodes.binary_search_by_key(&node, |(node, _)| *node) {
            return Reach::Up(self.nodes[index].1);
        }
        let Some(address) = address else { return Reach::Failed };
        let failures = self.failures_of(address);
        let again = failures.is_some();
        match self.at(address) {
            Some(Connection { state: State::Opening { .. }, .. }) => Reach::Opening { again },
            Some(Connection { state: State::Up(_), .. }) => Reach::Failed,
            None if failures.is_some_and(|failures| failures.until > now.instant) => Reach::Failed,
            None => Reach::Idle { again },
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
            in_flight: Sorted::new(),
            backlog: Sorted::new(),
            heard,
            quiet: heard,
        };
        self.links.push((link, connection));
        out.push(ClientEffect::Dial { link, address });
    }

    /// As long as nobody is connected, dials a few seeds.
    pub(super) fn dial_seeds(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        if self.is_any_up() {
            return;
        }
        let first = self.next_seed;
        for offset in 0..self.seeds.len() {
            if self.links.len() >= SEEDS_AT_ONCE {
                return;
            }
            let index = (first + offset) % self.seeds.len();
            let address = self.seeds[index].clone();
            let failed = self.failures_of(&address);
            if self.at(&address).is_none()
                && failed.is_none_or(|failures| failures.until <= now.instant)
            {
                self.dial(now, address, out);
                self.next_seed = index + 1;
            }
        }
    }

    /// Members of a new layout serve as seeds, too; of many, a few that are left to chance.
    pub(super) fn on_layout(&mut self, addresses: &[Text]) {
        self.seeds.truncate(self.given);
        let mut members: Vec<&Text> = addresses.iter().collect();
        while self.seeds.len() < self.given + MEMBERS_AS_SEEDS && !members.is_empty() {
            let member = members.swap_remove(self.prng.below(members.len() as u64) as usize);
            if !self.seeds.contains(member) {
                self.seeds.push(member.clone());
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
        self.on_failure(now, address.clone());
        out.push(ClientEffect::Observe(ClientEvent::Disconnected { node, address }));
        Some(connection)
    }

    /// Forgets a link that turned out to be one too many. Its address counts as failed: where the
    /// layout has another node there, it would be dialled again at once, and without end.
    pub(super) fn discard(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        if let Some(connection) = self.take(link) {
            self.on_failure(now, connection.address);
            out.push(ClientEffect::Hangup(link));
        }
    }

    fn on_failure(&mut self, now: Now, address: Text) {
        let count = self.failures_of(&address).map_or(0, |failures| failures.count);
        let count = count.saturating_add(1);
        let until = now.instant + backoff::wait(&mut self.prng, count);
        self.failures.retain(|(failed, _)| *failed != address);
        self.failures.push((address, Failures { count, until, over: false }));
    }

    /// Notes which waits are over. Whoever waits for one of the addresses is to be routed next.
    pub(super) fn on_wake(&mut self, now: Now) {
        for (_, failures) in &mut self.failures {
            failures.over |= failures.until <= now.instant;
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
        let again = self.failures.iter().filter(|(_, failures)| wanted && !failures.over);
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

    fn at(&self, address: &Text) -> Option<&Connection> {
        let mut connections = self.links.iter().map(|(_, connection)| connection);
        connections.find(|connection| connection.address == *address)
    }

    fn failures_of(&self, address: &Text) -> Option<Failures> {
        let found = self.failures.iter().find(|(failed, _)| failed == address);
        found.map(|(_, failures)| *failures)
    }
}
