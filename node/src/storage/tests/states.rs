//! States: the sum of all changes is what a scan finds, and scans go along the ring.

use std::collections::BTreeMap;

use quorate_core::machine::StateChange;
use quorate_core::merkle::{Figures, Forest, LeafCount, SavedTrees, State, transfer_bytes};
use quorate_core::prng::Prng;
use quorate_core::ring::{RingArc, SlotCount};

use super::*;

/// One number for all that is held of a piece of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    hash: u128,
    bytes: u64,
}

impl Bench {
    /// What became of the state of an own copy; `None`: nothing was applied.
    fn change(&mut self, ticket: Ticket) -> Option<StateChange> {
        match &self.outcomes(ticket)[..] {
            [StoreOutcome::Applied { state, .. }, StoreOutcome::Durable] => *state,
            [StoreOutcome::Refused(_)] => None,
            other => panic!("{other:?}"),
        }
    }

    fn states(
        &mut self,
        arc: RingArc,
        after: Option<Key>,
        count_max: usize,
    ) -> (Vec<(Key, State)>, bool) {
        match self.run(StoreOp::ScanStates { arc, after, count_max }) {
            StoreOutcome::StatesScanned { states, more } => (states, more),
            other => panic!("{other:?}"),
        }
    }

    fn records(
        &mut self,
        arc: RingArc,
        after: Option<Key>,
        bytes_max: usize,
    ) -> (Vec<(Key, Record)>, bool) {
        match self.run(StoreOp::ScanRecords { arc, after, bytes_max }) {
            StoreOutcome::RecordsScanned { records, more } => (records, more),
            other => panic!("{other:?}"),
        }
    }

    fn sum(&mut self) -> Sum {
        let (states, more) = self.states(RingArc::ALL, None, usize::MAX);
        assert!(!more);
        Sum::of(&states)
    }
}

impl Sum {
    fn of(states: &[(Key, State)]) -> Sum {
        states.iter().fold(Sum::default(), |sum, (_, state)| sum.with(State::NOTHING, *state))
    }

    fn with(self, before: State, after: State) -> Sum {
        Sum {
            hash: self.hash.wrapping_sub(before.hash.0).wrapping_add(after.hash.0),
            bytes: self.bytes + after.bytes - before.bytes,
        }
    }
}

fn added(sum: Sum, change: Option<StateChange>) -> Sum {
    change.map_or(sum, |StateChange { before, after, .. }| sum.with(before, after))
}

fn both(directory: &Path) -> [Bench; 2] {
    [Bench::memory(), Bench::fjall(directory)]
}

/// Puts, refusals, merges of what is new and of what is known, and hints, over a few keys.
fn any_change(prng: &mut Prng) -> StoreOp {
    let key = format!("key {}", prng.below(12));
    let value = format!("{}", prng.below(30));
    match prng.below(5) {
        0 | 1 => put(&key, &value, 100),
        2 => put(&key, &value, 1),
        3 => {
            let StoreOp::Apply { op, .. } = put(&key, &value, 100) else { panic!("an Apply") };
            let mut held = Held::new();
            held.apply(&op).unwrap();
            let op = RecordOp::Merge(held.into_record());
            StoreOp::Apply { key: name(&key), copy: HeldAs::Own, op }
        }
        _ => put_as(HeldAs::Hint { target: NodeId(4) }, &key, &value, 100),
    }
}

#[test]
fn all_changes_add_up_to_what_a_scan_finds() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut prng = Prng::new(5);
        let (mut sum, mut refused, mut unchanged) = (Sum::default(), 0, 0);
        for _ in 0..60 {
            // Many changes of one key in one turn, or one alone.
            let changes: Vec<StoreOp> =
                (0..=prng.below(12)).map(|_| any_change(&mut prng)).collect();
            let tickets: Vec<Ticket> = changes.into_iter().map(|op| bench.submit(op)).collect();
            for ticket in tickets {
                let change = bench.change(ticket);
                sum = added(sum, change);
                refused += u32::from(change.is_none());
                unchanged += u32::from(change.is_some_and(|change| change.before == change.after));
            }
            assert_eq!(sum, bench.sum());
        }
        assert!(refused > 0 && unchanged > 0, "{refused} {unchanged}");
    }
}

