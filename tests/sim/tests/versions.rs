//! Siblings, contexts, retries and deletes, through real coordinators.

use bytes::Bytes;
use quorate_core::client::ErrorCode;
use quorate_core::ids::RequestId;
use quorate_core::message::{Answer, Change, Message, Put, Reply};
use quorate_sim::{World, WorldConfig};

fn world() -> World {
    World::new(WorldConfig::default())
}

fn written(reply: &Reply) -> (Bytes, u32) {
    match &reply.result {
        Ok(Answer::Written(written)) => (written.context.clone(), written.siblings),
        other => panic!("not written: {other:?}"),
    }
}

fn read(world: &mut World, key: &str) -> (Vec<String>, Bytes, u32) {
    let node = world.primaries(key)[0];
    match world.get_at(node, key).result {
        Ok(Answer::Entry(entry)) => {
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            let mut texts: Vec<_> = entry.values.iter().map(|value| text(&value.payload)).collect();
            texts.sort();
            (texts, entry.context, entry.tombstones)
        }
        other => panic!("not read: {other:?}"),
    }
}

#[test]
fn two_writers_with_one_context_at_one_coordinator_both_survive() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let (context, _) = written(&world.put_at(node, "k", "base", Bytes::new()));
    let (_, first) = written(&world.put_at(node, "k", "left", context.clone()));
    let (_, second) = written(&world.put_at(node, "k", "right", context));
    assert_eq!((first, second), (1, 2));
    assert_eq!(read(&mut world, "k").0, ["left", "right"]);
}

#[test]
fn two_writers_that_alternate_a_hundred_chained_puts_leave_two_siblings() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let mut contexts = [Bytes::new(), Bytes::new()];
    for round in 0..100 {
        for (writer, context) in contexts.iter_mut().enumerate() {
            let value = format!("{writer}:{round}");
            let (next, siblings) = written(&world.put_at(node, "k", &value, context.clone()));
            assert!(siblings <= 2);
            *context = next;
        }
    }
    assert_eq!(read(&mut world, "k").0, ["0:99", "1:99"]);
}

#[test]
fn a_merge_with_the_readers_context_supersedes_all_it_was_shown() {
    let mut world = world();
    let [a, b, c] = world.primaries("k")[..] else { panic!("three primaries") };
    for (node, value) in [(a, "a"), (b, "b"), (c, "c")] {
        world.put_at(node, "k", value, Bytes::new());
    }
    let (texts, context, _) = read(&mut world, "k");
    assert_eq!(texts, ["a", "b", "c"]);
    let (_, siblings) = written(&world.put_at(b, "k", "abc", context));
    assert_eq!(siblings, 1);
    world.settle();
    assert_eq!(read(&mut world, "k").0, ["abc"]);
    assert!([a, b, c].iter().all(|node| world.record(*node, "k") == world.record(a, "k")));
}

#[test]
fn a_retry_at_the_same_coordinator_gets_the_first_answer_even_when_it_was_overwritten() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let request = RequestId { client: 7, sequence: 1 };
    let (first, _) = written(&world.put_at_as(node, "k", "one", Bytes::new(), request));
    world.put_at(node, "k", "two", first.clone());
    let (again, _) = written(&world.put_at_as(node, "k", "one", Bytes::new(), request));
    assert_eq!(first, again);
    assert_eq!(read(&mut world, "k").0, ["two"]);
}

#[test]
fn a_retry_at_another_coordinator_is_one_value() {
    let mut world = world();
    let [a, b, _] = world.primaries("k")[..] else { panic!("three primaries") };
    let request = RequestId { client: 7, sequence: 1 };
    world.put_at_as(a, "k", "one", Bytes::new(), request);
    let (_, siblings) = written(&world.put_at_as(b, "k", "one", Bytes::new(), request));
    assert_eq!(siblings, 1);
    assert_eq!(read(&mut world, "k").0, ["one"]);
}

#[test]
fn a_delete_covers_what_its_context_was_shown_and_no_more() {
    let mut world = world();
    let alice = world.add_client();
    let put = world.put(alice, "k", "old");
    let context = world.finish(alice, put).unwrap().context();
    let put = world.put(alice, "k", "concurrent");
    world.finish(alice, put).unwrap();
    let delete = world.delete(alice, "k", context);
    world.finish(alice, delete).unwrap();
    let (texts, _, tombstones) = read(&mut world, "k");
    assert_eq!((texts, tombstones), (vec!["concurrent".to_owned()], 1));
}

#[test]
fn a_delete_without_context_covers_what_a_quorum_holds() {
    let mut world = world();
    let alice = world.add_client();
    for value in ["a", "b"] {
        let put = world.put(alice, "k", value);
        world.finish(alice, put).unwrap();
    }
    let delete = world.delete(alice, "k", Bytes::new());
    world.finish(alice, delete).unwrap();
    let (texts, _, tombstones) = read(&mut world, "k");
    assert_eq!((texts, tombstones), (vec![], 1));
    // A second delete leaves one tombstone, too: its own.
    let delete = world.delete(alice, "k", Bytes::new());
    world.finish(alice, delete).unwrap();
    let (texts, _, tombstones) = read(&mut world, "k");
    assert_eq!((texts, tombstones), (vec![], 1));
}

#[test]
fn a_context_of_another_key_is_refused() {
    let mut world = world();
    let alice = world.add_client();
    let put = world.put(alice, "k", "v");
    let context = world.finish(alice, put).unwrap().context();
    let put = world.put_with(alice, "other", "v", context.clone(), Default::default());
    assert_eq!(world.finish(alice, put).unwrap_err().code, ErrorCode::BadContext);
    let node = world.primaries("other")[0];
    assert!(world.put_at(node, "other", "v", context).result.is_err());
}

#[test]
fn a_value_that_does_not_match_its_checksum_is_refused_before_anyone_stores_it() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let head = world.head("k");
    let payload = Bytes::from_static(b"value");
    let checksum = quorate_core::causality::Checksum(1);
    let change = Change::Value { payload, checksum };
    let put = Put { head, context: Bytes::new(), request: RequestId::default(), change };
    let failure = world.ask(node, Message::Put(put)).result.unwrap_err();
    assert_eq!(failure.code, quorate_core::message::FailureCode::Damaged);
    world.settle();
    assert!((0..5).all(|node| world.record(node, "k").is_empty()));
}

#[test]
fn siblings_have_a_limit_on_put() {
    let mut world = world();
    let node = world.primaries("k")[0];
    for index in 0..100 {
        written(&world.put_at(node, "k", &format!("v{index}"), Bytes::new()));
    }
    let failure = world.put_at(node, "k", "one too many", Bytes::new()).result.unwrap_err();
    assert_eq!((failure.limit, failure.actual), (100, 101));
    let (texts, context, _) = read(&mut world, "k");
    assert_eq!(texts.len(), 100);
    assert_eq!(written(&world.put_at(node, "k", "merged", context)).1, 1);
}

#[test]
fn a_new_life_of_a_node_never_mints_a_dot_of_an_earlier_one() {
    let mut world = world();
    let node = world.primaries("k")[0];
    let mut dots = Vec::new();
    for life in 0..5 {
        world.put_at(node, "k", &format!("life {life}"), Bytes::new());
        world.settle();
        dots.extend(world.record(node, "k").siblings().map(|(dot, _)| dot).last());
        world.crash(node);
        if life % 2 == 0 {
            world.wipe(node);
        }
        world.restart(node);
        world.settle();
    }
    let texts = read(&mut world, "k").0;
    assert_eq!(texts.len(), 5, "every life's value stands: {texts:?}");
}
