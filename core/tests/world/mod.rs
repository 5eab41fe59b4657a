//! Nodes that are joined by a wire that counts bytes, each with a store in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]
#![allow(dead_code, reason = "each test file asks for something else")]

mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_core::causality::{Context, Held, Record};
use quorate_core::codec::encode;
use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::machine::{Effect, Effects, Event, Input, Peer, StoreOp, Ticket};
use quorate_core::merkle::{Forest, LeafCount, Piece, State, TreeKey};
use quorate_core::message::{
    CallId, Compare, Compared, Comparison, LayoutReply, LayoutUpdate, MergeReason, Message,
    Question, ReplicaMerge, Reply,
};
use quorate_core::node::{AntiEntropySettings, GossipSettings, Node, NodeConfig};
use quorate_core::prng::Prng;
use quorate_core::ring::{Position, SlotCount};
use quorate_core::time::{Duration, Now};

use crate::machines::{ALICE, config, greeting, now, write};

pub(crate) const INTERVAL_MS: u64 = 30_000;
pub(crate) const RECHECK_MS: u64 = 1_000;

/// A node that exists for its connection alone: it hands over what others have written.
const WRITER: NodeId = NodeId(99);

pub(crate) type Store = BTreeMap<(Position, Key), (Held, State)>;

pub(crate) type Hints = BTreeMap<(NodeId, Key), Record>;

pub(crate) struct House {
    pub(crate) node: Node,
    pub(crate) store: Store,
    pub(crate) hints: Hints,
    /// What its next life is told; trees go to one life alone.
    pub(crate) config: NodeConfig,
    /// Operations that wait for [`World::let_go`].
    pub(crate) hanging: Vec<(Ticket, StoreOp)>,
    pub(crate) hangs: fn(&StoreOp) -> bool,
    pub(crate) fails: fn(&StoreOp) -> bool,
    pub(crate) events: Vec<Event>,
}

/// What went over the wire for comparisons.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) bytes: usize,
    pub(crate) questions: usize,
    pub(crate) roots: usize,
    /// Pieces whose states were asked for, and how many states were told.
    pub(crate) pieces: Vec<(Piece, usize)>,
    /// Records that went from one node to another.
    pub(crate) moved: Vec<(u64, u64, Key)>,
    pub(crate) frames: usize,
}

pub(crate) struct World {
    pub(crate) houses: BTreeMap<u64, House>,
    pub(crate) millis: u64,
    pub(crate) traffic: Traffic,
    pub(crate) layout: Arc<LayoutUpdate>,
    /// What was asked of nodes that a test plays, and what they were answered.
    pub(crate) asked: Vec<Compare>,
    pub(crate) answered: Vec<Compared>,
    /// What clients were answered.
    pub(crate) replies: Vec<Reply>,
    /// The same of operators.
    pub(crate) told: Vec<LayoutReply>,
    wire: VecDeque<(u64, u64, Message)>,
    /// Those that are connected, both ways.
    links: BTreeSet<(u64, u64)>,
    /// What is sent of these waits in `held` until a test delivers it.
    pub(crate) holds: fn(u64, u64, &Message) -> bool,
    pub(crate) held: Vec<(u64, u64, Message)>,
    /// The messages about collections, and the answers to merges, that were sent.
    pub(crate) log: Vec<(u64, u64, Message)>,
    /// Frames that are lost, of a thousand.
    pub(crate) lost: u64,
    /// The connection of 1 and 2 is cut when so many frames were sent.
    pub(crate) cut_at: Option<usize>,
    prng: Prng,
}

pub(crate) struct Shape {
    pub(crate) nodes: u64,
    pub(crate) slots: u32,
    pub(crate) leaves: u32,
}

pub(crate) fn layout(shape: &Shape) -> Arc<LayoutUpdate> {
    let member =
        |id| Member { id: NodeId(id), label: format!("n{id}").into(), zone: "z".into(), weight: 1 };
    let slots = SlotCount::new(shape.slots).unwrap();
    let settings = PlanSettings { slots, replication: shape.nodes as u8 };
    let layout = plan_first(settings, (1..=shape.nodes).map(member).collect()).unwrap();
    let addresses = (1..=shape.nodes).map(|id| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses })
}

pub(crate) fn settings(leaves: u32) -> AntiEntropySettings {
    AntiEntropySettings {
        leaves: LeafCount::new(leaves).unwrap(),
        interval: Duration::from_millis(INTERVAL_MS),
        recheck: Duration::from_millis(RECHECK_MS),
        bytes_per_second: 1 << 40,
    }
}

