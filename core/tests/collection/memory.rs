//! What calls and queues hold in memory is not sent after a collection; later writes are new.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_core::causality::{Actor, Context, Held, Payload, Record};
use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    Answer, CallId, Collect, CollectStep, MergeReason, Message, ReplicaMerge, ReplicaRecord, Reply,
};

use crate::cluster::{ROUND_MS, cluster, cluster_with_grace, dead, dead_and_older, keys};
use crate::machines::{Alone, value, write};
use crate::world::{World, place};

/// A pass begins each second, and its looks follow at once.
const SHORT_GRACE_MS: u64 = 10;

/// The grace time before a pass begins.
const BEFORE_PASS_MS: u64 = 1_000 - SHORT_GRACE_MS;

/// Deletes what the first primary holds, everywhere.
fn delete_everywhere(world: &mut World, key: &Key, list: &[u64]) {
    let record = world.held_by(list[0], key).expect("it is there").clone();
    let mut held = Held::from_parts(record.clone(), None);
    let dead = write(&mut held, 8, Payload::Tombstone, &record.context());
    for id in &list[..3] {
        world.merge(*id, key, &dead);
    }
}

fn repairs_and_hints(world: &World) -> Vec<&(u64, u64, Message)> {
    let is = |frame: &&(u64, u64, Message)| match &frame.2 {
        Message::ReplicaMerge(merge) => {
            merge.reason == MergeReason::Repair || merge.hint_for.is_some()
        }
        _ => false,
    };
    world.held.iter().filter(is).collect()
}

#[test]
fn a_write_that_waits_sends_nothing_to_a_stand_in_after_a_collection() {
    for collects in [true, false] {
        let (key, list) = keys(1).remove(0);
        let mut world = cluster_with_grace(&[], SHORT_GRACE_MS);
        world.holds = |_, _, message| matches!(message, Message::ReplicaMerge(_));
        world.pass(BEFORE_PASS_MS);
        let mut put = Alone::new(3, 1).put(&key, "v", 1);
        put.head.receipt = true;
        world.ask(list[0], Message::Put(put));
        assert_eq!(world.held.len(), 2);
        if collects {
            delete_everywhere(&mut world, &key, &list);
            world.pass_until(|world| world.holders(&key).is_empty());
        } else {
            world.pass(2 * SHORT_GRACE_MS);
        }
        assert!(repairs_and_hints(&world).is_empty(), "nobody is given up yet");
        world.disconnect(list[0], list[1]);
        let hints = repairs_and_hints(&world).len();
        assert_eq!(hints, usize::from(!collects));
        world.pass(10_000);
        assert_eq!(repairs_and_hints(&world).is_empty(), collects);
    }
}

#[test]
fn a_read_whose_repair_is_due_repairs_nothing_after_a_collection() {
    for collects in [true, false] {
        let (key, list) = keys(1).remove(0);
        let (_, older) = dead_and_older();
        let mut world = cluster_with_grace(&[(key.clone(), older)], SHORT_GRACE_MS);
        let house = world.houses.get_mut(&list[2]).unwrap();
        house.store.remove(&place(&key));
        world.holds = |_, _, message| match message {
            Message::ReplicaMerge(_) => true,
            // The one that lacks the record is slow.
            Message::ReplicaRecord(ReplicaRecord { state, .. }) => {
                matches!(state, quorate_core::message::ReplicaState::Record(record) if record.is_empty())
            }
            _ => false,
        };
        world.pass(BEFORE_PASS_MS);
        let get = Alone::new(3, 1).get(&key);
        world.ask(list[0], Message::Get(get));
        world.deliver();
        assert_eq!((world.replies.len(), world.held.len()), (1, 1));
        if collects {
            delete_everywhere(&mut world, &key, &list);
            world.pass_until(|world| world.holders(&key).is_empty());
        } else {
            world.pass(2 * SHORT_GRACE_MS);
        }
        assert!(repairs_and_hints(&world).is_empty(), "the call goes on");
        let (from, to, late) = world.held.remove(0);
        world.frame(from, to, late);
        assert_eq!(repairs_and_hints(&world).is_empty(), collects);
    }
}

