//! A put or a get through three nodes, without sockets and disks: what one sends, another is given
//! at once, and a map answers for the storage.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::Held;
use quorate_core::causality::RecordOp;
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId};
use quorate_core::limits::Limits;
use quorate_core::machine::{
    Effect, Effects, HeldAs, Input, Peer, StateChange, StoreOp, StoreOutcome, Ticket,
};
use quorate_core::merkle::{State, TreeKey};
use quorate_core::message::{Answer, Get, LayoutUpdate, Message, ReadKind, Reply};
use quorate_core::node::{
    AntiEntropySettings, CollectionSettings, Fanout, GossipSettings, Node, NodeConfig,
};
use quorate_core::ring::Position;

use crate::{Step, samples};

const NODES: u16 = 3;
const CLIENT: Peer = Peer::Client(1);
/// Steps go round so many keys.
const KEYS: u64 = 256;
/// Between two steps.
const PAUSE_MICROS: u64 = 100;

/// Steps that overwrite `batch` values at one time.
pub(crate) fn puts(batch: u64) -> Box<dyn FnMut() -> Step> {
    steps(batch, |call, key| Message::Put(samples::put_of(key, Bytes::new(), call)))
}

/// Steps that read `batch` values at one time, which three replicas hold alike.
pub(crate) fn gets(batch: u64) -> Box<dyn FnMut() -> Step> {
    let head = samples::head;
    steps(batch, move |call, key| {
        Message::Get(Get { head: head(call, key), context: Bytes::new(), read: ReadKind::Quorum })
    })
}

/// Steps of a cluster in which each key was written once.
fn steps(batch: u64, ask: impl Fn(u64, Key) -> Message + 'static) -> Box<dyn FnMut() -> Step> {
    let mut cluster = Cluster::start();
    let mut last_call = 0;
    for number in 0..KEYS {
        let key = samples::key(number);
        let call = last_call + number;
        let coordinator = cluster.coordinator(&key);
        let put = Message::Put(samples::put_of(key, Bytes::new(), call));
        cluster.run([(coordinator, put)].into());
    }
    last_call += KEYS;
    let cluster = Rc::new(RefCell::new(cluster));
    Box::new(move || {
        let mut requests = Vec::new();
        for call in last_call..last_call + batch {
            let key = samples::key(call % KEYS);
            requests.push((cluster.borrow().coordinator(&key), ask(call, key)));
        }
        last_call += batch;
        let cluster = cluster.clone();
        Box::new(move || cluster.borrow_mut().run(requests))
    })
}

/// Three nodes, wired up.
struct Cluster {
    layout: Arc<LayoutUpdate>,
    nodes: Vec<Node>,
    disks: Vec<Disk>,
    /// What is on its way, first to last, and to whom.
    queue: VecDeque<(usize, Input)>,
    out: Effects<Effect>,
    micros: u64,
    /// What the client was told last of each key.
    contexts: Vec<Bytes>,
    /// Answers that the client has got.
    answers: u64,
}

impl Cluster {
    fn start() -> Cluster {
        let layout = samples::layout(NODES, 64);
        let ids = 1..=u64::from(NODES);
        let node = |id| Node::new(config(id, layout.clone()), id).expect("a configuration");
        let mut cluster = Cluster {
            nodes: ids.clone().map(node).collect(),
            disks: ids.clone().map(|_| Disk::new()).collect(),
            queue: VecDeque::new(),
            out: Effects::new(),
            micros: 0,
            contexts: vec![Bytes::new(); KEYS as usize],
            answers: 0,
            layout,
        };
        for index in 0..cluster.nodes.len() {
            cluster.nodes[index].start(samples::now(0), &mut cluster.out);
            cluster.carry_out(index);
        }
        for index in 0..cluster.nodes.len() {
            for id in ids.clone().filter(|id| *id != index as u64 + 1) {
                cluster.queue.push_back((index, Input::PeerUp(Peer::Node(NodeId(id)))));
            }
        }
        cluster.deliver();
        cluster
    }

    /// The index of the first primary of a key.
    fn coordinator(&self, key: &Key) -> usize {
        let slot = self.layout.layout.slot_of(key.as_bytes());
        index(self.layout.layout.owner(slot))
    }