pub(crate) fn place(key: &Key) -> (Position, Key) {
    (Position::of(key.as_bytes()), key.clone())
}

pub(crate) fn tree_key() -> TreeKey {
    config(1).tree_key()
}

impl World {
    pub(crate) fn new(shape: &Shape, stores: Vec<Vec<(Key, Record)>>, seed: u64) -> World {
        World::with_settings(shape, stores, seed, settings(shape.leaves))
    }

    pub(crate) fn with_settings(
        shape: &Shape,
        stores: Vec<Vec<(Key, Record)>>,
        seed: u64,
        anti_entropy: AntiEntropySettings,
    ) -> World {
        World::of(layout(shape), stores, seed, |config| NodeConfig {
            anti_entropy,
            r: 1,
            w: 1,
            allow_weak: true,
            ..config
        })
    }

    pub(crate) fn of(
        layout: Arc<LayoutUpdate>,
        stores: Vec<Vec<(Key, Record)>>,
        seed: u64,
        configure: impl Fn(NodeConfig) -> NodeConfig,
    ) -> World {
        let mut world = World {
            houses: BTreeMap::new(),
            millis: 0,
            traffic: Traffic::default(),
            layout: layout.clone(),
            asked: Vec::new(),
            answered: Vec::new(),
            replies: Vec::new(),
            told: Vec::new(),
            wire: VecDeque::new(),
            links: BTreeSet::new(),
            holds: |_, _, _| false,
            held: Vec::new(),
            log: Vec::new(),
            lost: 0,
            cut_at: None,
            prng: Prng::new(seed),
        };
        let quiet = Duration::from_secs(1_000_000);
        for (id, records) in (1..).zip(stores) {
            let gossip = GossipSettings { interval: quiet, ..GossipSettings::default() };
            let config = configure(NodeConfig {
                layouts: Some(layout.clone().into()),
                gossip,
                ..config(id)
            });
            let store = records.into_iter().map(|(key, record)| {
                let state = tree_key().sized_state(&key, &record);
                (place(&key), (Held::from_parts(record, None), state))
            });
            world.move_in((id, seed ^ id), config, (store.collect(), Hints::new()), |_| false);
        }
        world
    }

    fn move_in(
        &mut self,
        (id, seed): (u64, u64),
        config: NodeConfig,
        (store, hints): (Store, Hints),
        hangs: fn(&StoreOp) -> bool,
    ) {
        let node = Node::new(config.clone(), seed).unwrap();
        let config = NodeConfig { trees: None, ..config };
        let fails = |_: &StoreOp| false;
        let (hanging, events) = (Vec::new(), Vec::new());
        self.houses.insert(id, House { node, store, hints, config, hanging, hangs, fails, events });
        let mut out = Effects::new();
        let now = now(self.millis);
        self.houses.get_mut(&id).unwrap().node.start(now, &mut out);
        self.carry_out(id, out);
    }

    /// A node begins another life with what is in its store.
    pub(crate) fn restart(&mut self, id: u64, seed: u64) {
        let others: Vec<u64> = self.houses.keys().copied().filter(|other| *other != id).collect();
        others.iter().for_each(|other| self.disconnect(id, *other));
        let House { mut config, store, hints, hangs, .. } = self.houses.remove(&id).unwrap();
        config.incarnation.0 += 1;
        self.move_in((id, seed), config, (store, hints), hangs);
    }

    pub(crate) fn connect_all(&mut self) {
        let ids: Vec<u64> = self.houses.keys().copied().collect();
        for one in &ids {
            for other in ids.iter().filter(|other| *other > one) {
                self.connect(*one, *other);
            }
        }
    }

    /// A peer that a test plays says that it remembers nothing of a node.
    pub(crate) fn greeted(&mut self, id: u64, from: Peer) {
        self.input(id, Input::Frame { from, message: Message::Gossip(greeting()) });
    }

    /// Two nodes greet each other, and are connected.
    pub(crate) fn connect(&mut self, one: u64, other: u64) {
        if self.houses.contains_key(&one) && self.houses.contains_key(&other) {
            let hello = self.houses[&one].node.hello();
            let mut out = Effects::new();
            let asked = &mut self.houses.get_mut(&other).unwrap().node;
            let welcome = asked.welcome(now(self.millis), &hello, &mut out).unwrap();
            self.carry_out(other, out);
            let asking = &mut self.houses.get_mut(&one).unwrap().node;
            asking.accepts(Some(NodeId(other)), &welcome).unwrap();
        }
        self.links.extend([(one, other), (other, one)]);
        self.input(one, Input::PeerUp(Peer::Node(NodeId(other))));
        self.input(other, Input::PeerUp(Peer::Node(NodeId(one))));
    }

