//! Memberships alone, without nodes, disks and clients: as many of them as fit into memory tell
//! each other who is there.
//!
//! A round lasts one gossip interval. In it each node acts once, at its own moment; a message
//! arrives at once, or never. What is counted are bytes of encoded frames.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_core::codec;
use quorate_core::ids::{ClusterId, Incarnation, NodeId, Text};
use quorate_core::limits::Limits;
use quorate_core::membership::{Change, Membership};
use quorate_core::message::{Gossip, MemberInfo, MemberState, Message};
use quorate_core::node::{
    AntiEntropySettings, CollectionSettings, Fanout, GossipSettings, NodeConfig,
};
use quorate_core::prng::Prng;
use quorate_core::time::{Instant, Now, UnixMs};

/// Question, answer, what was wanted; and two more where lives of one node cross on their way.
const MESSAGES_MAX: usize = 5;

/// So many processes are all checked after each step. A check walks a whole list.
const CHECKED_ALWAYS: usize = 1_000;
/// Of more, each is checked after its own step in one round of so many.
const CHECKED_ROUNDS: u64 = 16;

/// How a [`GossipNet`] begins.
#[derive(Clone, Debug)]
pub struct GossipNetConfig {
    /// Nodes, numbered from 0.
    pub nodes: usize,
    /// The same for all.
    pub settings: GossipSettings,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// So many of a hundred messages are lost.
    pub lost_percent: u64,
    /// Whether all know of all; else each node knows of node 0 alone.
    pub acquainted: bool,
}

impl Default for GossipNetConfig {
    fn default() -> GossipNetConfig {
        GossipNetConfig {
            nodes: 5,
            settings: GossipSettings::default(),
            seed: 1,
            lost_percent: 0,
            acquainted: true,
        }
    }
}

/// Something that one node told people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The round.
    pub round: u64,
    /// The node.
    pub by: usize,
    /// What.
    pub change: Change,
}

/// Many memberships in one process.
#[derive(Clone, Debug)]
pub struct GossipNet {
    config: GossipNetConfig,
    memberships: Vec<Membership>,
    /// Invariant: as many as `memberships`.
    processes: Vec<Process>,
    /// Rounds so far.
    pub round: u64,
    /// What was told, in order.
    pub told: Vec<Told>,
    /// Messages so far, those that were lost among them.
    pub messages: u64,
    /// Bytes of all frames so far, where they are counted.
    pub bytes: u64,
    /// Whether bytes are counted: it costs as much as all the rest.
    pub weighs: bool,
    micros: u64,
    chance: Prng,
}

#[derive(Clone, Debug)]
struct Process {
    /// The node that it runs as; two processes may run as one.
    node: usize,
    state: Running,
    /// What it sends arrives only at these nodes; `None`: at all.
    heard_by: Option<BTreeSet<usize>>,
    /// Only processes of the same side reach each other.
    side: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Runs,
    /// Its connections stand, but nothing moves.
    Stopped,
    /// It is gone, and its connections with it.
    Gone,
}

/// How fast news spread, and what that costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many tell each other.
    pub nodes: usize,
    /// Messages of all nodes in a round when nothing happens.
    pub messages: u64,
    /// Bytes that one node sends in a round when nothing happens.
    pub bytes_per_node: u64,
    /// Rounds until all know of a new life; `None` where `most` were too few.
    pub new_life: Option<u64>,
    /// Rounds until all hold a node that is gone for down; `None` where `most` were too few.
    pub down: Option<u64>,
}

/// Measures a cluster of at least three nodes that have known each other for `warm` rounds.
pub fn measure(config: GossipNetConfig, warm: u64, most: u64) -> Spread {
    const WEIGHED: u64 = 2;
    let nodes = config.nodes;
    let mut net = GossipNet::new(config);
    net.run(warm);
    net.weighs = true;
    let before = net.messages;
    net.run(WEIGHED);
    let messages = (net.messages - before) / WEIGHED;
    net.weighs = false;
    let (reborn, incarnation) = (GossipNet::id(1), Incarnation(77));
    net.restart(1, incarnation.0);
    let knows = |membership: &Membership| membership.incarnation(reborn) == Some(incarnation);
    let new_life = net.run_until(most, |net| net.all(knows));
    net.crash(2);
    let down = net.run_until(most, |net| net.all_hold(2, MemberState::Down));
    let bytes_per_node = net.bytes / WEIGHED / nodes as u64;
    Spread { nodes, messages, bytes_per_node, new_life, down }
}

