//! A peer that does not go by the rules: nothing it says is stored where it does not belong, and
//! nothing it asks panics.

use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::{Event, Input, Peer};
use quorate_core::merkle::{Branch, Piece, StateHash};
use quorate_core::message::{
    BranchChildren, BranchHash, CallId, Compare, Compared, Comparison, Difference, Message,
    Question,
};
use quorate_core::prng::Prng;
use quorate_core::ring::{Position, Slot};

use crate::world::{INTERVAL_MS, Shape, World, key, older_and_newer, record};

const SHAPE: Shape = Shape { nodes: 2, slots: 4, leaves: 16 };

/// The node 1, and what it asks of a node 2 that a test plays.
fn alone(seed: u64) -> World {
    let (older, _) = older_and_newer(1);
    let one: Vec<_> = (0..40).map(|number| (key(number), older.clone())).collect();
    let mut world = World::new(&SHAPE, vec![one], seed);
    world.input(1, Input::PeerUp(Peer::Node(NodeId(2))));
    world.greeted(1, Peer::Node(NodeId(2)));
    world
}

fn some_key(prng: &mut Prng) -> Key {
    key(prng.below(60))
}

fn some_keys(prng: &mut Prng) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..prng.below(5)).map(|_| some_key(prng)).collect();
    if prng.chance(3, 4) {
        keys.sort_by_key(|key| Position::of(key.as_bytes()));
        keys.dedup();
    }
    keys
}

fn some_answer(prng: &mut Prng, asked: &Question) -> Comparison {
    let maybe = |prng: &mut Prng| prng.chance(1, 2).then(|| some_key(prng));
    match (asked, prng.below(10)) {
        (_, 0) => Comparison::NotNow,
        (Question::Branches(branches), 1..8) => {
            let honest = prng.chance(9, 10);
            let children = |branch: &BranchHash, prng: &mut Prng| {
                let count = if honest && branch.branch.level == 1 { 1 } else { 16 };
                let count = if honest { count } else { prng.below(20) };
                (0..count).map(|_| prng.next_u64().into()).collect()
            };
            let differ = branches.iter().map(|branch| BranchChildren {
                slot: branch.slot,
                branch: branch.branch,
                children: children(branch, prng),
            });
            Comparison::Branches { differ: differ.collect(), busy: Vec::new() }
        }
        (Question::States { .. }, 1..8) | (_, 8) => {
            let keys = some_keys(prng);
            let differ = keys.into_iter().map(|key| (key, StateHash(prng.next_u64().into())));
            Comparison::States { differ: differ.collect(), until: maybe(prng) }
        }
        (Question::Branches(_) | Question::States { .. }, _)
        | (Question::Records { .. } | Question::Rest { .. }, _) => Comparison::Records {
            records: some_keys(prng).into_iter().map(|key| (key, record(7))).collect(),
            wants: some_keys(prng),
            until: maybe(prng),
            epoch: Epoch(0),
        },
    }
}

#[test]
fn absurd_answers_end_a_session_and_store_nothing_that_was_not_asked_for() {
    let mut ends = 0;
    for seed in 0..2_000 {
        let mut prng = Prng::new(seed);
        let mut world = alone(seed);
        let before = world.records(1);
        let mut asked_for: Vec<Key> = Vec::new();
        let mut rests: Vec<Piece> = Vec::new();
        for _ in 0..60 {
            world.pass(prng.below(2_000));
            let Some(compare) = world.asked.pop() else { continue };
            match &compare.question {
                Question::Records { keys, .. } => {
                    asked_for.extend(keys.iter().map(|asked| asked.key.clone()));
                }
                Question::Rest { piece, .. } => rests.push(*piece),
                Question::Branches(_) | Question::States { .. } => {}
            }
            let answer = some_answer(&mut prng, &compare.question);
            let message = Message::Compared(Compared { call: compare.call, answer });
            world.input(1, Input::Frame { from: Peer::Node(NodeId(2)), message });
        }
        let trees = world.houses[&1].node.view().trees().unwrap();
        let given = |key: &Key| {
            let position = Position::of(key.as_bytes());
            let inside =
                |piece: &Piece| trees.arc_of(*piece).is_some_and(|arc| arc.contains(position));
            asked_for.contains(key) || rests.iter().any(inside)
        };
        for (key, record) in world.records(1) {
            assert!(before.get(&key) == Some(&record) || given(&key), "seed {seed}: {key:?}");
        }
        let events = &world.houses[&1].events;
        ends += events.iter().filter(|event| matches!(event, Event::Misbehaved(_))).count();
    }
    assert!(ends > 1_000, "{ends}");
}