/// A node that hands many hints to another, of which the first are on their way or not
/// acknowledged; one key is dead. Answers the world, who they are, the hints, and the dead key.
fn handing_over(holds: fn(u64, u64, &Message) -> bool) -> (World, (u64, u64), Vec<Key>, Key) {
    let all = keys(400);
    let (gone, list) = all[0].clone();
    let mut world = cluster_with_grace(&[(gone.clone(), dead())], SHORT_GRACE_MS);
    let (holder, target) = (list[4], list[1]);
    let fits =
        |(_, list): &&(Key, Vec<u64>)| list[..3].contains(&target) && !list[..3].contains(&holder);
    let hinted: Vec<Key> = all[1..].iter().filter(fits).map(|(key, _)| key.clone()).collect();
    assert!(hinted.len() > 40);
    let mut held = Held::new();
    let alive = write(&mut held, 4, value("hinted"), &Context::new());
    for key in &hinted {
        let hints = &mut world.houses.get_mut(&holder).unwrap().hints;
        hints.insert((NodeId(target), key.clone()), alive.clone());
    }
    world.holds = holds;
    world.restart(holder, 9);
    world.pass(BEFORE_PASS_MS);
    world.connect_all();
    world.deliver();
    assert!(!world.held.is_empty() && world.held.len() < hinted.len());
    (world, (holder, target), hinted, gone)
}

fn is_handoff(_: u64, _: u64, message: &Message) -> bool {
    matches!(message, Message::ReplicaMerge(ReplicaMerge { reason: MergeReason::Handoff, .. }))
}

fn release(world: &mut World) {
    world.holds = |_, _, _| false;
    for (from, to, message) in std::mem::take(&mut world.held) {
        world.frame(from, to, message);
    }
    world.deliver();
}

#[test]
fn hints_that_wait_in_memory_are_read_anew_after_a_collection() {
    let (mut world, (holder, target), hinted, gone) =
        handing_over(|_, _, message| matches!(message, Message::ReplicaMerged(_)));
    world.pass_until(|world| world.holders(&gone).is_empty());
    release(&mut world);
    world.pass(5_000);
    assert!(hinted.iter().all(|key| world.held_by(target, key).is_some()));
    assert_eq!(world.houses[&holder].hints.len(), 0);
    assert_eq!(world.count(target, "stale_refused"), 0, "what would be refused is not sent");
}

#[test]
fn hints_that_were_on_their_way_are_refused_and_sent_anew() {
    let (mut world, (holder, target), hinted, gone) = handing_over(is_handoff);
    let sent = world.held.len() as u64;
    world.pass_until(|world| world.holders(&gone).is_empty());
    assert_eq!(world.held.len() as u64, sent);
    release(&mut world);
    assert_eq!(world.count(target, "stale_refused"), sent);
    world.pass(60_000);
    assert!(hinted.iter().all(|key| world.held_by(target, key).is_some()));
    assert_eq!(
        (world.houses[&holder].hints.len(), world.count(target, "stale_refused")),
        (0, sent)
    );
}

/// A node is told to begin a new epoch.
fn begin_epoch(world: &mut World, node: u64) {
    let (call, layout_version, step) = (CallId(5), LayoutVersion(1), CollectStep::NewEpoch);
    let from = node % 5 + 1;
    world.frame(from, node, Message::Collect(Collect { call, layout_version, step }));
}

/// The epochs, counted from 1, of the merges that a node has sent since there were so many.
fn epochs(world: &World, from: u64, since: usize) -> BTreeSet<u64> {
    let merges = world.held[since..].iter().filter(|frame| frame.0 == from);
    let epoch = |frame: &(u64, u64, Message)| match &frame.2 {
        Message::ReplicaMerge(merge) => Some(u64::from(merge.epoch.0 as u32)),
        _ => None,
    };
    merges.filter_map(epoch).collect()
}

