//! Replicas become equal (DESIGN.md §11): what is moved is what differs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

#[path = "anti_entropy/asked.rs"]
mod asked;
#[path = "anti_entropy/busy.rs"]
mod busy;
#[path = "anti_entropy/chance.rs"]
mod chance;
#[path = "anti_entropy/costs.rs"]
mod costs;
#[path = "anti_entropy/hostile.rs"]
mod hostile;
mod machines;
#[path = "anti_entropy/refills.rs"]
mod refills;
#[path = "anti_entropy/saved.rs"]
mod saved;
#[path = "anti_entropy/trees.rs"]
mod trees;
mod world;

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::machine::Event;
use world::{INTERVAL_MS, RECHECK_MS, Shape, World, key, older_and_newer, record};

fn shape(slots: u32, leaves: u32) -> Shape {
    Shape { nodes: 2, slots, leaves }
}

fn records(count: u64) -> Vec<(Key, Record)> {
    (0..count).map(|number| (key(number), record(1))).collect()
}

#[test]
fn one_changed_key_in_four_buckets_exchanges_one_bucket_and_one_record() {
    // Twelve keys in four leaves of one slot out of two.
    let forest = quorate_core::merkle::Forest::new(
        world::tree_key(),
        quorate_core::ring::SlotCount::new(2).unwrap(),
        quorate_core::merkle::LeafCount::new(16).unwrap(),
    );
    let leaf = |key: &Key| forest.leaf_of(quorate_core::ring::Position::of(key.as_bytes()));
    let mut keys: Vec<Key> = Vec::new();
    for bucket in [0, 3, 9, 15] {
        let in_bucket = (0..).map(key).filter(|key| {
            let piece = leaf(key);
            (piece.slot.0, piece.branch.index) == (1, bucket)
        });
        keys.extend(in_bucket.take(3));
    }
    for changed in [0, 4, 11] {
        let (older, newer) = older_and_newer(1);
        let one: Vec<_> = keys.iter().map(|key| (key.clone(), older.clone())).collect();
        let mut two = one.clone();
        two[changed].1 = newer;
        let mut world = World::new(&shape(2, 16), vec![one, two], 1);
        world.connect_all();
        world.pass(2 * RECHECK_MS);
        assert_eq!(world.traffic.pieces, [(leaf(&keys[changed]), 3)]);
        assert_eq!(world.traffic.moved, [(2, 1, keys[changed].clone())]);
        assert!(world.are_equal());
    }
}

#[test]
fn what_is_newer_goes_to_whoever_lacks_it_and_concurrent_writes_go_both_ways() {
    let (older, newer) = older_and_newer(1);
    let one = vec![(key(1), newer.clone()), (key(2), older.clone()), (key(3), record(1))];
    let two = vec![(key(1), older), (key(2), newer), (key(3), record(2))];
    let mut world = World::new(&shape(4, 16), vec![one, two], 7);
    world.connect_all();
    world.pass(2 * INTERVAL_MS);
    assert!(world.are_equal());
    assert_eq!(world.traffic.moved.len(), 4);
    let events = |id: u64| world.houses[&id].events.iter();
    let taken = |id| events(id).filter(|event| matches!(event, Event::RecordTaken { .. })).count();
    let given = |id| events(id).filter(|event| matches!(event, Event::RecordGiven { .. })).count();
    assert_eq!(taken(1) + taken(2) + given(1) + given(2), 4);
    let counted = |name| world.count(1, name) + world.count(2, name);
    assert_eq!(counted("records_taken") + counted("records_given"), 4);
}

#[test]
fn whoever_asks_takes_what_it_lacks_and_gives_what_its_peer_lacks() {
    let (older, newer) = older_and_newer(1);
    let one = vec![(key(1), newer.clone()), (key(2), older.clone())];
    let two = vec![(key(1), older), (key(2), newer)];
    let mut world = World::new(&shape(4, 16), vec![one, two], 7);
    world.connect_all();
    // The other one asks first an interval later.
    for _ in 0..2 * INTERVAL_MS / 10 {
        world.pass(10);
        if world.count(1, "records_taken") + world.count(2, "records_taken") > 0 {
            break;
        }
    }
    world.pass(2 * RECHECK_MS);
    let moved = |id| (world.count(id, "records_taken"), world.count(id, "records_given"));
    assert_eq!((moved(1), moved(2)), ((1, 1), (0, 0)));
    assert!(world.are_equal());
}

