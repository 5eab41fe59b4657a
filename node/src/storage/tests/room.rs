//! A disk that is full, told by a test and for real.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_core::causality::RecordOp;
use quorate_core::prng::Prng;
use quorate_core::ring::RingArc;

use super::*;
use crate::storage::fjall::{Fjall, Shared};
use crate::storage::space::Space;
use crate::storage::watchdog::Task;

const RESERVE: u64 = 10 << 20;

const FULL: StoreOutcome = StoreOutcome::Failed(StoreError::Full);

/// A storage on a disk that has as much room as a test says.
fn bench_with(free: &Arc<AtomicU64>, directory: &Path) -> Bench {
    let free = Arc::clone(free);
    let space = Box::new(move || Ok(Space { free: free.load(Ordering::Relaxed), total: 1 << 30 }));
    let (sender, answers) = mpsc::channel();
    let directory = Directory::open(directory).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let options = FjallOptions { reserve_bytes: Some(RESERVE), ..FjallOptions::default() };
    let answer: Answers = Arc::new(move |answers| drop(sender.send(answers)));
    let fjall = Fjall::open_in(space, &directory, options, tree_key(), answer).unwrap();
    let storage = Storage { engine: Engine::Fjall(Box::new(fjall)) };
    Bench { storage, answers, ready: Vec::new(), ticket: 0 }
}

fn is_full(bench: &Bench) -> bool {
    bench.storage.gauges().unwrap().is_full
}

#[test]
fn on_a_full_disk_what_grows_is_refused_and_all_else_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1 << 29));
    let mut bench = bench_with(&free, directory.path());
    let hint = HeldAs::Hint { target: NodeId(9) };
    assert!(is_applied_then_durable(&bench.put("a", "1")));
    let StoreOutcome::Read { record: Some(record) } =
        bench.run(StoreOp::Read { key: name("a"), hints: Vec::new() })
    else {
        panic!("it is there")
    };
    let hinted = bench.submit(put_as(hint, "b", "1", 100));
    assert!(is_applied_then_durable(&bench.outcomes(hinted)));
    let digest = match bench.run(StoreOp::FindHints {
        target: NodeId(9),
        after: None,
        bytes_max: 1 << 20,
    }) {
        StoreOutcome::HintsFound { hints, .. } => hints[0].1.digest(),
        other => panic!("{other:?}"),
    };

    free.store(RESERVE - 1, Ordering::Relaxed);
    // It does not look at each turn where there was plenty.
    let refused = (0..100_000).any(|_| bench.put("probe", "1") == [FULL]);
    assert!(refused);
    let merge = |copy| StoreOp::Apply { key: name("c"), copy, op: RecordOp::Merge(record.clone()) };
    for op in [put("a", "2", 100), put_as(hint, "b", "2", 100), merge(HeldAs::Own), merge(hint)] {
        assert_eq!(bench.run(op), FULL);
    }
    assert!(is_full(&bench) && bench.storage.is_healthy());
    assert_eq!((bench.values("a"), bench.values("c").len()), (vec!["1".to_owned()], 0));
    let remove = StoreOp::RemoveHint { target: NodeId(9), key: name("b"), digest };
    assert!(matches!(bench.run(remove), StoreOutcome::HintRemoved { bytes: Some(_) }));
    let confirm = StoreOp::Confirm { keys: vec![name("a")], hints: vec![NodeId(9)] };
    assert!(matches!(bench.run(confirm), StoreOutcome::Confirmed(_)));
    let scan = StoreOp::ScanRecords { arc: RingArc::ALL, after: None, bytes_max: 1 << 20 };
    assert!(matches!(bench.run(scan), StoreOutcome::RecordsScanned { .. }));

    free.store(1 << 29, Ordering::Relaxed);
    while is_full(&bench) {
        // Nobody writes: it finds out by itself.
        std::thread::yield_now();
    }
    assert_eq!(bench.storage.gauges().unwrap().free_bytes, 1 << 29);
    assert!(is_applied_then_durable(&bench.put("a", "2")));
    assert!(bench.storage.close());
}

