//! Trees against models that keep everything and add up nothing.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::causality::{Actor, Birth, Checksum, Context, Held, Payload, Record, RecordOp, Write};
use crate::ids::{ClusterId, Incarnation, Key, NodeId, RequestId};
use crate::prng::Prng;
use crate::ring::{Position, Slot, SlotCount};
use crate::time::{Duration, UnixMs};

const LEAF_COUNTS: [u32; 5] = [1, 16, 256, 4_096, 65_536];

const SECRET: &[u8] = b"secret";

fn key() -> TreeKey {
    TreeKey::derive(ClusterId(7), SECRET)
}

fn forest(slots: u32, leaves: u32) -> Forest {
    Forest::new(key(), SlotCount::new(slots).unwrap(), LeafCount::new(leaves).unwrap())
}

fn random_position(prng: &mut Prng) -> Position {
    Position(u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64()))
}

fn random_state(prng: &mut Prng) -> State {
    state(random_position(prng).0, prng.below(1_000) + 1)
}

fn state(hash: u128, bytes: u64) -> State {
    State { hash: StateHash(hash), bytes }
}

fn record(value: &'static str, request: u64) -> Record {
    let payload = Payload::Value(Bytes::from_static(value.as_bytes()));
    let write = Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId { client: 1, sequence: request },
        newborn: Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(1) },
        continued: [].into(),
        siblings_max: 100,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(1),
    };
    let mut held = Held::new();
    held.apply(&RecordOp::Write(write)).unwrap();
    held.into_record()
}

#[test]
fn arcs_of_leaves_tile_the_ring_and_hold_the_positions_of_their_leaf() {
    let mut prng = Prng::new(1);
    for slots in (0..=16).map(|bits| 1_u32 << bits) {
        for leaves in LEAF_COUNTS {
            let forest = forest(slots, leaves);
            let all = u64::from(slots) * u64::from(leaves);
            let level = forest.leaves().depth();
            let at = |slot, index| Piece { slot, branch: Branch { level, index } };
            let leaf = |number: u64| {
                let slot = Slot((number / u64::from(leaves)) as u32);
                at(slot, (number % u64::from(leaves)) as u32)
            };
            // All of few, and of many the outermost and some between.
            let some = (0..500).map(|_| prng.below(all));
            let ends = (0..all.min(300)).chain(all.saturating_sub(300)..all);
            for number in ends.chain(some) {
                let arc = forest.arc_of(leaf(number)).unwrap();
                assert!(arc.first <= arc.last);
                let inside = Position(arc.first.0 + (arc.last.0 - arc.first.0) / 3);
                for position in [arc.first, inside, arc.last] {
                    assert_eq!(forest.leaf_of(position), leaf(number), "{slots} {leaves}");
                    let slot = position.slot(SlotCount::new(slots).unwrap());
                    assert_eq!(slot, leaf(number).slot);
                }
                let before = number.checked_sub(1).map(|before| forest.arc_of(leaf(before)));
                let begin = before.map_or(0, |before| before.unwrap().last.0 + 1);
                assert_eq!(arc.first.0, begin, "no gap, nothing twice");
            }
            assert_eq!(forest.arc_of(leaf(all - 1)).unwrap().last.0, u128::MAX);
            for _ in 0..100 {
                let position = random_position(&mut prng);
                let arc = forest.arc_of(forest.leaf_of(position)).unwrap();
                assert!(arc.contains(position));
            }
            let beyond = [at(Slot(slots), 0), at(Slot(0), leaves)];
            assert!(beyond.iter().all(|leaf| forest.arc_of(*leaf).is_none()));
        }
    }
}

#[test]
fn leaf_counts_are_powers_of_the_width() {
    for leaves in (0..70_000).chain([1 << 20, u32::MAX]) {
        assert_eq!(LeafCount::new(leaves).is_some(), LEAF_COUNTS.contains(&leaves), "{leaves}");
    }
    let depths = LEAF_COUNTS.map(|leaves| LeafCount::new(leaves).unwrap().depth());
    assert_eq!(depths, [0, 1, 2, 3, 4]);
    assert_eq!([0, 1, 2].map(|level| LeafCount::DEFAULT.nodes_on(level)), [1, 16, 256]);
}

