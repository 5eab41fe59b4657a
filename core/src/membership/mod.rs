//! Who is there: heartbeats, witnesses, and how members tell each other (DESIGN.md §8).
//!
//! ```text
//!  on_wake -----> own      the own heartbeat rises
//!          -----> doubts   whose heartbeat is overdue? two witnesses make it down
//!          -----> exchange a question to a few members
//!  on_gossip ---> exchange take what is newer, answer with what is newer here
//!            ---> member   is the claim possible? how long between two rises?
//!  take_news ---> memory   what is remembered of the storages of others, for the next life
//! ```
//!
//! A pure machine: it names whom to send what, and what there is to tell people. Heartbeats order
//! all that is known of a member, whatever its incarnation, since incarnations are random. A
//! suspicion is about one heartbeat; a higher one ends it.
//!
//! Sources: Van Renesse, Minsky and Hayden, *A Gossip-Style Failure Detection Service*, 1998
//! (heartbeats); Demers et al., *Epidemic Algorithms for Replicated Database Maintenance*, 1987
//! (push-pull, hot news); Das, Gupta and Motivala, *SWIM*, 2002 (suspicion before a verdict).

mod departed;
mod doubts;
mod exchange;
mod hot;
mod list;
mod member;
mod memory;
mod own;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use doubts::Doubt;
pub use exchange::{MEMBERS_PER_MESSAGE, WANTED_PER_MESSAGE};
use hot::Hot;
use list::List;
use member::Entry;
use memory::Memory;
use own::Rival;

use crate::config::{GossipSettings, NodeConfig};
use crate::ids::{DurableMark, Incarnation, NodeId, Remembered, Text};
use crate::message::{Gossip, LayoutUpdate, MemberInfo, MemberState};
use crate::prng::Prng;
use crate::time::{Duration, Instant, Now};

/// A round that begins so many intervals after the last one finds that this node itself stood
/// still: what it did not hear in that time says nothing of others.
const STOOD_STILL: u32 = 3;

/// One round in so many asks a seed.
const SEED_ROUNDS: u64 = 4;

/// What one node knows of all members, itself included.
///
/// Order of calls: [`introduce`](Membership::introduce) those that are known before anybody tells,
/// [`start`](Membership::start) once, then [`on_wake`](Membership::on_wake) and
/// [`on_gossip`](Membership::on_gossip) in any order.
#[derive(Clone, Debug)]
pub struct Membership {
    own: NodeId,
    settings: GossipSettings,
    members_max: usize,
    /// Invariant: holds `own`.
    members: List,
    /// Those who are gone for good. Invariant: none is a member.
    departed: BTreeMap<NodeId, Entry>,
    /// Members whose heartbeat is overdue, here or elsewhere. Invariant: all are members, none is
    /// `own`.
    doubts: BTreeMap<NodeId, Doubt>,
    /// What is told in every question for a while.
    hot: Hot,
    /// Who answers at the address of each seed, as far as is known.
    seeds: BTreeMap<Text, Option<NodeId>>,
    /// What the storage keeps of what is remembered of others; whoever is met is met with it.
    memory: Memory,
    /// Another life under the own id.
    rival: Option<Rival>,
    /// What the next round raises the own heartbeat to, at least.
    raise_to: u64,
    /// When the last round ran, by both clocks.
    last_round: Now,
    /// When the next round is due; `None` before the start.
    next_round: Option<Instant>,
    /// Silence before this moment counts for nothing.
    grace: Instant,
    refused: u64,
    conflicts: u64,
    prng: Prng,
}

/// What there is to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A member was met for the first time, or in a new life.
    Met(NodeId),
    /// This node has seen no greater heartbeat of a member for too long.
    Suspected(NodeId),
    /// Enough witnesses agree that a member is down.
    Down {
        /// Which.
        node: NodeId,
        /// Who says so.
        witnesses: Vec<NodeId>,
    },
    /// A member that was suspected or down is heard from.
    Up(NodeId),
    /// A member is down for [`GossipSettings::stays_down`].
    StaysDown {
        /// Which.
        node: NodeId,
        /// For how long.
        down: Duration,
    },
    /// A member claimed what cannot be; the claim was ignored.
    Refused(NodeId),
    /// Another process lives under this node's id.
    Conflict {
        /// The id.
        node: NodeId,
        /// The life of the other process.
        incarnation: Incarnation,
    },
}

