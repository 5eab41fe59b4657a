//! One layout takes the place of another while clients go on (DESIGN.md §9).

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::Checksum;
use quorate_core::ids::{Key, NodeId, RequestId};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::machine::Event;
use quorate_core::message::{
    Answer, CallId, Change, Get, LayoutId, LayoutUpdate, Marks, Message, Put, QuorumChoice,
    ReadKind, RequestHead, Strictness,
};
use quorate_core::node::{GossipSettings, NodeConfig};
use quorate_core::ring::SlotCount;
use quorate_core::time::Duration;
use world::{World, key, place, record, settings};

/// The first ones of all keys are there before anything changes.
const OLD_KEYS: u64 = 60;

/// A change is over in so many steps.
const STEPS_MAX: usize = 200;
const STEP_MS: u64 = 500;

fn members(weights: &[(u64, u32)]) -> Vec<Member> {
    let member = |(id, weight): &(u64, u32)| Member {
        id: NodeId(*id),
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: *weight,
    };
    weights.iter().map(member).collect()
}

fn first_layout(weights: &[(u64, u32)]) -> Arc<LayoutUpdate> {
    let settings = PlanSettings { slots: SlotCount::new(16).unwrap(), replication: 3 };
    let layout = plan_first(settings, members(weights)).unwrap();
    let addresses = weights.iter().map(|(id, _)| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses })
}

/// Nodes that hold what they are to hold, and clients that write and read all the while.
struct Cluster {
    world: World,
    /// Who takes requests.
    served_by: Vec<u64>,
    calls: u64,
    /// What each key that was written must answer.
    written: BTreeMap<u64, Bytes>,
}

impl Cluster {
    fn new(weights: &[(u64, u32)], seed: u64) -> Cluster {
        let first = first_layout(weights);
        let held = |id: &u64| {
            let lies_there = |key: &Key| {
                let slot = first.layout.slot_of(key.as_bytes());
                first.layout.is_primary(slot, NodeId(*id))
            };
            (0..OLD_KEYS).map(key).filter(lies_there).map(|key| (key, record(1))).collect()
        };
        let served_by: Vec<u64> = weights.iter().map(|(id, _)| *id).collect();
        let stores = served_by.iter().map(held).collect();
        let gossip = GossipSettings::default();
        let configure =
            |config: NodeConfig| NodeConfig { anti_entropy: settings(16), gossip, ..config };
        let mut world = World::of(first.clone(), stores, seed, configure);
        world.connect_all();
        world.pass(3_000);
        Cluster { world, served_by, calls: 0, written: BTreeMap::new() }
    }

    fn change(&mut self, at: u64, weights: &[(u64, u32)]) {
        let members = members(weights);
        let from = self.world.houses[&at].node.view().layouts().head.version;
        let changed =
            self.world.act(at, |node, now, out| node.change_layout(now, from, members, out));
        assert_eq!(changed, Ok(LayoutVersion(from.0 + 1)));
    }

    fn head(&mut self, key: Key) -> RequestHead {
        self.calls += 1;
        RequestHead {
            call: CallId(self.calls),
            key,
            quorum: QuorumChoice::default(),
            strictness: Strictness::Strict,
            budget: Duration::from_secs(5),
            layout_version: LayoutVersion(1),
            passed_on: false,
            receipt: false,
            zone: None,
        }
    }

    /// The answer to a request; the whole cluster is let run until it comes.
    fn ask(&mut self, at: u64, message: Message) -> Answer {
        let call = CallId(self.calls);
        self.world.ask(at, message);
        self.world.pass(1);
        let replies = std::mem::take(&mut self.world.replies);
        let reply = replies.into_iter().find(|reply| reply.call == call);
        let reply = reply.unwrap_or_else(|| panic!("node {at} does not answer"));
        reply.result.unwrap_or_else(|failure| panic!("node {at}, call {}: {failure:?}", call.0))
    }

