//! Clusters and clients at the edge: few nodes, few seeds, nodes that come back at once.

use bytes::Bytes;
use quorate_core::causality::{Checksum, Payload};
use quorate_core::client::{CallOptions, ErrorCode};
use quorate_core::ids::RequestId;
use quorate_core::message::{Answer, Change, Message, Outcome, Put, QuorumChoice};
use quorate_core::time::Duration;
use quorate_sim::{World, WorldConfig};

#[test]
fn two_nodes_serve_a_quorum_of_three_replicas() {
    let mut world = World::new(WorldConfig { nodes: 2, ..WorldConfig::default() });
    let alice = world.add_client();
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    let get = world.get(alice, "k");
    assert_eq!(world.finish(alice, get).unwrap().texts(), ["v"]);
    // Three acknowledgements are more than there will ever be, and that is said at once.
    let quorum = QuorumChoice { r: 1, w: 3 };
    let options = CallOptions { quorum, ..CallOptions::default() };
    let put = world.put_with(alice, "k", "v", Bytes::new(), options);
    let error = world.finish(alice, put).unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::QuorumUnavailable, Outcome::None));
    assert_eq!((error.needed, error.acked), (3, 2));
}

#[test]
fn one_node_alone_says_how_many_replicas_are_missing() {
    let mut world = World::new(WorldConfig { nodes: 1, ..WorldConfig::default() });
    let alice = world.add_client();
    let started = world.now();
    let put = world.put(alice, "k", "v");
    let error = world.finish(alice, put).unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::QuorumUnavailable, Outcome::None));
    assert_eq!((error.needed, error.acked), (2, 1));
    assert!(world.now().since(started) < Duration::from_secs(1));
}

#[test]
fn one_seed_is_enough_to_go_straight_to_every_primary() {
    let mut world = World::new(WorldConfig::default());
    let alice = world.add_client_with_seeds(&[3]);
    for key in ["a", "b", "c", "d", "e", "f"] {
        let put = world.put(alice, key, "v");
        assert!(world.finish(alice, put).unwrap().0.direct);
    }
    // And to live on when it is gone.
    world.crash(3);
    world.run_for(Duration::from_secs(10));
    for key in ["a", "b", "c", "d", "e", "f"] {
        let get = world.get(alice, key);
        assert_eq!(world.finish(alice, get).unwrap().texts(), ["v"]);
    }
}

#[test]
fn an_acknowledgement_for_a_coordinator_that_died_is_none_for_its_next_life() {
    let sync = Duration::from_millis(300);
    let mut world = World::new(WorldConfig { sync, ..WorldConfig::default() });
    let [a, b, c] = world.primaries("k")[..] else { panic!("three primaries") };
    // A first write is on its way to the disks when its coordinator dies and comes back.
    let put = world.head("k");
    let payload = Bytes::from_static(b"first");
    let change = Change::Value { checksum: Checksum::of_value(&payload), payload };
    let request = RequestId::default();
    let put = Put { head: put, context: Bytes::new(), request, change };
    world.feed(a, 7, Message::Put(put));
    world.run_for(Duration::from_millis(250));
    world.crash(a);
    world.restart(a);
    world.run_for(Duration::from_millis(20));
    let begun = world.now();
    let reply = world.put_at(a, "k", "second", Bytes::new());
    assert!(matches!(reply.result, Ok(Answer::Written(_))));
    assert!(world.now().since(begun) >= sync, "nobody has synced it before");
    [a, b, c].iter().for_each(|node| world.crash(*node));
    let hold = |node: &&usize| {
        let record = world.record(**node, "k");
        record.values().iter().any(|sibling| sibling.payload == payload_of("second"))
    };
    assert!([a, b, c].iter().filter(hold).count() >= 2);
}

fn payload_of(text: &'static str) -> Payload {
    Payload::Value(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_deadline_of_nothing_is_an_error_and_no_write() {
    let mut world = World::new(WorldConfig::default());
    let alice = world.add_client();
    let warm = world.get(alice, "k");
    world.finish(alice, warm).unwrap();
    let options = CallOptions { timeout: Some(Duration::ZERO), ..CallOptions::default() };
    let put = world.put_with(alice, "k", "v", Bytes::new(), options);
    let error = world.finish(alice, put).unwrap_err();
    assert_eq!(error.code, ErrorCode::Timeout);
    world.settle();
    assert!(world.record(world.primaries("k")[0], "k").is_empty());
}
