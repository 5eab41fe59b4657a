//! What comparisons cost on the wire.

use quorate_core::causality::Record;
use quorate_core::ids::{Epoch, Key};
use quorate_core::layout::LayoutVersion;

use crate::world::{INTERVAL_MS, Shape, World, key, older_and_newer, record};

const SHAPE: Shape = Shape { nodes: 2, slots: 64, leaves: 256 };

/// Two nodes with so many keys, some of which the first one holds in an older state.
fn differing(keys: u64, differing: u64) -> World {
    let (older, newer) = older_and_newer(1);
    let step = keys.checked_div(differing).unwrap_or(u64::MAX);
    let two: Vec<(Key, Record)> = (0..keys).map(|number| (key(number), newer.clone())).collect();
    let mut one = two.clone();
    for number in 0..differing {
        one[(number * step) as usize].1 = older.clone();
    }
    let mut world = World::new(&SHAPE, vec![one, two], 1);
    world.connect(1, 2);
    world
}

#[test]
fn one_key_that_differs_costs_a_few_kilobytes_and_round_trips() {
    let mut world = differing(20_000, 1);
    world.pass(INTERVAL_MS / 8);
    assert!(world.are_equal());
    assert_eq!(world.traffic.moved.len(), 1);
    // The other node asks for the roots at the same time.
    assert!(world.traffic.questions <= 6 + 1, "{:?}", world.traffic);
    assert!(world.traffic.bytes <= 16 * 1024, "{:?}", world.traffic);
}

/// `cargo test --release -p quorate-core --test anti_entropy costs -- --ignored --nocapture`
#[test]
#[ignore = "a table for people"]
fn bytes_for_so_many_keys_that_differ() {
    for (keys, count) in
        [(100_000, 0), (100_000, 1), (100_000, 10), (100_000, 1_000), (100_000, 100_000)]
    {
        let mut world = differing(keys, count);
        world.pass(10 * INTERVAL_MS);
        assert!(world.are_equal());
        let traffic = &world.traffic;
        println!(
            "{count:>6} of {keys}: {:>9} bytes, {:>5} questions, {:>6} records",
            traffic.bytes,
            traffic.questions,
            traffic.moved.len()
        );
        assert_eq!(traffic.moved.len() as u64, count);
    }
}

#[test]
#[ignore = "a million keys"]
fn one_key_of_a_million_costs_as_little() {
    let mut world = differing(1_000_000, 1);
    world.pass(INTERVAL_MS / 8);
    let traffic = &world.traffic;
    println!("{} bytes, {} questions", traffic.bytes, traffic.questions);
    assert_eq!(traffic.moved.len(), 1);
    assert!(traffic.questions <= 6 + 1 && traffic.bytes <= 16 * 1024);
}

#[test]
fn a_refill_costs_little_more_than_its_records() {
    refill(5_000);
}

#[test]
#[ignore = "two hundred thousand records"]
fn a_great_refill_costs_little_more_than_its_records() {
    refill(200_000);
}

fn refill(count: u64) {
    let records: Vec<_> = (0..count).map(|number| (key(number), record(1))).collect();
    let data: usize = records.iter().map(|(key, record)| frame_bytes(key, record)).sum();
    let mut world = World::new(&SHAPE, vec![records, Vec::new()], 1);
    world.connect_all();
    world.pass(INTERVAL_MS);
    assert!(world.are_equal());
    let bytes = world.traffic.bytes;
    assert_eq!(world.traffic.moved.len() as u64, count, "{} questions", world.traffic.questions);
    println!("{bytes} bytes for {data} bytes of records: {} %", bytes * 100 / data);
    assert!(bytes * 100 <= data * 115);
}

/// A key and its record as they are sent.
fn frame_bytes(key: &Key, record: &Record) -> usize {
    use quorate_core::codec::encode;
    use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge};
    let (key, record) = (key.clone(), record.clone());
    let (call, reason, epoch) = (CallId(0), MergeReason::Write, Epoch(1));
    let merge = ReplicaMerge {
        call,
        key,
        record,
        hint_for: None,
        reason,
        epoch,
        layout_version: LayoutVersion(0),
    };
    let mut frame = Vec::new();
    encode(&Message::ReplicaMerge(merge), &mut frame);
    frame.len()
}
