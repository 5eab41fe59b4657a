//! Hints: kept apart from the own copies, found in order, removed only as they were handed over.

use quorate_core::causality::RecordDigest;
use quorate_core::machine::{HintCount, hint_bytes};

use super::*;
use crate::storage::hints::HintKey;

/// The greatest one has no target behind it.
const TARGETS: [NodeId; 3] = [NodeId(4), NodeId(5), NodeId(u64::MAX)];

const TARGET: NodeId = TARGETS[0];

impl Bench {
    fn hint(&mut self, target: NodeId, key: &str, value: &str) -> Option<HintChange> {
        let ticket = self.submit(hint(target, key, value));
        match &self.outcomes(ticket)[..] {
            [StoreOutcome::Applied { record: Some(_), hint, .. }, StoreOutcome::Durable] => *hint,
            other => panic!("{other:?}"),
        }
    }

    fn find(
        &mut self,
        target: NodeId,
        after: Option<Key>,
        bytes_max: usize,
    ) -> (Vec<(Key, Record)>, bool) {
        match self.run(StoreOp::FindHints { target, after, bytes_max }) {
            StoreOutcome::HintsFound { hints, more } => (hints, more),
            other => panic!("{other:?}"),
        }
    }

    /// The hint for a target and a key.
    fn found(&mut self, target: NodeId, key: &str) -> Option<Record> {
        let (hints, more) = self.find(target, None, usize::MAX);
        assert!(!more);
        hints.into_iter().find(|(found, _)| *found == name(key)).map(|(_, record)| record)
    }

    fn remove(&mut self, target: NodeId, key: &str, digest: RecordDigest) -> Option<u64> {
        match self.run(StoreOp::RemoveHint { target, key: name(key), digest }) {
            StoreOutcome::HintRemoved { bytes } => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn count(&mut self) -> Vec<HintCount> {
        match self.run(StoreOp::CountHints) {
            StoreOutcome::HintsCounted(counts) => counts,
            other => panic!("{other:?}"),
        }
    }
}

fn hint(target: NodeId, key: &str, value: &str) -> StoreOp {
    put_as(HeldAs::Hint { target }, key, value, 100)
}

/// A record that another node has.
fn record(key: &str, value: &str) -> Record {
    let StoreOp::Apply { op, .. } = put(key, value, 100) else { panic!("it is an Apply") };
    let mut held = Held::new();
    held.apply(&op).unwrap();
    held.into_record()
}

fn both(directory: &Path) -> [Bench; 2] {
    [Bench::memory(), Bench::fjall(directory)]
}

#[test]
fn a_hint_and_the_own_copy_of_a_key_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let [one, two, none] = TARGETS;
        bench.hint(one, "a", "for one");
        assert!(bench.values("a").is_empty());
        bench.put("a", "own");
        bench.hint(two, "a", "for two");
        assert_eq!(bench.values("a"), ["own"]);
        assert_eq!(values_of(&bench.found(one, "a").unwrap()), ["for one"]);
        assert_eq!(values_of(&bench.found(two, "a").unwrap()), ["for two"]);
        assert!(bench.found(none, "a").is_none());
        assert_eq!(bench.storage.records(), 1, "a hint is no record of this node's");
    }
}

#[test]
fn a_read_merges_the_hints_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let [one, two, none] = TARGETS;
        bench.put("a", "own");
        bench.hint(one, "a", "for one");
        bench.hint(two, "a", "for two");
        bench.hint(one, "b", "for one");
        assert_eq!(bench.values_with("a", &[one]), ["for one", "own"]);
        assert_eq!(bench.values_with("a", &[two, one]), ["for one", "for two", "own"]);
        assert_eq!(bench.values_with("a", &[none]), ["own"]);
        assert_eq!(bench.values_with("b", &[two, one]), ["for one"]);
        assert!(bench.values_with("c", &TARGETS).is_empty());
        assert_eq!(bench.values("a"), ["own"], "a merged answer is not kept as the own copy");
    }
}

#[test]
fn each_change_of_a_hint_says_what_became_of_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut before = None;
        for value in ["1", "22", "333"] {
            let change = bench.hint(TARGET, "a", value).expect("it is a hint");
            assert_eq!(change.before, before);
            let found = bench.found(TARGET, "a").unwrap();
            assert_eq!(change.after, hint_bytes(&name("a"), &found));
            before = Some(change.after);
        }
        let copy = HeldAs::Hint { target: TARGET };
        let op = RecordOp::Merge(record("a", "1"));
        let ticket = bench.submit(StoreOp::Apply { key: name("a"), copy, op });
        match &bench.outcomes(ticket)[..] {
            [
                StoreOutcome::Applied { applied, record: None, hint, state: None },
                StoreOutcome::Durable,
            ] => {
                assert!(!applied.changed);
                assert_eq!(*hint, before.map(|after| HintChange { before, after }));
            }
            other => panic!("{other:?}"),
        }
        let ticket = bench.submit(put("a", "own", 100));
        let outcomes = bench.outcomes(ticket);
        assert!(matches!(outcomes[0], StoreOutcome::Applied { hint: None, .. }), "{outcomes:?}");
    }
}

