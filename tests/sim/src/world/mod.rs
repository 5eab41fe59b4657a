//! The world: nodes, clients, disks, connections, and the one queue of events that moves them.

mod by_hand;
mod clients;
mod clock;
mod connections;
mod effects;
mod events;
mod faults;
mod layouts;
mod look;
mod queue;
mod rules;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::client::{CallError, Client, Completion, Link};
use quorate_core::ids::{ClusterId, Incarnation, NodeId, Text};
use quorate_core::layout::{Layout, LayoutVersion, Member, PlanError, PlanSettings, plan_first};
use quorate_core::machine::{Event as NodeEvent, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;
use quorate_core::message::{CallId, LayoutHistory, LayoutUpdate, Message, Reply};
use quorate_core::node::{Founding, Node, NodeConfig};
use quorate_core::prng::Prng;
use quorate_core::ring::SlotCount;
use quorate_core::time::{Duration, Instant, UnixMs};

use crate::config::{Birth, FOUNDER, WorldConfig};
use crate::detail::Detail;
use crate::disk::Disk;
use crate::marks::{Mark, Watch};
use crate::network::{Connection, End, Network, Place};
use crate::observation::{Observation, Started};
use crate::oracle::{Facts, Moment, Oracle};
use crate::sight::{Cause, Sight};
use crate::trace::{Log, Trace};
use clock::Clock;
pub(crate) use clock::unix;
use queue::Queue;
use rules::Rules;
pub use rules::{Passing, RuleId};

const CLUSTER: ClusterId = ClusterId(1);

const CREDENTIALS: Bytes = Bytes::new();

/// Time that [`World::settle`] and [`World::finish`] grant at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// All nodes know the addresses of the first so many as seeds.
const SEEDS: usize = 1;

/// Requests by hand come from clients with numbers from here on.
const BY_HAND: u64 = 1 << 32;

/// A cluster with its clients, in virtual time.
pub struct World {
    config: WorldConfig,
    now: Instant,
    /// What the node that acted last read on its wall clock.
    wall: UnixMs,
    queue: Queue<Event>,
    layout: Arc<LayoutUpdate>,
    nodes: Vec<NodeSlot>,
    disks: Vec<Disk>,
    clients: Vec<ClientSlot>,
    /// Answers to requests that were put to a node by hand and when they came, by sender and call.
    replies: BTreeMap<(u64, CallId), (Instant, Reply)>,
    network: Network,
    /// What becomes of single frames.
    rules: Rules,
    prng: Prng,
    oracle: Oracle,
    trace: Trace,
    log: Option<Log>,
    /// What was seen, for people, where somebody asked for it.
    sight: Option<Box<Sight>>,
    watch: Watch,
    /// Events taken.
    taken: u64,
    /// Calls of clients that have ended, and clients that died.
    endings: u64,
}

struct NodeSlot {
    id: NodeId,
    /// `None` while it is down.
    node: Option<Node>,
    /// Counts its starts: what an earlier life waits for never reaches a later one.
    life: u64,
    /// The last connection that was opened before its present life.
    inherits: Connection,
    /// What it told people.
    events: Vec<NodeEvent>,
    /// When its next wake is queued.
    wake: Option<Instant>,
    clock: Clock,
    /// What waits while it is paused, and since when it is.
    paused: Option<(Instant, Vec<Event>)>,
    /// After how many more effects it crashes, and the chance in a thousand that a change which is
    /// not synced survives that.
    fuse: Option<(u32, u32)>,
}

struct ClientSlot {
    client: Client,
    /// When and how each call ended.
    ended: BTreeMap<CallId, (Instant, Result<Completion, CallError>)>,
    /// Calls made.
    calls: u64,
    wake: Option<Instant>,
    clock: Clock,
    /// What waits while it is frozen, and since when it is.
    frozen: Option<(Instant, Vec<Event>)>,
    /// After how many more effects it dies.
    fuse: Option<u32>,
    dead: bool,
    /// Links that it gave up while their dials were under way.
    given_up: BTreeSet<Link>,
    /// The layout that it is shown until its first reply.
    stale: Option<Arc<LayoutUpdate>>,
}

#[derive(Hash)]
enum Event {
    /// A dial arrives.
    Dialled {
        from: End,
        to: usize,
    },
    /// A frame arrives; `again`: whatever became of the connection.
    Frame {
        connection: Connection,
        from: End,
        to: End,
        message: Message,
        again: bool,
        cause: Cause,
    },
    /// A request by hand arrives.
    Handed {
        node: usize,
        client: u64,
        message: Message,
    },
    /// A dial of a seed arrives.
    SeedDialled {
        from: usize,
        address: Text,
    },
    /// A node learns that the dial of a seed found nobody of use.
    SeedLost {
        at: usize,
        address: Text,
    },
    /// An end learns that a connection is gone, or that a dial failed.
    Lost {
        at: End,
        other: End,
    },
    /// The storage of a node answers.
    Stored {
        node: usize,
        life: u64,
        ticket: Ticket,
        outcome: StoreOutcome,
    },
    /// What a node changed is in the memory of its storage, and waits for a sync.
    Changed {
        node: usize,
        life: u64,
    },
    /// A sync of a node ends.
    Synced {
        node: usize,
        life: u64,
    },
    WakeNode {
        node: usize,
        life: u64,
    },
    WakeClient {
        client: usize,
    },
}

impl World {
    /// A cluster whose nodes have had time to find each other; [`settle`](World::settle) lets them
    /// connect.
    ///
    /// # Panics
    /// Where the configuration cannot work.
    pub fn new(config: WorldConfig) -> World {
        let mut world = World::begin(config);
        world.run_for(Duration::from_secs(2));
        world
    }

    /// A cluster whose nodes have just started.
    ///
    /// # Panics
    /// Where the configuration cannot work.
    pub fn begin(config: WorldConfig) -> World {
        let mut prng = Prng::stream(config.seed, "world");
        let layout = Arc::new(layout(&config));
        let ids = (0..config.nodes).map(|index| member(index, &config).id);
        let nodes = ids.map(|id| NodeSlot {
            id,
            node: None,
            life: 0,
            inherits: Connection(0),
            events: Vec::new(),
            wake: None,
            clock: Clock::default(),
            paused: None,
            fuse: None,
        });
        let tree_key = TreeKey::derive(CLUSTER, &CREDENTIALS);
        let disk = |node| Disk::new(node, config.seed, tree_key, config.disk);
        let facts = Facts::new(config.replication, config.r, config.w, config.strict)
            .with_grace(config.collection.grace)
            .with_gossip(config.gossip);
        let mut world = World {
            network: Network::new(&config),
            now: Instant(0),
            wall: UnixMs(0),
            queue: Queue::new(),
            layout,
            nodes: nodes.collect(),
            disks: (0..config.nodes).map(disk).collect(),
            clients: Vec::new(),
            replies: BTreeMap::new(),
            rules: Rules::default(),
            prng: Prng::new(prng.next_u64()),
            oracle: Oracle::new(facts),
            trace: Trace::new(config.seed),
            log: None,
            sight: None,
            watch: Watch::new(),
            taken: 0,
            endings: 0,
            config,
        };
        for index in 0..world.nodes.len() {
            world.start(index);
        }
        world
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// Lets time pass until `until`.
    pub fn run_until(&mut self, until: Instant) {
        while self.step_until(until) {}
    }

    /// Lets time pass until no request is under way anywhere and all nodes that are up and not cut
    /// off are connected.
    ///
    /// # Panics
    /// Where that never happens.
    pub fn settle(&mut self) {
        assert!(self.comes_to_rest(), "the world does not come to rest");
    }

    /// The same; false where that never happens.
    pub fn comes_to_rest(&mut self) -> bool {
        let until = self.now + PATIENCE;
        self.run_for(Duration::from_secs(1));
        while !self.is_settled() {
            if self.now >= until {
                return false;
            }
            self.run_for(Duration::from_millis(100));
        }
        true
    }

    /// Takes the next event; false where nothing is left to happen.
    pub fn step(&mut self) -> bool {
        let Some((at, event)) = self.queue.pop() else { return false };
        assert!(at >= self.now, "time never goes back");
        self.now = at;
        self.take(event);
        self.look_around();
        true
    }

    /// Takes the next event if it is due by `until`; else lets time pass until then and answers
    /// false.
    pub fn step_until(&mut self, until: Instant) -> bool {
        if self.queue.next_at().is_some_and(|at| at <= until) {
            return self.step();
        }
        self.now = self.now.max(until);
        false
    }

    /// Whether no request is under way and all nodes that are up and not cut off are connected.
    pub fn is_settled(&self) -> bool {
        let idle = |slot: &NodeSlot| {
            let under_way = slot.node.as_ref().map(|node| node.view().requests_under_way());
            slot.paused.is_some() || under_way.is_none_or(|under_way| under_way == 0)
        };
        let synced = |(disk, slot): (&Disk, &NodeSlot)| {
            disk.unsynced() == 0 || disk.is_poisoned() || slot.paused.is_some()
        };
        let up = |index: &usize| {
            self.nodes[*index].node.is_some() && self.nodes[*index].paused.is_none()
        };
        let all_connected = (0..self.nodes.len()).filter(up).all(|a| {
            (0..a).filter(up).all(|b| {
                self.network.is_cut(Place::Node(a), Place::Node(b))
                    || self.network.between(End::Node(a), End::Node(b)).is_some()
            })
        });
        let quiet = |slot: &ClientSlot| slot.dead || slot.client.view().calls_under_way() == 0;
        all_connected
            && self.disks.iter().zip(&self.nodes).all(synced)
            && self.nodes.iter().all(idle)
            && self.clients.iter().all(quiet)
    }

    /// Tells the oracle what happened.
    fn observe(&mut self, seen: &Observation<'_>) {
        let moment =
            Moment { now: self.now, wall: self.wall, layout: &self.layout, disks: &self.disks };
        self.oracle.observe(moment, seen);
        self.watch.observe(self.now, seen);
        if let Some(log) = &mut self.log {
            log.observe(self.now, seen);
        }
        if let Some(sight) = &mut self.sight {
            sight.observe(self.now, seen);
        }
    }

    /// Tells the marks, the log and who watches what is of no concern to the oracle.
    fn observe_detail(&mut self, seen: &Detail<'_>) {
        self.watch.detail(seen);
        if let Some(log) = &mut self.log {
            log.detail(self.now, seen);
        }
        if let Some(sight) = &mut self.sight {
            sight.detail(self.now, seen);
        }
    }

    fn index(&self, id: NodeId) -> Option<usize> {
        // Ids are given in the order of the members, from 1.
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        (index < self.nodes.len()).then_some(index)
    }

    fn at_address(&self, wanted: &Text) -> Option<usize> {
        (0..self.nodes.len()).find(|index| address(*index) == *wanted)
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.queue.push(at, event);
    }

    /// The layouts that a node begins with.
    fn known_layouts(&self, index: usize) -> Option<LayoutHistory> {
        let saved = self.disks[index].layouts().cloned();
        match self.config.birth {
            Birth::Layout => {
                let is_newcomer = index + self.config.newcomers >= self.nodes.len();
                saved.or_else(|| (!is_newcomer).then(|| self.layout.clone().into()))
            }
            Birth::OneSeed => saved,
        }
    }

    fn start(&mut self, index: usize) {
        let wall = self.nodes[index].clock.read(self.now).unix;
        let life = Incarnation(self.prng.next_u64() as u32);
        let found = self.disks[index].open(self.now, wall, life);
        let member = member(index, &self.config);
        let config = NodeConfig {
            cluster: CLUSTER,
            id: self.nodes[index].id,
            incarnation: life,
            label: member.label,
            zone: member.zone,
            weight: member.weight,
            address: address(index),
            seeds: (0..self.nodes.len().min(SEEDS)).map(address).collect(),
            layouts: self.known_layouts(index),
            trees: None,
            found: found.clone(),
            founding: (self.config.birth == Birth::OneSeed && index == FOUNDER)
                .then_some(Founding { members: self.nodes.len(), plan: settings(&self.config) }),
            r: self.config.r,
            w: self.config.w,
            strict: self.config.strict,
            allow_weak: self.config.allow_weak,
            fanout: self.config.fanout,
            gossip: self.config.gossip,
            anti_entropy: self.config.anti_entropy,
            collection: self.config.collection,
            changes: Default::default(),
            credentials: CREDENTIALS,
            limits: self.config.limits.clone(),
        };
        let forgot = config.layouts.is_none() && self.layout_is_known();
        self.watch.add(Mark::StartsWithoutLayout, forgot);
        if let Some(log) = &mut self.log {
            log.name_life(config.id, config.incarnation, self.nodes[index].life);
        }
        if let Some(sight) = &mut self.sight {
            sight.name_life(config.id, config.incarnation, self.nodes[index].life);
        }
        let node = Node::new(config, self.prng.next_u64()).expect("a configuration that works");
        self.nodes[index].node = Some(node);
        self.nodes[index].inherits = self.network.last_opened();
        let found = &found;
        self.observe(&Observation::Started(Started { node: index, life, found, wall }));
        self.with_node(index, |node, now, out| node.start(now, out));
        self.tell_mark(index);
    }
}

/// The first plan of a layout.
pub(crate) fn first_plan(config: &WorldConfig) -> Result<Layout, PlanError> {
    let founders = config.nodes - config.newcomers;
    plan_first(settings(config), (0..founders).map(|index| member(index, config)).collect())
}

/// The layout that all nodes hold, or come to hold.
fn layout(config: &WorldConfig) -> LayoutUpdate {
    let planned = first_plan(config).expect("a plan for the members");
    let addresses = (0..planned.members().len()).map(address).collect();
    if config.birth == Birth::OneSeed {
        return LayoutUpdate { layout: planned, addresses };
    }
    // The second one, so that a client may hold an older one.
    let layout = Layout::from_parts(
        LayoutVersion(planned.version().0 + 1),
        planned.replication(),
        planned.members().to_vec(),
        planned.owners().to_vec(),
    )
    .expect("the parts of a layout");
    LayoutUpdate { layout, addresses }
}

fn settings(config: &WorldConfig) -> PlanSettings {
    let slots = SlotCount::new(config.slots).expect("a power of two");
    PlanSettings { slots, replication: config.replication }
}

fn address(index: usize) -> Text {
    format!("ws://n{index}").into()
}

fn member(index: usize, config: &WorldConfig) -> Member {
    Member {
        id: NodeId(index as u64 + 1),
        label: format!("n{index}").into(),
        zone: format!("z{}", index % config.zones.max(1)).into(),
        weight: config.weights.get(index).copied().unwrap_or(1),
    }
}
