//! Random pairs of stores, against a set difference.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_core::causality::{Context, Held, Payload, Record};
use quorate_core::ids::Key;
use quorate_core::prng::Prng;

use crate::machines::{value, write};
use crate::world::{INTERVAL_MS, Shape, World, key};

const CASES: u64 = 10_000;

/// What two nodes may hold of a key: histories that began together.
fn pair(prng: &mut Prng) -> (Record, Record) {
    let payload = |prng: &mut Prng| match prng.below(3) {
        0 => Payload::Tombstone,
        1 => value("a"),
        _ => Payload::Value(Bytes::from(prng.next_u64().to_be_bytes().to_vec())),
    };
    let mut common = Held::new();
    for node in 0..prng.below(3) {
        let seen = if prng.chance(1, 2) { common.record().context() } else { Context::new() };
        write(&mut common, 50 + node, payload(prng), &seen);
    }
    let mut sides = [common.clone(), common];
    for (node, side) in (1..).zip(&mut sides) {
        for _ in 0..prng.below(3) {
            let seen = match prng.below(3) {
                0 => Context::new(),
                _ => side.record().context(),
            };
            write(side, node, payload(prng), &seen);
        }
    }
    let [one, two] = sides.map(Held::into_record);
    match prng.below(6) {
        0 => (one, Record::new()),
        1 => (Record::new(), two),
        2 => (one.clone(), one),
        _ => (one, two),
    }
}

pub(crate) struct Case {
    pub(crate) world: World,
    /// Records that one of the two lacks something of, once for each that does.
    pub(crate) lacking: usize,
    merged: BTreeMap<Key, Record>,
}

pub(crate) fn case(seed: u64) -> Case {
    let mut prng = Prng::new(seed);
    let (mut stores, mut lacking, mut merged) = (vec![Vec::new(); 2], 0, BTreeMap::new());
    for number in 0..prng.below(12) {
        let (one, two) = pair(&mut prng);
        let mut both = one.clone();
        both.merge(&two);
        lacking += usize::from(both != one) + usize::from(both != two);
        for (store, record) in stores.iter_mut().zip([one, two]) {
            if !record.is_empty() {
                store.push((key(number), record));
            }
        }
        if !both.is_empty() {
            merged.insert(key(number), both);
        }
    }
    let shape = Shape {
        nodes: 2,
        slots: 2 << prng.below(2),
        leaves: if prng.chance(1, 4) { 1 } else { 16 },
    };
    let mut world = World::new(&shape, stores, seed);
    world.connect_all();
    world.repair(1 + prng.below(2));
    Case { world, lacking, merged }
}

#[test]
fn what_moves_is_the_set_difference_and_then_nothing_moves() {
    for seed in 0..CASES {
        let Case { mut world, lacking, merged } = case(seed);
        world.pass(INTERVAL_MS);
        for id in [1, 2] {
            assert_eq!(world.records(id), merged, "seed {seed}, node {id}");
            world.check_trees(id);
        }
        assert_eq!(world.traffic.moved.len(), lacking, "seed {seed}: {:?}", world.traffic);
        world.repair(1);
        world.repair(2);
        world.pass(INTERVAL_MS / 4);
        assert_eq!(world.traffic.moved.len(), lacking, "seed {seed}");
    }
}
