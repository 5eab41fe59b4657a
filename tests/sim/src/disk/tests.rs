//! States: the sum of all changes is what a scan finds, whatever happens to the disk.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one outcome")]

use bytes::Bytes;
use quorate_core::causality::{Actor, Birth, Checksum, Context, Payload, Write};
use quorate_core::ids::{ClusterId, Incarnation, RequestId};
use quorate_core::machine::StateChange;
use quorate_core::merkle::State;
use quorate_core::ring::{Position, RingArc};
use quorate_core::time::UnixMs;

use super::*;

const NOW: Now = Now { instant: Instant(1_000_000), unix: UnixMs(1_000) };

fn disk(temper: DiskTemper) -> Disk {
    Disk::new(0, 1, TreeKey::derive(ClusterId(1), b"secret"), temper)
}

fn key(number: u64) -> Key {
    Key::from(format!("key {number}").into_bytes())
}

fn write(value: u64, siblings_max: usize) -> RecordOp {
    let payload = Payload::Value(Bytes::from(value.to_string()));
    RecordOp::Write(Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId { client: 1, sequence: value },
        newborn: Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(value) },
        continued: [].into(),
        siblings_max,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(1),
    })
}

/// Writes, refusals, merges of what is new and of what is known, and hints, over a few keys.
fn any_change(prng: &mut Prng) -> StoreOp {
    let (key, value) = (key(prng.below(12)), prng.below(30) + 1);
    let (copy, op) = match prng.below(5) {
        0 | 1 => (HeldAs::Own, write(value, 100)),
        2 => (HeldAs::Own, write(value, 1)),
        3 => {
            let mut held = Held::new();
            held.apply(&write(value, 100)).unwrap();
            (HeldAs::Own, RecordOp::Merge(held.into_record()))
        }
        _ => (HeldAs::Hint { target: NodeId(4) }, write(value, 100)),
    };
    StoreOp::Apply { key, copy, op }
}

/// The states in an arc, by pages of `count_max`; pages that cannot be read are asked for again.
fn states(disk: &mut Disk, arc: RingArc, count_max: usize) -> Vec<(Key, State)> {
    let mut found: Vec<(Key, State)> = Vec::new();
    loop {
        let after = found.last().map(|(key, _)| key.clone());
        match disk
            .run(NOW, Ticket(0), &StoreOp::ScanStates { arc, after, count_max })
            .unwrap()
            .outcome
        {
            StoreOutcome::StatesScanned { states, more } => {
                found.extend(states);
                if !more {
                    return found;
                }
            }
            outcome => assert_eq!(outcome, StoreOutcome::Failed(StoreError::Io)),
        }
    }
}

/// The sum of all states, and of their bytes.
fn sum(disk: &mut Disk) -> (u128, u64) {
    let states = states(disk, RingArc::ALL, 1_000);
    let start = (0_u128, 0);
    states
        .iter()
        .fold(start, |sum, (_, state)| (sum.0.wrapping_add(state.hash.0), sum.1 + state.bytes))
}

/// As core does it: it adds up what it is told, looks again at what is in doubt, and begins anew
/// with each life.
#[test]
fn all_changes_add_up_to_what_a_scan_finds() {
    let temper =
        DiskTemper { write_fails: 100, read_fails: 50, sync_fails: 50, ..DiskTemper::default() };
    let mut disk = disk(temper);
    let mut prng = Prng::new(7);
    let mut known = (0_u128, 0_u64);
    let (mut failed, mut kept, mut refused, mut crashes, mut poisoned) = (0, 0, 0, 0, 0);
    for step in 0..20_000 {
        match prng.below(20) {
            0 => {
                if disk.begin_sync(NOW.instant + Duration::from_secs(3_600)).is_some() {
                    disk.end_sync(NOW.instant);
                }
                poisoned += u32::from(disk.is_poisoned());
            }
            1 if prng.chance(1, 20) => {
                disk.crash(NOW.instant, 500);
                known = sum(&mut disk);
                crashes += 1;
            }
            _ => match disk.run(NOW, Ticket(step), &any_change(&mut prng)).unwrap().outcome {
                StoreOutcome::Applied { state, hint, .. } => {
                    assert_ne!(state.is_some(), hint.is_some());
                    if let Some(change) = state {
                        let StateChange { before, after, .. } = change;
                        let hash = known.0.wrapping_sub(before.hash.0).wrapping_add(after.hash.0);
                        known = (hash, known.1 + after.bytes - before.bytes);
                    }
                }
                StoreOutcome::Refused(_) => refused += 1,
                StoreOutcome::Failed(_) => {
                    failed += 1;
                    let found = sum(&mut disk);
                    kept += u32::from(found != known);
                    known = found;
                }
                outcome => panic!("{outcome:?}"),
            },
        }
        if step % 10 == 0 {
            assert_eq!(known, sum(&mut disk), "step {step}");
        }
    }
    for met in [failed, kept, refused, crashes, poisoned] {
        assert!(met > 0, "{failed} {kept} {refused} {crashes} {poisoned}");
    }
}

