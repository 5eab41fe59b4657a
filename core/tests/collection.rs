//! What is dead goes for good, and nothing else does (DESIGN.md §12).

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

#[path = "collection/cluster.rs"]
mod cluster;
#[path = "collection/dying.rs"]
mod dying;
#[path = "collection/hostile.rs"]
mod hostile;
mod machines;
#[path = "collection/memory.rs"]
mod memory;
#[path = "collection/stale.rs"]
mod stale;
mod world;

use cluster::{
    GRACE_MS, NODES, PASS_MS, ROUND_MS, SETTLE_MS, cluster, dead, dead_and_older, is_first_look,
    is_removal, is_second_look, keys, merge, newer, of_one,
};
use quorate_core::causality::{Context, Held, Payload, Record};
use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::machine::StoreOp;
use quorate_core::message::{
    Collect, CollectAnswer, CollectStep, Collected, MergeReason, Message, ReplicaMerge,
};
use std::collections::{BTreeMap, BTreeSet};
use world::{World, key};

#[test]
fn a_tombstone_that_all_primaries_hold_goes_everywhere() {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    world.pass(ROUND_MS);
    assert!(world.holders(&key).is_empty());
    for id in 1..=NODES {
        let collected = world.collected(id);
        let is_primary = list[..3].contains(&id);
        assert_eq!(collected, if is_primary { vec![key.clone()] } else { vec![] });
        assert_eq!(world.count(id, "records_collected"), u64::from(is_primary));
        world.check_trees(id);
        assert_eq!(world.count(id, "records_collecting"), 0);
    }
}

#[test]
fn what_is_over_goes_and_what_stands_stays() {
    let value = || machines::value("v");
    let over = of_one(value(), 0, Some(1));
    let (tombstone, older) = dead_and_older();
    // A tombstone that has seen one of two values, and one that has seen none.
    let beside = {
        let mut held = Held::from_parts(older.clone(), None);
        machines::write(&mut held, 8, Payload::Tombstone, &Context::new())
    };
    let dead_beside_over = {
        let mut held = Held::from_parts(over.clone(), None);
        machines::write(&mut held, 8, Payload::Tombstone, &Context::new())
    };
    let records: Vec<(Key, Record, bool)> = [
        (tombstone, true),
        (over, true),
        (dead_beside_over, true),
        (older, false),
        (beside, false),
        (of_one(value(), 0, Some(1_000_000_000)), false),
        (of_one(value(), 0, None), false),
    ]
    .into_iter()
    .zip(0..)
    .map(|((record, goes), number)| (key(number), record, goes))
    .collect();
    let stored: Vec<_> =
        records.iter().map(|(key, record, _)| (key.clone(), record.clone())).collect();
    let mut world = cluster(&stored);
    world.pass(GRACE_MS + 2 * ROUND_MS);
    for (key, record, goes) in records {
        assert_eq!(world.holders(&key).len(), if goes { 0 } else { 3 }, "{record:?}");
    }
}

#[test]
fn nothing_goes_before_the_grace_time() {
    for (payload, dies_ms) in [(Payload::Tombstone, 7_000), (machines::value("v"), 9_000)] {
        let expires_ms = (payload != Payload::Tombstone).then_some(dies_ms);
        let record = of_one(payload, 7_000, expires_ms);
        let key = key(1);
        let mut world = cluster(&[(key.clone(), record)]);
        world.pass(dies_ms + GRACE_MS - 1);
        assert_eq!((world.log.len(), world.holders(&key).len()), (0, 3), "nobody is asked");
        world.pass(ROUND_MS);
        assert!(world.holders(&key).is_empty());
    }
}

#[test]
fn nothing_goes_while_a_member_is_away_and_all_goes_when_it_is_back() {
    let all = keys(40);
    let records: Vec<_> = all.iter().map(|(key, _)| (key.clone(), dead())).collect();
    let mut world = cluster(&records);
    for other in 1..NODES {
        world.disconnect(other, NODES);
    }
    world.pass(4 * GRACE_MS);
    assert_eq!(world.steps(is_first_look), 0);
    for (key, _) in &all {
        assert_eq!(world.holders(key).len(), 3);
    }
    for other in 1..NODES {
        world.connect(other, NODES);
    }
    world.pass(ROUND_MS);
    for (key, _) in &all {
        assert!(world.holders(key).is_empty());
    }
}

/// A world in which one key is dead, after `change` was made, and much time.
fn after(change: impl Fn(&mut World, &Key, &[u64])) -> (World, Key, Vec<u64>) {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    change(&mut world, &key, &list);
    world.pass(4 * ROUND_MS);
    (world, key, list)
}

fn replace(world: &mut World, id: u64, key: &Key, record: Option<&Record>) {
    let tree_key = world::tree_key();
    let store = &mut world.houses.get_mut(&id).unwrap().store;
    let copy = |record: &Record| {
        (Held::from_parts(record.clone(), None), tree_key.sized_state(key, record))
    };
    match record {
        Some(record) => drop(store.insert(world::place(key), copy(record))),
        None => drop(store.remove(&world::place(key))),
    }
}