/// What a change of one key says of its size.
fn sizes(bench: &mut Bench, op: StoreOp) -> (u64, u64) {
    let ticket = bench.submit(op);
    let outcomes = bench.outcomes(ticket);
    let (StoreOutcome::Applied { state, .. } | StoreOutcome::Removed { state }) = &outcomes[0]
    else {
        panic!("{outcomes:?}")
    };
    state.map(|state| (state.before.bytes, state.after.bytes)).unwrap()
}

#[test]
fn each_change_says_how_long_the_record_was_and_is() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let size = |values: &[&str]| {
            let mut held = Held::new();
            for value in values {
                held.apply(&RecordOp::Write(blind("key", value))).unwrap();
            }
            (transfer_bytes(&name("key"), held.record()), held)
        };
        let ((short, _), (long, held)) = (size(&["1"]), size(&["1", "a longer value"]));
        assert_eq!(sizes(&mut bench, put("key", "1", 100)), (0, short));
        assert_eq!(sizes(&mut bench, put("key", "1", 100)), (short, short), "the same once more");
        assert_eq!(sizes(&mut bench, put("key", "a longer value", 100)), (short, long));

        let context = held.record().context();
        let write = Write { context, ..blind("key", "over") };
        let (op, mut held) = (RecordOp::Write(write), held);
        held.apply(&op).unwrap();
        let over = transfer_bytes(&name("key"), held.record());
        let own = |op| StoreOp::Apply { key: name("key"), copy: HeldAs::Own, op };
        assert_eq!(sizes(&mut bench, own(op)), (long, over));

        // What another coordinator wrote comes beside it.
        let theirs = RecordOp::Write(blind("key", "theirs"));
        let mut other = Held::new();
        other.apply(&theirs).unwrap();
        held.apply(&RecordOp::Merge(other.record().clone())).unwrap();
        let merged = transfer_bytes(&name("key"), held.record());
        let merge = RecordOp::Merge(other.into_record());
        assert_eq!(sizes(&mut bench, own(merge)), (over, merged));

        let state = tree_key().state(&name("key"), held.record());
        let remove = StoreOp::Remove { key: name("key"), state };
        assert_eq!(sizes(&mut bench, remove), (merged, 0));
        assert_eq!(bench.sum(), Sum::default());
    }
}

/// Trees that are told of changes, or of pages of a scan.
fn empty_trees() -> Forest {
    Forest::new(tree_key(), SlotCount::new(4).unwrap(), LeafCount::DEFAULT)
}

#[test]
fn figures_that_follow_all_changes_are_those_that_a_start_counts() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut prng = Prng::new(8);
        let mut followed = empty_trees();
        for _ in 0..300 {
            let ticket = bench.submit(any_change(&mut prng));
            if let Some(StateChange { position, before, after }) = bench.change(ticket) {
                followed.change(position, before, after);
            }
        }
        let (states, _) = bench.states(RingArc::ALL, None, usize::MAX);
        let mut counted = empty_trees();
        for (key, state) in &states {
            counted.change(Position::of(key.as_bytes()), State::NOTHING, *state);
        }
        let figures: Vec<_> = counted.figures().collect();
        assert_eq!(followed.figures().collect::<Vec<_>>(), figures);
        let records: u64 = figures.iter().map(|(_, figures)| figures.records).sum();
        assert_eq!(records, bench.storage.records());
        assert!(records > 6 && figures.len() > 1, "{figures:?}");
        assert!(figures.iter().all(|(_, figures)| *figures != Figures::default()));

        let saved = SavedTrees::encode(&followed).unwrap();
        let saved = SavedTrees::decode(&saved).unwrap();
        let saved = saved.into_forest(tree_key(), LeafCount::DEFAULT).unwrap();
        assert!(saved.figures().eq(counted.figures()), "and those that a stop saves");
    }
}