#[test]
fn a_refused_hint_leaves_things_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let copy = HeldAs::Hint { target: TARGET };
        let refused = bench.run(put_as(copy, "a", "1", 0));
        assert_eq!(refused, StoreOutcome::Refused(ApplyRefusal::Siblings { count: 1, max: 0 }));
        assert!(bench.found(TARGET, "a").is_none());
        bench.hint(TARGET, "a", "1");
        bench.run(put_as(copy, "a", "2", 1));
        assert_eq!(values_of(&bench.found(TARGET, "a").unwrap()), ["1"]);
    }
}

#[test]
fn hints_for_a_target_are_found_in_the_order_of_the_ring_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        for (index, target) in TARGETS.into_iter().enumerate() {
            for n in 0..20 {
                bench.hint(target, &format!("{index} {n}"), "value");
            }
        }
        for (index, target) in TARGETS.into_iter().enumerate() {
            let mut expected: Vec<Key> = (0..20).map(|n| name(&format!("{index} {n}"))).collect();
            expected.sort_by_key(RecordKey::of);
            for (bytes_max, pages) in [(0, 20), (1, 20), (150, 7), (1 << 20, 1)] {
                let (mut found, mut seen) = (Vec::new(), 0);
                loop {
                    let (page, more) = bench.find(target, found.last().cloned(), bytes_max);
                    let bytes: Vec<u64> =
                        page.iter().map(|(key, record)| hint_bytes(key, record)).collect();
                    let (_, but_last) = bytes.split_last().expect("a page is never empty");
                    assert!(but_last.iter().sum::<u64>() < bytes_max.max(1) as u64);
                    assert!(!more || bytes.iter().sum::<u64>() >= bytes_max as u64);
                    found.extend(page.into_iter().map(|(key, _)| key));
                    seen += 1;
                    assert!(seen <= pages, "{bytes_max}: a page too many");
                    if !more {
                        break;
                    }
                }
                assert_eq!(found, expected);
                assert_eq!(seen, pages, "{bytes_max}");
            }
            let last = bench.find(target, expected.last().cloned(), 1 << 20);
            assert_eq!(last, (Vec::new(), false));
        }
        assert_eq!(bench.find(NodeId(6), None, 1 << 20), (Vec::new(), false));
    }
}

#[test]
fn a_page_begins_behind_a_hint_that_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        for key in ["a", "b", "c"] {
            bench.hint(TARGET, key, "1");
        }
        let (first, _) = bench.find(TARGET, None, 1);
        let (gone, record) = &first[0];
        let key = String::from_utf8(gone.as_bytes().to_vec()).unwrap();
        assert!(bench.remove(TARGET, &key, record.digest()).is_some());
        let (rest, more) = bench.find(TARGET, Some(gone.clone()), 1 << 20);
        assert_eq!((rest.len(), more), (2, false));
        assert!(rest.iter().all(|(key, _)| key != gone));
    }
}

#[test]
fn a_hint_that_changed_since_it_was_handed_over_stays() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        bench.hint(TARGET, "a", "1");
        let handed_over = bench.found(TARGET, "a").unwrap();
        let change = bench.hint(TARGET, "a", "2").unwrap();
        assert_eq!(bench.remove(TARGET, "a", handed_over.digest()), None);
        let changed = bench.found(TARGET, "a").unwrap();
        assert_eq!(values_of(&changed), ["1", "2"]);

        assert_eq!(bench.remove(TARGETS[1], "a", changed.digest()), None);
        assert_eq!(bench.remove(TARGET, "a", changed.digest()), Some(change.after));
        assert!(bench.found(TARGET, "a").is_none());
        assert_eq!(bench.remove(TARGET, "a", changed.digest()), None);
        let again = bench.hint(TARGET, "a", "3").unwrap();
        assert_eq!(again.before, None);
    }
}