#[test]
fn a_scan_goes_along_the_ring_page_by_page_and_leaves_out_what_is_damaged() {
    let mut disk = disk(DiskTemper { read_fails: 300, ..DiskTemper::default() });
    let mut keys: Vec<Key> = (0..40).map(key).collect();
    for key in &keys {
        let op = StoreOp::Apply { key: key.clone(), copy: HeldAs::Own, op: write(1, 100) };
        disk.run(NOW, Ticket(1), &op);
    }
    keys.sort_by_key(|key| Position::of(key.as_bytes()));
    let position = |index: usize| Position::of(keys[index].as_bytes());
    disk.damage(&keys[13]);
    let arc = RingArc { first: position(10), last: position(20) };
    let readable: Vec<Key> = [&keys[10..13], &keys[14..21]].concat();
    for count_max in [0, 1, 3, 100] {
        let found: Vec<Key> =
            states(&mut disk, arc, count_max).into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, readable);
    }
    let mut records: Vec<(Key, Record)> = Vec::new();
    let mut more = true;
    while more {
        let after = records.last().map(|(key, _)| key.clone());
        let scan = StoreOp::ScanRecords { arc, after, bytes_max: 150 };
        match disk.run(NOW, Ticket(0), &scan).unwrap().outcome {
            StoreOutcome::RecordsScanned { records: found, more: others } => {
                assert!(!found.is_empty() && found.len() < readable.len());
                records.extend(found);
                more = others;
            }
            outcome => assert_eq!(outcome, StoreOutcome::Failed(StoreError::Io)),
        }
    }
    let found: Vec<Key> = records.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(found, readable);
    assert!(records.iter().all(|(key, record)| disk.memory(key) == Some(record)));
}

#[test]
fn what_is_remembered_stays_with_a_sync_that_begins_after_it_or_a_clean_stop() {
    type Way = fn(&mut Disk);
    const LATER: Instant = Instant(3_600_000_000);
    fn peers() -> Vec<(NodeId, Remembered)> {
        vec![(NodeId(4), Remembered { mark: DurableMark(7), life: Incarnation(1) })]
    }
    fn remember(disk: &mut Disk) {
        let mark = disk.mark();
        assert!(disk.run(NOW, Ticket(1), &StoreOp::Remember(peers())).is_none());
        assert_eq!((disk.mark(), disk.begin_sync(LATER)), (mark, None), "it makes no commit");
    }
    fn begin(disk: &mut Disk) {
        let change = StoreOp::Apply { key: key(1), copy: HeldAs::Own, op: write(1, 100) };
        assert!(disk.run(NOW, Ticket(2), &change).is_some());
        assert!(disk.begin_sync(LATER).is_some());
    }
    let cases: [(Way, bool); 6] = [
        (remember, false),
        (
            |disk| {
                begin(disk);
                disk.to_keep = Some(peers());
                disk.end_sync(LATER);
            },
            false,
        ),
        (
            |disk| {
                remember(disk);
                begin(disk);
                disk.end_sync(LATER);
            },
            true,
        ),
        (
            |disk| {
                remember(disk);
                begin(disk);
                disk.crash(LATER, 1_000);
            },
            true,
        ),
        (
            |disk| {
                remember(disk);
                begin(disk);
                disk.crash(LATER, 0);
            },
            false,
        ),
        (
            |disk| {
                remember(disk);
                assert!(disk.close(LATER, NOW.unix, Vec::new()));
            },
            true,
        ),
    ];
    for (number, (way, stays)) in cases.into_iter().enumerate() {
        let mut disk = disk(DiskTemper::default());
        disk.open(NOW.instant, NOW.unix, Incarnation(1));
        way(&mut disk);
        disk.crash(LATER, 1_000);
        let found = disk.open(LATER, NOW.unix, Incarnation(2)).peers;
        assert_eq!(found, if stays { peers() } else { Vec::new() }, "case {number}");
    }
}