#[test]
fn a_window_that_does_not_advance_ends_the_session() {
    let mut world = alone(1);
    for _ in 0..40 {
        world.pass(200);
        let Some(compare) = world.asked.pop() else { continue };
        let answer = match &compare.question {
            Question::Branches(branches) => {
                let differ = branches.iter().map(|asked| BranchChildren {
                    slot: asked.slot,
                    branch: asked.branch,
                    children: vec![5; if asked.branch.level == 1 { 1 } else { 16 }],
                });
                Comparison::Branches { differ: differ.collect(), busy: Vec::new() }
            }
            Question::States { after, states, .. } => {
                // At first it goes on, then it stays where it is.
                let until = after.clone().or_else(|| states.first().map(|(key, _)| key.clone()));
                Comparison::States { differ: Vec::new(), until }
            }
            Question::Records { .. } | Question::Rest { .. } => Comparison::NotNow,
        };
        let message = Message::Compared(Compared { call: compare.call, answer });
        world.input(1, Input::Frame { from: Peer::Node(NodeId(2)), message });
        if world.count(1, "misbehaved") > 0 {
            return;
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn absurd_questions_are_not_answered_and_change_nothing() {
    let piece = |slot, level, index| Piece { slot: Slot(slot), branch: Branch { level, index } };
    let states = |piece, states| Question::States { piece, after: None, until: None, states };
    let of = |count: u64| (0..count).map(|number| (key(number), StateHash(1))).collect();
    let branch = |piece: Piece| BranchHash { slot: piece.slot, branch: piece.branch, hash: 1 };
    let difference =
        |number| Difference { key: key(number), outline: Default::default(), theirs: StateHash(1) };
    let rest = |piece| Question::Rest { piece, after: None, bytes_max: u64::MAX };
    let records = |keys| Question::Records { slot: Slot(0), keys, bytes_max: 0 };
    let questions = [
        Question::Branches(vec![branch(piece(4, 0, 0))]),
        Question::Branches(vec![branch(piece(0, 9, 0))]),
        Question::Branches(vec![branch(piece(0, 1, 16))]),
        Question::Branches(vec![branch(piece(u32::MAX, 255, u32::MAX))]),
        Question::Branches(vec![branch(piece(0, 0, 0)); 513]),
        states(piece(7, 0, 0), Vec::new()),
        states(piece(0, 2, 0), Vec::new()),
        states(piece(0, 0, 0), of(600)),
        states(piece(0, 0, 0), of(3)),
        records(Vec::new()),
        records((0..40).map(difference).collect()),
        rest(piece(99, 0, 0)),
        rest(piece(0, 200, 3)),
    ];
    for question in questions {
        let mut world = alone(3);
        world.pass(10);
        let before = world.records(1);
        let (call, layout_version) = (CallId(77), LayoutVersion(1));
        let compare = Compare { call, layout_version, leaves: 16, question: question.clone() };
        let message = Message::Compare(compare);
        world.input(1, Input::Frame { from: Peer::Node(NodeId(2)), message });
        world.pass(INTERVAL_MS);
        let events = &world.houses[&1].events;
        let told = events.iter().any(|event| matches!(event, Event::Misbehaved(_)));
        assert!(told, "{question:?}");
        let refused = Compared { call, answer: Comparison::NotNow };
        assert_eq!(world.answered, [refused], "{question:?}");
        assert_eq!(world.records(1), before);
    }
}

#[test]
fn a_node_of_another_layout_or_with_other_trees_is_not_answered() {
    for (version, leaves) in [(2, 16), (1, 256), (0, 1)] {
        let mut world = alone(4);
        let question =
            Question::Rest { piece: Piece::whole(Slot(0)), after: None, bytes_max: 1_000 };
        let layout_version = LayoutVersion(version);
        let compare = Compare { call: CallId(5), layout_version, leaves, question };
        let message = Message::Compare(compare);
        world.input(1, Input::Frame { from: Peer::Node(NodeId(2)), message });
        world.pass(0);
        let refused = Compared { call: CallId(5), answer: Comparison::NotNow };
        assert_eq!(world.answered, [refused]);
    }
}