#[test]
fn equal_stores_cost_one_root_per_slot_and_interval() {
    let mut world = World::new(&shape(64, 256), vec![records(500), records(500)], 3);
    world.connect_all();
    world.pass(INTERVAL_MS / 2);
    // Both ask at the same moment, when the connection is there; one of them gives way.
    assert_eq!((world.traffic.roots, world.traffic.questions), (128, 2));
    assert!(world.traffic.bytes < 128 * 32, "{:?}", world.traffic);
    let compared = world.houses[&2].node.view().comparisons();
    assert!(compared.into_iter().all(|pair| pair.equal.is_some()), "the one who is asked learns");
    world.pass(10 * INTERVAL_MS);
    let rounds = world.traffic.roots / 64 - 2;
    assert!((8..=12).contains(&rounds), "{rounds} rounds in ten intervals");
    assert_eq!(world.traffic.moved, []);
}

#[test]
fn a_write_on_its_way_is_no_difference() {
    for (slots, leaves) in [(2, 1), (4, 16), (64, 256)] {
        let mut world = World::new(&shape(slots, leaves), vec![records(200), records(200)], 5);
        world.connect_all();
        world.pass(INTERVAL_MS);
        let (older, newer) = older_and_newer(1);
        for number in 0..100 {
            // Half of them are new keys.
            let (key, record) = (key(number * 4), if number < 50 { &newer } else { &older });
            world.merge(1 + number % 2, &key, record);
            world.repair(1);
            world.repair(2);
            world.pass(RECHECK_MS / 2);
            world.merge(2 - number % 2, &key, record);
            world.pass(number * 7);
        }
        world.pass(2 * INTERVAL_MS);
        assert_eq!(world.traffic.moved.len(), 0, "{slots} slots of {leaves}");
        assert!(world.are_equal());
    }
}

#[test]
fn an_emptied_node_takes_every_record_once_whoever_asks_first() {
    for (nodes, seed) in [(2, 1), (2, 2), (3, 3), (3, 4), (3, 5)] {
        let shape = Shape { nodes, slots: 16, leaves: 16 };
        let mut stores = vec![records(1_000); nodes as usize];
        stores[(seed % nodes) as usize].clear();
        let emptied = seed % nodes + 1;
        let mut world = World::new(&shape, stores, seed);
        world.connect_all();
        // Those who are full ask first, or the empty one does.
        let first = if seed % 2 == 0 { emptied } else { emptied % nodes + 1 };
        world.repair(first);
        world.pass(INTERVAL_MS);
        assert!(world.are_equal(), "{nodes} nodes, seed {seed}");
        assert_eq!(world.traffic.moved.len(), 1_000);
        let mut sources: std::collections::BTreeMap<_, Vec<u64>> = Default::default();
        for (from, to, key) in &world.traffic.moved {
            assert_eq!(*to, emptied);
            let slot = world.layout.layout.slot_of(key.as_bytes());
            sources.entry(slot).or_default().push(*from);
        }
        assert!(sources.values().all(|from| from.iter().all(|one| *one == from[0])));
        world.pass(3 * INTERVAL_MS);
        assert_eq!(world.traffic.moved.len(), 1_000);
    }
}

#[test]
fn what_is_lost_on_the_way_is_found_the_next_time() {
    let (older, newer) = older_and_newer(1);
    let one: Vec<_> = (0..300).map(|number| (key(number), newer.clone())).collect();
    let two: Vec<_> = (100..400).map(|number| (key(number), older.clone())).collect();
    for seed in 0..20 {
        let mut world = World::new(&shape(8, 16), vec![one.clone(), two.clone()], seed);
        world.lost = 200;
        world.connect_all();
        world.pass(20 * INTERVAL_MS);
        world.lost = 0;
        world.pass(2 * INTERVAL_MS);
        assert!(world.are_equal(), "seed {seed}");
    }
}

#[test]
fn a_peer_may_go_away_at_any_moment() {
    let (older, newer) = older_and_newer(1);
    let one: Vec<_> = (0..60).map(|number| (key(number), newer.clone())).collect();
    let two: Vec<_> = (20..80).map(|number| (key(number), older.clone())).collect();
    let mut frames = 1;
    loop {
        let mut world = World::new(&shape(2, 16), vec![one.clone(), two.clone()], 9);
        world.cut_at = Some(frames);
        world.connect_all();
        world.pass(3 * RECHECK_MS);
        let was_cut = world.cut_at.is_none();
        world.cut_at = None;
        for id in [1, 2] {
            let under_way = world.count(id, "comparisons_under_way");
            assert!(!was_cut || under_way == 0, "after {frames} frames");
        }
        world.connect_all();
        world.pass(2 * INTERVAL_MS);
        assert!(world.are_equal(), "cut after {frames} frames");
        frames += 1;
        if !was_cut {
            break;
        }
    }
    assert!(frames > 20, "{frames}");
}
