//! A node with a disk that carries out what it is asked, and targets whose words a test says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::causality::{Context, Held, Record, RecordOp};
use quorate_core::ids::{Key, NodeId};
use quorate_core::limits::Limits;
use quorate_core::machine::{
    Effect, Effects, Event, HeldAs, HintChange, HintCount, Input, Peer, StoreError, StoreOp,
    StoreOutcome, Ticket, Wake, WakeReason, hint_bytes,
};
use quorate_core::message::{
    CallId, LayoutUpdate, MergeReason, Message, ReplicaMerge, ReplicaMerged,
};
use quorate_core::node::{Node, NodeConfig};
use quorate_core::ring::Position;

use crate::machines::{ALICE, Alone, greeting, layout, now, value, write};

/// A record of one value that a node wrote.
pub(crate) fn record(node: u64, text: &'static str) -> Record {
    write(&mut Held::new(), node, value(text), &Context::new())
}

/// So many keys of which all of `with` and none of `without` are primaries.
pub(crate) fn keys_with(
    layout: &LayoutUpdate,
    with: &[NodeId],
    without: &[NodeId],
    count: usize,
) -> Vec<Key> {
    let keys = (0..1_000_000_u32).map(|number| Key::from(format!("key {number}").into_bytes()));
    let fits = |key: &Key| {
        let primaries = layout.layout.primaries(layout.layout.slot_of(key.as_bytes()));
        with.iter().all(|node| primaries.contains(node))
            && !without.iter().any(|node| primaries.contains(node))
    };
    let keys: Vec<Key> = keys.filter(fits).take(count).collect();
    assert_eq!(keys.len(), count);
    keys
}

/// A hint that the disk let go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Removed {
    pub(crate) target: NodeId,
    pub(crate) key: Key,
    pub(crate) record: Record,
}

/// What a node keeps.
pub(crate) struct Disk {
    pub(crate) own: BTreeMap<Key, Held>,
    pub(crate) hints: BTreeMap<(NodeId, Key), Held>,
    /// Hints that are found at one time.
    pub(crate) batch: usize,
    /// All fails.
    pub(crate) broken: bool,
    /// Nothing is answered; it stands in `hanging`.
    pub(crate) hangs: bool,
    pub(crate) hangs_on_apply: bool,
    pub(crate) hanging: Vec<(Ticket, StoreOp)>,
    /// Batches that were read.
    pub(crate) reads: usize,
}

impl Disk {
    fn new() -> Disk {
        Disk {
            own: BTreeMap::new(),
            hints: BTreeMap::new(),
            batch: usize::MAX,
            broken: false,
            hangs: false,
            hangs_on_apply: false,
            hanging: Vec::new(),
            reads: 0,
        }
    }

    pub(crate) fn add_hint(&mut self, target: NodeId, key: &Key, record: &Record) -> HintChange {
        let held = self.hints.entry((target, key.clone())).or_default();
        let empty = held.record().is_empty();
        let before = (!empty).then(|| hint_bytes(key, held.record()));
        held.apply(&RecordOp::Merge(record.clone())).unwrap();
        HintChange { before, after: hint_bytes(key, held.record()) }
    }

    pub(crate) fn hint_bytes(&self) -> u64 {
        self.hints.iter().map(|((_, key), held)| hint_bytes(key, held.record())).sum()
    }