#[test]
fn each_change_begins_where_the_one_before_ended() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut prng = Prng::new(6);
        let mut last: BTreeMap<Position, State> = BTreeMap::new();
        for _ in 0..200 {
            let op = any_change(&mut prng);
            let StoreOp::Apply { key, copy, .. } = &op else { panic!("an Apply") };
            let (position, copy) = (Position::of(key.as_bytes()), *copy);
            let ticket = bench.submit(op);
            let Some(change) = bench.change(ticket) else { continue };
            assert_eq!(copy, HeldAs::Own, "a hint has no state");
            assert_eq!(change.position, position);
            let before = last.insert(position, change.after).unwrap_or_default();
            assert_eq!(change.before, before);
        }
        assert!(last.len() > 6, "{}", last.len());
    }
}

#[test]
fn a_scan_tells_exactly_the_changes_that_were_applied_before_it() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        // All of it in one turn: the scan stands between changes.
        let mut submitted = Vec::new();
        for n in 0..200 {
            submitted.push(bench.submit(put(&format!("key {}", n % 7), &format!("{n}"), 1_000)));
            if n % 20 == 10 {
                let (arc, count_max) = (RingArc::ALL, usize::MAX);
                submitted.push(bench.submit(StoreOp::ScanStates { arc, after: None, count_max }));
            }
        }
        bench.storage.flush();
        let (mut sum, mut scans, mut finished) = (Sum::default(), 0, 0);
        let mut answers = std::mem::take(&mut bench.ready);
        while finished < submitted.len() {
            for (_, outcome) in answers.drain(..) {
                match outcome {
                    StoreOutcome::Applied { state, .. } => sum = added(sum, state),
                    StoreOutcome::StatesScanned { states, .. } => {
                        assert_eq!(Sum::of(&states), sum);
                        (scans, finished) = (scans + 1, finished + 1);
                    }
                    StoreOutcome::Durable => finished += 1,
                    other => panic!("{other:?}"),
                }
            }
            if finished < submitted.len() {
                answers = bench.answers.recv_timeout(Duration::from_secs(10)).unwrap();
            }
        }
        assert_eq!(scans, 10);
    }
}

#[test]
fn a_directory_that_is_opened_again_has_the_states_that_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for n in 0..50 {
        bench.put(&format!("key {}", n % 20), &format!("{n}"));
    }
    let sum = bench.sum();
    let copy = killed(directory.path());
    let mut bench = Bench::fjall(copy.path());
    assert_eq!(bench.sum(), sum);
    let ticket = bench.submit(put("key 3", "more", 100));
    let change = bench.change(ticket);
    assert_eq!(bench.sum(), added(sum, change), "the state before it was read from the disk");
}