/// A hash of a node, written out: from the leaves up, with a hasher of its own.
fn naive(sums: &[u128], depth: u8, branch: Branch) -> u128 {
    if branch.level == depth {
        return sums[branch.index as usize];
    }
    let below =
        (0..16).map(|child| Branch { level: branch.level + 1, index: branch.index * 16 + child });
    let hashes: Vec<u128> = below.map(|child| naive(sums, depth, child)).collect();
    if hashes == [0; 16] {
        return 0;
    }
    let mut derive = blake3::Hasher::new_derive_key("quorate 2026 merkle trees");
    derive.update(&7_u64.to_be_bytes()).update(SECRET);
    let key: [u8; 32] = derive.finalize().into();
    let input: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect();
    let hash = blake3::keyed_hash(&key, &input);
    u128::from_be_bytes(hash.as_bytes()[..16].try_into().unwrap())
}

#[test]
fn every_node_has_the_hash_of_its_children_down_to_the_sums() {
    let mut prng = Prng::new(2);
    for leaves in [1, 16, 256] {
        let (mut forest, slots) = (forest(2, leaves), 2);
        let mut sums = vec![vec![0_u128; leaves as usize]; slots];
        for _ in 0..40 {
            let (position, state) = (random_position(&mut prng), random_state(&mut prng));
            let leaf = forest.leaf_of(position);
            forest.change(position, State::NOTHING, state);
            let sum = &mut sums[leaf.slot.index()][leaf.branch.index as usize];
            *sum = sum.wrapping_add(state.hash.0);
        }
        let depth = forest.leaves().depth();
        for level in 0..=depth {
            for index in 0..forest.leaves().nodes_on(level) {
                for (slot, sums) in sums.iter().enumerate() {
                    let (slot, branch) = (Slot(slot as u32), Branch { level, index });
                    let hash = forest.hash(Piece { slot, branch });
                    assert_eq!(hash, Some(naive(sums, depth, branch)), "{slot:?} {branch:?}");
                }
            }
        }
    }
}

#[test]
fn a_node_that_no_tree_has_has_no_hash() {
    let numbers = [0, 1, 15, 16, 255, 256, 65_535, 65_536, 1 << 28, u32::MAX / 16, u32::MAX];
    for leaves in LEAF_COUNTS {
        let mut forest = forest(4, leaves);
        forest.change(Position(0), State::NOTHING, state(1, 1));
        let count = forest.leaves();
        for (slot, index) in numbers.iter().flat_map(|slot| numbers.map(|index| (*slot, index))) {
            for level in 0..=u8::MAX {
                let branch = Branch { level, index };
                let is = slot < 4 && level <= count.depth() && index < count.nodes_on(level);
                // Of an untouched slot as of one that has a tree.
                if !is || level + 1 >= count.depth() {
                    let hash = forest.hash(Piece { slot: Slot(slot), branch });
                    assert_eq!(hash.is_some(), is, "{leaves}: {slot} {branch:?}");
                }
                let children: Vec<Branch> = branch.children().collect();
                assert!(children.is_empty() || children.len() == WIDTH);
                for (place, child) in children.iter().enumerate() {
                    assert_eq!(u64::from(child.level), u64::from(level) + 1);
                    assert_eq!(u64::from(child.index), u64::from(index) * 16 + place as u64);
                }
                assert_eq!(children.is_empty(), level == u8::MAX || index > u32::MAX / 16);
            }
        }
    }
}