    pub(crate) fn disconnect(&mut self, one: u64, other: u64) {
        let between = |(from, to, _): &(u64, u64, Message)| {
            (*from, *to) == (one, other) || (*to, *from) == (one, other)
        };
        self.wire.retain(|frame| !between(frame));
        self.held.retain(|frame| !between(frame));
        self.links.retain(|link| ![(one, other), (other, one)].contains(link));
        self.input(one, Input::PeerDown(Peer::Node(NodeId(other))));
        self.input(other, Input::PeerDown(Peer::Node(NodeId(one))));
    }

    pub(crate) fn input(&mut self, id: u64, input: Input) {
        let Some(house) = self.houses.get_mut(&id) else { return };
        let mut out = Effects::new();
        house.node.handle(now(self.millis), input, &mut out);
        house.node.check_invariants();
        self.carry_out(id, out);
    }

    fn carry_out(&mut self, id: u64, mut out: Effects<Effect>) {
        while let Some(effect) = out.pop() {
            let house = self.houses.get_mut(&id).unwrap();
            match effect {
                Effect::Send { to: Peer::Node(to), message } => self.send(id, to.0, message),
                Effect::Send { to: Peer::Client(_), message: Message::Reply(reply) } => {
                    self.replies.push(reply);
                }
                Effect::Send { to: Peer::Client(_), message: Message::LayoutReply(reply) } => {
                    self.told.push(reply);
                }
                Effect::Store { ticket, op, .. } => {
                    if (house.hangs)(&op) {
                        house.hanging.push((ticket, op));
                        continue;
                    }
                    for outcome in house.run(op) {
                        let input = Input::Stored { ticket, outcome };
                        house.node.handle(now(self.millis), input, &mut out);
                        house.node.check_invariants();
                    }
                }
                Effect::Observe(event) => house.events.push(event),
                _ => {}
            }
        }
    }

    fn send(&mut self, from: u64, to: u64, message: Message) {
        let counted = match &message {
            Message::Compare(Compare { question, .. }) => {
                self.traffic.questions += 1;
                match question {
                    Question::Branches(branches) => {
                        let roots = branches.iter().filter(|branch| branch.branch.level == 0);
                        self.traffic.roots += roots.count();
                    }
                    Question::States { piece, states, .. } => {
                        self.traffic.pieces.push((*piece, states.len()));
                    }
                    Question::Records { .. } | Question::Rest { .. } => {}
                }
                true
            }
            Message::Compared(compared) => {
                if let Comparison::Records { records, .. } = &compared.answer {
                    let moved = records.iter().map(|(key, _)| (from, to, key.clone()));
                    self.traffic.moved.extend(moved);
                }
                true
            }
            Message::ReplicaMerge(merge) => {
                if merge.reason == MergeReason::AntiEntropy {
                    self.traffic.moved.push((from, to, merge.key.clone()));
                }
                merge.reason == MergeReason::AntiEntropy
            }
            Message::ReplicaMerged(_) => to != WRITER.0,
            Message::Get(_)
            | Message::Put(_)
            | Message::Reply(_)
            | Message::ReplicaRead(_)
            | Message::ReplicaRecord(_)
            | Message::Collect(_)
            | Message::Collected(_) => false,
            Message::Gossip(_) => {
                if self.links.contains(&(from, to)) {
                    let from = Peer::Node(NodeId(from));
                    self.input(to, Input::Frame { from, message });
                }
                return;
            }
            _ => return,
        };
        if let Message::Collect(_) | Message::Collected(_) | Message::ReplicaMerged(_) = message {
            self.log.push((from, to, message.clone()));
        }
        if self.houses.contains_key(&to) && !self.links.contains(&(from, to)) {
            return;
        }
        if counted {
            let mut frame = Vec::new();
            encode(&message, &mut frame);
            self.traffic.bytes += frame.len();
            self.traffic.frames += 1;
        }
        if self.cut_at.take_if(|at| *at <= self.traffic.frames).is_some() {
            self.wire.clear();
            self.input(1, Input::PeerDown(Peer::Node(NodeId(2))));
            self.input(2, Input::PeerDown(Peer::Node(NodeId(1))));
        } else if (self.holds)(from, to, &message) {
            self.held.push((from, to, message));
        } else if !self.prng.chance(self.lost, 1_000) {
            self.wire.push_back((from, to, message));
        }
    }

