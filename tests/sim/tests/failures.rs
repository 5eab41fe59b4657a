//! Nodes that are down, cut off, damaged or restarted, under strict quorums.

use bytes::Bytes;
use quorate_core::client::{CallOptions, ErrorCode};
use quorate_core::machine::Event;
use quorate_core::message::{
    Answer, CallId, FailureCode, Get, Message, Outcome, Put, QuorumChoice, RequestHead,
};
use quorate_core::time::Duration;
use quorate_sim::{World, WorldConfig};

fn world() -> World {
    World::new(WorldConfig::default())
}

#[test]
fn one_primary_down_changes_nothing_for_clients() {
    let mut world = world();
    let alice = world.add_client();
    let down = world.primaries("k")[0];
    world.crash(down);
    let put = world.put(alice, "k", "v");
    assert!(world.finish(alice, put).unwrap().0.direct);
    let get = world.get(alice, "k");
    assert_eq!(world.finish(alice, get).unwrap().texts(), ["v"]);
}

#[test]
fn two_primaries_down_are_refused_with_the_numbers_and_nothing_is_stored() {
    let mut world = world();
    let alice = world.add_client();
    let primaries = world.primaries("k");
    world.crash(primaries[0]);
    world.crash(primaries[2]);
    world.run_for(Duration::from_secs(1));
    let started = world.now();
    let put = world.put(alice, "k", "v");
    let error = world.finish(alice, put).unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::QuorumUnavailable, Outcome::None));
    assert_eq!((error.needed, error.acked), (2, 1));
    assert!(world.now().since(started) < Duration::from_secs(4), "refused, not timed out");
    assert!(world.record(primaries[1], "k").is_empty());
}

#[test]
fn a_read_repairs_a_replica_that_missed_a_write() {
    let mut world = world();
    let alice = world.add_client();
    let primaries = world.primaries("k");
    world.crash(primaries[2]);
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    world.restart(primaries[2]);
    world.settle();
    assert!(world.record(primaries[2], "k").is_empty());
    let get = world.get(alice, "k");
    world.finish(alice, get).unwrap();
    world.settle();
    assert_eq!(world.record(primaries[2], "k"), world.record(primaries[0], "k"));
    let repaired = |event: &Event| matches!(event, Event::Repaired { node, .. } if node.0 == primaries[2] as u64 + 1);
    assert!((0..5).any(|node| world.events(node).iter().any(repaired)));
    // Once they agree, a read repairs nothing.
    let repairs = |world: &World| -> usize {
        let is_repair = |event: &&Event| matches!(event, Event::Repaired { .. });
        (0..5).map(|node| world.events(node).iter().filter(is_repair).count()).sum()
    };
    let before = repairs(&world);
    let get = world.get(alice, "k");
    world.finish(alice, get).unwrap();
    world.settle();
    assert_eq!(repairs(&world), before);
}

#[test]
fn a_coordinator_that_dies_in_the_middle_of_a_put_costs_the_writer_nothing() {
    let mut world = world();
    let alice = world.add_client();
    let warm = world.get(alice, "k");
    world.finish(alice, warm).unwrap();
    world.run_for(Duration::from_secs(1));
    for steps in 0..40 {
        let key = "k";
        let put = world.put(alice, key, &format!("v{steps}"));
        for _ in 0..steps {
            world.step();
        }
        let coordinator = world.primaries(key)[0];
        world.crash(coordinator);
        world.finish(alice, put).unwrap_or_else(|error| panic!("after {steps} steps: {error}"));
        let get = world.get(alice, key);
        let texts = world.finish(alice, get).unwrap().texts();
        let copies = texts.iter().filter(|text| **text == format!("v{steps}")).count();
        assert_eq!(copies, 1, "a retry is one value");
        world.restart(coordinator);
        world.settle();
    }
}

#[test]
fn a_write_that_loses_its_quorum_on_the_way_is_unknown() {
    let mut world = World::new(WorldConfig {
        sync: Duration::from_millis(100),
        timeout: Duration::from_secs(2),
        ..WorldConfig::default()
    });
    let alice = world.add_client();
    let warm = world.get(alice, "k");
    world.finish(alice, warm).unwrap();
    let put = world.put(alice, "k", "v");
    world.run_for(Duration::from_millis(20));
    let primaries = world.primaries("k");
    world.crash(primaries[1]);
    world.crash(primaries[2]);
    let error = world.finish(alice, put).unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::QuorumUnavailable, Outcome::Unknown));
    assert!(!world.record(primaries[0], "k").is_empty(), "it did happen at one replica");
}

