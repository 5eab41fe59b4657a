//! What other threads do for the writer, and reads that several threads share.

use super::super::loader::Loader;
use super::*;
use crate::mailbox::lock;

fn shared(bench: &Bench) -> Arc<fjall::Shared> {
    let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
    fjall.shared()
}

fn load(bench: &Bench, keys: &[&str]) {
    let (sender, receiver) = flume::unbounded();
    let loader = Loader::new(shared(bench), receiver);
    sender.send(keys.iter().map(|key| RecordKey::of(&name(key))).collect()).unwrap();
    drop(sender);
    loader.run();
}

/// What the cache says of a key.
fn cached(bench: &Bench, key: &str) -> Option<Vec<String>> {
    let shared = shared(bench);
    let mut cache = lock(&shared.cache);
    let copy = cache.get(&RecordKey::of(&name(key)))?;
    Some(copy.record().map(values_of).unwrap_or_default())
}

#[test]
fn what_is_loaded_is_known_to_be_there_or_not_and_damage_is_left_to_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.put("rotten", "1");
    assert!(bench.storage.close());
    damage(directory.path(), "records", &RecordKey::of(&name("rotten")).0);

    let mut bench = Bench::fjall(directory.path());
    load(&bench, &["a", "absent", "rotten"]);
    assert_eq!(cached(&bench, "a"), Some(vec!["1".into()]));
    assert_eq!(cached(&bench, "absent"), Some(Vec::new()));
    assert_eq!(cached(&bench, "rotten"), None);
    assert!(bench.storage.is_healthy());
    assert!(is_applied_then_durable(&bench.put("absent", "2")));
    assert!(is_applied_then_durable(&bench.put("a", "2")));
    load(&bench, &["a", "absent"]);
    assert_eq!(bench.values("a"), ["1", "2"]);
    assert_eq!(bench.values("absent"), ["2"]);
}

#[test]
fn writes_of_many_records_that_are_not_cached_find_what_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let keys: Vec<String> = (0..200).map(|n| format!("key {n}")).collect();
    for round in ["1", "2", "3"] {
        let tickets: Vec<Ticket> =
            keys.iter().map(|key| bench.submit(put(key, round, 100))).collect();
        for ticket in tickets {
            assert!(is_applied_then_durable(&bench.outcomes(ticket)));
        }
        assert!(bench.storage.close());
        bench = Bench::fjall(directory.path());
    }
    let reads = keys.iter().map(|key| StoreOp::Read { key: name(key), hints: Vec::new() });
    let tickets: Vec<Ticket> = reads.map(|read| bench.submit(read)).collect();
    for ticket in tickets {
        match &bench.outcomes(ticket)[..] {
            [StoreOutcome::Read { record: Some(record) }] => {
                assert_eq!(values_of(record), ["1", "2", "3"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_write_that_changes_nothing_is_promised_behind_what_it_repeats() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let shared = shared(&bench);
    let syncing = shared.hold_syncs();
    let first = bench.submit(put("a", "1", 100));
    bench.storage.flush();
    let (_, applied) = bench.answers.recv().unwrap().remove(0);
    let StoreOutcome::Applied { record: Some(record), .. } = applied else { panic!("{applied:?}") };
    let again = StoreOp::Apply { key: name("a"), copy: HeldAs::Own, op: RecordOp::Merge(record) };
    let second = bench.submit(again);
    bench.storage.flush();
    let (ticket, applied) = bench.answers.recv().unwrap().remove(0);
    assert_eq!(ticket, second);
    assert!(matches!(applied, StoreOutcome::Applied { .. }), "{applied:?}");
    let early = bench.answers.recv_timeout(Duration::from_millis(50));
    assert!(early.is_err(), "nothing is durable while nothing is synced: {early:?}");
    drop(syncing);
    for ticket in [first, second] {
        assert_eq!(bench.outcomes(ticket), [StoreOutcome::Durable]);
    }
    assert!(bench.storage.close());
}

#[test]
fn what_nobody_waits_for_is_synced_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    let shared = shared(&bench);
    let state = {
        let mut cache = lock(&shared.cache);
        let copy = cache.get(&RecordKey::of(&name("a"))).unwrap();
        copy.state(&tree_key(), &name("a")).hash
    };
    let removed = bench.run(StoreOp::Remove { key: name("a"), state });
    assert!(matches!(removed, StoreOutcome::Removed { state: Some(_) }), "{removed:?}");
    let committed = shared.marks.committed();
    let is_synced = || {
        std::thread::sleep(Duration::from_millis(1));
        shared.marks.synced() == committed
    };
    assert!((0..10_000).any(|_| is_synced()));
}