    fn run(&mut self, op: StoreOp, removed: &mut Vec<Removed>) -> Vec<StoreOutcome> {
        if self.broken {
            return vec![StoreOutcome::Failed(StoreError::Io)];
        }
        match op {
            StoreOp::Apply { key, copy: HeldAs::Own, op } => crate::machines::run(
                self.own.entry(key.clone()).or_default(),
                &StoreOp::Apply { key, copy: HeldAs::Own, op },
            ),
            StoreOp::Apply { key, copy: HeldAs::Hint { target }, op } => {
                let RecordOp::Merge(record) = op else { panic!("nobody writes into a hint") };
                let hint = Some(self.add_hint(target, &key, &record));
                let applied = Held::new().apply(&RecordOp::Merge(record)).unwrap();
                let first = StoreOutcome::Applied { applied, record: None, hint, state: None };
                vec![first, StoreOutcome::Durable]
            }
            StoreOp::FindHints { target, after, bytes_max } => {
                assert!(bytes_max > 0);
                self.reads += 1;
                let behind = |(of, key): &(NodeId, Key)| {
                    *of == target && after.as_ref().is_none_or(|after| key > after)
                };
                let mut found = self.hints.iter().filter(|(at, _)| behind(at));
                let taken = found.by_ref().take(self.batch);
                let hint = |((_, key), held): (&(NodeId, Key), &Held)| {
                    (key.clone(), held.record().clone())
                };
                let hints: Vec<(Key, Record)> = taken.map(hint).collect();
                vec![StoreOutcome::HintsFound { hints, more: found.next().is_some() }]
            }
            StoreOp::RemoveHint { target, key, digest } => {
                let at = (target, key.clone());
                let same = self.hints.get(&at).is_some_and(|held| held.record().is_still(digest));
                let gone = if same { self.hints.remove(&at) } else { None };
                let bytes = gone.map(|held| {
                    let record = held.into_record();
                    let bytes = hint_bytes(&key, &record);
                    removed.push(Removed { target, key, record });
                    bytes
                });
                vec![StoreOutcome::HintRemoved { bytes }]
            }
            StoreOp::CountHints => {
                let mut counts: BTreeMap<NodeId, HintCount> = BTreeMap::new();
                for ((target, key), held) in &self.hints {
                    let none = HintCount { target: *target, hints: 0, bytes: 0, damaged: 0 };
                    let count = counts.entry(*target).or_insert(none);
                    count.hints += 1;
                    count.bytes += hint_bytes(key, held.record());
                }
                vec![StoreOutcome::HintsCounted(counts.into_values().collect())]
            }
            StoreOp::ScanStates { .. } => {
                vec![StoreOutcome::StatesScanned { states: Vec::new(), more: false }]
            }
            StoreOp::ScanRecords { arc, after, bytes_max } => {
                assert!(bytes_max > 0);
                let place = |key: &Key| (Position::of(key.as_bytes()), key.clone());
                let behind =
                    |at: &(Position, Key)| after.as_ref().is_none_or(|after| *at > place(after));
                let all = self.own.iter().map(|(key, held)| (place(key), held.record().clone()));
                let found = all.filter(|(at, _)| arc.contains(at.0) && behind(at));
                let found: BTreeMap<(Position, Key), Record> = found.collect();
                let records = found.into_iter().map(|((_, key), record)| (key, record)).collect();
                vec![StoreOutcome::RecordsScanned { records, more: false }]
            }
            StoreOp::Read { .. }
            | StoreOp::Confirm { .. }
            | StoreOp::Remove { .. }
            | StoreOp::SaveStanding { .. }
            | StoreOp::Remember(_)
            | StoreOp::SaveLayouts(_) => {
                panic!("not asked here: {op:?}")
            }
        }
    }
}

/// The node 1 and its disk.
pub(crate) struct House {
    pub(crate) node: Node,
    pub(crate) layout: Arc<LayoutUpdate>,
    config: NodeConfig,
    pub(crate) disk: Disk,
    pub(crate) millis: u64,
    /// Hints that were sent and not taken by the test.
    pub(crate) sent: Vec<(NodeId, ReplicaMerge)>,
    pub(crate) removed: Vec<Removed>,
    /// What became of hints.
    pub(crate) events: Vec<Event>,
}

impl House {
    /// Five nodes, nobody connected, and hints for `target` of keys of which it is a primary and
    /// the node 1 is none.
    pub(crate) fn with_hints(target: NodeId, count: usize) -> House {
        let mut house = House::of(5, Limits::default());
        house.add_hints(target, count);
        house
    }

    pub(crate) fn of(nodes: u64, limits: Limits) -> House {
        House::in_layout(layout(nodes, 3), limits)
    }

    pub(crate) fn in_layout(layout: Arc<LayoutUpdate>, limits: Limits) -> House {
        let nodes = layout.layout.members().len() as u64;
        let alone = Alone::with_limits(nodes.max(3), 1, limits);
        let config = alone.node.view().config().clone();
        let config = NodeConfig { layouts: Some(layout.clone().into()), r: 1, w: 1, ..config };
        let config = NodeConfig { allow_weak: true, ..config };
        House::begin(config, layout, Disk::new(), 0, 1)
    }

    fn begin(
        config: NodeConfig,
        layout: Arc<LayoutUpdate>,
        disk: Disk,
        millis: u64,
        seed: u64,
    ) -> House {
        let node = Node::new(config.clone(), seed).unwrap();
        let (sent, removed, events) = (Vec::new(), Vec::new(), Vec::new());
        let mut house = House { node, layout, config, disk, millis, sent, removed, events };
        house.act(|node, now, out| node.start(now, out));
        house
    }

    /// The node after a crash: its disk is what is left.
    pub(crate) fn restarted(self, seed: u64) -> House {
        let House { config, layout, disk, millis, .. } = self;
        House::begin(config, layout, disk, millis, seed)
    }

    /// Further hints, of which the node learns as at its start.
    pub(crate) fn add_hints(&mut self, target: NodeId, count: usize) {
        for key in keys_with(&self.layout, &[target], &[NodeId(1)], count) {
            self.disk.add_hint(target, &key, &record(target.0, "hinted"));
        }
        let disk = core::mem::replace(&mut self.disk, Disk::new());
        *self = House::begin(self.config.clone(), self.layout.clone(), disk, self.millis, 1);
    }