#[test]
fn no_call_outlives_its_deadline() {
    let mut world = world();
    let alice = world.add_client();
    for node in 0..5 {
        world.crash(node);
    }
    let started = world.now();
    let timeout = Some(Duration::from_millis(700));
    let get = world.get_with(alice, "k", CallOptions { timeout, ..CallOptions::default() });
    let error = world.finish(alice, get).unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::Unreachable, Outcome::None));
    assert_eq!(world.now().since(started), Duration::from_millis(700));
}

#[test]
fn a_client_finds_the_cluster_again_after_all_nodes_were_down() {
    let mut world = world();
    let alice = world.add_client();
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    world.run_for(Duration::from_secs(1));
    (0..5).for_each(|node| world.crash(node));
    world.run_for(Duration::from_secs(20));
    let get = world.get(alice, "k");
    world.run_for(Duration::from_secs(1));
    (0..5).for_each(|node| world.restart(node));
    assert_eq!(world.finish(alice, get).unwrap().texts(), ["v"]);
}

#[test]
fn a_replica_that_cannot_read_its_disk_is_not_taken_for_empty() {
    let mut world = world();
    let alice = world.add_client();
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    world.settle();
    for damaged in 0..2 {
        let node = world.primaries("k")[damaged];
        world.damage(node, "k");
        let get = world.get(alice, "k");
        match world.finish(alice, get) {
            Ok(found) => assert_eq!((damaged, found.texts()), (0, vec!["v".to_owned()])),
            Err(error) => {
                assert_eq!((damaged, error.code), (1, ErrorCode::QuorumUnavailable));
                assert_eq!((error.needed, error.acked), (2, 1));
            }
        }
    }
}

#[test]
fn a_coordinator_with_a_damaged_record_refuses_and_another_one_takes_the_write() {
    let mut world = world();
    let alice = world.add_client();
    let put = world.put(alice, "k", "v");
    let context = world.finish(alice, put).unwrap().context();
    world.damage(world.primaries("k")[0], "k");
    let put = world.put_with(alice, "k", "w", context, CallOptions::default());
    assert_eq!(world.finish(alice, put).unwrap().0.attempts, 2);
}

#[test]
fn a_node_that_is_no_primary_passes_a_request_on_and_says_so() {
    let mut world = world();
    let stranger = world.strangers("k")[0];
    let reply = world.put_at(stranger, "k", "v", Bytes::new());
    assert!(reply.result.is_ok());
    assert_eq!(reply.passed_on_by.map(|id| id.0), Some(stranger as u64 + 1));
    assert_eq!(reply.layout.as_ref(), Some(world.layout()));
    let receipt = reply.receipt.expect("it was asked for");
    assert!(receipt.primaries.len() >= 2 && receipt.coordinator != reply.passed_on_by.unwrap());
    assert!(world.record(stranger, "k").is_empty());
}

#[test]
fn a_request_is_passed_on_once_only() {
    let mut world = world();
    let stranger = world.strangers("k")[0];
    let head = RequestHead { passed_on: true, ..world.head("k") };
    let failure = world.ask(stranger, Message::Get(Get { head })).result.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotAPrimary);
}

#[test]
fn a_passed_on_request_survives_the_death_of_the_primary_that_had_it() {
    let mut world = world();
    let stranger = world.strangers("k")[0];
    for steps in 0..20 {
        let head = world.head("k");
        let first = world.primaries("k")[0];
        let reply = world.ask_and(stranger, Message::Get(Get { head }), |world| {
            for _ in 0..steps {
                world.step();
            }
            world.crash(first);
        });
        assert!(reply.result.is_ok(), "after {steps} steps: {:?}", reply.result);
        world.restart(first);
        world.settle();
    }
}

#[test]
fn quorums_that_break_the_rule_are_refused_by_name() {
    let mut world = world();
    let alice = world.add_client();
    for (r, w, code) in [
        (1, 1, Some(ErrorCode::WeakQuorum)),
        (4, 2, Some(ErrorCode::BadQuorum)),
        (1, 3, None),
        (3, 1, None),
    ] {
        let quorum = QuorumChoice { r, w };
        let options = CallOptions { quorum, ..CallOptions::default() };
        let put = world.put_with(alice, "k", "v", Bytes::new(), options);
        assert_eq!(world.finish(alice, put).err().map(|error| error.code), code, "R={r} W={w}");
        let get = world.get_with(alice, "k", options);
        assert_eq!(world.finish(alice, get).err().map(|error| error.code), code, "R={r} W={w}");
    }
    let mut weak = World::new(WorldConfig { allow_weak: true, ..WorldConfig::default() });
    let bob = weak.add_client();
    let options = CallOptions { quorum: QuorumChoice { r: 1, w: 1 }, ..CallOptions::default() };
    let put = weak.put_with(bob, "k", "v", Bytes::new(), options);
    assert!(weak.finish(bob, put).is_ok());
}