#[test]
fn nothing_goes_while_a_member_holds_something_else() {
    let (dead, older) = dead_and_older();
    let newer = newer(&dead);
    for (index, other) in [
        (1, Some(&older)),
        (2, Some(&older)),
        (1, Some(&newer)),
        (2, Some(&newer)),
        (1, None),
        (2, None),
        (3, Some(&older)),
        (4, Some(&newer)),
    ] {
        let (mut world, key, list) =
            after(|world, key, list| replace(world, list[index], key, other));
        for primary in list[..3].iter().filter(|id| **id != list[index]) {
            assert_eq!(world.held_by(*primary, &key), Some(&dead), "{index}: {other:?}");
        }
        assert_eq!(world.held_by(list[index], &key), other);
        assert!(world.count(list[0], "collections_given_up") > 0);
        // Once it holds the same, all goes.
        let same = (index < 3).then_some(&dead);
        replace(&mut world, list[index], &key, same);
        world.pass(2 * ROUND_MS);
        assert!(world.holders(&key).is_empty());
    }
}

#[test]
fn a_copy_of_the_same_that_nobody_needs_holds_nothing_up() {
    let (world, key, _) = after(|world, key, list| replace(world, list[4], key, Some(&dead())));
    assert!(world.holders(&key).is_empty());
}

#[test]
fn nothing_goes_while_there_is_a_hint_for_it() {
    let (dead, older) = dead_and_older();
    for (holder, target) in [(3, 1), (4, 0), (1, 2)] {
        let (mut world, key, list) = after(|world, key, list| {
            // What is handed over does not arrive.
            world.holds = |_, _, message| {
                let is_handoff = |merge: &ReplicaMerge| merge.reason == MergeReason::Handoff;
                matches!(message, Message::ReplicaMerge(merge) if is_handoff(merge))
            };
            let (holder, target) = (list[holder], list[target]);
            let hints = &mut world.houses.get_mut(&holder).unwrap().hints;
            hints.insert((NodeId(target), key.clone()), older.clone());
            world.restart(holder, 9);
            world.connect_all();
        });
        assert!(world.steps(is_first_look) > 0);
        for primary in &list[..3] {
            assert_eq!(world.held_by(*primary, &key), Some(&dead), "{holder} for {target}");
        }
        world.holds = |_, _, _| false;
        world.pass(GRACE_MS + 2 * ROUND_MS);
        assert!(world.holders(&key).is_empty());
    }
}

fn is_count(op: &StoreOp) -> bool {
    matches!(op, StoreOp::CountHints)
}

#[test]
fn nothing_goes_before_the_hints_of_all_are_counted() {
    let (mut world, key, list) = after(|world, _, list| {
        world.houses.get_mut(&list[4]).unwrap().hangs = is_count;
        world.restart(list[4], 9);
        world.connect_all();
    });
    assert_eq!((world.holders(&key).len(), world.steps(is_second_look)), (3, 0));
    world.houses.get_mut(&list[4]).unwrap().hangs = |_| false;
    world.let_go(list[4]);
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}

#[test]
fn nothing_goes_while_a_storage_cannot_say_what_it_holds() {
    let (mut world, key, list) = after(|world, _, list| {
        world.houses.get_mut(&list[3]).unwrap().fails = |op| matches!(op, StoreOp::Confirm { .. });
    });
    assert_eq!((world.holders(&key).len(), world.steps(is_second_look)), (3, 0));
    world.houses.get_mut(&list[3]).unwrap().fails = |_| false;
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}

/// Whether a collection goes wrong where `change` happens between its looks, and the next one right.
fn between_the_looks(change: impl Fn(&mut World, &Key, &[u64])) -> (World, Key, Vec<u64>) {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    world.pass_to_between_the_looks();
    change(&mut world, &key, &list);
    world.pass(SETTLE_MS + 500);
    assert_eq!(world.steps(is_removal), 0);
    assert!(world.count(list[0], "collections_given_up") > 0);
    assert!(list[..3].iter().all(|id| world.holders(&key).contains(id)));
    (world, key, list)
}

#[test]
fn a_hint_that_was_made_and_handed_over_between_the_looks_is_noticed() {
    let (mut world, key, list) = between_the_looks(|world, key, list| {
        let Message::ReplicaMerge(hint) = merge(key, &dead_and_older().1, Epoch(1)) else {
            panic!("a merge")
        };
        let hint = ReplicaMerge { hint_for: Some(NodeId(list[1])), ..hint };
        world.frame(99, list[4], Message::ReplicaMerge(hint));
        assert_eq!(world.houses[&list[4]].hints.len(), 1);
        world.pass(5_000);
        assert_eq!(world.houses[&list[4]].hints.len(), 0, "it is handed over");
    });
    assert_eq!(world.held_by(list[1], &key), Some(&dead()));
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}

