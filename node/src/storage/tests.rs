//! Both engines through the executor, and what the disk must survive.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ::fjall::{Database, KeyspaceCreateOptions, PersistMode};
use bytes::Bytes;
use quorate_core::causality::{
    Actor, ApplyRefusal, Birth, Checksum, Context, Payload, RecordOp, Write,
};
use quorate_core::ids::{ClusterId, Incarnation, NodeId, RequestId};
use quorate_core::time::UnixMs;

use super::*;

const IDENTITY: Identity = Identity { cluster: ClusterId(7), node: NodeId(1) };

/// A storage whose answers come one after the other, whichever thread gives them.
struct Bench {
    storage: Storage,
    answers: Receiver<Vec<Answer>>,
    ready: Vec<Answer>,
    ticket: u64,
}

impl Bench {
    fn memory() -> Bench {
        let (_, answers) = mpsc::channel();
        Bench { storage: Storage::memory(), answers, ready: Vec::new(), ticket: 0 }
    }

    fn fjall(directory: &Path) -> Bench {
        Bench::open(directory, IDENTITY, Durability::Group).unwrap()
    }

    fn open(
        directory: &Path,
        identity: Identity,
        durability: Durability,
    ) -> Result<Bench, OpenError> {
        let (sender, answers) = mpsc::channel();
        let directory = directory.to_owned();
        let options = FjallOptions { directory, identity, durability, cache_bytes: 1 << 20 };
        let storage = Storage::fjall(options, Arc::new(move |answers| drop(sender.send(answers))))?;
        Ok(Bench { storage, answers, ready: Vec::new(), ticket: 0 })
    }

    fn submit(&mut self, op: StoreOp) -> Ticket {
        self.ticket += 1;
        let ticket = Ticket(self.ticket);
        self.storage.submit(ticket, op, &mut self.ready);
        ticket
    }

    /// The outcomes of `ticket`, up to the last one.
    fn outcomes(&mut self, ticket: Ticket) -> Vec<StoreOutcome> {
        self.storage.flush();
        let mut outcomes: Vec<StoreOutcome> = Vec::new();
        while outcomes.last().is_none_or(|last| matches!(last, StoreOutcome::Applied { .. })) {
            let found = self.ready.iter().position(|(of, _)| *of == ticket);
            match found {
                Some(found) => outcomes.push(self.ready.remove(found).1),
                None => {
                    let more = self.answers.recv_timeout(Duration::from_secs(10));
                    self.ready.extend(more.expect("each operation is answered"));
                }
            }
        }
        outcomes
    }

    fn put(&mut self, key: &str, value: &str) -> Vec<StoreOutcome> {
        let ticket = self.submit(put(key, value, 100));
        self.outcomes(ticket)
    }

    fn values(&mut self, key: &str) -> Vec<String> {
        let ticket = self.submit(StoreOp::Read { key: Key::from(key.as_bytes().to_vec()) });
        match &self.outcomes(ticket)[..] {
            [StoreOutcome::Read { record: None }] => Vec::new(),
            [StoreOutcome::Read { record: Some(record) }] => {
                let mut values: Vec<String> =
                    record.values().iter().map(|sibling| text(&sibling.payload)).collect();
                values.sort();
                values
            }
            other => panic!("{other:?}"),
        }
    }
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Value(value) => String::from_utf8_lossy(value).into_owned(),
        Payload::Tombstone => "(deleted)".into(),
    }
}

/// A blind put: each adds a sibling.
fn put(key: &str, value: &str, siblings_max: usize) -> StoreOp {
    let payload = Payload::Value(Bytes::from(value.to_owned()));
    let sequence = Checksum::of_value(format!("{key}={value}").as_bytes()).0;
    let write = Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId { client: 1, sequence },
        newborn: Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(sequence) },
        siblings_max,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(1),
    };
    StoreOp::Apply { key: Key::from(key.as_bytes().to_vec()), op: RecordOp::Write(write) }
}

fn is_applied_then_durable(outcomes: &[StoreOutcome]) -> bool {
    matches!(outcomes, [StoreOutcome::Applied { record: Some(_), .. }, StoreOutcome::Durable])
}

#[test]
fn both_engines_apply_then_promise_and_read_what_they_applied() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in [Bench::memory(), Bench::fjall(directory.path())] {
        assert!(bench.values("a").is_empty());
        assert!(is_applied_then_durable(&bench.put("a", "1")));
        assert!(is_applied_then_durable(&bench.put("a", "2")));
        assert_eq!(bench.values("a"), ["1", "2"]);
        assert!(bench.values("b").is_empty());
        assert_eq!(bench.storage.records(), 1);
        assert!(bench.storage.close());
    }
}