#[test]
fn operations_on_one_hint_in_one_turn_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let digest = record("a", "1").digest();
        let remove = StoreOp::RemoveHint { target: TARGET, key: name("a"), digest };
        let one = bench.submit(hint(TARGET, "a", "1"));
        let removed = bench.submit(remove.clone());
        let two = bench.submit(hint(TARGET, "a", "2"));
        let kept = bench.submit(remove);
        let three = bench.submit(hint(TARGET, "a", "3"));

        let bytes = hint_bytes(&name("a"), &record("a", "1"));
        let mut change = |ticket| match bench.outcomes(ticket).first() {
            Some(StoreOutcome::Applied { hint: Some(change), .. }) => *change,
            other => panic!("{other:?}"),
        };
        assert_eq!(change(one), HintChange { before: None, after: bytes });
        assert_eq!(change(two), HintChange { before: None, after: bytes });
        assert_eq!(change(three).before, Some(bytes));
        assert_eq!(bench.outcomes(removed), [StoreOutcome::HintRemoved { bytes: Some(bytes) }]);
        assert_eq!(bench.outcomes(kept), [StoreOutcome::HintRemoved { bytes: None }]);
        assert_eq!(values_of(&bench.found(TARGET, "a").unwrap()), ["2", "3"]);
    }
}

#[test]
fn hints_are_counted_by_target() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        assert_eq!(bench.count(), []);
        let mut expected = Vec::new();
        for (index, target) in TARGETS.into_iter().enumerate() {
            let mut count = HintCount { target, hints: 0, bytes: 0, damaged: 0 };
            for n in 0..=index {
                bench.put(&format!("{n}"), "own copies are not counted");
                let change = bench.hint(target, &format!("{n}"), "value").unwrap();
                count.hints += 1;
                count.bytes += change.after;
            }
            expected.push(count);
        }
        assert_eq!(bench.count(), expected);
        let record = bench.found(TARGET, "0").unwrap();
        bench.remove(TARGET, "0", record.digest());
        assert_eq!(bench.count(), expected[1..]);
    }
}

#[test]
fn hints_that_were_promised_outlive_a_killed_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for n in 0..100 {
        bench.hint(TARGET, &format!("key {n}"), "value");
    }
    let counted = bench.count();
    let copy = killed(directory.path());
    let mut bench = Bench::fjall(copy.path());
    assert_eq!(bench.count(), counted);
    assert_eq!(counted[0].hints, 100);
    for n in 0..100 {
        assert_eq!(bench.values_with(&format!("key {n}"), &[TARGET]), ["value"], "{n}");
        assert!(bench.values(&format!("key {n}")).is_empty(), "{n}");
    }
}

#[test]
fn a_damaged_hint_is_neither_handed_over_nor_removed_nor_absent() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let keys = ["a", "b", "c"];
    for key in keys {
        bench.hint(TARGET, key, "1");
    }
    let record = bench.found(TARGET, "b").unwrap();
    assert!(bench.storage.close());
    let place = HintKey::of(TARGET, &name("b")).0;
    damage(directory.path(), "hints", &place);

    let mut bench = Bench::fjall(directory.path());
    let (found, more) = bench.find(TARGET, None, usize::MAX);
    assert_eq!((found.len(), more), (2, false));
    assert!(found.iter().all(|(key, _)| *key != name("b")));
    assert_eq!((bench.count()[0].hints, bench.count()[0].damaged), (2, 1));
    let (key, digest) = (name("b"), record.digest());
    let damaged = StoreOutcome::Failed(StoreError::Damaged);
    for op in [
        StoreOp::RemoveHint { target: TARGET, key: key.clone(), digest },
        StoreOp::Read { key, hints: vec![TARGET] },
        hint(TARGET, "b", "2"),
    ] {
        assert_eq!(bench.run(op), damaged);
    }
    assert!(
        is_applied_then_durable(&bench.put("b", "own")),
        "the own copy has nothing to do with it"
    );
    assert_eq!(bench.values("b"), ["own"]);
    assert!(bench.storage.close());

    damage(directory.path(), "hints", &place);
    let mut bench = Bench::fjall(directory.path());
    assert_eq!(bench.found(TARGET, "b"), Some(record), "it stays where it is");
}

#[test]
fn after_a_failed_sync_nothing_is_said_of_hints() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.hint(TARGET, "a", "1");
    let digest = bench.found(TARGET, "a").unwrap().digest();
    bench.storage.break_down(Health::Failed);
    for op in [
        hint(TARGET, "a", "2"),
        StoreOp::Read { key: name("a"), hints: vec![TARGET] },
        StoreOp::FindHints { target: TARGET, after: None, bytes_max: 1 },
        StoreOp::RemoveHint { target: TARGET, key: name("a"), digest },
        StoreOp::CountHints,
    ] {
        assert_eq!(bench.run(op), StoreOutcome::Failed(StoreError::Io));
    }
}
