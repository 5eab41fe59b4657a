//! Connections to the other nodes: who is up, who is dialled, when to dial again.
//!
//! There is one connection per pair of nodes, dialled by the one with the lower id, so that all
//! frames between two nodes share one stream. A peer is up when its connection is. Seeds are an
//! exception: whoever listens at a seed's address is dialled for ever, by nodes with higher ids,
//! too, unless a connection to it is there; so halves that never met find each other. Whoever
//! stays away is another: the node with the higher id dials, too, later than the other one would.
//! A node whose disk was emptied while all seeds are gone knows nobody whom it could dial.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::backoff;
use crate::config::NodeConfig;
use crate::ids::{Incarnation, NodeId, Text};
use crate::machine::{Effect, Effects, Event, Peer};
use crate::membership::Membership;
use crate::prng::Prng;
use crate::time::{Duration, Instant, Now};

/// Longest wait between two dials of a peer that was there a moment ago.
const WAIT_AT_FIRST: Duration = Duration::from_secs(1);

/// Longest wait between two dials of one that stays away.
const WAIT_LONGEST: Duration = Duration::from_secs(10);

/// A peer stays away when it was away for so long.
const STAYS_AWAY: Duration = Duration::from_secs(60);

/// A peer with a lower id, which is the one to dial, has so much time for it.
const AWAITED: Duration = Duration::from_secs(5);

/// A seed is looked after so often while a connection to it is there.
const SEED_LOOK: Duration = Duration::from_secs(1);

/// A seed that is a known member has so much time to be connected like all others.
const SEED_PATIENCE: Duration = Duration::from_secs(2);

/// The state of the connection to each other member.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    own: NodeId,
    /// Everyone who is known, but the node itself.
    links: BTreeMap<NodeId, Link>,
    links_max: usize,
    /// Where to look for others; never the node's own address.
    seeds: Vec<Seed>,
    /// Jitter of redials.
    prng: Prng,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    state: State,
    /// Since when it is not up; the last moment that is known while it is.
    away: Instant,
    /// When the last frame came.
    heard: Instant,
    /// The life that the last accepted handshake named.
    greeted: Option<Incarnation>,
    /// The life at the other end; `None` where it is not up, or was not named.
    life: Option<Incarnation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A dial is under way, the given number since the last success.
    Dialling(u32),
    /// To be dialled again.
    Waiting { until: Instant, attempt: u32 },
    /// Connected.
    Up,
}

#[derive(Clone, Debug)]
struct Seed {
    address: Text,
    state: SeedState,
    /// Who answered there.
    found: Option<NodeId>,
    /// Since when nobody is connected from there.
    away: Instant,
}

#[derive(Clone, Copy, Debug)]
enum SeedState {
    /// A dial is under way, the given number since the last success.
    Dialling(u32),
    /// To be looked after.
    Waiting { until: Instant, attempt: u32 },
}

impl Peers {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Peers {
        let others = config.seeds.iter().filter(|address| **address != config.address);
        let state = SeedState::Waiting { until: Instant(0), attempt: 1 };
        let seeds = others.map(|address| Seed {
            address: address.clone(),
            state,
            found: None,
            away: Instant(0),
        });
        Peers {
            own: config.id,
            links: BTreeMap::new(),
            links_max: config.limits.members_max,
            seeds: seeds.collect(),
            prng: Prng::stream(seed, "redial"),
        }
    }

    /// Dials everyone whom this node is to dial.
    pub(crate) fn start(&mut self, now: Now, membership: &Membership, out: &mut Effects<Effect>) {
        for seed in &mut self.seeds {
            seed.away = now.instant;
        }
        self.admit_all(now, membership);
        self.on_wake(now, membership, out);
    }