#[test]
fn a_scan_goes_along_the_ring_page_by_page_within_its_arc() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut keys: Vec<Key> = Vec::new();
        for n in 0..60 {
            bench.put(&format!("key {n}"), "value");
            bench.hint_beside(n);
            keys.push(name(&format!("key {n}")));
        }
        keys.sort_by_key(RecordKey::of);
        let at = |index: usize| Position::of(keys[index].as_bytes());
        let arcs = [
            (RingArc::ALL, 0..60),
            (RingArc { first: at(10), last: at(19) }, 10..20),
            (RingArc { first: Position(at(10).0 + 1), last: Position(at(19).0 - 1) }, 11..19),
            (RingArc { first: at(5), last: at(5) }, 5..6),
            (RingArc { first: Position(at(5).0 + 1), last: Position(at(6).0 - 1) }, 0..0),
            (RingArc { first: at(50), last: Position(u128::MAX) }, 50..60),
        ];
        for (arc, expected) in arcs {
            let expected = &keys[expected];
            for count_max in [0, 1, 7, 1_000] {
                let (mut found, mut more) = (Vec::new(), true);
                while more {
                    let (page, others) = bench.states(arc, found.last().cloned(), count_max);
                    assert!(page.len() <= count_max.max(1));
                    assert!(!others || page.len() == count_max.max(1));
                    found.extend(page.into_iter().map(|(key, _)| key));
                    more = others;
                }
                assert_eq!(found, expected);
            }
            for bytes_max in [0, 1, 300, 1 << 20] {
                let (mut found, mut more) = (Vec::new(), true);
                while more {
                    let (page, others) = bench.records(arc, found.last().cloned(), bytes_max);
                    assert!(!others || !page.is_empty());
                    assert!(page.iter().all(|(_, record)| values_of(record) == ["value"]));
                    found.extend(page.into_iter().map(|(key, _)| key));
                    more = others;
                }
                assert_eq!(found, expected);
            }
            let before = bench.states(arc, Some(keys[0].clone()), 1_000).0.len();
            let here = expected.iter().filter(|key| **key != keys[0]).count();
            assert_eq!(before, here, "a key before the arc leaves out nothing of it");
            let last = bench.states(arc, Some(keys[59].clone()), 1_000);
            assert_eq!(last, (Vec::new(), false), "nothing lies behind the last key");
        }
    }
}

impl Bench {
    fn hint_beside(&mut self, n: u32) {
        let copy = HeldAs::Hint { target: NodeId(9) };
        let ticket = self.submit(put_as(copy, &format!("key {n}"), "for another", 100));
        assert!(is_applied_then_durable(&self.outcomes(ticket)));
    }
}

#[test]
fn a_state_names_the_key_and_the_record_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let [mut memory, mut disk] = both(directory.path());
    for bench in [&mut memory, &mut disk] {
        for (key, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
            bench.put(key, value);
        }
    }
    let (of_memory, _) = memory.states(RingArc::ALL, None, 10);
    assert_eq!(of_memory, disk.states(RingArc::ALL, None, 10).0);
    let (records, _) = disk.records(RingArc::ALL, None, usize::MAX);
    let named = |(key, record): &(Key, Record)| (key.clone(), tree_key().sized_state(key, record));
    assert_eq!(of_memory, records.iter().map(named).collect::<Vec<_>>());
}

#[test]
fn a_damaged_record_is_left_out_of_a_scan() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for key in ["a", "b", "c", "d"] {
        bench.put(key, "1");
    }
    let (before, _) = bench.states(RingArc::ALL, None, 10);
    assert!(bench.storage.close());
    damage(directory.path(), "records", &RecordKey::of(&name("b")).0);

    let mut bench = Bench::fjall(directory.path());
    let readable = |key: &Key| *key != name("b");
    let expected: Vec<_> = before.into_iter().filter(|(key, _)| readable(key)).collect();
    assert_eq!(bench.states(RingArc::ALL, None, 10), (expected.clone(), false));
    let (records, more) = bench.records(RingArc::ALL, None, usize::MAX);
    assert_eq!((records.len(), more), (3, false));
    assert!(records.iter().all(|(key, _)| readable(key)));
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let (page, _) = bench.states(RingArc::ALL, after.clone(), 1);
        found.extend(page);
        after = found.last().map(|(key, _)| key.clone());
    }
    assert_eq!(found, expected, "page by page it is left out, too");
}

#[test]
fn after_a_failed_sync_nothing_is_scanned() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.storage.break_down(Health::Failed);
    let arc = RingArc::ALL;
    for op in [
        StoreOp::ScanStates { arc, after: None, count_max: 1 },
        StoreOp::ScanRecords { arc, after: None, bytes_max: 1 },
    ] {
        assert_eq!(bench.run(op), StoreOutcome::Failed(StoreError::Io));
    }
}