/// A file system of its own, that goes with it.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, megabytes: u32) -> Option<Mount> {
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(at).output();
        mounted.is_ok_and(|told| told.status.success()).then(|| Mount(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_disk_that_fills_up_nothing_that_was_acknowledged_is_lost_and_writes_come_back() {
    let place = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(place.path(), 128) else {
        println!("only root may mount a file system: left out");
        return;
    };
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![1; 60 << 20]).unwrap();
    let data = mount.0.join("data");
    let (sender, answers) = mpsc::channel();
    let engine = EngineOptions { memtable_bytes: 1 << 20, ..EngineOptions::default() };
    let options = FjallOptions { engine, ..FjallOptions::default() };
    let answer: Answers = Arc::new(move |answers| drop(sender.send(answers)));
    let opened = Directory::open(&data).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let storage = Storage::fjall(&opened, options, tree_key(), answer).unwrap();
    let mut bench = Bench { storage, answers, ready: Vec::new(), ticket: 0 };

    let mut prng = Prng::new(1);
    let mut noise =
        || -> String { (0..8 << 10).map(|_| char::from(b'!' + prng.below(90) as u8)).collect() };
    let mut stored: Vec<String> = Vec::new();
    let mut write = |bench: &mut Bench, stored: &mut Vec<String>| {
        let value = noise();
        let outcomes = bench.put(&format!("key {}", stored.len()), &value);
        if is_applied_then_durable(&outcomes) {
            stored.push(value);
            return true;
        }
        assert_eq!(outcomes, [FULL]);
        false
    };
    while write(&mut bench, &mut stored) {
        assert!(stored.len() < 10_000, "the disk is full at some time");
    }
    assert!(stored.len() > 500, "{}", stored.len());
    for (n, value) in stored.iter().enumerate() {
        assert_eq!(bench.values(&format!("key {n}")), [value.as_str()]);
    }
    assert!(bench.storage.is_healthy() && is_full(&bench));

    fs::remove_file(&ballast).unwrap();
    let more = stored.len() + 500;
    while stored.len() < more {
        write(&mut bench, &mut stored);
    }
    assert!(bench.storage.close());
    drop(opened);
    let mut bench = Bench::fjall(&data);
    for (n, value) in stored.iter().enumerate() {
        assert_eq!(bench.values(&format!("key {n}")), [value.as_str()]);
    }
    assert!(bench.storage.close());
}

#[test]
fn the_writer_notes_what_it_does_and_that_it_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let shared: Arc<OnceLock<Arc<Shared>>> = Arc::default();
    let (sender, tasks) = mpsc::channel();
    let looks = Arc::clone(&shared);
    let answer: Answers = Arc::new(move |answers| {
        let task = looks.get().and_then(|shared| shared.writing.task());
        drop(sender.send((answers[0].1.clone(), task)));
    });
    let mut storage = Storage::fjall(&opened, FjallOptions::default(), tree_key(), answer).unwrap();
    let Engine::Fjall(fjall) = &storage.engine else { panic!("it is on a disk") };
    shared.set(fjall.shared()).ok().unwrap();
    let writing = Arc::clone(&shared.get().unwrap().writing);
    assert_eq!(writing.task(), None);
    storage.submit(Ticket(1), put("a", "1", 100), &mut Vec::new());
    storage.flush();
    assert_eq!(tasks.recv().unwrap().1, Some(Task::Commit));
    assert_eq!(tasks.recv().unwrap().0, StoreOutcome::Durable, "somebody else syncs");
    let confirm = StoreOp::Confirm { keys: vec![name("a")], hints: Vec::new() };
    storage.submit(Ticket(2), confirm, &mut Vec::new());
    storage.flush();
    assert_eq!(tasks.recv().unwrap().1, Some(Task::Sync));
    assert!(storage.close());
    assert_eq!(writing.task(), None);
}

#[test]
fn a_read_of_what_is_not_there_reads_no_table() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let place = |n: u32| [n.to_be_bytes().as_slice(), &[0; 24]].concat();
    {
        let opened = engine::open(&store, EngineOptions::default()).unwrap();
        // Even ones, so that odd ones are not outside of what a table holds.
        for n in (0..20_000).step_by(2) {
            opened.records.insert(place(n), vec![7; 100]).unwrap();
        }
        opened.records.rotate_memtable_and_wait().unwrap();
        opened.database.persist(PersistMode::SyncAll).unwrap();
    }
    let mut tables = 0;
    for keyspace in fs::read_dir(store.join("keyspaces")).unwrap() {
        let Ok(entries) = fs::read_dir(keyspace.unwrap().path().join("tables")) else { continue };
        for table in entries {
            let path = table.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            if bytes.len() > 100_000 {
                tables += 1;
                // Its first half is data; what it looks up in stands at its end.
                let data = bytes.len() / 2;
                bytes[..data].iter_mut().step_by(50).for_each(|byte| *byte ^= 0xff);
                fs::write(&path, bytes).unwrap();
            }
        }
    }
    assert!(tables > 0);
    let opened = engine::open(&store, EngineOptions::default()).unwrap();
    let errors = |first: u32| {
        (first..6_000).step_by(2).filter(|n| opened.records.get(place(*n)).is_err()).count()
    };
    assert_eq!(errors(0), 3_000, "the data is damaged indeed");
    assert!(errors(1) <= 60, "{} of 3,000 misses have read a table", errors(1));
}