#[test]
fn write_one_read_three_needs_every_replica_to_read() {
    let mut world = world();
    let alice = world.add_client();
    let quorum = QuorumChoice { r: 3, w: 1 };
    let options = CallOptions { quorum, ..CallOptions::default() };
    world.crash(world.primaries("k")[2]);
    let put = world.put_with(alice, "k", "v", Bytes::new(), options);
    world.finish(alice, put).unwrap();
    let get = world.get_with(alice, "k", options);
    let error = world.finish(alice, get).unwrap_err();
    assert_eq!((error.code, error.needed, error.acked), (ErrorCode::QuorumUnavailable, 3, 2));
}

#[test]
fn both_sides_of_a_partition_keep_what_they_acknowledged() {
    let mut world = world();
    let [a, b, c] = world.primaries("k")[..] else { panic!("three primaries") };
    let strangers = world.strangers("k");
    world.partition(&[a, strangers[0]]);
    world.run_for(Duration::from_secs(1));
    // One primary alone is no quorum; two are.
    let refused = world.put_at(a, "k", "left", Bytes::new()).result.unwrap_err();
    assert_eq!(
        (refused.code, refused.outcome, refused.acked),
        (FailureCode::QuorumUnavailable, Outcome::None, 1)
    );
    assert!(world.put_at(b, "k", "right", Bytes::new()).result.is_ok());
    world.heal();
    world.settle();
    let Ok(Answer::Entry(entry)) = world.get_at(a, "k").result else { panic!("no entry") };
    assert_eq!(entry.values[0].payload, "right");
    world.settle();
    assert_eq!(world.record(a, "k"), world.record(c, "k"));
}

#[test]
fn too_many_requests_of_one_client_are_refused_at_once() {
    let mut world = world();
    let alice = world.add_client();
    let node = world.primaries("k")[0];
    let head = world.head("k");
    for _ in 0..1_024 {
        world.feed(node, 9, Message::Get(Get { head: head.clone() }));
    }
    let over = RequestHead { call: CallId(u64::MAX), ..head };
    let reply = world.feed(node, 9, Message::Get(Get { head: over }));
    let failure = reply.expect("an answer at once").result.unwrap_err();
    assert_eq!((failure.code, failure.limit), (FailureCode::Overloaded, 1_024));
    // Another client is served meanwhile.
    let get = world.get(alice, "k");
    assert!(world.finish(alice, get).is_ok());
    world.settle();
}

#[test]
fn a_frame_that_only_nodes_may_send_is_ignored_from_a_client() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let record = world.record(node, "k");
    let merge = quorate_core::message::ReplicaMerge { call: CallId(1), key: "k".into(), record };
    assert!(world.feed(node, 9, Message::ReplicaMerge(merge)).is_none());
    assert!(world.events(node).iter().any(|event| matches!(event, Event::Misbehaved(_))));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(WorldConfig { seed, ..WorldConfig::default() });
        let alice = world.add_client();
        let calls: Vec<_> = (0..50).map(|n| world.put(alice, &format!("k{n}"), "v")).collect();
        world.crash(1);
        let ended: Vec<_> = calls.into_iter().map(|call| world.finish(alice, call)).collect();
        (world.now(), format!("{ended:?}"))
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn a_put_is_not_acknowledged_before_a_quorum_has_synced_it() {
    let mut world =
        World::new(WorldConfig { sync: Duration::from_millis(50), ..WorldConfig::default() });
    let node = world.primaries("k")[0];
    let before = world.now();
    let head = world.head("k");
    let payload = Bytes::from_static(b"v");
    let checksum = quorate_core::causality::Checksum::of_value(&payload);
    let change = quorate_core::message::Change::Value { payload, checksum };
    let request = quorate_core::ids::RequestId::default();
    let put = Put { head, context: Bytes::new(), request, change };
    assert!(world.ask(node, Message::Put(put)).result.is_ok());
    assert!(world.now().since(before) >= Duration::from_millis(50));
    // Whoever crashes now, two of three have it.
    (0..5).for_each(|node| world.crash(node));
    let synced =
        world.primaries("k").iter().filter(|node| !world.record(**node, "k").is_empty()).count();
    assert!(synced >= 2, "{synced} of 3");
}