#[test]
fn many_writes_of_one_key_in_one_turn_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let tickets: Vec<Ticket> =
        (0..50).map(|n| bench.submit(put("a", &format!("{n:02}"), 100))).collect();
    for ticket in tickets {
        assert!(is_applied_then_durable(&bench.outcomes(ticket)));
    }
    let expected: Vec<String> = (0..50).map(|n| format!("{n:02}")).collect();
    assert_eq!(bench.values("a"), expected);
}

#[test]
fn a_refusal_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in [Bench::memory(), Bench::fjall(directory.path())] {
        let ticket = bench.submit(put("a", "1", 0));
        let refusal = StoreOutcome::Refused(ApplyRefusal::Siblings { count: 1, max: 0 });
        assert_eq!(bench.outcomes(ticket), [refusal]);
        assert!(bench.values("a").is_empty());
        assert_eq!(bench.storage.records(), 0);
    }
}

#[test]
fn a_directory_keeps_its_records() {
    let directory = tempfile::tempdir().unwrap();
    for durability in [Durability::Group, Durability::Periodic] {
        let mut bench = Bench::open(directory.path(), IDENTITY, durability).unwrap();
        for n in 0..100 {
            assert!(is_applied_then_durable(&bench.put(&format!("key {n}"), "value")));
        }
        assert!(bench.storage.close());
    }
    let mut bench = Bench::fjall(directory.path());
    for n in 0..100 {
        assert_eq!(bench.values(&format!("key {n}")), ["value"], "{n}");
    }
}

#[test]
fn a_directory_of_another_node_or_cluster_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Bench::fjall(directory.path()).storage.close());
    for other in
        [Identity { node: NodeId(2), ..IDENTITY }, Identity { cluster: ClusterId(8), ..IDENTITY }]
    {
        let error = Bench::open(directory.path(), other, Durability::Group).err();
        assert!(matches!(error, Some(OpenError::Foreign { .. })), "{error:?}");
    }
    assert!(Bench::open(directory.path(), IDENTITY, Durability::Group).is_ok());
}

#[test]
fn a_directory_in_use_and_one_with_other_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _open = Bench::fjall(directory.path());
    let error = Bench::open(directory.path(), IDENTITY, Durability::Group).err();
    assert!(matches!(error, Some(OpenError::InUse { .. })), "{error:?}");

    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
    let error = Bench::open(other.path(), IDENTITY, Durability::Group).err();
    assert!(matches!(error, Some(OpenError::NotEmpty { .. })), "{error:?}");
}

#[test]
fn a_damaged_record_is_neither_absent_nor_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.put("b", "1");
    assert!(bench.storage.close());
    damage(directory.path(), "a");

    let mut bench = Bench::fjall(directory.path());
    let damaged = [StoreOutcome::Failed(StoreError::Damaged)];
    let read = StoreOp::Read { key: "a".into() };
    let (first, write, second) =
        (bench.submit(read.clone()), bench.submit(put("a", "2", 100)), bench.submit(read));
    for ticket in [first, write, second] {
        assert_eq!(bench.outcomes(ticket), damaged);
    }
    assert_eq!(bench.values("b"), ["1"], "one damaged record harms no other");
    assert!(is_applied_then_durable(&bench.put("b", "2")));
}

/// Flips one bit in the middle of what is stored of a key.
fn damage(directory: &Path, key: &str) {
    let database = Database::builder(directory).open().unwrap();
    let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    let key = RecordKey::of(&Key::from(key.as_bytes().to_vec()));
    let mut value = records.get(&key.0).unwrap().expect("it was put").to_vec();
    let middle = value.len() / 2;
    value[middle] ^= 1;
    records.insert(key.0, value).unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
    fjall.break_down();
    assert!(!bench.storage.is_healthy());
    let failed = [StoreOutcome::Failed(StoreError::Io)];
    assert_eq!(bench.put("a", "2"), failed);
    let read = bench.submit(StoreOp::Read { key: "a".into() });
    assert_eq!(bench.outcomes(read), failed);
    assert!(!bench.storage.close());
}

#[test]
fn record_keys_stand_in_the_order_of_the_ring() {
    let mut keys: Vec<Key> = (0..100).map(|n| Key::from(format!("k{n}").into_bytes())).collect();
    keys.sort_by_key(RecordKey::of);
    let positions: Vec<Position> = keys.iter().map(|key| Position::of(key.as_bytes())).collect();
    assert!(positions.is_sorted());
}