#[test]
fn the_order_of_writes_does_not_matter_and_what_is_undone_leaves_nothing() {
    let mut prng = Prng::new(3);
    let root = |forest: &Forest| forest.hash(Piece::whole(Slot(0))).unwrap();
    for _ in 0..50 {
        let states: BTreeMap<u128, State> = (0..prng.below(60) + 2)
            .map(|_| (random_position(&mut prng).0, random_state(&mut prng)))
            .collect();
        let (mut one, mut two) = (forest(1, 256), forest(1, 256));
        for (position, state) in &states {
            one.change(Position(*position), State::NOTHING, *state);
        }
        let between = random_state(&mut prng);
        for (position, _) in states.iter().rev() {
            two.change(Position(*position), State::NOTHING, between);
        }
        assert_ne!(root(&one), root(&two));
        for (position, state) in states.iter().rev() {
            two.change(Position(*position), between, *state);
        }
        assert_eq!(root(&one), root(&two));
        for (position, state) in &states {
            one.change(Position(*position), *state, State::NOTHING);
        }
        assert_eq!(root(&one), 0);
        assert_eq!(one.figures().count(), 0);
        assert_eq!(root(&forest(1, 256)), 0);
    }
}

#[test]
fn a_state_that_is_counted_twice_shows() {
    let mut forest = forest(1, 16);
    let state = state(0x1234, 1);
    forest.change(Position(5), State::NOTHING, state);
    let once = forest.hash(Piece::whole(Slot(0)));
    forest.change(Position(6), State::NOTHING, state);
    forest.change(Position(7), State::NOTHING, state);
    let thrice = forest.hash(Piece::whole(Slot(0)));
    assert_ne!(once, thrice, "an exclusive or would hide the pair");
    assert_eq!(
        forest.hash(Piece { slot: Slot(0), branch: Branch { level: 1, index: 0 } }),
        Some(3 * 0x1234)
    );
}

#[test]
fn a_difference_shows_in_every_node_above_it_and_in_no_other() {
    let mut prng = Prng::new(4);
    for _ in 0..100 {
        let (mut one, mut two) = (forest(4, 256), forest(4, 256));
        for _ in 0..prng.below(200) {
            let (position, state) = (random_position(&mut prng), random_state(&mut prng));
            one.change(position, State::NOTHING, state);
            two.change(position, State::NOTHING, state);
        }
        let position = random_position(&mut prng);
        two.change(position, State::NOTHING, random_state(&mut prng));
        let leaf = two.leaf_of(position);
        for (slot, level) in (0..4).flat_map(|slot| (0..=2).map(move |level| (Slot(slot), level))) {
            for index in 0..two.leaves().nodes_on(level) {
                let branch = Branch { level, index };
                let differs = one.hash(Piece { slot, branch }) != two.hash(Piece { slot, branch });
                let above = slot == leaf.slot && leaf.branch.index >> (4 * (2 - level)) == index;
                assert_eq!(differs, above, "{slot:?} {branch:?}");
            }
        }
    }
}

#[test]
fn a_state_depends_on_cluster_credentials_key_and_record() {
    let key = TreeKey::derive(ClusterId(7), SECRET);
    let name = Key::from("a");
    let (one, two) = (record("1", 1), record("2", 1));
    let state = key.state(&name, &one);
    assert_eq!(state, key.state(&name, &one.clone()));
    assert_ne!(state, StateHash(0));
    assert_eq!(key.state(&name, &Record::new()), StateHash(0));
    for other in [
        key.state(&name, &two),
        key.state(&name, &record("1", 2)),
        key.state(&Key::from("b"), &one),
        key.state(&Key::from(vec![]), &one),
        TreeKey::derive(ClusterId(8), SECRET).state(&name, &one),
        TreeKey::derive(ClusterId(7), b"").state(&name, &one),
    ] {
        assert_ne!(other, state);
    }
    assert!(!alloc::format!("{key:?}").contains(|digit: char| digit.is_ascii_digit()));
}

#[test]
fn states_are_what_they_were_when_the_format_of_saved_trees_was_numbered() {
    // Where this changes, `FORMAT` of saved trees is to be raised.
    let state = key().state(&Key::from("a"), &record("1", 1));
    assert_eq!(state, StateHash(0x3172_26ea_1657_22c2_a9d0_5877_07b3_e9fd));
}

#[test]
fn trees_are_made_with_the_first_record_of_their_slot() {
    let mut forest = forest(1_024, 256);
    assert_eq!(forest.bytes(), 0);
    forest.change(Position(0), State::NOTHING, state(1, 1));
    forest.change(Position(1), State::NOTHING, state(1, 1));
    assert_eq!(forest.bytes(), (256 + 16) * 16);
    forest.change(Position(u128::MAX), State::NOTHING, state(1, 1));
    assert_eq!(forest.bytes(), 2 * (256 + 16) * 16);
}