/// A member as this node sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberView {
    /// What it says of itself. Heartbeat 0: it was never heard of but for a layout.
    pub info: MemberInfo,
    /// What it is held for.
    pub state: MemberState,
    /// Time since its heartbeat rose.
    pub heartbeat_age: Duration,
    /// Who suspects it.
    pub witnesses: Vec<NodeId>,
    /// Time since it was found to be down; zero where it is not.
    pub down: Duration,
}

impl Membership {
    /// A node that knows itself and nobody else.
    pub fn new(config: &NodeConfig, seed: u64) -> Membership {
        let info = Arc::new(MemberInfo {
            id: config.id,
            incarnation: config.incarnation,
            heartbeat: 1,
            label: config.label.clone(),
            zone: config.zone.clone(),
            weight: config.weight,
            address: config.address.clone(),
            remembered: Remembered::default(),
        });
        let own = Entry::new(info, Instant::default(), config.gossip.interval);
        Membership {
            own: config.id,
            settings: config.gossip,
            members_max: config.limits.members_max,
            members: List::new(own),
            departed: BTreeMap::new(),
            doubts: BTreeMap::new(),
            hot: Hot::default(),
            seeds: config.seeds.iter().map(|address| (address.clone(), None)).collect(),
            memory: Memory::default(),
            rival: None,
            raise_to: 0,
            last_round: Now::default(),
            next_round: None,
            grace: Instant::default(),
            refused: 0,
            conflicts: 0,
            prng: Prng::stream(seed, "gossip"),
        }
    }

    /// Makes a member known that nobody has told of. One that is known already stays as it is.
    /// False where there is no room.
    pub fn introduce(&mut self, now: Now, info: Arc<MemberInfo>) -> bool {
        if self.members.contains(info.id) {
            return true;
        }
        if self.members.len() >= self.members_max {
            return false;
        }
        self.note_seed(&info.address, info.id);
        self.departed.remove(&info.id);
        let interval = self.settings.interval;
        let remembered = self.memory.of(info.id);
        let mut entry = Entry::new(info, now.instant, interval);
        entry.remember(remembered);
        self.members.insert(entry);
        true
    }

    /// Makes the members of a layout known; heartbeat 0 says that they were not heard of.
    pub fn introduce_layout(&mut self, now: Now, update: &LayoutUpdate) {
        for (member, address) in update.layout.members().iter().zip(&update.addresses) {
            let info = MemberInfo {
                id: member.id,
                incarnation: Incarnation(0),
                heartbeat: 0,
                label: member.label.clone(),
                zone: member.zone.clone(),
                weight: member.weight,
                address: address.clone(),
                remembered: Remembered::default(),
            };
            self.introduce(now, Arc::new(info));
        }
    }

    /// Begins: the first round comes within one interval, at a moment of its own.
    pub fn start(&mut self, now: Now) {
        let phase = self.prng.below(self.interval_micros());
        self.last_round = now;
        self.grace = now.instant;
        self.next_round = Some(now.instant + Duration::from_micros(phase));
        for entry in self.members.iter_mut() {
            entry.rose = now.instant;
        }
    }

    /// `node` answered at the address of a seed.
    pub fn note_seed(&mut self, address: &Text, node: NodeId) {
        if let Some(answers) = self.seeds.get_mut(address) {
            *answers = Some(node);
        }
    }

