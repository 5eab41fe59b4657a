//! The connections of a client: which there are, which to open, when to try again.
//!
//! Invariant: at most one link per address, and `nodes` names exactly the links that are up. There
//! are at most `max` links: where one more is wanted, the one that was idle for longest is hung up.
//! Nobody is woken in vain: of the waits that a wake finds over, none is named again.

use alloc::vec::Vec;

use super::connection::{Connection, State};
use super::standing::{PATIENCE_MIN, Standings};
use super::{ClientConfig, ClientEffect, ClientEvent, Link, Routing};
use crate::backoff;
use crate::ids::{NodeId, Text};
use crate::machine::Effects;
use crate::prng::Prng;
use crate::time::{Duration, Instant, Now};

/// Seeds that are dialled at the same time as long as none has answered.
const SEEDS_AT_ONCE: usize = 3;

/// Members of the layout that serve as seeds beside those that the client was given.
const MEMBERS_AS_SEEDS: usize = 16;

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
    /// Links that there may be; at least one.
    max: usize,
    /// The longest wait after a failure; `None`: for ever.
    redial_max: Option<Duration>,
    /// Whether one node that answers has to be there, and not only one that is connected.
    wants_well: bool,
    prng: Prng,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    until: Instant,
    /// Whether nobody is to be woken at `until`: a wake found the wait over, and the address is
    /// dialled when somebody wants it; or it ends never.
    over: bool,
}

/// The end of a wait for an address that was given up.
const NEVER: Instant = Instant(u64::MAX);

impl Failures {
    fn wait(now: Now, count: u32, wait: Option<Duration>) -> Failures {
        let until = wait.map_or(NEVER, |wait| now.instant + wait);
        Failures { count, until, over: wait.is_none() }
    }
}

/// What a client can do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Up(Link),
    /// It is connected and does not answer.
    Silent(Link),
    /// A dial is under way; `again`: after one that failed, or for long.
    Opening {
        again: bool,
    },
    /// It failed a moment ago.
    Failed,
    /// Another node answers there.
    Taken,
    /// It may be dialled; `again`: after a dial that failed.
    Idle {
        again: bool,
    },
}

