//! Directories without a node: looked into, checked and backed up.

mod import;

use quorate_core::causality::Held;
use quorate_core::merkle::State;
use quorate_core::ring::RingArc;

use self::import::import;
use super::*;
use crate::backup::{BackupReader, Header};
use crate::storage::directory::SECOND_VIEW;
use crate::storage::hints::HintKey;
use crate::storage::offline::{Contents, Damaged, Importer, Part};

const TREES: &[u8] = b"trees, as far as a storage knows";

const TARGETS: [NodeId; 2] = [NodeId(4), NodeId(u64::MAX)];

/// A write of a value or tombstone that has seen `context`, with a life.
fn write(key: &str, payload: Payload, context: Context, expires: Option<UnixMs>) -> StoreOp {
    let write = blind(key, "");
    let checksum = Checksum::of(&payload);
    let sequence = write.request.sequence ^ checksum.0 ^ expires.map_or(0, |at| at.0);
    let newborn = Actor { birth: Birth(sequence), ..write.newborn };
    let request = RequestId { sequence, ..write.request };
    let write = Write { payload, checksum, context, expires, newborn, request, ..write };
    StoreOp::Apply { key: name(key), copy: HeldAs::Own, op: RecordOp::Write(write) }
}

impl Bench {
    fn apply(&mut self, op: StoreOp) {
        let ticket = self.submit(op);
        let outcomes = self.outcomes(ticket);
        assert!(matches!(outcomes[..], [StoreOutcome::Applied { .. }, StoreOutcome::Durable]));
    }

    fn all_states(&mut self) -> Vec<(Key, State)> {
        let scan = StoreOp::ScanStates { arc: RingArc::ALL, after: None, count_max: usize::MAX };
        match self.run(scan) {
            StoreOutcome::StatesScanned { states, .. } => states,
            other => panic!("{other:?}"),
        }
    }

    fn hints_for(&mut self, target: NodeId) -> Vec<(Key, Record)> {
        let find = StoreOp::FindHints { target, after: None, bytes_max: usize::MAX };
        match self.run(find) {
            StoreOutcome::HintsFound { hints, .. } => hints,
            other => panic!("{other:?}"),
        }
    }

    fn record(&mut self, key: &str) -> Option<Record> {
        match self.run(StoreOp::Read { key: name(key), hints: Vec::new() }) {
            StoreOutcome::Read { record } => record,
            other => panic!("{other:?}"),
        }
    }
}

/// A directory with 200 records, of which 40 have siblings, 20 are deleted and 30 have expired, and
/// 30 hints, after a clean stop.
fn stocked() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for n in 0..200 {
        let key = format!("key {n}");
        let value = |text: &str| Payload::Value(format!("{text} of {n}").into());
        let expires = match n {
            170..200 => Some(UnixMs(1_000)),
            150..170 => Some(UnixMs(u64::MAX)),
            _ => None,
        };
        bench.apply(write(&key, value("first"), Context::new(), expires));
        if n < 40 {
            bench.apply(write(&key, value("second"), Context::new(), None));
        }
        if (40..60).contains(&n) {
            let context = bench.record(&key).unwrap().context();
            bench.apply(write(&key, Payload::Tombstone, context, None));
        }
    }
    for n in 0..30 {
        let copy = HeldAs::Hint { target: TARGETS[n % 2] };
        bench.apply(put_as(copy, &format!("key {}", 190 + n), "for another", 100));
    }
    assert!(bench.stop_with(TREES));
    directory
}

fn exported(directory: &Path) -> Vec<u8> {
    let mut backup = Vec::new();
    let exported = Contents::open(directory).unwrap().export(&mut backup, || {}).unwrap();
    assert_eq!(exported.damaged.count(), 0);
    backup
}

fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    files.sort();
    files
}

/// The one key of all damaged ones.
fn only(damaged: &[Damaged]) -> (Part, Option<Key>) {
    let [Damaged { part, key, .. }] = damaged else { panic!("{damaged:?}") };
    (*part, key.clone())
}

