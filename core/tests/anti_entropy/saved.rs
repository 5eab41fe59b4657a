//! Trees that a former life had saved.

use quorate_core::causality::Record;
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Event, HeldAs, Input, Peer, StoreOp};
use quorate_core::merkle::{LeafCount, SavedTrees, TreesMisfit};
use quorate_core::message::{Gossip, LayoutId, LayoutSpan, Message};
use quorate_core::node::NodeConfig;
use quorate_core::prng::Prng;

use crate::world::{Shape, World, key, layout, older_and_newer, record};

const SHAPE: Shape = Shape { nodes: 2, slots: 4, leaves: 16 };

fn is_scan(op: &StoreOp) -> bool {
    matches!(op, StoreOp::ScanStates { .. })
}

fn is_own_apply(op: &StoreOp) -> bool {
    matches!(op, StoreOp::Apply { copy: HeldAs::Own, .. })
}

fn records(count: u64) -> Vec<(Key, Record)> {
    (0..count).map(|number| (key(number), record(1))).collect()
}

/// Node 1 of two with many records begins another life, with the trees that the first one had; its
/// pages hang from then on.
fn second_life(change: impl FnOnce(&mut NodeConfig)) -> World {
    let mut world = World::new(&SHAPE, vec![records(1_000), Vec::new()], 1);
    assert_eq!((world.count(1, "trees_counted"), world.count(1, "trees_kept")), (1, 0));
    let trees = world.houses[&1].node.view().trees().expect("they are counted");
    let bytes = SavedTrees::encode(trees).unwrap();
    let house = world.houses.get_mut(&1).unwrap();
    house.config.trees = Some(SavedTrees::decode(&bytes).unwrap());
    change(&mut house.config);
    house.hangs = is_scan;
    world.restart(1, 2);
    world
}

/// Old keys and new ones.
fn change_many(world: &mut World, prng: &mut Prng) {
    let (older, newer) = older_and_newer(1);
    for _ in 0..300 {
        let record = if prng.chance(1, 2) { &newer } else { &older };
        world.merge(1, &key(prng.below(2_000)), record);
    }
}

fn told(world: &World) -> Vec<Event> {
    let told = world.houses[&1].events.iter();
    told.filter(|event| matches!(event, Event::TreesKept | Event::TreesUnfit(_))).cloned().collect()
}

/// A node that knows a layout tells it.
fn tell_layout(world: &mut World, shape: &Shape) {
    let update = layout(shape);
    let version = update.layout.version();
    let span = LayoutSpan { head: LayoutId::of(&update), oldest: version, read: version };
    let gossip = Gossip { span, layouts: vec![update], ..Gossip::default() };
    let from = Peer::Node(NodeId(2));
    world.input(1, Input::PeerUp(from));
    world.input(1, Input::Frame { from, message: Message::Gossip(gossip) });
    assert!(world.houses[&1].node.view().layout().is_some());
}

#[test]
fn trees_that_fit_are_there_at_once_and_stay_right() {
    let mut world = second_life(|_| {});
    assert_eq!(told(&world), [Event::TreesKept]);
    assert_eq!((world.count(1, "trees_counted"), world.count(1, "trees_kept")), (0, 1));
    assert!(world.houses[&1].node.view().config().trees.is_none(), "they are in one place");
    world.check_trees(1);
    let mut prng = Prng::new(3);
    for _ in 0..10 {
        change_many(&mut world, &mut prng);
        world.check_trees(1);
    }
    world.pass(60_000);
    assert!(world.houses[&1].hanging.is_empty(), "nothing is scanned");
    world.connect_all();
    world.pass(120_000);
    world.houses.get_mut(&1).unwrap().hangs = |_| false;
    world.let_go(1);
    world.pass(120_000);
    assert!(world.are_equal(), "they serve comparisons");
}

#[test]
fn trees_that_do_not_fit_are_left_and_everything_is_counted() {
    type Change = fn(&mut NodeConfig);
    let cases: [(Change, TreesMisfit); 3] = [
        (|config| config.credentials = "another".into(), TreesMisfit::Key),
        (|config| config.anti_entropy.leaves = LeafCount::DEFAULT, TreesMisfit::Leaves),
        (
            |config| config.layouts = Some(layout(&Shape { slots: 8, ..SHAPE }).into()),
            TreesMisfit::Slots,
        ),
    ];
    for (change, why) in cases {
        let mut world = second_life(change);
        assert_eq!(told(&world), [Event::TreesUnfit(why)]);
        assert_eq!((world.count(1, "trees_counted"), world.count(1, "trees_kept")), (1, 0));
        assert_eq!(world.houses[&1].hanging.len(), 1, "a page is asked for");
        assert!(world.houses[&1].node.view().trees().is_none());
        world.houses.get_mut(&1).unwrap().hangs = |_| false;
        world.let_go(1);
        world.check_trees(1);
    }
}

#[test]
fn changes_before_a_layout_is_known_are_in_the_trees_that_were_saved() {
    let mut world = second_life(|config| config.layouts = None);
    change_many(&mut world, &mut Prng::new(4));
    world.check_trees(1);
    tell_layout(&mut world, &SHAPE);
    assert!(world.houses[&1].hanging.is_empty(), "nothing is scanned");
    change_many(&mut world, &mut Prng::new(5));
    world.check_trees(1);
    assert_eq!(told(&world), [Event::TreesKept]);
}

#[test]
fn a_layout_of_other_slots_that_comes_late_has_everything_counted() {
    let mut world = second_life(|config| config.layouts = None);
    change_many(&mut world, &mut Prng::new(4));
    tell_layout(&mut world, &Shape { slots: 8, ..SHAPE });
    world.pass(0);
    assert_eq!(told(&world), [Event::TreesKept, Event::TreesUnfit(TreesMisfit::Slots)]);
    assert_eq!(world.houses[&1].hanging.len(), 1, "a page is asked for");
    world.houses.get_mut(&1).unwrap().hangs = |_| false;
    world.let_go(1);
    world.check_trees(1);
}

#[test]
fn a_doubt_before_a_layout_is_known_is_counted_like_any_other() {
    let mut world = second_life(|config| config.layouts = None);
    let (_, newer) = older_and_newer(1);
    let house = world.houses.get_mut(&1).unwrap();
    house.hangs = |_| false;
    house.fails = is_own_apply;
    world.merge(1, &key(3), &newer);
    assert!(world.houses[&1].node.view().trees().is_none(), "in doubt");
    world.houses.get_mut(&1).unwrap().fails = |_| false;
    tell_layout(&mut world, &SHAPE);
    world.pass(10_000);
    world.check_trees(1);
    assert_eq!(world.count(1, "trees_counted"), 0, "one leaf was enough");
}
