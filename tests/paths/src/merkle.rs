//! Keeping the trees that replicas compare.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use quorate_core::ids::ClusterId;
use quorate_core::merkle::{Forest, LeafCount, Piece, State, StateHash, TreeKey};
use quorate_core::ring::{Position, SlotCount};

use crate::{Step, samples};

fn tree_key() -> TreeKey {
    TreeKey::derive(ClusterId(1), b"")
}

fn forest() -> Rc<RefCell<Forest>> {
    let leaves = LeafCount::new(256).expect("a number of leaves");
    let mut forest = Forest::new(tree_key(), SlotCount::DEFAULT, leaves);
    for number in 0..1_000 {
        change_one(&mut forest, number);
    }
    Rc::new(RefCell::new(forest))
}

fn state_of(hash: u128) -> State {
    State { hash: StateHash(hash), bytes: 100 }
}

/// A key that was not there comes.
fn change_one(forest: &mut Forest, number: u64) -> Position {
    let position = Position::of(samples::key(number).as_bytes());
    forest.change(position, State::NOTHING, state_of(number.into()));
    position
}

/// The state of a record, as a storage computes it for each change.
pub(crate) fn state() -> Box<dyn FnMut() -> Step> {
    let (tree_key, record) = (Rc::new(tree_key()), Rc::new(samples::record()));
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let (tree_key, record, key) = (tree_key.clone(), record.clone(), samples::key(number));
        Box::new(move || {
            black_box(tree_key.sized_state(&key, &record));
        })
    })
}

/// A change of a leaf.
pub(crate) fn change() -> Box<dyn FnMut() -> Step> {
    let forest = forest();
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let (forest, position) = (forest.clone(), Position::of(samples::key(number).as_bytes()));
        let (before, after) = (state_of(number.into()), state_of(u128::from(number) << 64));
        Box::new(move || forest.borrow_mut().change(position, before, after))
    })
}

/// The root of a slot of which one leaf has changed.
pub(crate) fn root() -> Box<dyn FnMut() -> Step> {
    let forest = forest();
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let position = change_one(&mut forest.borrow_mut(), number);
        let piece = Piece::whole(position.slot(SlotCount::DEFAULT));
        let forest = forest.clone();
        Box::new(move || {
            black_box(forest.borrow().hash(piece));
        })
    })
}