#[test]
fn looking_into_a_directory_changes_no_byte_of_it() {
    let stocked = stocked();
    // The engine cuts off the room that it made in advance.
    drop(Contents::open(stocked.path()).unwrap());
    let before = files(stocked.path());
    for _ in 0..2 {
        let contents = Contents::open(stocked.path()).unwrap();
        let mut seen = 0;
        let verified = contents.verify(|| seen += 1).unwrap();
        assert_eq!((verified.records, verified.hints, seen), (200, 30, 230));
        assert_eq!(verified.damaged.count(), 0);
        assert!(contents.inventory(|| {}).unwrap().trees_saved);
        contents.export(Vec::new(), || {}).unwrap();
        assert!(contents.journals().iter().all(|journal| journal.scan.is_whole()));
        drop(contents);
        assert!(files(stocked.path()) == before, "a file has changed");
    }
    let mut bench = Bench::fjall(stocked.path());
    assert_eq!(bench.storage.take_trees().as_deref(), Some(TREES));
    drop(bench);
    let contents = Contents::open(stocked.path()).unwrap();
    assert!(!contents.inventory(|| {}).unwrap().trees_saved, "the start took them");
}

#[test]
fn looking_into_what_a_killed_process_left_loses_nothing_of_it() {
    let stocked = stocked();
    let mut bench = Bench::fjall(stocked.path());
    bench.put("key 3", "before the end");
    let (looked, never) = (killed(stocked.path()), killed(stocked.path()));
    let verified = Contents::open(looked.path()).unwrap().verify(|| {}).unwrap();
    assert_eq!((verified.records, verified.damaged.count()), (200, 0));
    assert_eq!(import::all_of(looked.path()), import::all_of(never.path()));
}

#[test]
fn an_inventory_counts_what_is_there() {
    let stocked = stocked();
    let contents = Contents::open(stocked.path()).unwrap();
    let found = contents.inventory(|| {}).unwrap();
    assert_eq!((found.records, found.siblings, found.dead, found.expired), (200, 40, 50, 30));
    assert_eq!(found.damaged, 0);
    let hints: Vec<_> = found.hints.iter().map(|(target, hints)| (*target, hints.hints)).collect();
    assert_eq!(hints, TARGETS.map(|target| (target, 15)));
    assert!(found.hints.values().all(|hints| hints.bytes > 15 * 11));
    let slots = found.slots.unwrap();
    let in_slots: u64 = slots.values().map(|counts| counts.records).sum();
    let bytes: u64 = slots.values().map(|counts| counts.bytes).sum();
    assert_eq!((in_slots, bytes), (200, found.record_bytes));
    assert!(slots.len() > 40 && slots.keys().all(|slot| slot.0 < 64), "{slots:?}");
    assert!(found.disk_bytes > found.record_bytes);

    let new = tempfile::tempdir().unwrap();
    drop(Directory::open(new.path()).unwrap());
    let contents = Contents::open(new.path()).unwrap();
    let found = contents.inventory(|| {}).unwrap();
    assert_eq!((found.records, found.slots), (0, None));
    assert!(contents.export(Vec::new(), || {}).is_err(), "it belongs to no cluster");
}

#[test]
fn what_is_damaged_is_named_and_all_else_is_exported() {
    let stocked = stocked();
    damage(stocked.path(), "records", &RecordKey::of(&name("key 7")).0);
    let hint = name("key 190");
    damage(stocked.path(), "hints", &HintKey::of(TARGETS[0], &hint).0);
    let contents = Contents::open(stocked.path()).unwrap();
    let verified = contents.verify(|| {}).unwrap();
    assert_eq!((verified.records, verified.hints), (199, 29));
    let named: Vec<_> = verified.damaged.named().iter().map(|it| (it.part, &it.key)).collect();
    let target = Some(TARGETS[0]);
    let expected =
        [(Part::Record, &Some(name("key 7"))), (Part::Hint { target }, &Some(hint.clone()))];
    assert_eq!(named, expected);
    assert_eq!(contents.inventory(|| {}).unwrap().damaged, 2);

    let mut backup = Vec::new();
    let exported = contents.export(&mut backup, || {}).unwrap();
    assert_eq!((exported.records, exported.hints), (199, 29));
    assert_eq!(exported.damaged, verified.damaged);
    let new = tempfile::tempdir().unwrap();
    let imported = import(&backup, new.path()).unwrap();
    assert_eq!((imported.records, imported.hints), (199, 29));
}

