//! Hints among faults: acknowledgements that are lost, late or doubled, targets that come and go,
//! a disk that hangs or fails, crashes. The oracle looks at what is held, not at what was said.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::Limits;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge};
use quorate_core::prng::Prng;
use quorate_core::time::Duration;

use crate::house::{House, Removed, keys_with, record};

const NODES: u64 = 5;
const STEPS: u64 = 400;

/// A member of nothing: it has left.
const GONE: NodeId = NodeId(9);

struct Chance {
    prng: Prng,
    house: House,
    keys: Vec<Key>,
    /// What the other nodes hold durably.
    remote: BTreeMap<(NodeId, Key), Held>,
    /// Acknowledgements on their way, of this life or an earlier one.
    words: Vec<(NodeId, CallId, bool)>,
    /// How many hints were made.
    made: u64,
    checked: usize,
    removed: usize,
}

impl Chance {
    fn new(seed: u64) -> Chance {
        let limits = Limits { hint_window: Duration::from_secs(40), ..Limits::default() };
        let house = House::of(NODES, limits);
        let mut keys = keys_with(&house.layout, &[], &[NodeId(1)], 8);
        keys.extend(keys_with(&house.layout, &[NodeId(1)], &[], 2));
        let (remote, words) = (BTreeMap::new(), Vec::new());
        let prng = Prng::new(seed);
        Chance { prng, house, keys, remote, words, made: 0, checked: 0, removed: 0 }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.prng.below(bound as u64) as usize
    }

    fn step(&mut self, seed: u64) {
        let node = NodeId(2 + self.prng.below(NODES - 1));
        match self.below(100) {
            0..20 => self.make_hint(),
            20..50 => self.deliver(),
            50..70 => self.say(),
            70..78 => self.house.connect(node),
            78..81 => self.house.input(Input::PeerDown(Peer::Node(node))),
            81..92 => {
                let millis = self.prng.below(3_000);
                self.house.pass(millis);
            }
            92..94 => self.house.pass(20_000),
            94 => self.house.disk.hangs = true,
            95..97 => {
                self.house.disk.hangs = false;
                self.house.let_go();
            }
            97 => self.house.disk.broken = !self.house.disk.broken,
            98 => self.house.disk.batch = 1 + self.house.disk.batch % 4,
            _ => self.crash(seed),
        }
        self.check();
    }

    fn make_hint(&mut self) {
        let index = self.below(self.keys.len());
        let key = self.keys[index].clone();
        let layout = &self.house.layout.layout;
        let mut targets: Vec<NodeId> = layout.primaries(layout.slot_of(key.as_bytes())).to_vec();
        targets.retain(|node| *node != NodeId(1));
        targets.push(GONE);
        let target = targets[self.below(targets.len())];
        self.made += 1;
        let hint = ReplicaMerge {
            call: CallId(1),
            key,
            record: record(100 + self.made, "v"),
            hint_for: Some(target),
            reason: MergeReason::Write,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        };
        self.house.frame(NodeId(2), Message::ReplicaMerge(hint));
    }

    /// A hint arrives, or is lost.
    fn deliver(&mut self) {
        if self.house.sent.is_empty() {
            return;
        }
        let index = self.below(self.house.sent.len());
        let (to, merge) = self.house.sent.swap_remove(index);
        let durable = match self.below(10) {
            0 => return,
            1 => false,
            _ => true,
        };
        if durable {
            self.hold(to, &merge);
        }
        for _ in 0..self.below(4) {
            self.words.push((to, merge.call, durable));
        }
    }

    fn hold(&mut self, node: NodeId, merge: &ReplicaMerge) {
        let held = self.remote.entry((node, merge.key.clone())).or_default();
        held.apply(&RecordOp::Merge(merge.record.clone())).unwrap();
    }

    /// An acknowledgement arrives.
    fn say(&mut self) {
        if !self.words.is_empty() {
            let index = self.below(self.words.len());
            let (from, call, durable) = self.words.swap_remove(index);
            self.house.acknowledge(from, call, durable);
        }
    }

    fn crash(&mut self, seed: u64) {
        let spare = House::of(3, Limits::default());
        let mut house = core::mem::replace(&mut self.house, spare);
        self.removed += house.removed.len();
        self.checked = 0;
        house.disk.hanging.clear();
        house.disk.hangs = false;
        self.house = house.restarted(seed * 1_000 + self.prng.below(1_000));
    }

    /// Whoever must hold what was removed holds it.
    fn check(&mut self) {
        for Removed { target, key, record } in &self.house.removed[self.checked..] {
            let layout = &self.house.layout.layout;
            let primaries = layout.primaries(layout.slot_of(key.as_bytes()));
            let holds = |node: &NodeId| match *node {
                NodeId(1) => contains(self.house.disk.own.get(key), record),
                node => contains(self.remote.get(&(node, key.clone())), record),
            };
            let mut others = primaries.iter().filter(|node| *node != target);
            let safe = primaries.contains(target) && holds(target) || others.all(holds);
            assert!(safe, "the hint of {key:?} for {target:?} is lost");
        }
        self.checked = self.house.removed.len();
    }

    /// Without faults all hints find their way.
    fn heal(&mut self) {
        (self.house.disk.broken, self.house.disk.hangs) = (false, false);
        self.house.let_go();
        for node in 2..=NODES {
            self.house.connect(NodeId(node));
        }
        for _ in 0..200 {
            for (to, merge) in self.house.take_sent() {
                self.hold(to, &merge);
                self.house.acknowledge(to, merge.call, true);
                self.check();
            }
            self.house.pass(500);
        }
        assert_eq!(self.house.disk.hints.len(), 0, "they have all gone");
        assert_eq!((self.house.count("hints"), self.house.count("hint_bytes")), (0, 0));
        assert_eq!(self.house.sent, []);
        self.removed += self.house.removed.len();
    }
}

fn contains(held: Option<&Held>, record: &Record) -> bool {
    let mut held = held.cloned().unwrap_or_default();
    !held.apply(&RecordOp::Merge(record.clone())).unwrap().changed
}

#[test]
fn among_faults_no_hint_is_lost_and_after_them_none_is_left() {
    let (mut made, mut removed) = (0, 0);
    for seed in 0..150 {
        let mut chance = Chance::new(seed);
        for _ in 0..STEPS {
            chance.step(seed);
        }
        chance.heal();
        (made, removed) = (made + chance.made, removed + chance.removed);
    }
    println!("{made} hints were made, {removed} removed");
    assert!(removed > 3_000, "{removed} of {made}");
}