impl Links {
    #[cold]
    pub(super) fn new(config: &ClientConfig, seed: u64) -> Links {
        let mut prng = Prng::stream(seed, "links");
        let mut seeds = config.seeds.clone();
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
            max: config.connections_max.max(1),
            redial_max: config.redial_max,
            wants_well: config.routing == Routing::Gateway,
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

    /// Whether the node behind a link is taken for silent.
    pub(super) fn is_silent(&self, link: Link) -> bool {
        self.get(link).is_some_and(|connection| connection.silent)
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

    /// The nodes that are connected and not silent.
    pub(super) fn well(&self) -> impl Iterator<Item = (NodeId, Link)> {
        self.up().filter(|(_, link)| !self.is_silent(*link))
    }

    /// All links, also those that are being made.
    pub(super) fn all(&self) -> impl Iterator<Item = Link> {
        self.links.iter().map(|(link, _)| *link)
    }

    /// Of each dial that is under way whether it comes after one that failed, or takes long.
    pub(super) fn opening(&self) -> impl Iterator<Item = bool> {
        self.links.iter().filter_map(|(_, connection)| match connection.state {
            State::Opening { slow, .. } => {
                Some(slow || self.failures_of(&connection.address).is_some())
            }
            State::Up(_) => None,
        })
    }

    /// Whether there is no node to turn to with anything, so that seeds are to be dialled.
    fn is_alone(&self) -> bool {
        if self.wants_well { self.well().next().is_none() } else { !self.is_any_up() }
    }

    /// Whether `node` can be sent to, which is at `address`.
    pub(super) fn reach(&self, now: Now, node: NodeId, address: Option<&Text>) -> Reach {
        if let Ok(index) = self.nodes.binary_search_by_key(&node, |(node, _)| *node) {
            let link = self.nodes[index].1;
            return if self.is_silent(link) { Reach::Silent(link) } else { Reach::Up(link) };
        }
        let Some(address) = address else { return Reach::Failed };
        let failures = self.failures_of(address);
        let again = failures.is_some();
        match self.at(address) {
            Some(Connection { state: State::Opening { slow, .. }, .. }) => {
                Reach::Opening { again: again || *slow }
            }
            Some(Connection { state: State::Up(_), .. }) => Reach::Taken,
            None if failures.is_some_and(|failures| failures.until > now.instant) => Reach::Failed,
            None => Reach::Idle { again },
        }
    }

    /// Whether one more may be dialled without a hang-up.
    pub(super) fn has_room(&self) -> bool {
        self.links.len() < self.max
    }

    /// Dials, and hangs up the link that was idle for longest where there is no room. Answers
    /// false where all are in use.
    #[cold]
    pub(super) fn dial(
        &mut self,
        now: Now,
        address: Text,
        out: &mut Effects<ClientEffect>,
    ) -> bool {
        if !self.has_room() && !self.hang_up_idle(out) {
            return false;
        }
        self.last_link += 1;
        let link = Link(self.last_link);
        self.links.push((link, Connection::dialled(now, address.clone())));
        out.push(ClientEffect::Dial { link, address });
        true
    }

    #[cold]
    fn hang_up_idle(&mut self, out: &mut Effects<ClientEffect>) -> bool {
        let idle = self.links.iter().filter(|(_, connection)| connection.is_idle());
        let Some((link, _)) = idle.min_by_key(|(_, connection)| connection.used) else {
            return false;
        };
        let link = *link;
        let Some(connection) = self.take(link) else { return false };
        let node = connection.node();
        self.nodes.retain(|(_, up)| *up != link);
        out.push(ClientEffect::Hangup(link));
        let address = connection.address;
        out.push(ClientEffect::Observe(ClientEvent::Disconnected { node, address }));
        true
    }

    /// As long as there is nobody to turn to, dials a few seeds.
    pub(super) fn dial_seeds(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        if !self.is_alone() {
            return;
        }
        let first = self.next_seed;
        for offset in 0..self.seeds.len() {
            if self.links.len() >= SEEDS_AT_ONCE.min(self.max) {
                return;
            }
            let index = (first + offset) % self.seeds.len();
            let address = self.seeds[index].clone();
            let failed = self.failures_of(&address);
            if self.at(&address).is_none()
                && failed.is_none_or(|failures| failures.until <= now.instant)
                && self.dial(now, address, out)
            {
                self.next_seed = index + 1;
            }
        }
    }

    /// Members of a new layout serve as seeds, too; of many, a few that are left to chance.
    /// Addresses that are neither are forgotten.
    #[cold]
    pub(super) fn on_layout(&mut self, addresses: &[Text]) {
        self.seeds.truncate(self.given);
        let given = &self.seeds;
        self.failures.retain(|(failed, _)| given.contains(failed) || addresses.contains(failed));
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
    #[cold]
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
    #[cold]
    pub(super) fn remove(
        &mut self,
        now: Now,
        link: Link,
        out: &mut Effects<ClientEffect>,
    ) -> Option<Connection> {
        let connection = self.take(link)?;
        let node = connection.node();
        self.nodes.retain(|(_, up)| *up != link);
        let address = connection.address.clone();
        self.on_failure(now, address.clone());
        out.push(ClientEffect::Observe(ClientEvent::Disconnected { node, address }));
        Some(connection)
    }

    /// Forgets a link that turned out to be one too many. Its address counts as failed: where the
    /// layout has another node there, it would be dialled again at once, and without end.
    #[cold]
    pub(super) fn discard(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        if let Some(connection) = self.take(link) {
            self.on_failure(now, connection.address);
            out.push(ClientEffect::Hangup(link));
        }
    }

    /// Hangs up a link that is not needed; nothing is wrong with it.
    #[cold]
    pub(super) fn let_go(&mut self, link: Link, out: &mut Effects<ClientEffect>) {
        if self.take(link).is_some() {
            self.nodes.retain(|(_, up)| *up != link);
            out.push(ClientEffect::Hangup(link));
        }
    }

    #[cold]
    fn on_failure(&mut self, now: Now, address: Text) {
        let count = self.failures_of(&address).map_or(0, |failures| failures.count);
        let count = count.saturating_add(1);
        let wait = self.redial_max.map(|max| backoff::wait_up_to(&mut self.prng, count, max));
        self.failures.retain(|(failed, _)| *failed != address);
        self.failures.push((address, Failures::wait(now, count, wait)));
    }

    /// Sets when an address that failed is dialled again, or all that are not given up.
    #[cold]
    pub(super) fn redial(&mut self, now: Now, address: Option<&Text>, wait: Option<Duration>) {
        for (failed, failures) in &mut self.failures {
            if address.map_or(failures.until != NEVER, |address| address == failed) {
                *failures = Failures::wait(now, failures.count, wait);
            }
        }
    }

    /// Whether nobody is connected and nobody is about to be: a dial that comes after one that failed,
    /// or takes long, is no more than a hope.
    #[cold]
    pub(super) fn is_offline(&self) -> bool {
        !self.is_any_up() && !self.failures.is_empty() && self.opening().all(|again| again)
    }

    /// Whether no seed will be dialled any more.
    #[cold]
    pub(super) fn is_given_up(&self) -> bool {
        let is_given_up =
            |seed| self.failures_of(seed).is_some_and(|failures| failures.until == NEVER);
        self.links.is_empty() && self.seeds.iter().all(is_given_up)
    }

    /// Notes which waits are over. Whoever waits for one of the addresses is to be routed next.
    pub(super) fn on_wake(&mut self, now: Now) {
        for (_, failures) in &mut self.failures {
            failures.over |= failures.until <= now.instant;
        }
        for (_, connection) in &mut self.links {
            connection.on_wake(now);
        }
    }

    /// The client woke up at `now`, and had wanted to at `due`.
    pub(super) fn on_late(&mut self, now: Now, due: Instant) {
        if now.instant.since(due) >= PATIENCE_MIN {
            for (_, connection) in &mut self.links {
                connection.on_slept(now);
            }
        }
    }

    /// Links that have to be given up: dials that take too long, nodes that have died.
    pub(super) fn dead(&self, now: Now) -> Vec<Link> {
        let late =
            |connection: &Connection| connection.dead_at().is_some_and(|at| at <= now.instant);
        let dead = self.links.iter().filter(|(_, connection)| late(connection));
        dead.map(|(link, _)| *link).collect()
    }

    /// Links whose nodes have fallen silent.
    pub(super) fn fallen_silent(&self, now: Now, standings: &Standings) -> Vec<(NodeId, Link)> {
        let fallen =
            |link: Link| self.silent_at(link, standings).is_some_and(|at| at <= now.instant);
        self.up().filter(|(_, link)| fallen(*link)).collect()
    }

    /// When something is to be done about a node that does not answer.
    pub(super) fn next_look(&self, standings: &Standings) -> Option<Instant> {
        let silent = self.up().filter_map(|(_, link)| self.silent_at(link, standings));
        silent.chain(self.links.iter().filter_map(|(_, connection)| connection.dead_at())).min()
    }

    /// When a dial takes too long to be waited for, or an address may be tried again.
    pub(super) fn next_dial(&self, calls_wait: bool) -> Option<Instant> {
        let slow = self.links.iter().filter(|_| calls_wait);
        let slow = slow.filter_map(|(_, connection)| connection.slow_at());
        let wanted = calls_wait || self.is_alone();
        let again = self.failures.iter().filter(|(_, failures)| wanted && !failures.over);
        slow.chain(again.map(|(_, failures)| failures.until)).min()
    }

    /// Hangs up everything.
    #[cold]
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

    fn silent_at(&self, link: Link, standings: &Standings) -> Option<Instant> {
        let connection = self.get(link)?;
        connection.silent_at(standings.patience(connection.node()?))
    }

    fn at(&self, address: &Text) -> Option<&Connection> {
        let mut connections = self.links.iter().map(|(_, connection)| connection);
        connections.find(|connection| connection.address == *address)
    }

    pub(super) fn is_opening(&self, address: &Text) -> bool {
        self.at(address).is_some_and(|connection| connection.node().is_none())
    }

    fn failures_of(&self, address: &Text) -> Option<Failures> {
        let found = self.failures.iter().find(|(failed, _)| failed == address);
        found.map(|(_, failures)| *failures)
    }
}