    /// Whether `node` can be sent to.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.links.get(&node).is_some_and(|link| link.state == State::Up)
    }

    /// Makes room for connections to all members.
    pub(crate) fn admit_all(&mut self, now: Now, membership: &Membership) {
        for node in membership.ids() {
            self.admit(now, node);
        }
    }

    /// A member was met, or lives anew, perhaps at another address.
    pub(crate) fn on_met(&mut self, now: Now, node: NodeId) {
        self.admit(now, node);
        if let Some(link) = self.links.get_mut(&node)
            && let State::Waiting { until, attempt } = &mut link.state
        {
            (*until, *attempt) = (now.instant + leeway(self.own, node), 1);
        }
    }

    pub(crate) fn on_up(&mut self, now: Now, node: NodeId, out: &mut Effects<Effect>) {
        self.admit(now, node);
        let Some(link) = self.links.get_mut(&node) else {
            out.push(Effect::Hangup(Peer::Node(node)));
            return;
        };
        link.state = State::Up;
        link.heard = now.instant;
        link.life = link.greeted.take();
        out.observe(Event::NodeUp(node));
    }

    /// A connection is gone, or a dial failed.
    pub(crate) fn on_down(
        &mut self,
        now: Now,
        node: NodeId,
        membership: &Membership,
        out: &mut Effects<Effect>,
    ) {
        let Some(link) = self.links.get_mut(&node) else { return };
        let attempt = match link.state {
            State::Up => {
                out.observe(Event::NodeDown(node));
                link.away = now.instant;
                link.life = None;
                1
            }
            State::Dialling(attempt) => attempt.saturating_add(1),
            State::Waiting { .. } => return,
        };
        if membership.state(node).is_none() {
            // It was connected but never told who it is.
            self.links.remove(&node);
            return;
        }
        let until =
            now.instant + leeway(self.own, node) + wait(&mut self.prng, now, link.away, attempt);
        link.state = State::Waiting { until, attempt };
    }

    /// A member is known no more: it is dialled no more.
    pub(crate) fn on_forgotten(&mut self, node: NodeId) {
        if !self.is_up(node) {
            self.links.remove(&node);
        }
    }

    /// A frame came from `node`.
    pub(crate) fn on_heard(&mut self, now: Now, node: NodeId) {
        if let Some(link) = self.links.get_mut(&node) {
            link.heard = now.instant;
        }
    }

    /// The handshake of a connection to `node` is through.
    pub(crate) fn on_greeted(&mut self, node: NodeId, incarnation: Incarnation) {
        if let Some(link) = self.links.get_mut(&node) {
            link.greeted = Some(incarnation);
        }
    }

    /// The life of `node` that this one is connected to; `None` where it is not, or was not told.
    pub(crate) fn life(&self, node: NodeId) -> Option<Incarnation> {
        self.links.get(&node).and_then(|link| link.life)
    }

    /// Whether `node` is connected in another life than `incarnation` and was heard from within
    /// `recently`: then two processes have its id. A node that started again is silent in its
    /// former life.
    pub(crate) fn lives_elsewhere(
        &self,
        now: Now,
        (node, incarnation): (NodeId, Incarnation),
        membership: &Membership,
        recently: Duration,
    ) -> bool {
        let link = self.links.get(&node).filter(|link| link.state == State::Up);
        let Some(link) = link.filter(|link| now.instant.since(link.heard) <= recently) else {
            return false;
        };
        let life = link.life.or_else(|| membership.incarnation(node));
        life.is_some_and(|life| life != incarnation)
    }

    /// Somebody answered at the address of a seed; the connection comes up next.
    pub(crate) fn on_seed_up(&mut self, now: Now, address: &Text, node: NodeId) {
        for seed in self.seeds.iter_mut().filter(|seed| seed.address == *address) {
            seed.found = Some(node);
            seed.away = now.instant;
            seed.state = SeedState::Waiting { until: now.instant + SEED_LOOK, attempt: 1 };
            sane_or!(SeedLeftAlone => seed.state = SeedState::Dialling(1));
        }
    }

    /// Nobody answered at the address of a seed, or somebody of no use.
    pub(crate) fn on_seed_down(&mut self, now: Now, address: &Text) {
        for seed in self.seeds.iter_mut().filter(|seed| seed.address == *address) {
            let SeedState::Dialling(attempt) = seed.state else { continue };
            sane_or!(SeedDialledOnce => continue);
            let attempt = attempt.saturating_add(1);
            let until = now.instant + wait(&mut self.prng, now, seed.away, attempt);
            seed.state = SeedState::Waiting { until, attempt };
        }
    }

    /// Dials those whose wait is over.
    pub(crate) fn on_wake(&mut self, now: Now, membership: &Membership, out: &mut Effects<Effect>) {
        for (node, link) in &mut self.links {
            let State::Waiting { until, attempt } = link.state else { continue };
            if until > now.instant {
                continue;
            }
            link.state = if let Some(address) = membership.address(*node) {
                out.push(Effect::Dial { node: *node, address: address.clone() });
                State::Dialling(attempt)
            } else {
                let attempt = attempt.saturating_add(1);
                let until = now.instant + wait(&mut self.prng, now, link.away, attempt);
                State::Waiting { until, attempt }
            };
        }
        self.look_after_seeds(now, membership, out);
    }

    /// When the next dial is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(|link| match link.state {
            State::Waiting { until, .. } => Some(until),
            State::Dialling(_) | State::Up => None,
        });
        let seeds = self.seeds.iter().filter_map(|seed| match seed.state {
            SeedState::Waiting { until, .. } => Some(until),
            SeedState::Dialling(_) => None,
        });
        links.chain(seeds).min()
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.links.len() <= self.links_max, "links are bounded");
        assert!(!self.links.contains_key(&self.own), "a node does not call itself");
    }

    /// Makes room for a connection to `node`, where there is room.
    fn admit(&mut self, now: Now, node: NodeId) {
        let is_known = node == self.own || self.links.contains_key(&node);
        if is_known || self.links.len() >= self.links_max {
            return;
        }
        let until = now.instant + leeway(self.own, node);
        let state = State::Waiting { until, attempt: 1 };
        let (away, heard) = (now.instant, now.instant);
        self.links.insert(node, Link { state, away, heard, greeted: None, life: None });
    }

    fn look_after_seeds(&mut self, now: Now, membership: &Membership, out: &mut Effects<Effect>) {
        let links = &self.links;
        for seed in &mut self.seeds {
            let SeedState::Waiting { until, attempt } = seed.state else { continue };
            if until > now.instant {
                continue;
            }
            let listens_there = |node: &NodeId| {
                seed.found == Some(*node) || membership.address(*node) == Some(&seed.address)
            };
            let is_near = |link: &Link| {
                link.state == State::Up || now.instant.since(link.away) < SEED_PATIENCE
            };
            let mut near = links.iter().filter(|(_, link)| is_near(link));
            if near.any(|(node, _)| listens_there(node)) {
                seed.away = now.instant;
                seed.state = SeedState::Waiting { until: now.instant + SEED_LOOK, attempt: 1 };
            } else {
                seed.state = SeedState::Dialling(attempt);
                out.push(Effect::DialSeed { address: seed.address.clone() });
            }
        }
    }
}

/// How long the other one has to dial first.
fn leeway(own: NodeId, node: NodeId) -> Duration {
    let awaited = AWAITED;
    sane_or!(let awaited, LowerIdDialsAlone => Duration::from_secs(1 << 32));
    if own < node { Duration::ZERO } else { awaited }
}

fn wait(prng: &mut Prng, now: Now, away: Instant, attempt: u32) -> Duration {
    let stays_away = now.instant.since(away) >= STAYS_AWAY;
    let longest = if stays_away { WAIT_LONGEST } else { WAIT_AT_FIRST };
    backoff::wait_up_to(prng, attempt, longest)
}
