//! A peer that says of a slot that it is busy: it is asked again, and nothing is taken for equal.

use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::machine::{Input, Peer};
use quorate_core::merkle::Branch;
use quorate_core::message::{
    BranchChildren, BranchHash, Compared, Comparison, Message, PairStatus, Question,
};
use quorate_core::ring::Slot;

use crate::world::{RECHECK_MS, Shape, World, key, record};

const SHAPE: Shape = Shape { nodes: 2, slots: 4, leaves: 16 };

const PEER: Peer = Peer::Node(NodeId(2));

/// The node 1 holds nothing, and a test plays the node 2.
fn emptied() -> World {
    let mut world = World::new(&SHAPE, vec![Vec::new()], 1);
    world.input(1, Input::PeerUp(PEER));
    world.greeted(1, PEER);
    world
}

/// Waits for the next question, and answers it.
fn answer(world: &mut World, answer: impl FnOnce(&Question) -> Comparison) {
    for _ in 0..2 * RECHECK_MS / 10 {
        if !world.asked.is_empty() {
            break;
        }
        world.pass(10);
    }
    let compare = world.asked.pop().expect("a question");
    let answer = answer(&compare.question);
    let message = Message::Compared(Compared { call: compare.call, answer });
    world.input(1, Input::Frame { from: PEER, message });
}

/// The roots that are asked about.
fn roots(question: &Question) -> Vec<Slot> {
    let Question::Branches(branches) = question else { panic!("{question:?}") };
    let root = |asked: &BranchHash| {
        assert_eq!((asked.branch, asked.hash), (Branch::ROOT, 0));
        asked.slot
    };
    branches.iter().map(root).collect()
}

/// The slot differs, all others are equal.
fn differs(slot: Slot) -> Comparison {
    let mut children = vec![0; 16];
    children[3] = 7;
    let differ = vec![BranchChildren { slot, branch: Branch::ROOT, children }];
    Comparison::Branches { differ, busy: Vec::new() }
}

fn busy(slot: Slot) -> Comparison {
    Comparison::Branches { differ: Vec::new(), busy: vec![slot] }
}

fn pair(world: &World, slot: Slot) -> PairStatus {
    let mut pairs = world.houses[&1].node.view().comparisons();
    pairs.find(|pair| pair.slot == slot).expect("a pair")
}

/// The peer gives all that it holds of the slot, and the comparison is at its end.
fn give(world: &mut World, slot: Slot) {
    let layout = world.layout.clone();
    let lies_there = |key: &Key| layout.layout.slot_of(key.as_bytes()) == slot;
    let taken = (0..).map(key).find(lies_there).expect("some key");
    answer(world, |asked| {
        let Question::Rest { piece, .. } = asked else { panic!("{asked:?}") };
        assert_eq!((piece.slot, piece.branch), (slot, Branch::ROOT));
        let records = vec![(taken.clone(), record(2))];
        Comparison::Records { records, wants: Vec::new(), until: None, epoch: Epoch(0) }
    });
    assert_eq!(world.records(1).into_keys().collect::<Vec<_>>(), [taken]);
    assert_eq!((world.count(1, "records_taken"), world.count(1, "slots_repaired")), (1, 1));
    assert!(pair(world, slot).compared.is_some());
}

#[test]
fn a_slot_that_is_busy_at_the_second_look_is_left_and_asked_about_again() {
    let slot = Slot(2);
    let mut world = emptied();
    answer(&mut world, |asked| {
        assert_eq!(roots(asked).len(), 4);
        differs(slot)
    });
    assert_eq!(world.count(1, "slots_equal"), 3);
    answer(&mut world, |asked| {
        assert_eq!(roots(asked), [slot], "nothing is held there: a second look at all of it");
        busy(slot)
    });
    let PairStatus { compared, equal, .. } = pair(&world, slot);
    assert_eq!((compared, equal), (None, None), "nobody knows");
    assert_eq!((world.count(1, "slots_equal"), world.count(1, "slots_repaired")), (3, 0));

    // At once, and from the beginning.
    for _ in 0..2 {
        answer(&mut world, |asked| {
            assert_eq!(roots(asked), [slot]);
            differs(slot)
        });
    }
    give(&mut world, slot);
}

#[test]
fn a_slot_that_is_busy_at_the_first_look_is_left_and_asked_about_again() {
    let slot = Slot(2);
    let mut world = emptied();
    answer(&mut world, |_| busy(slot));
    let PairStatus { compared, equal, .. } = pair(&world, slot);
    assert_eq!((compared, equal), (None, None), "nobody knows");
    assert_eq!((world.count(1, "slots_equal"), world.count(1, "slots_repaired")), (3, 0));

    world.repair(1);
    answer(&mut world, |asked| {
        assert!(roots(asked).contains(&slot));
        differs(slot)
    });
    answer(&mut world, |asked| {
        assert_eq!(roots(asked), [slot]);
        differs(slot)
    });
    give(&mut world, slot);
}