    /// Lets the client ask, each time with the context that it was told last, until all is quiet.
    fn run(&mut self, requests: Vec<(usize, Message)>) {
        let wanted = self.answers + requests.len() as u64;
        for (coordinator, mut message) in requests {
            if let Message::Put(put) = &mut message {
                put.context = self.contexts[(put.head.call.0 % KEYS) as usize].clone();
            }
            self.queue.push_back((coordinator, Input::Frame { from: CLIENT, message }));
        }
        self.deliver();
        assert_eq!(self.answers, wanted, "each request is answered");
        self.micros += PAUSE_MICROS;
        let now = samples::now(self.micros);
        for index in 0..self.nodes.len() {
            if self.nodes[index].next_wake().is_some_and(|wake| wake.at <= now.instant) {
                self.queue.push_back((index, Input::Wake));
            }
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some((index, input)) = self.queue.pop_front() {
            let now = samples::now(self.micros);
            self.nodes[index].handle(now, input, &mut self.out);
            self.carry_out(index);
        }
    }

    fn carry_out(&mut self, sender: usize) {
        while let Some(effect) = self.out.pop() {
            match effect {
                Effect::Send { to: Peer::Node(to), message } => {
                    let from = Peer::Node(NodeId(sender as u64 + 1));
                    self.queue.push_back((index(to), Input::Frame { from, message }));
                }
                Effect::Send { to: Peer::Client(_), message: Message::Reply(reply) } => {
                    self.on_reply(reply);
                }
                Effect::Store { ticket, op, .. } => {
                    self.disks[sender].run(ticket, op, |input| {
                        self.queue.push_back((sender, input));
                    });
                }
                Effect::Observe(event) => drop(black_box(event)),
                // They are connected as soon as all of them are there.
                Effect::Dial { .. } => {}
                Effect::Send { .. }
                | Effect::DialSeed { .. }
                | Effect::Hangup(_)
                | Effect::StartOver => panic!("nodes that are connected do not want this"),
            }
        }
    }

    fn on_reply(&mut self, reply: Reply) {
        self.answers += 1;
        let context = match reply.result.expect("nothing fails here") {
            Answer::Written(written) => {
                assert_eq!(written.siblings, 1, "each put covers what stands");
                written.context
            }
            Answer::Entry(entry) => {
                assert_eq!(entry.values.len(), 1, "one value stands");
                entry.context
            }
        };
        self.contexts[(reply.call.0 % KEYS) as usize] = context;
    }
}

/// What a node keeps, in memory and durable at once.
struct Disk {
    tree_key: TreeKey,
    copies: BTreeMap<Key, Copy>,
}

#[derive(Default)]
struct Copy {
    held: Held,
    state: State,
}

impl Disk {
    fn new() -> Disk {
        Disk { tree_key: TreeKey::derive(ClusterId(1), b""), copies: BTreeMap::new() }
    }

    fn run(&mut self, ticket: Ticket, op: StoreOp, mut answer: impl FnMut(Input)) {
        let mut answer = |outcome| answer(Input::Stored { ticket, outcome });
        match op {
            StoreOp::Read { key, .. } => {
                let record = self.copies.get(&key).map(|copy| copy.held.record().clone());
                answer(StoreOutcome::Read { record });
            }
            StoreOp::Apply { key, copy: HeldAs::Own, op } => {
                answer(self.apply(key, &op));
                answer(StoreOutcome::Durable);
            }
            StoreOp::CountHints => answer(StoreOutcome::HintsCounted(Vec::new())),
            StoreOp::ScanStates { .. } => {
                answer(StoreOutcome::StatesScanned { states: Vec::new(), more: false });
            }
            StoreOp::SaveLayouts(_) | StoreOp::SaveStanding { .. } => answer(StoreOutcome::Durable),
            StoreOp::Remember(_) => {}
            StoreOp::Apply { copy: HeldAs::Hint { .. }, .. }
            | StoreOp::FindHints { .. }
            | StoreOp::RemoveHint { .. }
            | StoreOp::ScanRecords { .. }
            | StoreOp::Confirm { .. }
            | StoreOp::Remove { .. } => panic!("nobody is away here"),
        }
    }

    fn apply(&mut self, key: Key, op: &RecordOp) -> StoreOutcome {
        let position = Position::of(key.as_bytes());
        let copy = self.copies.entry(key.clone()).or_default();
        let applied = copy.held.apply(op).expect("nothing is refused here");
        let before = copy.state;
        if applied.changed {
            copy.state = self.tree_key.sized_state(&key, copy.held.record());
        }
        let state = Some(StateChange { position, before, after: copy.state });
        let record = matches!(op, RecordOp::Write(_)).then(|| copy.held.record().clone());
        StoreOutcome::Applied { applied, record, hint: None, state }
    }
}

fn index(node: NodeId) -> usize {
    node.0 as usize - 1
}

fn config(id: u64, layout: Arc<LayoutUpdate>) -> NodeConfig {
    NodeConfig {
        cluster: ClusterId(1),
        id: NodeId(id),
        incarnation: Incarnation(1),
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: 1,
        address: format!("ws://{id}").into(),
        seeds: Vec::new(),
        layouts: Some(layout.into()),
        trees: None,
        found: Default::default(),
        founding: None,
        r: 2,
        w: 2,
        strict: false,
        allow_weak: false,
        fanout: Fanout::All,
        gossip: GossipSettings::default(),
        anti_entropy: AntiEntropySettings::default(),
        collection: CollectionSettings::default(),
        changes: Default::default(),
        credentials: Bytes::new(),
        limits: Limits::default(),
    }
}