    pub(crate) fn deliver(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            if !self.houses.contains_key(&to) {
                match message {
                    Message::Compare(compare) => self.asked.push(compare),
                    Message::Compared(compared) => self.answered.push(compared),
                    _ => {}
                }
                continue;
            }
            self.frame(from, to, message);
        }
    }

    /// Delivers what waits, or something else.
    pub(crate) fn frame(&mut self, from: u64, to: u64, message: Message) {
        self.input(to, Input::Frame { from: Peer::Node(NodeId(from)), message });
    }

    /// A client says something to a node.
    pub(crate) fn ask(&mut self, id: u64, message: Message) {
        self.input(id, Input::Frame { from: ALICE, message });
    }

    /// Lets time pass, and everything that happens with it.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.millis + millis;
        let mut in_vain = 0;
        loop {
            self.deliver();
            let wakes = self.houses.iter().filter_map(|(id, house)| {
                Some((house.node.next_wake()?.at.0.div_ceil(1_000).max(self.millis), *id))
            });
            let Some((at, id)) = wakes.min().filter(|(at, _)| *at <= until) else { break };
            in_vain = if at == self.millis { in_vain + 1 } else { 0 };
            assert!(in_vain < 1_000, "time stands still at {at}");
            self.millis = at;
            self.input(id, Input::Wake);
        }
        self.millis = until;
    }

    /// A record comes from a coordinator.
    pub(crate) fn merge(&mut self, id: u64, key: &Key, record: &Record) {
        let merge = ReplicaMerge {
            call: CallId(1),
            key: key.clone(),
            record: record.clone(),
            hint_for: None,
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        };
        let from = Peer::Node(WRITER);
        self.input(id, Input::Frame { from, message: Message::ReplicaMerge(merge) });
    }

    /// Carries out what hangs, in its order.
    pub(crate) fn let_go(&mut self, id: u64) {
        let house = self.houses.get_mut(&id).unwrap();
        for (ticket, op) in std::mem::take(&mut house.hanging) {
            let outcomes = self.houses.get_mut(&id).unwrap().run(op);
            for outcome in outcomes {
                self.input(id, Input::Stored { ticket, outcome });
            }
        }
    }

    pub(crate) fn repair(&mut self, id: u64) {
        self.act(id, |node, now, out| node.repair(now, None, out)).unwrap();
    }

    /// Calls a node directly.
    pub(crate) fn act<T>(
        &mut self,
        id: u64,
        act: impl FnOnce(&mut Node, Now, &mut Effects<Effect>) -> T,
    ) -> T {
        let mut out = Effects::new();
        let node = &mut self.houses.get_mut(&id).unwrap().node;
        let result = act(node, now(self.millis), &mut out);
        node.check_invariants();
        self.carry_out(id, out);
        result
    }

    pub(crate) fn records(&self, id: u64) -> BTreeMap<Key, Record> {
        let store = &self.houses[&id].store;
        store.iter().map(|((_, key), (held, _))| (key.clone(), held.record().clone())).collect()
    }

    /// Whether all nodes hold the same.
    pub(crate) fn are_equal(&self) -> bool {
        let first = self.records(1);
        self.houses.keys().all(|id| self.records(*id) == first)
    }

    /// The trees of a node tell what is stored.
    pub(crate) fn check_trees(&self, id: u64) {
        let house = &self.houses[&id];
        let trees = house.node.view().trees().expect("counted, and without doubts");
        let mut fresh = Forest::new(house.config.tree_key(), trees.slots(), trees.leaves());
        for ((position, _), (_, state)) in &house.store {
            fresh.change(*position, State::NOTHING, *state);
        }
        for slot in trees.slots().slots() {
            let root = Piece::whole(slot);
            assert_eq!(trees.hash(root), fresh.hash(root), "node {id}, {slot:?}");
        }
        assert!(trees.figures().eq(fresh.figures()), "node {id}");
    }

    pub(crate) fn count(&self, id: u64, name: &str) -> u64 {
        let counters = self.houses[&id].node.view().counters();
        counters.iter().find(|(found, _)| *found == name).expect("a counter of that name").1
    }
}

pub(crate) fn key(number: u64) -> Key {
    Key::from(format!("key {number}").into_bytes())
}

/// A record of one value of a hundred bytes.
pub(crate) fn record(node: u64) -> Record {
    const VALUE: &str = concat!(
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567",
        "890123456789"
    );
    write(&mut Held::new(), node, crate::machines::value(VALUE), &Context::new())
}

/// A record, and the same after one more write that had seen it.
pub(crate) fn older_and_newer(node: u64) -> (Record, Record) {
    let older = record(node);
    let mut held = Held::from_parts(older.clone(), None);
    let newer = write(&mut held, node + 10, crate::machines::value("newer"), &older.context());
    (older, newer)
}