/// The figures of each slot, counted one by one.
fn counted(forest: &Forest, held: &BTreeMap<u128, State>) -> Vec<(Slot, Figures)> {
    let mut slots: BTreeMap<Slot, Figures> = BTreeMap::new();
    for (position, state) in held {
        let figures = slots.entry(Position(*position).slot(forest.slots())).or_default();
        figures.records += 1;
        figures.bytes += state.bytes;
    }
    slots.into_iter().collect()
}

#[test]
fn figures_tell_how_much_is_held_of_each_slot() {
    let mut prng = Prng::new(6);
    for (slots, leaves) in [(1, 1), (4, 16), (8, 256), (65_536, 16), (2, 4_096)] {
        let (mut forest, mut held) = (forest(slots, leaves), BTreeMap::new());
        assert_eq!(forest.figures().count(), 0);
        let positions: Vec<u128> = (0..40).map(|_| random_position(&mut prng).0).collect();
        for _ in 0..400 {
            let position = positions[prng.below(40) as usize];
            let before = held.get(&position).copied().unwrap_or_default();
            // A third of the changes remove what is there, or leave it away.
            let after = if prng.chance(1, 3) { State::NOTHING } else { random_state(&mut prng) };
            forest.change(Position(position), before, after);
            match after {
                State::NOTHING => held.remove(&position),
                _ => held.insert(position, after),
            };
            assert_eq!(forest.figures().collect::<Vec<_>>(), counted(&forest, &held));
        }
        assert!(held.len() > 10);
    }
}

#[test]
fn a_bunch_that_is_cleared_and_counted_anew_is_as_if_it_had_never_been_in_doubt() {
    let mut prng = Prng::new(7);
    for (slots, leaves) in [(1, 1), (4, 16), (2, 256), (2, 4_096)] {
        let (mut doubted, mut sound) = (forest(slots, leaves), forest(slots, leaves));
        let held: BTreeMap<u128, State> =
            (0..300).map(|_| (random_position(&mut prng).0, random_state(&mut prng))).collect();
        for (position, state) in &held {
            for forest in [&mut doubted, &mut sound] {
                forest.change(Position(*position), State::NOTHING, *state);
            }
        }
        for _ in 0..20 {
            let position = random_position(&mut prng);
            let bunch = doubted.bunch_of(position);
            let arc = doubted.arc_of(bunch).unwrap();
            assert!(arc.contains(position));
            let below = bunch.children().filter(|leaf| doubted.arc_of(*leaf).is_some()).count();
            assert_eq!(below, if leaves == 1 { 0 } else { WIDTH });
            // The storage has not said what became of some changes.
            doubted.change(position, random_state(&mut prng), random_state(&mut prng));
            doubted.change(arc.first, random_state(&mut prng), State::NOTHING);
            assert!(!doubted.figures().eq(sound.figures()));
            doubted.clear(bunch);
            let within = held.iter().filter(|(position, _)| arc.contains(Position(**position)));
            for (position, state) in within {
                doubted.change(Position(*position), State::NOTHING, *state);
            }
            assert!(doubted.figures().eq(sound.figures()), "{bunch:?}");
            assert!(doubted.trees().eq(sound.trees()), "and nothing else was cleared");
        }
        assert_eq!(sound.figures().collect::<Vec<_>>(), counted(&sound, &held));
    }
}

#[test]
fn a_sized_state_is_the_state_with_what_a_transfer_takes() {
    let (name, one) = (Key::from("a"), record("1", 1));
    let State { hash, bytes } = key().sized_state(&name, &one);
    assert_eq!((hash, bytes), (key().state(&name, &one), transfer_bytes(&name, &one)));
    let longer = (Key::from("another"), record("12345", 1));
    assert_eq!(key().sized_state(&longer.0, &longer.1).bytes, bytes + 6 + 4);
    assert_eq!(key().sized_state(&name, &Record::new()), State::NOTHING);
}
