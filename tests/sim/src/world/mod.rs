//! The world: nodes, clients, disks, connections, and the one queue of events that moves them.

mod by_hand;
mod clients;
mod effects;
mod events;
mod faults;
mod look;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::client::{CallError, Client, Completion};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, Text};
use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::limits::Limits;
use quorate_core::machine::{Event as NodeEvent, StoreOutcome, Ticket};
use quorate_core::message::{CallId, LayoutUpdate, Message, Reply};
use quorate_core::node::{Node, NodeConfig};
use quorate_core::prng::Prng;
use quorate_core::ring::SlotCount;
use quorate_core::time::{Duration, Instant, Now, UnixMs};

use crate::config::WorldConfig;
use crate::disk::Disk;
use crate::network::{Connection, End, Network};

/// The wall clock at the beginning.
const EPOCH: UnixMs = UnixMs(1_700_000_000_000);

/// Time that [`World::settle`] and [`World::finish`] grant at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests by hand come from clients with numbers from here on.
const BY_HAND: u64 = 1 << 32;

/// A cluster with its clients, in virtual time.
pub struct World {
    config: WorldConfig,
    now: Instant,
    /// What is to happen, by time and then by the order in which it was decided.
    queue: BTreeMap<(Instant, u64), Event>,
    events: u64,
    layout: Arc<LayoutUpdate>,
    nodes: Vec<NodeSlot>,
    clients: Vec<ClientSlot>,
    /// Answers to requests that were put to a node by hand, by connection number and call.
    replies: BTreeMap<(u64, CallId), Reply>,
    /// The last connection number and call of a request by hand.
    by_hand: u64,
    network: Network,
    prng: Prng,
}

struct NodeSlot {
    id: NodeId,
    /// `None` while it is down.
    node: Option<Node>,
    /// Counts its starts: what an earlier life waits for never reaches a later one.
    life: u64,
    disk: Disk,
    /// What it told people.
    events: Vec<NodeEvent>,
    /// When its next wake is queued.
    wake: Option<Instant>,
}

struct ClientSlot {
    client: Client,
    /// When and how each call ended.
    ended: BTreeMap<CallId, (Instant, Result<Completion, CallError>)>,
    wake: Option<Instant>,
}

enum Event {
    /// A dial arrives.
    Dialled {
        from: End,
        to: usize,
    },
    /// A frame arrives.
    Frame {
        connection: Connection,
        to: End,
        message: Message,
    },
    /// An end learns that a connection is gone, or that a dial failed.
    Lost {
        at: End,
        other: End,
    },
    /// The storage of a node answers; `sync` names what it has then synced.
    Stored {
        node: usize,
        life: u64,
        ticket: Ticket,
        outcome: StoreOutcome,
        sync: Option<Key>,
    },
    WakeNode {
        node: usize,
    },
    WakeClient {
        client: usize,
    },
}

impl World {
    /// A cluster whose nodes have just started; [`settle`](World::settle) lets them connect.
    ///
    /// # Panics
    /// Where the configuration cannot work.
    pub fn new(config: WorldConfig) -> World {
        let mut prng = Prng::stream(config.seed, "world");
        let members: Vec<Member> = (0..config.nodes).map(|index| member(index, &config)).collect();
        let slots = SlotCount::new(config.slots).expect("a power of two");
        let settings = PlanSettings { slots, replication: config.replication };
        let layout = plan_first(settings, members).expect("a plan for the members");
        let label = |member: &Member| Text::from(format!("ws://{}", member.label));
        let addresses = layout.members().iter().map(label).collect();
        let layout = Arc::new(LayoutUpdate { layout, addresses });
        let ids = layout.layout.members().iter().map(|member| member.id).collect::<Vec<_>>();
        let nodes = ids.into_iter().map(|id| NodeSlot {
            id,
            node: None,
            life: 0,
            disk: Disk::default(),
            events: Vec::new(),
            wake: None,
        });
        let mut world = World {
            network: Network::new(&config),
            now: Instant(0),
            queue: BTreeMap::new(),
            events: 0,
            layout,
            nodes: nodes.collect(),
            clients: Vec::new(),
            replies: BTreeMap::new(),
            by_hand: 0,
            prng: Prng::new(prng.next_u64()),
            config,
        };
        for index in 0..world.nodes.len() {
            world.start(index);
        }
        world.run_for(Duration::from_secs(2));
        world
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// Lets time pass until no request is under way anywhere and all nodes that are up and not cut
    /// off are connected.
    ///
    /// # Panics
    /// Where that never happens.
    pub fn settle(&mut self) {
        let until = self.now + PATIENCE;
        self.run_for(Duration::from_secs(1));
        while !self.is_settled() {
            assert!(self.now < until, "the world does not come to rest");
            self.run_for(Duration::from_millis(100));
        }
    }

    /// Takes the next event; false where nothing is left to happen.
    pub fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.queue.pop_first() else { return false };
        assert!(at >= self.now, "time never goes back");
        self.now = at;
        self.take(event);
        true
    }

    fn is_settled(&self) -> bool {
        let idle = |slot: &NodeSlot| {
            slot.node.as_ref().is_none_or(|node| node.view().requests_under_way() == 0)
        };
        let up = |index: &usize| self.nodes[*index].node.is_some();
        let all_connected = (0..self.nodes.len()).filter(up).all(|a| {
            (0..a).filter(up).all(|b| {
                self.network.is_cut(a, b)
                    || self.network.between(End::Node(a), End::Node(b)).is_some()
            })
        });
        let quiet = |slot: &ClientSlot| slot.client.view().calls_under_way() == 0;
        all_connected && self.nodes.iter().all(idle) && self.clients.iter().all(quiet)
    }

    fn clock(&self) -> Now {
        Now { instant: self.now, unix: UnixMs(EPOCH.0 + self.now.0 / 1_000) }
    }

    fn index(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|slot| slot.id == id)
    }

    fn at_address(&self, address: &Text) -> Option<usize> {
        self.layout.addresses.iter().position(|known| known == address)
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.events += 1;
        self.queue.insert((at, self.events), event);
    }

    fn start(&mut self, index: usize) {
        let config = NodeConfig {
            cluster: ClusterId(1),
            id: self.nodes[index].id,
            incarnation: Incarnation(self.prng.next_u64() as u32),
            layout: self.layout.clone(),
            r: self.config.r,
            w: self.config.w,
            allow_weak: self.config.allow_weak,
            credentials: Bytes::new(),
            limits: Limits::default(),
        };
        let node = Node::new(config, self.prng.next_u64()).expect("a configuration that works");
        self.nodes[index].node = Some(node);
        self.with_node(index, |node, now, out| node.start(now, out));
    }
}

fn member(index: usize, config: &WorldConfig) -> Member {
    Member {
        id: NodeId(index as u64 + 1),
        label: format!("n{index}").into(),
        zone: format!("z{}", index % config.zones.max(1)).into(),
        weight: 1,
    }
}
