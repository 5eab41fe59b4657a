//! The world: nodes, clients, disks, connections, and the one queue of events that moves them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{Checksum, Record};
use quorate_core::client::{
    CallError, CallOptions, Client, ClientConfig, ClientEffect, ClientInput, Completion, Link,
};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId, Text};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::limits::Limits;
use quorate_core::machine::{
    Effect, Effects, Event as NodeEvent, Input, Peer, StoreOutcome, Ticket,
};
use quorate_core::message::{
    CallId, Change, Get, LayoutUpdate, Message, Put, QuorumChoice, Reply, RequestHead, Role,
};
use quorate_core::node::{Node, NodeConfig};
use quorate_core::prng::Prng;
use quorate_core::ring::SlotCount;
use quorate_core::time::{Duration, Instant, Now, UnixMs};

use crate::config::WorldConfig;
use crate::disk::Disk;
use crate::network::{Connection, End, Network};
use crate::result::{Ended, Finished};

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
    ended: BTreeMap<CallId, Result<Completion, CallError>>,
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

    // ---- clients

    /// A client that knows all nodes as seeds; answers its index.
    pub fn add_client(&mut self) -> usize {
        let config = ClientConfig {
            seeds: self.layout.addresses.clone(),
            timeout: self.config.timeout,
            ..ClientConfig::default()
        };
        let client = Client::new(config, self.prng.next_u64());
        self.clients.push(ClientSlot { client, ended: BTreeMap::new(), wake: None });
        let index = self.clients.len() - 1;
        self.with_client(index, |client, now, out| client.start(now, out));
        index
    }

    /// Starts a read.
    pub fn get(&mut self, client: usize, key: &str) -> CallId {
        self.get_with(client, key, CallOptions::default())
    }

    /// Starts a read with options.
    pub fn get_with(&mut self, client: usize, key: &str, options: CallOptions) -> CallId {
        let key = Key::from(key.as_bytes().to_vec());
        self.with_client(client, |client, now, out| client.get(now, key, options, out))
    }

    /// Starts a blind put.
    pub fn put(&mut self, client: usize, key: &str, value: &str) -> CallId {
        self.put_with(client, key, value, Bytes::new(), CallOptions::default())
    }

    /// Starts a put with a context and options.
    pub fn put_with(
        &mut self,
        client: usize,
        key: &str,
        value: &str,
        context: Bytes,
        options: CallOptions,
    ) -> CallId {
        let key = Key::from(key.as_bytes().to_vec());
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.with_client(client, |client, now, out| {
            client.put(now, key, value, context, options, out)
        })
    }

    /// Starts a delete.
    pub fn delete(&mut self, client: usize, key: &str, context: Bytes) -> CallId {
        let key = Key::from(key.as_bytes().to_vec());
        self.with_client(client, |client, now, out| {
            client.delete(now, key, context, CallOptions::default(), out)
        })
    }

    /// Lets time pass until a call has ended.
    ///
    /// # Errors
    /// As the call ended.
    ///
    /// # Panics
    /// Where the call outlives every deadline.
    pub fn finish(&mut self, client: usize, call: CallId) -> Ended {
        let until = self.now + PATIENCE;
        while !self.clients[client].ended.contains_key(&call) {
            assert!(self.now < until && self.step(), "call {call:?} never ends");
        }
        let ended = self.clients[client].ended.get(&call).cloned();
        ended.expect("it has just ended").map(Finished)
    }

    /// How a call ended, if it has.
    pub fn ended(&self, client: usize, call: CallId) -> Option<Ended> {
        self.clients[client].ended.get(&call).cloned().map(|ended| ended.map(Finished))
    }

    /// The machine of a client.
    pub fn client(&self, client: usize) -> &Client {
        &self.clients[client].client
    }

    // ---- requests by hand, at a named coordinator

    /// Writes at `node`, as a client of its own would, and waits for the answer.
    pub fn put_at(&mut self, node: usize, key: &str, value: &str, context: Bytes) -> Reply {
        let request = RequestId { client: u64::MAX, sequence: self.by_hand + 1 };
        self.put_at_as(node, key, value, context, request)
    }

    /// The same under a given request id.
    pub fn put_at_as(
        &mut self,
        node: usize,
        key: &str,
        value: &str,
        context: Bytes,
        request: RequestId,
    ) -> Reply {
        let payload = Bytes::copy_from_slice(value.as_bytes());
        let checksum = Checksum::of_value(&payload);
        let head = self.head(key);
        let change = Change::Value { payload, checksum };
        self.ask(node, Message::Put(Put { head, context, request, change }))
    }

    /// Reads at `node` and waits for the answer.
    pub fn get_at(&mut self, node: usize, key: &str) -> Reply {
        let head = self.head(key);
        self.ask(node, Message::Get(Get { head }))
    }

    /// Hands a get or put with the last [`head`](World::head) to a node, as a client of its own
    /// would, and waits for the reply.
    ///
    /// # Panics
    /// Where no reply comes.
    pub fn ask(&mut self, node: usize, message: Message) -> Reply {
        self.ask_and(node, message, |_| {})
    }

    /// The same, with something that happens before the reply is waited for.
    ///
    /// # Panics
    /// Where no reply comes.
    pub fn ask_and(
        &mut self,
        node: usize,
        message: Message,
        meanwhile: impl FnOnce(&mut World),
    ) -> Reply {
        let call = CallId(self.by_hand);
        let mut reply = self.feed(node, self.by_hand, message);
        meanwhile(self);
        let until = self.now + PATIENCE;
        loop {
            reply = reply.or_else(|| self.replies.remove(&(self.by_hand, call)));
            if let Some(reply) = reply {
                return reply;
            }
            assert!(self.now < until && self.step(), "no reply to {call:?}");
        }
    }

    /// Hands any message to a node as from the client `client`, a number below 2^32; answers the
    /// reply if it comes at once.
    pub fn feed(&mut self, node: usize, client: u64, message: Message) -> Option<Reply> {
        self.input(node, Input::Frame { from: Peer::Client(BY_HAND + client), message });
        let first = self.replies.keys().next().copied()?;
        self.replies.remove(&first)
    }

    /// The head of a request by hand.
    pub fn head(&mut self, key: &str) -> RequestHead {
        self.by_hand += 1;
        RequestHead {
            call: CallId(self.by_hand),
            key: Key::from(key.as_bytes().to_vec()),
            quorum: QuorumChoice::default(),
            budget: self.config.timeout,
            layout_version: LayoutVersion(0),
            passed_on: false,
            receipt: true,
        }
    }

    // ---- what one may look at

    /// Members, slots and addresses; nodes are numbered in the order of the members.
    pub fn layout(&self) -> &Arc<LayoutUpdate> {
        &self.layout
    }

    /// The machine of a node; `None` while it is down.
    pub fn node(&self, node: usize) -> Option<&Node> {
        self.nodes[node].node.as_ref()
    }

    /// The numbers of the primaries of a key, in the order of its preference list.
    pub fn primaries(&self, key: &str) -> Vec<usize> {
        let layout = &self.layout.layout;
        let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
        ids.filter_map(|id| self.index(*id)).collect()
    }

    /// The numbers of the nodes that are no primaries of a key.
    pub fn strangers(&self, key: &str) -> Vec<usize> {
        let primaries = self.primaries(key);
        (0..self.nodes.len()).filter(|node| !primaries.contains(node)).collect()
    }

    /// What a node holds for a key.
    pub fn record(&self, node: usize, key: &str) -> Record {
        let key = Key::from(key.as_bytes().to_vec());
        self.nodes[node].disk.record(&key).cloned().unwrap_or_default()
    }

    /// All keys that a node holds.
    pub fn keys(&self, node: usize) -> Vec<Key> {
        self.nodes[node].disk.keys().cloned().collect()
    }

    /// What a node told people.
    pub fn events(&self, node: usize) -> &[NodeEvent] {
        &self.nodes[node].events
    }

    /// The time since the world began.
    pub fn now(&self) -> Instant {
        self.now
    }

    // ---- what may go wrong

    /// Ends a node as by `kill -9`: what is not synced is lost.
    pub fn crash(&mut self, node: usize) {
        self.nodes[node].node = None;
        self.nodes[node].life += 1;
        self.nodes[node].disk.crash();
        for connection in self.network.of(|end| end.is_node(node)) {
            self.close(connection, |end| !end.is_node(node));
        }
    }

    /// Starts a node that is down, as a new incarnation on the disk that it left.
    pub fn restart(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        self.start(node);
    }

    /// Empties the disk of a node that is down.
    pub fn wipe(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        self.nodes[node].disk.wipe();
    }

    /// From here on a node cannot read or change its record of a key.
    pub fn damage(&mut self, node: usize, key: &str) {
        self.nodes[node].disk.damage(Key::from(key.as_bytes().to_vec()));
    }

    /// Cuts all ways between the nodes of `side` and the others; clients reach everyone.
    pub fn partition(&mut self, side: &[usize]) {
        for a in side {
            for b in (0..self.nodes.len()).filter(|b| !side.contains(b)) {
                self.network.cut(*a, b);
                if let Some(connection) = self.network.between(End::Node(*a), End::Node(b)) {
                    self.close(connection, |_| true);
                }
            }
        }
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.network.heal();
    }

    // ---- time

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

    // ---- the inside

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

    fn take(&mut self, event: Event) {
        match event {
            Event::Dialled { from, to } => self.on_dialled(from, to),
            Event::Frame { connection, to, message } => {
                if self.network.is_open(connection) {
                    self.on_frame(connection, to, message);
                }
            }
            Event::Lost { at, other } => self.on_lost(at, other),
            Event::Stored { node, life, ticket, outcome, sync } => {
                if self.nodes[node].life == life && self.nodes[node].node.is_some() {
                    if let Some(key) = sync {
                        self.nodes[node].disk.sync(&key);
                    }
                    self.input(node, Input::Stored { ticket, outcome });
                }
            }
            Event::WakeNode { node } => {
                self.nodes[node].wake = None;
                self.input(node, Input::Wake);
            }
            Event::WakeClient { client } => {
                self.clients[client].wake = None;
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Wake, out);
                });
            }
        }
    }

    fn on_dialled(&mut self, from: End, to: usize) {
        let cut = matches!(from, End::Node(node) if self.network.is_cut(node, to));
        let gone = matches!(from, End::Node(node) if self.nodes[node].node.is_none());
        if gone {
            return;
        }
        if cut || self.nodes[to].node.is_none() {
            let at = self.now + self.network.delay();
            return self.push(at, Event::Lost { at: from, other: End::Node(to) });
        }
        if let Some(old) = self.network.between(from, End::Node(to)) {
            self.close(old, |_| true);
        }
        let connection = self.network.open(from, End::Node(to));
        match from {
            End::Node(node) => self.introduce(connection, node, to),
            End::Client(client, link) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Opened(link), out);
                });
            }
        }
    }

    /// The handshake of two nodes, in one step.
    fn introduce(&mut self, connection: Connection, a: usize, b: usize) {
        let ids = (self.nodes[a].id, self.nodes[b].id);
        let (Some(dialler), Some(dialled)) = (&self.nodes[a].node, &self.nodes[b].node) else {
            return self.close(connection, |_| true);
        };
        let welcome = dialled.welcome(&dialler.hello()).expect("members of one cluster");
        dialler.accepts(ids.1, &welcome).expect("the node that was meant");
        self.input(a, Input::PeerUp(Peer::Node(ids.1)));
        self.input(b, Input::PeerUp(Peer::Node(ids.0)));
    }

    fn on_frame(&mut self, connection: Connection, to: End, message: Message) {
        match (to, message) {
            (End::Client(client, link), message) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Frame { link, message }, out);
                });
            }
            (End::Node(node), Message::Hello(hello)) if hello.role == Role::Client => {
                let Some(machine) = &self.nodes[node].node else { return };
                let answer = match machine.welcome(&hello) {
                    Ok(welcome) => Message::Welcome(welcome),
                    Err(reject) => Message::Reject(reject),
                };
                self.send(connection, End::Node(node), answer);
            }
            (End::Node(node), message) => {
                let Some(from) = self.peer_of(connection, node) else { return };
                self.input(node, Input::Frame { from, message });
            }
        }
    }

    /// Who is at the other end, as `node` knows it.
    fn peer_of(&self, connection: Connection, node: usize) -> Option<Peer> {
        let (a, b) = self.network.ends(connection)?;
        let other = if a.is_node(node) { b } else { a };
        Some(match other {
            End::Node(other) => Peer::Node(self.nodes[other].id),
            End::Client(..) => Peer::Client(connection.0),
        })
    }

    fn on_lost(&mut self, at: End, other: End) {
        match (at, other) {
            (End::Node(node), End::Node(other)) => {
                // A newer connection may be there already.
                if self.network.between(at, End::Node(other)).is_none() {
                    let peer = Peer::Node(self.nodes[other].id);
                    self.input(node, Input::PeerDown(peer));
                }
            }
            (End::Node(_), End::Client(..)) => {}
            (End::Client(client, link), _) => {
                self.with_client(client, |client, now, out| {
                    client.handle(now, ClientInput::Closed(link), out);
                });
            }
        }
    }

    /// Closes a connection; the ends for which `told` holds learn of it after a while.
    fn close(&mut self, connection: Connection, told: impl Fn(End) -> bool) {
        let Some((a, b)) = self.network.close(connection) else { return };
        for (at, other) in [(a, b), (b, a)] {
            if told(at) {
                let when = self.now + self.network.delay();
                self.push(when, Event::Lost { at, other });
            }
        }
    }

    fn send(&mut self, connection: Connection, from: End, message: Message) {
        let Some((a, b)) = self.network.ends(connection) else { return };
        let to = if a == from { b } else { a };
        let at = self.network.arrival(self.now, connection, to);
        self.push(at, Event::Frame { connection, to, message });
    }

    fn input(&mut self, node: usize, input: Input) {
        self.with_node(node, |machine, now, out| machine.handle(now, input, out));
    }

    fn with_node(&mut self, index: usize, act: impl FnOnce(&mut Node, Now, &mut Effects<Effect>)) {
        let now = self.clock();
        let mut out = Effects::new();
        let Some(node) = &mut self.nodes[index].node else { return };
        act(node, now, &mut out);
        node.check_invariants();
        let wake = node.next_wake().map(|wake| wake.at.max(self.now));
        for effect in out.drain() {
            self.on_effect(index, effect);
        }
        if let Some(at) = wake
            && self.nodes[index].wake.is_none_or(|queued| at < queued)
        {
            self.nodes[index].wake = Some(at);
            self.push(at, Event::WakeNode { node: index });
        }
    }

    fn on_effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { to: Peer::Client(peer), message: Message::Reply(reply) }
                if peer >= BY_HAND =>
            {
                self.replies.insert((peer - BY_HAND, reply.call), reply);
            }
            Effect::Send { to, message } => {
                let connection = match to {
                    Peer::Client(connection) => Some(Connection(connection)),
                    Peer::Node(id) => self
                        .index(id)
                        .and_then(|other| self.network.between(End::Node(node), End::Node(other))),
                };
                if let Some(connection) = connection {
                    self.send(connection, End::Node(node), message);
                }
            }
            Effect::Store { ticket, slot: _, op } => {
                let (outcome, sync) = self.nodes[node].disk.run(&op);
                let life = self.nodes[node].life;
                let at = self.now + self.config.apply;
                self.push(at, Event::Stored { node, life, ticket, outcome, sync: None });
                if sync.is_some() {
                    let at = at + self.config.sync;
                    let outcome = StoreOutcome::Durable;
                    self.push(at, Event::Stored { node, life, ticket, outcome, sync });
                }
            }
            Effect::Dial { node: id, .. } => {
                let at = self.now + self.network.delay();
                if let Some(to) = self.index(id) {
                    self.push(at, Event::Dialled { from: End::Node(node), to });
                }
            }
            Effect::Hangup(Peer::Client(connection)) => {
                self.close(Connection(connection), |_| true);
            }
            Effect::Hangup(Peer::Node(id)) => {
                let other = self.index(id).map(End::Node);
                let open = other.and_then(|other| self.network.between(End::Node(node), other));
                if let Some(connection) = open {
                    self.close(connection, |_| true);
                }
            }
            Effect::Observe(event) => self.nodes[node].events.push(event),
        }
    }

    fn with_client<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Client, Now, &mut Effects<ClientEffect>) -> T,
    ) -> T {
        let now = self.clock();
        let mut out = Effects::new();
        let slot = &mut self.clients[index];
        let result = act(&mut slot.client, now, &mut out);
        slot.client.check_invariants();
        let wake = slot.client.next_wake().map(|wake| wake.at.max(self.now));
        for effect in out.drain() {
            self.on_client_effect(index, effect);
        }
        if let Some(at) = wake
            && self.clients[index].wake.is_none_or(|queued| at < queued)
        {
            self.clients[index].wake = Some(at);
            self.push(at, Event::WakeClient { client: index });
        }
        result
    }

    fn on_client_effect(&mut self, client: usize, effect: ClientEffect) {
        let connection =
            |world: &World, link: Link| world.network.of(|end| end == End::Client(client, link));
        match effect {
            ClientEffect::Dial { link, address } => {
                let at = self.now + self.network.delay();
                let from = End::Client(client, link);
                match self.at_address(&address) {
                    Some(to) => self.push(at, Event::Dialled { from, to }),
                    None => self.push(at, Event::Lost { at: from, other: from }),
                }
            }
            ClientEffect::Send { link, message } => {
                for connection in connection(self, link) {
                    self.send(connection, End::Client(client, link), message.clone());
                }
            }
            ClientEffect::Hangup(link) => {
                for connection in connection(self, link) {
                    self.close(connection, |end| end != End::Client(client, link));
                }
            }
            ClientEffect::Complete { call, result } => {
                let before = self.clients[client].ended.insert(call, result);
                assert!(before.is_none(), "call {call:?} ended twice");
            }
            ClientEffect::Observe(_) => {}
        }
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