#[test]
fn what_is_sent_tells_the_epoch_in_which_it_was_read() {
    // A write, and its stand-in; then another write.
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[]);
    world.holds = |_, _, message| matches!(message, Message::ReplicaMerge(_));
    world.ask(list[0], Message::Put(Alone::new(3, 1).put(&key, "v", 1)));
    begin_epoch(&mut world, list[0]);
    world.disconnect(list[0], list[1]);
    assert_eq!((world.held.len(), epochs(&world, list[0], 0)), (2, BTreeSet::from([1])));
    world.ask(list[0], Message::Put(Alone::new(3, 1).put(&key, "w", 2)));
    assert_eq!(epochs(&world, list[0], 2), BTreeSet::from([2]));
    // A repair.
    let mut world = cluster(&[(key.clone(), dead_and_older().1)]);
    world.houses.get_mut(&list[2]).unwrap().store.remove(&place(&key));
    world.holds =
        |_, _, message| matches!(message, Message::ReplicaMerge(_) | Message::ReplicaRecord(_));
    world.ask(list[0], Message::Get(Alone::new(3, 1).get(&key)));
    world.deliver();
    begin_epoch(&mut world, list[0]);
    for (from, to, message) in std::mem::take(&mut world.held) {
        world.frame(from, to, message);
    }
    assert_eq!(epochs(&world, list[0], 0), BTreeSet::from([1]));
    // Hints: the rest of the batch was read before.
    let (mut world, (holder, _), _, _) = handing_over(is_handoff);
    begin_epoch(&mut world, holder);
    let sent = world.held.len();
    for (from, to, message) in world.held.clone() {
        world.frame(from, to, message);
    }
    world.deliver();
    assert!(world.held.len() > sent);
    assert_eq!(epochs(&world, holder, 0), BTreeSet::from([1]));
}

fn actors(record: &Record) -> Vec<Actor> {
    record.histories().map(|(actor, _)| actor).collect()
}

fn context_of(reply: &Reply) -> Bytes {
    match &reply.result {
        Ok(Answer::Written(written)) => written.context.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_collection_a_put_is_of_a_new_actor_and_old_contexts_are_taken() {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[]);
    let alone = &mut Alone::new(3, 1);
    world.ask(list[0], Message::Put(alone.put(&key, "v", 1)));
    world.deliver();
    let before = actors(world.held_by(list[0], &key).unwrap());
    let old_context = context_of(&world.replies[0]);
    let mut delete = alone.delete(&key, 2);
    delete.context = old_context.clone();
    world.ask(list[0], Message::Put(delete));
    world.deliver();
    world.pass(80_000 + 2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
    // A reader of long ago, and one who has seen nothing.
    let mut put = alone.put(&key, "w", 3);
    put.context = old_context.clone();
    world.ask(list[0], Message::Put(put));
    world.ask(list[0], Message::Put(alone.put(&key, "x", 4)));
    world.deliver();
    let record = world.held_by(list[0], &key).unwrap().clone();
    assert_eq!(record.sibling_count(), 2);
    let dots: Vec<_> = record.siblings().map(|(dot, _)| dot.actor).collect();
    assert!(dots.iter().all(|actor| !before.contains(actor)), "{dots:?} after {before:?}");
    for id in &list[..3] {
        assert_eq!(world.held_by(*id, &key), Some(&record));
    }
    assert_eq!(world.replies.len(), 4);
    world.replies.iter().for_each(|reply| drop(context_of(reply)));
}

#[test]
fn the_copy_that_comes_back_after_its_removal_is_collected_once_more() {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    world.holds = |_, to, message| {
        let removal =
            matches!(message, Message::Collect(Collect { step: CollectStep::Remove(_), .. }));
        to % 2 == 0 && removal
    };
    world.pass(ROUND_MS);
    world.holds = |_, _, _| false;
    world.held.clear();
    let left = world.holders(&key);
    assert!(!left.is_empty() && left.len() < 3, "{left:?} of {list:?}");
    // Whoever has kept it gives it back.
    for id in &list[..3] {
        world.merge(*id, &key, &dead());
    }
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}
