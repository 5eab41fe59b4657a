//! What was read before a collection and arrives after it is not merged.

use quorate_core::causality::Record;
use quorate_core::ids::{Epoch, Incarnation, Key};
use quorate_core::machine::Event;
use quorate_core::message::{Compared, ReplicaMerged};
use quorate_core::message::{Comparison, Message};
use quorate_core::node::{CollectionSettings, NodeConfig};
use quorate_core::time::Duration;

use crate::cluster::{ROUND_MS, cluster, dead_and_older, is_new_epoch, keys, merge};
use crate::machines::layout;
use crate::world::{World, settings};

/// A world in which a key was collected, what was there before, and its preference list.
fn collected() -> (World, Key, Record, Vec<u64>) {
    let (key, list) = keys(1).remove(0);
    let (dead, older) = dead_and_older();
    let mut world = cluster(&[(key.clone(), dead)]);
    world.pass(ROUND_MS);
    assert!(world.holders(&key).is_empty());
    (world, key, older, list)
}

/// The last answer to a merge that `to` was sent.
fn durable(world: &World, to: u64) -> bool {
    let answers = world.log.iter().rev().filter_map(|(_, asker, message)| match message {
        Message::ReplicaMerged(ReplicaMerged { durable, .. }) if *asker == to => Some(*durable),
        _ => None,
    });
    answers.clone().next().expect("an answer")
}

#[test]
fn what_was_read_before_the_first_look_is_refused_after_the_second_one() {
    let (mut world, key, older, list) = collected();
    for from in &list[1..] {
        let refused = world.count(list[0], "stale_refused");
        world.frame(*from, list[0], merge(&key, &older, Epoch::first(Incarnation(1))));
        assert!(!durable(&world, *from));
        assert_eq!(world.count(list[0], "stale_refused"), refused + 1);
        assert!(world.holders(&key).is_empty());
    }
    let told = |event: &&Event| matches!(event, Event::StaleRefused(_));
    assert_eq!(world.houses[&list[0]].events.iter().filter(told).count(), 4);
}

#[test]
fn what_was_read_after_the_epochs_began_is_merged() {
    let (mut world, key, older, list) = collected();
    world.frame(list[1], list[0], merge(&key, &older, Epoch::first(Incarnation(1)).next()));
    assert!(durable(&world, list[1]));
    assert_eq!(world.held_by(list[0], &key), Some(&older));
    assert_eq!(world.count(list[0], "stale_refused"), 0);
}

#[test]
fn a_collection_that_fails_at_its_second_look_refuses_what_it_said() {
    // Nobody is told to refuse anything before the second look.
    let (key, list) = keys(1).remove(0);
    let (dead, older) = dead_and_older();
    let mut world = cluster(&[(key.clone(), dead)]);
    world.pass_to_between_the_looks();
    assert!(world.steps(is_new_epoch) > 0);
    world.frame(list[1], list[0], merge(&key, &older, Epoch::first(Incarnation(1))));
    assert!(durable(&world, list[1]));
}

#[test]
fn a_new_life_is_not_held_to_the_floor_of_the_former_one() {
    let (mut world, key, older, list) = collected();
    world.restart(list[1], 9);
    world.connect_all();
    world.frame(list[1], list[0], merge(&key, &older, Epoch::first(Incarnation(2))));
    assert!(durable(&world, list[1]));
    assert_eq!(world.held_by(list[0], &key), Some(&older));
}

#[test]
fn what_a_former_life_has_sent_is_refused_once_the_new_one_is_connected() {
    let (mut world, key, older, list) = collected();
    world.restart(list[1], 9);
    world.connect_all();
    world.frame(list[1], list[0], merge(&key, &older, Epoch::first(Incarnation(1)).next()));
    assert!(!durable(&world, list[1]) && world.holders(&key).is_empty());
}

#[test]
fn records_that_a_comparison_read_before_the_first_look_are_not_taken_after_the_second_one() {
    // The looks are half a second apart, and a comparison waits for longer than that.
    let grace = Duration::from_millis(1_000);
    let layout = layout(3, 3);
    let (dead, older) = dead_and_older();
    let key = crate::world::key(1);
    let mut stores = vec![vec![(key.clone(), older.clone())]; 3];
    stores[1].clear();
    let mut world = World::of(layout, stores, 1, |config| NodeConfig {
        anti_entropy: settings(16),
        collection: CollectionSettings { grace },
        ..config
    });
    world.holds = |_, to, message| {
        let records = matches!(
            message,
            Message::Compared(Compared { answer: Comparison::Records { records, .. }, .. })
                if !records.is_empty()
        );
        to == 2 && (records || matches!(message, Message::ReplicaMerge(_)))
    };
    world.connect_all();
    world.pass_until(|world| !world.held.is_empty());
    assert!(world.held_by(2, &key).is_none());
    for id in 1..=3 {
        world.merge(id, &key, &dead);
    }
    world.pass_until(|world| world.holders(&key).is_empty());
    let held = std::mem::take(&mut world.held);
    let answers = held.iter().filter(|(_, _, message)| matches!(message, Message::Compared(_)));
    assert!(answers.count() > 0 && world.count(2, "comparisons_under_way") > 0);
    for (from, to, message) in held {
        world.frame(from, to, message);
    }
    assert!(world.count(2, "stale_refused") > 0);
    world.pass(5_000);
    assert!(world.holders(&key).is_empty());
}