    fn act(&mut self, act: impl FnOnce(&mut Node, quorate_core::time::Now, &mut Effects<Effect>)) {
        let mut out = Effects::new();
        act(&mut self.node, now(self.millis), &mut out);
        self.node.check_invariants();
        while let Some(effect) = out.pop() {
            match effect {
                Effect::Store { ticket, op, .. } => self.store(ticket, op, &mut out),
                Effect::Send { to: Peer::Node(to), message: Message::ReplicaMerge(merge) }
                    if merge.reason != MergeReason::Write =>
                {
                    self.sent.push((to, merge));
                }
                Effect::Observe(event @ (Event::HandedOver { .. } | Event::HintDropped { .. })) => {
                    self.events.push(event);
                }
                _ => {}
            }
        }
    }

    fn store(&mut self, ticket: Ticket, op: StoreOp, out: &mut Effects<Effect>) {
        let apply = matches!(op, StoreOp::Apply { .. });
        if self.disk.hangs || apply && self.disk.hangs_on_apply {
            return self.disk.hanging.push((ticket, op));
        }
        for outcome in self.disk.run(op, &mut self.removed) {
            self.node.handle(now(self.millis), Input::Stored { ticket, outcome }, out);
            self.node.check_invariants();
        }
    }

    /// Carries out what hangs.
    pub(crate) fn let_go(&mut self) {
        for (ticket, op) in core::mem::take(&mut self.disk.hanging) {
            for outcome in self.disk.run(op, &mut self.removed) {
                self.stored(ticket, outcome);
            }
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.act(|node, now, out| node.handle(now, input, out));
    }

    pub(crate) fn stored(&mut self, ticket: Ticket, outcome: StoreOutcome) {
        self.input(Input::Stored { ticket, outcome });
    }

    pub(crate) fn frame(&mut self, from: NodeId, message: Message) {
        self.input(Input::Frame { from: Peer::Node(from), message });
    }

    /// A client writes.
    pub(crate) fn write(&mut self, key: &Key, sequence: u64) {
        let put = Alone::new(3, 1).put(key, "v", sequence);
        self.input(Input::Frame { from: ALICE, message: Message::Put(put) });
    }

    pub(crate) fn connect(&mut self, node: NodeId) {
        self.input(Input::PeerUp(Peer::Node(node)));
        self.frame(node, Message::Gossip(greeting()));
    }

    pub(crate) fn acknowledge(&mut self, from: NodeId, call: CallId, durable: bool) {
        self.frame(from, Message::ReplicaMerged(ReplicaMerged { call, durable }));
    }

    /// Lets time pass; every wake must move the next one into the future.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.millis + millis;
        let mut empty_slots = 0;
        while let Some(Wake { at, reason }) = self.node.next_wake() {
            let due = at.0.div_ceil(1_000).max(self.millis);
            if due > until {
                break;
            }
            self.millis = due;
            self.input(Input::Wake);
            let later = self.node.next_wake().is_none_or(|next| next.at > now(self.millis).instant);
            // Empty slots are looked through without a pause.
            let looks = reason == WakeReason::Collection;
            empty_slots = if later { 0 } else { empty_slots + 1 };
            let once_each = empty_slots <= self.layout.layout.slot_count().get();
            assert!(
                later || looks && once_each,
                "woken in vain at {} ms for {reason:?}",
                self.millis
            );
            if reason == WakeReason::Dial {
                self.refuse_dials();
            }
        }
        self.millis = until;
    }

    /// Nobody listens.
    fn refuse_dials(&mut self) {
        for node in self.layout.clone().layout.members() {
            if !self.node.view().is_up(node.id) {
                self.input(Input::PeerDown(Peer::Node(node.id)));
            }
        }
    }

    pub(crate) fn take_sent(&mut self) -> Vec<(NodeId, ReplicaMerge)> {
        for (_, merge) in &self.sent {
            assert_eq!((merge.hint_for, merge.reason), (None, MergeReason::Handoff));
        }
        core::mem::take(&mut self.sent)
    }

    /// Acknowledges all that is sent, and lets pauses pass, until nothing more comes.
    pub(crate) fn hand_over_all(&mut self) {
        for _ in 0..200 {
            for (to, merge) in self.take_sent() {
                self.acknowledge(to, merge.call, true);
            }
            if self.sent.is_empty() {
                self.pass(1_000);
            }
        }
        assert_eq!(self.sent, []);
    }

    /// Acknowledges one by one until so many more are gone; answers how many were in flight then.
    pub(crate) fn hand_over_batch(&mut self, count: usize) -> usize {
        let until = self.removed.len() / count * count + count;
        while self.removed.len() < until {
            let (to, merge) = self.sent.remove(0);
            self.acknowledge(to, merge.call, true);
        }
        self.sent.len()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let counters = self.node.view().counters();
        counters.iter().find(|(found, _)| *found == name).expect("a counter of that name").1
    }
}