    /// When the next round is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.next_round
    }

    /// Runs the round that is due: raises the own heartbeat, suspects those that are overdue, and
    /// asks some of the members that are `connected`.
    pub fn on_wake(
        &mut self,
        now: Now,
        connected: &dyn Fn(NodeId) -> bool,
        changes: &mut Vec<Change>,
    ) -> Vec<(NodeId, Gossip)> {
        let Some(due) = self.next_round.filter(|due| *due <= now.instant) else {
            return Vec::new();
        };
        let late = self.stood_still(now);
        let next = due + self.settings.interval;
        // Rounds that were missed are not made up for.
        let is_missed = next <= now.instant;
        self.next_round = Some(if is_missed { now.instant + self.settings.interval } else { next });
        self.last_round = now;
        self.hot.on_round();
        self.raise_own(now);
        sane_or!(RaisesOthers => self.raise_others(now));
        if sane_or!(late, PausedAccusesAll => false) {
            self.grace = now.instant;
            self.members.iter_mut().for_each(Entry::unsettle);
        } else {
            self.suspect_overdue(now, changes);
        }
        self.tell_who_stays_down(now, changes);
        let asked = self.whom_to_ask(connected);
        asked.into_iter().map(|node| (node, self.question())).collect()
    }

    /// What a member is held for; `None` where it is not known.
    pub fn state(&self, id: NodeId) -> Option<MemberState> {
        let known = self.members.contains(id);
        known.then(|| self.doubts.get(&id).map_or(MemberState::Up, Doubt::state))
    }

    /// Where a member listens.
    pub fn address(&self, id: NodeId) -> Option<&Text> {
        self.members.get(id).map(|entry| &entry.info.address)
    }

    /// The life in which a member was last heard of.
    pub fn incarnation(&self, id: NodeId) -> Option<Incarnation> {
        self.members.get(id).filter(|entry| entry.heartbeat > 0).map(|entry| entry.incarnation)
    }

    /// The last known heartbeat of a member.
    pub fn heartbeat(&self, id: NodeId) -> Option<u64> {
        self.members.get(id).map(|entry| entry.heartbeat)
    }

    /// The greatest durable mark of a member that was heard of.
    pub fn mark(&self, id: NodeId) -> DurableMark {
        self.members.get(id).map_or(DurableMark(0), |entry| entry.remembered.mark)
    }

    /// Members that are down, ascending by id.
    pub fn down(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.doubts.iter().filter(|(_, doubt)| doubt.down.is_some()).map(|(id, _)| *id)
    }

    /// All members, this node included, ascending by id.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.ids()
    }

    /// How many members are known, this node included.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// All members, this node included, ascending by id.
    pub fn members(&self, now: Now) -> impl Iterator<Item = MemberView> + '_ {
        self.members.iter().map(move |entry| self.view(now, entry))
    }

    /// One member.
    pub fn member(&self, now: Now, id: NodeId) -> Option<MemberView> {
        self.members.get(id).map(|entry| self.view(now, entry))
    }

    /// Claims that were refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How often another process was heard of under the own id.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// Asserts what must hold between calls.
    pub fn check_invariants(&self) {
        self.members.check_invariants();
        self.memory.check_invariants();
        assert!(self.members.contains(self.own), "a node knows itself");
        assert!(self.members.len() <= self.members_max.max(1), "members are bounded");
        let departed = self.departed.keys();
        assert!(departed.copied().all(|id| !self.members.contains(id)), "the departed are none");
        for (id, doubt) in &self.doubts {
            assert!(*id != self.own && self.members.contains(*id), "doubts are about others");
            doubt.check_invariants(*id);
        }
    }

    fn view(&self, now: Now, entry: &Entry) -> MemberView {
        let doubt = self.doubts.get(&entry.id);
        let down = doubt.and_then(|doubt| doubt.down);
        MemberView {
            info: entry.info(),
            state: doubt.map_or(MemberState::Up, Doubt::state),
            heartbeat_age: now.instant.since(entry.rose),
            witnesses: doubt.map(|doubt| doubt.witnesses.clone()).unwrap_or_default(),
            down: down.map_or(Duration::ZERO, |down| now.instant.since(down)),
        }
    }

    /// Whether this node missed rounds, by either clock: the monotonic one may stand still while
    /// a machine sleeps.
    fn stood_still(&self, now: Now) -> bool {
        let most = self.settings.interval * STOOD_STILL;
        now.instant.since(self.last_round.instant) > most
            || now.unix.since(self.last_round.unix) > most
    }

    /// Distinct members within reach; a seed is among them now and then.
    fn whom_to_ask(&mut self, connected: &dyn Fn(NodeId) -> bool) -> Vec<NodeId> {
        let is_within_reach = |id: &NodeId| *id != self.own && connected(*id);
        let mut within_reach = Vec::with_capacity(self.members.len());
        within_reach.extend(self.members.ids().filter(is_within_reach));
        // A seed that answered is asked before it is a member: so a node meets its first one.
        for id in self.seeds.values().flatten().filter(|id| is_within_reach(id)) {
            if let Err(place) = within_reach.binary_search(id) {
                within_reach.insert(place, *id);
            }
        }
        let mut asked = Vec::new();
        if self.prng.chance(1, SEED_ROUNDS) {
            let seeds = self.seeds.values().flatten().copied();
            let seeds: Vec<NodeId> =
                seeds.filter(|id| within_reach.binary_search(id).is_ok()).collect();
            if !seeds.is_empty() {
                asked.push(seeds[self.prng.below(seeds.len() as u64) as usize]);
                within_reach.retain(|id| Some(id) != asked.first());
            }
        }
        while asked.len() < self.settings.fanout && !within_reach.is_empty() {
            let index = self.prng.below(within_reach.len() as u64) as usize;
            asked.push(within_reach.swap_remove(index));
        }
        asked
    }

    fn interval_micros(&self) -> u64 {
        crate::time::micros(self.settings.interval).max(1)
    }
}
