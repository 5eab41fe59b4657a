//! How trees come to be, and what happens to them when a storage fails.

use quorate_core::machine::{HeldAs, StoreOp};
use quorate_core::prng::Prng;

use crate::world::{Shape, World, key, older_and_newer, record};

const SHAPE: Shape = Shape { nodes: 2, slots: 4, leaves: 16 };

fn world(count: u64) -> World {
    let records = (0..count).map(|number| (key(number), record(1))).collect();
    World::new(&SHAPE, vec![records, Vec::new()], 1)
}

fn is_own_apply(op: &StoreOp) -> bool {
    matches!(op, StoreOp::Apply { copy: HeldAs::Own, .. })
}

fn is_scan(op: &StoreOp) -> bool {
    matches!(op, StoreOp::ScanStates { .. })
}

#[test]
fn changes_while_the_trees_are_counted_are_counted_once() {
    let (older, newer) = older_and_newer(1);
    for seed in 0..20 {
        let mut prng = Prng::new(seed);
        let mut world = world(5_000);
        world.houses.get_mut(&1).unwrap().hangs = is_scan;
        world.restart(1, seed);
        let mut pages = 0;
        while world.houses[&1].node.view().trees().is_none() {
            // Old keys and new ones, before the cursor and behind it.
            for _ in 0..prng.below(200) {
                let record = if prng.chance(1, 2) { &newer } else { &older };
                world.merge(1, &key(prng.below(10_000)), record);
            }
            world.let_go(1);
            pages += 1;
            assert!(pages < 60, "a count ends");
        }
        assert!(pages >= 19, "{pages} pages");
        world.check_trees(1);
    }
}

#[test]
fn a_leaf_whose_change_failed_is_counted_again() {
    let mut world = world(500);
    let (_, newer) = older_and_newer(1);
    world.houses.get_mut(&1).unwrap().fails = is_own_apply;
    world.merge(1, &key(3), &newer);
    assert!(world.houses[&1].node.view().trees().is_none(), "in doubt");
    world.houses.get_mut(&1).unwrap().fails = |_| false;
    world.merge(1, &key(4), &newer);
    world.pass(60_000);
    world.check_trees(1);
    world.merge(1, &key(3), &newer);
    world.check_trees(1);
}

#[test]
fn after_many_doubts_everything_is_counted_again() {
    let mut world = World::new(
        &Shape { nodes: 2, slots: 64, leaves: 16 },
        vec![(0..3_000).map(|number| (key(number), record(1))).collect(), Vec::new()],
        1,
    );
    let (_, newer) = older_and_newer(1);
    world.houses.get_mut(&1).unwrap().fails = |op| is_own_apply(op) || is_scan(op);
    (0..500).for_each(|number| world.merge(1, &key(number), &newer));
    world.pass(20_000);
    assert!(world.houses[&1].node.view().trees().is_none());
    world.houses.get_mut(&1).unwrap().fails = |_| false;
    (500..600).for_each(|number| world.merge(1, &key(number), &newer));
    world.pass(60_000);
    world.check_trees(1);
}

#[test]
fn nothing_is_compared_while_the_trees_are_counted() {
    let mut world = world(100);
    world.houses.get_mut(&1).unwrap().hangs = is_scan;
    world.restart(1, 5);
    world.connect_all();
    world.pass(120_000);
    assert_eq!((world.traffic.moved.len(), world.traffic.pieces.len()), (0, 0));
    world.houses.get_mut(&1).unwrap().hangs = |_| false;
    world.let_go(1);
    world.pass(120_000);
    assert!(world.are_equal());
    assert_eq!(world.traffic.moved.len(), 100);
}
