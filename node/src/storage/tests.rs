//! Both engines through the executor, and what the disk must survive.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one outcome")]

mod ahead;

mod collection;

mod directory;

mod hints;

mod losses;

mod offline;

mod peers;

mod room;

mod states;

mod trees;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ::fjall::{Database, KeyspaceCreateOptions, PersistMode};
use bytes::Bytes;
use quorate_core::causality::{
    Actor, ApplyRefusal, Birth, Checksum, Context, Payload, Record, Write,
};
use quorate_core::ids::{ClusterId, Incarnation, NodeId, RequestId};
use quorate_core::machine::HeldAs;
use quorate_core::time::UnixMs;

use super::*;

const CLUSTER: ClusterId = ClusterId(7);

pub(crate) const SETTINGS: Settings = Settings {
    r: 2,
    w: 2,
    strict: false,
    allow_weak: false,
    replication: Some(3),
    slots: Some(64),
};

fn tree_key() -> TreeKey {
    TreeKey::derive(CLUSTER, b"secret")
}

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
        Bench { storage: Storage::memory(tree_key()), answers, ready: Vec::new(), ticket: 0 }
    }

    fn fjall(directory: &Path) -> Bench {
        Bench::open(directory, Durability::Group).unwrap()
    }

    fn open(directory: &Path, durability: Durability) -> Result<Bench, OpenError> {
        Bench::with(
            directory,
            FjallOptions { durability, cache_bytes: 1 << 20, ..FjallOptions::default() },
        )
    }

    fn with(directory: &Path, options: FjallOptions) -> Result<Bench, OpenError> {
        let (sender, answers) = mpsc::channel();
        let directory = Directory::open(directory)?.adopt(CLUSTER, SETTINGS)?;
        let answer: Answers = Arc::new(move |answers| drop(sender.send(answers)));
        let storage = Storage::fjall(&directory, options, tree_key(), answer)?;
        Ok(Bench { storage, answers, ready: Vec::new(), ticket: 0 })
    }

    /// The only outcome of an operation.
    fn run(&mut self, op: StoreOp) -> StoreOutcome {
        let ticket = self.submit(op);
        let mut outcomes = self.outcomes(ticket);
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
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

    /// Stops as it should, with trees to be found again.
    fn stop_with(self, trees: &[u8]) -> bool {
        self.storage.stop(CleanStop { lives: Vec::new(), trees: Some(trees) })
    }

    fn put(&mut self, key: &str, value: &str) -> Vec<StoreOutcome> {
        let ticket = self.submit(put(key, value, 100));
        self.outcomes(ticket)
    }

    /// What is read of the node's own copy.
    fn values(&mut self, key: &str) -> Vec<String> {
        self.values_with(key, &[])
    }

    /// What is read of the own copy and the hints for some targets.
    fn values_with(&mut self, key: &str, hints: &[NodeId]) -> Vec<String> {
        let read = StoreOp::Read { key: name(key), hints: hints.to_vec() };
        match self.run(read) {
            StoreOutcome::Read { record: None } => Vec::new(),
            StoreOutcome::Read { record: Some(record) } => values_of(&record),
            other => panic!("{other:?}"),
        }
    }
}

fn name(key: &str) -> Key {
    Key::from(key.as_bytes().to_vec())
}

fn values_of(record: &Record) -> Vec<String> {
    let mut values: Vec<String> =
        record.values().iter().map(|sibling| text(&sibling.payload)).collect();
    values.sort();
    values
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Value(value) => String::from_utf8_lossy(value).into_owned(),
        Payload::Tombstone => "(deleted)".into(),
    }
}

/// A blind put: each adds a sibling.
fn put(key: &str, value: &str, siblings_max: usize) -> StoreOp {
    put_as(HeldAs::Own, key, value, siblings_max)
}

fn put_as(copy: HeldAs, key: &str, value: &str, siblings_max: usize) -> StoreOp {
    let op = RecordOp::Write(Write { siblings_max, ..blind(key, value) });
    StoreOp::Apply { key: name(key), copy, op }
}

/// A write that has seen nothing, under a name of its own.
pub(super) fn blind(key: &str, value: &str) -> Write {
    let payload = Payload::Value(Bytes::from(value.to_owned()));
    let sequence = Checksum::of_value(format!("{key}={value}").as_bytes()).0;
    Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId { client: 1, sequence },
        newborn: Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(sequence) },
        continued: [].into(),
        siblings_max: 100,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(1),
    }
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
        let mut bench = Bench::open(directory.path(), durability).unwrap();
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
fn a_damaged_record_is_neither_absent_nor_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.put("b", "1");
    assert!(bench.storage.close());
    damage(directory.path(), "records", &RecordKey::of(&name("a")).0);

    let mut bench = Bench::fjall(directory.path());
    let damaged = [StoreOutcome::Failed(StoreError::Damaged)];
    let read = StoreOp::Read { key: "a".into(), hints: Vec::new() };
    let (first, write, second) =
        (bench.submit(read.clone()), bench.submit(put("a", "2", 100)), bench.submit(read));
    for ticket in [first, write, second] {
        assert_eq!(bench.outcomes(ticket), damaged);
    }
    assert_eq!(bench.values("b"), ["1"], "one damaged record harms no other");
    assert!(is_applied_then_durable(&bench.put("b", "2")));
}

/// What a process that is killed at this moment leaves behind.
fn killed(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_files(directory, copy.path());
    copy
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_files(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Flips one bit in the middle of what a directory that nobody has open stores under a key.
fn damage(directory: &Path, keyspace: &str, key: &[u8]) {
    change(directory, keyspace, key, |mut value| {
        let middle = value.len() / 2;
        value[middle] ^= 1;
        Some(value)
    });
}

fn change(
    directory: &Path,
    keyspace: &str,
    key: &[u8],
    change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
) {
    let database = Database::builder(directory.join("store")).open().unwrap();
    let keyspace = database.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap();
    let value = keyspace.get(key).unwrap().expect("it was stored").to_vec();
    match change(value) {
        Some(value) => keyspace.insert(key, value).unwrap(),
        None => keyspace.remove(key).unwrap(),
    }
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.storage.break_down(Health::Failed);
    assert!(!bench.storage.is_healthy());
    let failed = [StoreOutcome::Failed(StoreError::Io)];
    assert_eq!(bench.put("a", "2"), failed);
    let read = bench.submit(StoreOp::Read { key: "a".into(), hints: Vec::new() });
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