impl GossipNet {
    /// Nodes that begin at the same time.
    pub fn new(config: GossipNetConfig) -> GossipNet {
        let mut net = GossipNet {
            memberships: Vec::new(),
            processes: Vec::new(),
            round: 0,
            told: Vec::new(),
            messages: 0,
            bytes: 0,
            weighs: false,
            micros: 0,
            chance: Prng::stream(config.seed, "network"),
            config,
        };
        let nodes = net.config.nodes;
        let known = if net.config.acquainted { nodes } else { 1 };
        let infos: Vec<Arc<MemberInfo>> = (0..known).map(|node| Arc::new(net.info(node))).collect();
        for node in 0..nodes {
            net.begin(node, 1, &infos);
        }
        net
    }

    /// The id of a node.
    pub fn id(node: usize) -> NodeId {
        NodeId((node as u64 + 1) << 32)
    }

    /// The membership of a process; process n runs as node n unless it was [added](Self::add).
    pub fn membership(&self, process: usize) -> &Membership {
        &self.memberships[process]
    }

    /// The same, to be fed by hand.
    pub fn membership_mut(&mut self, process: usize) -> &mut Membership {
        &mut self.memberships[process]
    }

    /// The present.
    pub fn now(&self) -> Now {
        Now { instant: Instant(self.micros), unix: UnixMs(self.micros / 1_000) }
    }

    /// One more process that knows node 0 alone, under the given node's id; of those that are
    /// added, the last one is reached. Answers its number.
    pub fn add(&mut self, node: usize, incarnation: u32) -> usize {
        let known = [Arc::new(self.info(0))];
        self.begin(node, incarnation, &known);
        self.processes.len() - 1
    }

    /// A process ends, and its connections with it.
    pub fn crash(&mut self, process: usize) {
        self.processes[process].state = Running::Gone;
    }

    /// A process begins a new life with nothing in memory but node 0.
    pub fn restart(&mut self, process: usize, incarnation: u32) {
        let Process { node, side, .. } = self.processes[process];
        let added = self.add(node, incarnation);
        self.processes.swap(process, added);
        self.processes.truncate(added);
        self.memberships.swap(process, added);
        self.memberships.truncate(added);
        self.processes[process].side = side;
    }

    /// A process stands still for a while: its connections stay, it does nothing.
    pub fn stop(&mut self, process: usize) {
        self.processes[process].state = Running::Stopped;
    }

    /// A stopped process goes on as if nothing had been.
    pub fn resume(&mut self, process: usize) {
        self.processes[process].state = Running::Runs;
    }

    /// What a process sends arrives only at the given nodes.
    pub fn heard_only_by(&mut self, process: usize, nodes: &[usize]) {
        self.processes[process].heard_by = Some(nodes.iter().copied().collect());
    }

    /// Puts processes on a side; all begin on side 0, and sides do not reach each other.
    pub fn put_on_side(&mut self, processes: impl IntoIterator<Item = usize>, side: u32) {
        for process in processes {
            self.processes[process].side = side;
        }
    }

    /// Runs so many rounds.
    pub fn run(&mut self, rounds: u64) {
        (0..rounds).for_each(|_| self.run_round());
    }

    /// Runs until `holds`; answers how many rounds that took, `None` where `most` are too few.
    pub fn run_until(&mut self, most: u64, holds: impl Fn(&GossipNet) -> bool) -> Option<u64> {
        for rounds in 0..=most {
            if holds(self) {
                return Some(rounds);
            }
            self.run_round();
        }
        None
    }

    /// Whether `holds` for each process that runs.
    pub fn all(&self, holds: impl Fn(&Membership) -> bool) -> bool {
        let mut all = self.processes.iter().zip(&self.memberships);
        all.all(|(process, membership)| process.state != Running::Runs || holds(membership))
    }

    /// Whether each process that runs holds a node for `state`.
    pub fn all_hold(&self, node: usize, state: MemberState) -> bool {
        self.all(|membership| membership.state(GossipNet::id(node)) == Some(state))
    }

    fn run_round(&mut self) {
        self.round += 1;
        let end = self.micros + self.config.settings.interval.as_micros() as u64;
        loop {
            let due = self.memberships.iter().enumerate().filter_map(|(index, membership)| {
                let at = membership.next_wake().filter(|at| at.0 <= end)?;
                (self.processes[index].state == Running::Runs).then_some((at, index))
            });
            let mut due: Vec<(Instant, usize)> = due.collect();
            if due.is_empty() {
                break;
            }
            due.sort_unstable();
            for (at, process) in due {
                self.micros = self.micros.max(at.0);
                self.wake(process);
            }
        }
        self.micros = end;
    }