#[test]
fn a_hint_that_is_being_made_at_the_first_look_is_noticed() {
    // The storage has not answered for the first hint of its target, which is listed only then.
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    let Message::ReplicaMerge(hint) = merge(&key, &dead_and_older().1, Epoch(1)) else {
        panic!("a merge")
    };
    let hint = ReplicaMerge { hint_for: Some(NodeId(list[1])), ..hint };
    world.houses.get_mut(&list[4]).unwrap().hangs = |_| true;
    world.frame(99, list[4], Message::ReplicaMerge(hint));
    world.pass_until(|world| world.steps(is_first_look) > 0);
    world.houses.get_mut(&list[4]).unwrap().hangs = |_| false;
    world.let_go(list[4]);
    world.pass(SETTLE_MS + 500);
    assert_eq!((world.steps(is_second_look), world.holders(&key).len()), (0, 3));
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}

#[test]
fn a_member_that_began_another_life_between_the_looks_is_noticed() {
    for index in 1..5 {
        let (mut world, key, _) = between_the_looks(|world, _, list| {
            world.restart(list[index], 9);
            world.connect_all();
        });
        world.pass(2 * ROUND_MS);
        assert!(world.holders(&key).is_empty());
    }
}

#[test]
fn a_write_between_the_looks_keeps_the_record() {
    for index in 0..3 {
        let (mut world, key, list) = between_the_looks(|world, key, list| {
            world.merge(list[index], key, &newer(&dead()));
        });
        world.pass(2 * ROUND_MS);
        assert_eq!(world.held_by(list[index], &key), Some(&newer(&dead())));
        if index > 0 {
            assert_eq!(world.held_by(list[0], &key), Some(&dead()));
        }
    }
}

#[test]
fn a_write_after_the_second_look_keeps_the_record() {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    world.holds = |_, _, message| matches!(message, Message::Collect(Collect { step, .. }) if is_removal(step));
    world.pass(ROUND_MS);
    assert_eq!(world.holders(&key), [list[1], list[2]].into_iter().collect::<BTreeSet<_>>());
    world.merge(list[1], &key, &newer(&dead()));
    for (from, to, message) in std::mem::take(&mut world.held) {
        world.frame(from, to, message);
    }
    assert_eq!(world.holders(&key), BTreeSet::from([list[1]]));
    assert_eq!(world.held_by(list[1], &key), Some(&newer(&dead())));
    world.check_trees(list[1]);
}

#[test]
fn a_round_that_a_member_does_not_answer_is_given_up_and_begins_anew() {
    let holds: [fn(u64, u64, &Message) -> bool; 2] = [
        |_, to, message| to == 2 && matches!(message, Message::Collect(_)),
        |from, _, message| from == 2 && matches!(message, Message::Collected(_)),
    ];
    for holds in holds {
        let all = keys(20);
        let records: Vec<_> = all.iter().map(|(key, _)| (key.clone(), dead())).collect();
        let mut world = cluster(&records);
        world.holds = holds;
        world.pass(PASS_MS + 5_000);
        let under_way = |world: &World| -> u64 {
            (1..=NODES).map(|id| world.count(id, "records_collecting")).sum()
        };
        // The silent one collects its own.
        let own = all.iter().filter(|(_, list)| list[0] == 2).count() as u64;
        assert!(under_way(&world) > own);
        world.pass_until(|world| (1..=NODES).any(|id| world.count(id, "collections_given_up") > 0));
        world.holds = |_, _, _| false;
        // What comes late is of no use, and does no harm.
        for (from, to, message) in std::mem::take(&mut world.held) {
            world.frame(from, to, message);
        }
        world.pass(2 * ROUND_MS);
        assert_eq!(under_way(&world), 0);
        for (key, _) in &all {
            assert!(world.holders(key).is_empty());
        }
    }
}

#[test]
fn many_dead_keys_of_all_slots_go_each_once_and_by_its_first_primary() {
    let all = keys(200);
    let records: Vec<_> = all.iter().map(|(key, _)| (key.clone(), dead())).collect();
    let mut world = cluster(&records);
    world.pass(2 * ROUND_MS);
    let mut removals: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
    for (from, _, message) in &world.log {
        if let Message::Collect(Collect { step: CollectStep::Remove(dead), .. }) = message {
            for (key, _) in dead {
                removals.entry(key.clone()).or_default().push(*from);
            }
        }
    }
    for (key, list) in &all {
        assert!(world.holders(key).is_empty());
        assert_eq!(removals[key], vec![list[0]; NODES as usize - 1]);
        for id in 1..=NODES {
            let times = world.collected(id).iter().filter(|collected| *collected == key).count();
            assert_eq!(times, usize::from(list[..3].contains(&id)));
        }
    }
    for id in 1..=NODES {
        world.check_trees(id);
    }
    let before = world.log.len();
    world.pass(4 * ROUND_MS);
    assert_eq!(world.log.len(), before, "a pass over nothing asks nobody");
    assert!(!world.log.iter().any(|(_, _, message)| matches!(
        message,
        Message::Collected(Collected { answer: CollectAnswer::NotNow, .. })
    )));
}