#[test]
fn each_kind_of_damage_is_found_even_under_a_whole_seal() {
    let at = |key: &str| RecordKey::of(&name(key)).0;
    let held =
        |value: &[u8]| quorate_core::codec::decode_held(Bytes::copy_from_slice(value)).unwrap();
    // Under the place of another key.
    let stocked = stocked();
    let moved = fs_value(stocked.path(), "key 8");
    change(stocked.path(), "records", &at("key 7"), |_| None);
    insert(stocked.path(), &[&at("key 7")[..16], b"key 8"].concat(), &moved);
    // A value that is not what its client wrote.
    let whole = held(&fs_value(stocked.path(), "key 100")).into_record();
    let histories = whole.histories().map(|(actor, history)| {
        let live = history.live().iter().map(|(counter, sibling)| {
            let mut sibling = sibling.clone();
            sibling.checksum.0 ^= 1;
            (*counter, sibling)
        });
        let (superseded, live) = (history.superseded().clone(), live.collect());
        let history =
            quorate_core::causality::History::from_parts(superseded, history.at(), live).unwrap();
        (actor, history)
    });
    let wrong = Held::from_parts(Record::from_histories(histories).unwrap(), None);
    change(stocked.path(), "records", &at("key 100"), |_| {
        Some(quorate_core::codec::encode_held(&wrong))
    });
    // A right to mint for an actor that the record does not know, as the last field of the message.
    change(stocked.path(), "records", &at("key 101"), |value| {
        let value = Bytes::from(value);
        let body = quorate_core::codec::unseal(1, &value).unwrap();
        Some(quorate_core::codec::seal(1, body.len(), |bytes| {
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(&[0x12, 0x00]);
        }))
    });
    let verified = Contents::open(stocked.path()).unwrap().verify(|| {}).unwrap();
    let mut keys: Vec<_> = verified.damaged.named().iter().map(|it| it.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, [None, Some(name("key 100")), Some(name("key 101"))]);
    assert_eq!(verified.records, 197);
}

fn fs_value(directory: &Path, key: &str) -> Vec<u8> {
    let mut found = Vec::new();
    change(directory, "records", &RecordKey::of(&name(key)).0, |value| {
        found.clone_from(&value);
        Some(value)
    });
    found
}

fn insert(directory: &Path, place: &[u8], value: &[u8]) {
    let database = Database::builder(directory.join("store")).open().unwrap();
    let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    records.insert(place, value).unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn the_walk_goes_around_blocks_that_the_engine_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let value = "x".repeat(1_000);
    let tickets: Vec<Ticket> =
        (0..2_000).map(|n| bench.submit(put(&format!("key {n}"), &value, 100))).collect();
    tickets.into_iter().for_each(|ticket| drop(bench.outcomes(ticket)));
    assert!(bench.storage.close());
    let database = Database::builder(directory.path().join("store")).open().unwrap();
    let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    records.rotate_memtable_and_wait().unwrap();
    drop((records, database));

    let (table, bytes) = files(directory.path())
        .into_iter()
        .max_by_key(|(path, bytes)| match path.extension() {
            Some(_) => 0,
            None => bytes.len(),
        })
        .unwrap();
    for parts in [vec![0], vec![40], vec![10, 50], vec![20, 21, 22, 23]] {
        let mut damaged = bytes.clone();
        for part in &parts {
            damaged[bytes.len() / 100 * part + 700] ^= 1;
        }
        fs::write(&table, damaged).unwrap();
        let contents = Contents::open(directory.path()).unwrap();
        let verified = contents.verify(|| {}).unwrap();
        let stretches = verified.damaged.count() as usize;
        assert!((1..=parts.len()).contains(&stretches), "{parts:?}: {:?}", verified.damaged);
        assert!(verified.records < 2_000 && verified.records > 1_700, "{}", verified.records);
        let mut backup = Vec::new();
        let exported = contents.export(&mut backup, || {}).unwrap();
        assert_eq!((exported.records, exported.damaged), (verified.records, verified.damaged));
    }
}