    fn wake(&mut self, asker: usize) {
        let now = self.now();
        let (processes, round) = (&self.processes, self.round);
        let mut changes = Vec::new();
        let connected = |id| reached(processes, round, asker, id).is_some();
        let membership = &mut self.memberships[asker];
        let questions = membership.on_wake(now, &connected, &mut changes);
        let is_turn = (round + asker as u64).is_multiple_of(CHECKED_ROUNDS);
        if is_turn || self.processes.len() <= CHECKED_ALWAYS {
            membership.check_invariants();
        }
        self.note(asker, changes);
        for (id, question) in questions {
            let Some(receiver) = reached(&self.processes, round, asker, id) else { continue };
            let (mut from, mut to, mut message) = (asker, receiver, Some(question));
            for _ in 0..MESSAGES_MAX {
                let Some(some) = message else { break };
                message = self.deliver(from, to, some);
                (from, to) = (to, from);
            }
            assert!(message.is_none(), "an exchange does not end: {message:?}");
        }
    }

    /// What the receiver answers to a message that arrives.
    fn deliver(&mut self, from: usize, to: usize, message: Gossip) -> Option<Gossip> {
        let message = Message::Gossip(message);
        self.messages += 1;
        if self.weighs {
            let mut bytes = Vec::new();
            codec::encode(&message, &mut bytes);
            self.bytes += bytes.len() as u64;
        }
        let Message::Gossip(message) = message else { return None };
        let is_lost = self.chance.chance(self.config.lost_percent, 100);
        let sender = &self.processes[from];
        let receiver = &self.processes[to];
        let is_heard =
            sender.heard_by.as_ref().is_none_or(|heard_by| heard_by.contains(&receiver.node));
        if is_lost || !is_heard || receiver.state != Running::Runs {
            return None;
        }
        let from = GossipNet::id(sender.node);
        let mut changes = Vec::new();
        let now = self.now();
        let membership = &mut self.memberships[to];
        let answer = membership.on_gossip(now, from, &message, &mut changes);
        if self.processes.len() <= CHECKED_ALWAYS {
            membership.check_invariants();
        }
        self.note(to, changes);
        answer
    }

    fn begin(&mut self, node: usize, incarnation: u32, known: &[Arc<MemberInfo>]) {
        let now = self.now();
        let info = self.info(node);
        let config = NodeConfig {
            cluster: ClusterId(1),
            id: info.id,
            incarnation: Incarnation(incarnation),
            label: info.label,
            zone: info.zone,
            weight: info.weight,
            address: info.address,
            seeds: vec![self.info(0).address],
            layouts: None,
            trees: None,
            found: Default::default(),
            founding: None,
            r: 2,
            w: 2,
            strict: false,
            allow_weak: false,
            fanout: Fanout::All,
            gossip: self.config.settings,
            anti_entropy: AntiEntropySettings::default(),
            collection: CollectionSettings::default(),
            changes: Default::default(),
            credentials: bytes::Bytes::new(),
            limits: Limits::default(),
        };
        let seed = self.config.seed.wrapping_mul(1_000_003) ^ (self.processes.len() as u64) << 20;
        let mut membership = Membership::new(&config, seed ^ u64::from(incarnation) << 50);
        for other in known {
            assert!(membership.introduce(now, other.clone()), "there is room for all");
        }
        membership.start(now);
        let state = Running::Runs;
        self.memberships.push(membership);
        self.processes.push(Process { node, state, heard_by: None, side: 0 });
    }

    /// What a node says of itself when it begins its first life.
    fn info(&self, node: usize) -> MemberInfo {
        MemberInfo {
            id: GossipNet::id(node),
            incarnation: Incarnation(1),
            heartbeat: 1,
            label: Text::from(format!("node-{node}")),
            zone: Text::from(format!("zone-{}", node % 3)),
            weight: 1,
            address: Text::from(format!("ws://node-{node}.example:7070")),
            remembered: Default::default(),
        }
    }

    fn note(&mut self, by: usize, changes: Vec<Change>) {
        let round = self.round;
        self.told.extend(changes.into_iter().map(|change| Told { round, by, change }));
    }
}

/// The process that another one reaches as the node `id`. Where two run as one node, it is now the
/// one, now the other.
fn reached(processes: &[Process], round: u64, from: usize, id: NodeId) -> Option<usize> {
    let node = (id.0 >> 32) as usize - 1;
    let reaches = |index: usize| {
        let process = &processes[index];
        let is_there = process.node == node && process.state != Running::Gone;
        is_there && index != from && process.side == processes[from].side
    };
    let first = || Some(node).filter(|index| *index < processes.len() && reaches(*index));
    let second = || Some(processes.len() - 1).filter(|index| reaches(*index));
    if (round + from as u64).is_multiple_of(2) {
        first().or_else(second)
    } else {
        second().or_else(first)
    }
}