    fn put(&mut self, at: u64, number: u64) {
        let payload = Bytes::from(format!("value {number}").into_bytes());
        let checksum = Checksum::of_value(&payload);
        let change = Change::Value { payload: payload.clone(), checksum, ttl: None };
        let head = self.head(key(number));
        let request = RequestId { client: 9, sequence: self.calls };
        let put = Put { head, context: Bytes::new(), request, change };
        let answer = self.ask(at, Message::Put(put));
        assert!(matches!(answer, Answer::Written(_)));
        self.written.insert(number, payload);
    }

    fn get(&mut self, at: u64, number: u64) {
        let get =
            Get { head: self.head(key(number)), context: Bytes::new(), read: ReadKind::Quorum };
        let Answer::Entry(entry) = self.ask(at, Message::Get(get)) else { panic!("a read") };
        let values: Vec<Bytes> = entry.values.into_iter().map(|value| value.payload).collect();
        match self.written.get(&number) {
            Some(written) => {
                assert_eq!(values, std::slice::from_ref(written), "node {at}, key {number}")
            }
            None => assert_eq!(values.len(), 1, "node {at}, key {number}"),
        }
    }

    /// Some time passes, and clients ask every node.
    fn step(&mut self) {
        self.world.pass(STEP_MS);
        for at in self.served_by.clone() {
            let new = OLD_KEYS + self.written.len() as u64;
            self.put(at, new);
            for number in [new, self.calls % OLD_KEYS, OLD_KEYS + self.calls % (new - OLD_KEYS + 1)]
            {
                self.get(at, number);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.world.houses.values().all(|house| {
            let (view, layouts) = (house.node.view(), house.node.view().layouts());
            let is_changed = layouts.head.version > LayoutVersion(1) && !layouts.is_changing();
            is_changed && view.has_moved_away()
        })
    }

    /// Lets a change go on until it is over; answers how many slots were to be filled at most.
    fn finish(&mut self) -> usize {
        let mut filled = 0;
        for _ in 0..STEPS_MAX {
            if self.is_over() {
                return filled;
            }
            self.step();
            let fills = self.world.houses.values().map(|house| house.node.view().slots_to_fill());
            filled = filled.max(fills.sum());
        }
        let stuck = self.world.houses.iter().map(|(id, house)| {
            let view = house.node.view();
            (*id, view.layouts(), view.marks(), view.slots_to_fill(), view.has_moved_away())
        });
        panic!("still changing: {:#?}", stuck.collect::<Vec<_>>());
    }

    /// All nodes are through with the newest layout, and hold what they shall and nothing else.
    fn check(&self, version: u64) {
        let version = LayoutVersion(version);
        let first = self.world.houses.values().next().unwrap().node.view();
        let newest = first.newest_layout().unwrap().clone();
        assert_eq!(newest.layout.version(), version);
        for (id, house) in &self.world.houses {
            let view = house.node.view();
            assert_eq!(view.layouts().head, LayoutId::of(&newest), "node {id}");
            assert_eq!((view.layouts().oldest, view.layouts().read), (version, version), "{id}");
            assert_eq!(view.slots_to_fill(), 0, "node {id}");
            assert_eq!(view.lagging(|marks| marks.sync_ack).count(), 0, "node {id}");
            if newest.layout.member(NodeId(*id)).is_some() {
                assert_eq!(view.marks(), Marks::all(version), "node {id}");
            }
            for number in (0..OLD_KEYS).chain(self.written.keys().copied()) {
                let key = key(number);
                let slot = newest.layout.slot_of(key.as_bytes());
                let is_held = house.store.contains_key(&place(&key));
                let is_primary = newest.layout.is_primary(slot, NodeId(*id));
                assert_eq!(is_held, is_primary, "node {id}, key {number}");
            }
            self.world.check_trees(*id);
        }
    }

    fn saw(&self, id: u64, wanted: impl Fn(&Event) -> bool) -> bool {
        self.world.houses[&id].events.iter().any(wanted)
    }
}

const THREE: [(u64, u32); 4] = [(1, 1), (2, 1), (3, 1), (4, 0)];
const FOUR: [(u64, u32); 4] = [(1, 1), (2, 1), (3, 1), (4, 1)];

#[test]
fn a_node_that_joins_takes_its_share_while_clients_go_on() {
    for seed in 1..4 {
        let mut cluster = Cluster::new(&THREE, seed);
        cluster.step();
        assert!(cluster.world.records(4).is_empty(), "it is no primary yet");
        cluster.change(1, &FOUR);
        assert!(cluster.finish() > 0, "something had to move");
        cluster.step();
        cluster.check(2);
        assert!(!cluster.world.records(4).is_empty());
        assert!(cluster.saw(4, |event| *event == Event::LayoutSynced(LayoutVersion(2))));
    }
}

#[test]
fn a_new_node_that_starts_again_fills_what_it_lacks() {
    let mut cluster = Cluster::new(&THREE, 5);
    cluster.change(1, &FOUR);
    // Nothing of what it asks is answered.
    cluster.world.holds = |_, _, message| matches!(message, Message::Compared(_));
    for _ in 0..6 {
        cluster.step();
    }
    let view = cluster.world.houses[&4].node.view();
    assert!(view.slots_to_fill() > 0 && view.marks().sync == LayoutVersion(1));
    assert_eq!(view.layouts().read, LayoutVersion(1));
    cluster.world.restart(4, 6);
    cluster.world.holds = |_, _, _| false;
    cluster.world.connect_all();
    assert_eq!(cluster.world.houses[&4].node.view().layouts().head.version, LayoutVersion(2));
    cluster.finish();
    cluster.check(2);
}

#[test]
fn a_dead_node_that_is_removed_is_not_waited_for() {
    let mut cluster = Cluster::new(&FOUR, 7);
    cluster.step();
    for other in 1..4 {
        cluster.world.disconnect(4, other);
    }
    cluster.world.houses.remove(&4);
    cluster.served_by.retain(|id| *id != 4);
    cluster.step();
    cluster.change(2, &[(1, 1), (2, 1), (3, 1)]);
    assert!(cluster.finish() > 0, "each slot goes back to three nodes");
    cluster.check(2);
}

#[test]
fn changes_that_follow_each_other_at_once_end_with_the_last_one() {
    let mut cluster = Cluster::new(&THREE, 8);
    cluster.change(1, &FOUR);
    cluster.step();
    cluster.change(2, &THREE);
    cluster.change(2, &[(1, 1), (2, 0), (3, 1), (4, 1)]);
    cluster.finish();
    cluster.step();
    cluster.check(4);
}

#[test]
fn of_two_changes_at_one_time_one_wins_everywhere() {
    let mut cluster = Cluster::new(&THREE, 9);
    // Node 3 hears nothing of the others.
    for other in [1, 2, 4] {
        cluster.world.disconnect(3, other);
    }
    cluster.change(1, &FOUR);
    cluster.change(3, &[(1, 2), (2, 1), (3, 1), (4, 1)]);
    cluster.world.pass(5_000);
    let head = |cluster: &Cluster, id| cluster.world.houses[&id].node.view().layouts().head;
    let rivals = [head(&cluster, 1), head(&cluster, 3)];
    assert_eq!(head(&cluster, 2), rivals[0]);
    assert_ne!(rivals[0], rivals[1]);

    cluster.world.connect_all();
    cluster.finish();
    cluster.check(2);
    assert_eq!(Some(&head(&cluster, 4)), rivals.iter().max());
    let replaced = |event: &Event| *event == Event::LayoutReplaced(LayoutVersion(2));
    let lost: Vec<bool> = [1, 3].map(|id| cluster.saw(id, replaced)).to_vec();
    assert_eq!(lost, [rivals[0] < rivals[1], rivals[1] < rivals[0]]);
}