#[test]
fn a_journal_that_is_not_whole_is_told_and_left_for_the_next_start() {
    let stocked = stocked();
    drop(Contents::open(stocked.path()).unwrap());
    let journal = stocked.path().join("store/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 512].fill(0);
    fs::write(&journal, &bytes).unwrap();
    let before = files(stocked.path());
    {
        let contents = Contents::open(stocked.path()).unwrap();
        let [state] = contents.journals() else { panic!("{:?}", contents.journals()) };
        let broken = state.scan.broken_bytes() as usize;
        assert!(broken >= bytes.len() / 2 - 512 && broken < bytes.len(), "{:?}", state.scan);
        assert!(state.scan.batches_behind > 0, "{:?}", state.scan);
        let verified = contents.verify(|| {}).unwrap();
        assert!(verified.records > 0 && verified.records < 200, "{verified:?}");
        assert_eq!(verified.damaged.count(), 0, "what is left is whole");
        assert!(matches!(Contents::open(stocked.path()), Err(OpenError::InUse { .. })));
        assert!(matches!(Directory::open(stocked.path()), Err(OpenError::InUse { .. })));
        // What is made for a look goes with the next start, where a killed process left it.
        let left = killed(stocked.path());
        assert!(left.path().join(SECOND_VIEW).is_dir());
        drop(Directory::open(left.path()).unwrap());
        assert!(!left.path().join(SECOND_VIEW).exists());
    }
    assert!(before == files(stocked.path()));
    assert!(fs::read(&journal).unwrap() == bytes);
    assert!(Bench::fjall(stocked.path()).storage.close());
    let contents = Contents::open(stocked.path()).unwrap();
    assert!(contents.journals().iter().all(|journal| journal.scan.is_whole()));
}

#[test]
fn a_directory_that_is_in_use_or_none_or_of_another_format_is_told_as_that() {
    let stocked = stocked();
    let bench = Bench::fjall(stocked.path());
    assert!(matches!(Contents::open(stocked.path()), Err(OpenError::InUse { .. })));
    assert!(matches!(Importer::look(stocked.path()), Err(OpenError::InUse { .. })));
    assert!(bench.storage.close());
    let held = Importer::look(stocked.path()).unwrap();
    assert!(matches!(Contents::open(stocked.path()), Err(OpenError::InUse { .. })));
    drop(held);

    let other = tempfile::tempdir().unwrap();
    let absent = other.path().join("absent");
    assert!(matches!(Contents::open(&absent), Err(OpenError::NoData { .. })));
    assert!(!absent.exists());
    assert!(matches!(Contents::open(other.path()), Err(OpenError::NoData { .. })));
    assert_eq!(files(other.path()), []);
    fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(Contents::open(other.path()), Err(OpenError::NoData { .. })));
    assert!(matches!(Importer::look(other.path()), Err(OpenError::NoData { .. })));
    assert_eq!(files(other.path()).len(), 1);

    let old = tempfile::tempdir().unwrap();
    drop(Database::builder(old.path()).open().unwrap());
    assert!(matches!(Contents::open(old.path()), Err(OpenError::Format { .. })));

    fs::write(stocked.path().join("node.json"), "{\"format\": \"quorate 99\"}").unwrap();
    match Contents::open(stocked.path()).err() {
        Some(OpenError::Format { found, .. }) => assert_eq!(found, "quorate 99"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_backup_says_whose_it_is() {
    let stocked = stocked();
    let node = Directory::open(stocked.path()).unwrap().node();
    let backup = exported(stocked.path());
    let (_, header) = BackupReader::open(&backup[..]).unwrap();
    let Header { cluster, node: told, label, settings, layout, written_ms } = header;
    assert_eq!((cluster, told, label, settings), (CLUSTER, node, None, SETTINGS));
    assert!(layout.is_none() && written_ms > 1_700_000_000_000);
}
