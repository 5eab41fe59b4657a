//! Trees that a stop saved: there once, and only where they tell all that is stored.

use quorate_core::merkle::{Forest, LeafCount, SavedTrees, State};
use quorate_core::ring::{RingArc, SlotCount};

use super::*;

const TREES: &[u8] = b"trees, as far as a storage knows";

impl Bench {
    /// The trees of all that a scan finds, to be saved.
    fn trees(&mut self) -> Vec<u8> {
        let scan = StoreOp::ScanStates { arc: RingArc::ALL, after: None, count_max: usize::MAX };
        let StoreOutcome::StatesScanned { states, .. } = self.run(scan) else {
            panic!("no states")
        };
        let slots = SlotCount::new(64).unwrap();
        let mut forest = Forest::new(tree_key(), slots, LeafCount::DEFAULT);
        for (key, state) in states {
            forest.change(Position::of(key.as_bytes()), State::NOTHING, state);
        }
        SavedTrees::encode(&forest).unwrap()
    }
}

/// A directory with so many records whose process has stopped and saved trees.
fn stopped(records: u32) -> (tempfile::TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for n in 0..records {
        bench.put(&format!("key {n}"), "value");
    }
    let trees = bench.trees();
    assert!(bench.stop_with(&trees));
    (directory, trees)
}

fn found(directory: &Path) -> Option<Bytes> {
    Bench::fjall(directory).storage.take_trees()
}

#[test]
fn what_a_clean_stop_saved_is_there_once() {
    for durability in [Durability::Group, Durability::Periodic] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), durability).unwrap();
        assert_eq!(bench.storage.take_trees(), None);
        (0..300).for_each(|n| drop(bench.put(&format!("key {n}"), "value")));
        let trees = bench.trees();
        assert!(bench.stop_with(&trees));

        let mut bench = Bench::open(directory.path(), durability).unwrap();
        assert_eq!(bench.storage.take_trees(), Some(trees.clone().into()));
        assert_eq!(bench.storage.take_trees(), None);
        assert_eq!(bench.trees(), trees, "they tell what is stored");
        assert!(bench.storage.close());
        assert_eq!(found(directory.path()), None, "the stop between saved none");
    }
}

#[test]
fn a_process_that_is_killed_leaves_no_trees_of_the_stop_before() {
    let (directory, _) = stopped(20);
    let mut bench = Bench::fjall(directory.path());
    let at_once = killed(directory.path());
    bench.put("key 3", "another");
    let later = killed(directory.path());
    assert!(bench.storage.take_trees().is_some());
    assert_eq!([found(at_once.path()), found(later.path())], [None, None]);
    // A directory that was adopted alone, to run without records, keeps them for those who do.
    assert!(bench.stop_with(TREES));
    drop(Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap());
    assert_eq!(found(directory.path()).as_deref(), Some(TREES));
}

#[test]
fn a_journal_that_lost_its_end_lost_the_trees_with_it() {
    let (directory, trees) = stopped(40);
    let journal =
        fs::read_dir(directory.path().join("store")).unwrap().map(|entry| entry.unwrap().path());
    let mut journals = journal.filter(|path| path.extension().is_some_and(|end| end == "jnl"));
    let (journal, none) = (journals.next().unwrap(), journals.next());
    assert_eq!(none, None, "all of it is in one file");
    let written = fs::read(&journal).unwrap();
    let end = written.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (mut with_trees, mut without) = (0, 0);
    for cut in (0..end).step_by(end / 60).chain((0..4).map(|back| end - back)) {
        let copy = killed(directory.path());
        fs::write(copy.path().join("store").join(journal.file_name().unwrap()), &written[..cut])
            .unwrap();
        // One that lost what the directory says of itself does not open, or is new.
        let Ok(mut bench) = Bench::open(copy.path(), Durability::Group) else { continue };
        match bench.storage.take_trees() {
            Some(found) => {
                assert_eq!(found, trees);
                assert_eq!(bench.trees(), trees, "cut at {cut}");
                with_trees += 1;
            }
            None => without += 1,
        }
    }
    assert!(with_trees > 0 && without > 40, "{with_trees} {without}");
}

#[test]
fn nothing_is_saved_where_something_stored_cannot_be_read() {
    let meet: [fn(&mut Bench) -> StoreOutcome; 4] = [
        |bench| bench.run(StoreOp::Read { key: name("key 3"), hints: Vec::new() }),
        |bench| bench.run(put("key 3", "another", 100)),
        |bench| {
            let arc = RingArc::ALL;
            bench.run(StoreOp::ScanStates { arc, after: None, count_max: usize::MAX })
        },
        |bench| {
            let arc = RingArc::ALL;
            bench.run(StoreOp::ScanRecords { arc, after: None, bytes_max: usize::MAX })
        },
    ];
    for meet in meet {
        let (directory, _) = stopped(10);
        damage(directory.path(), "records", &RecordKey::of(&name("key 3")).0);
        let mut bench = Bench::fjall(directory.path());
        let outcome = meet(&mut bench);
        assert!(bench.stop_with(TREES));
        assert_eq!(found(directory.path()), None, "{outcome:?}");
    }
}

#[test]
fn after_a_failed_sync_no_trees_are_saved() {
    let (directory, _) = stopped(1);
    let bench = Bench::fjall(directory.path());
    bench.storage.break_down(Health::Failed);
    assert!(!bench.stop_with(TREES));
    assert_eq!(found(directory.path()), None);
}

#[test]
fn memory_keeps_no_trees() {
    let mut bench = Bench::memory();
    assert!(!bench.storage.outlives_the_process());
    assert_eq!(bench.storage.take_trees(), None);
    assert!(bench.stop_with(TREES));
}
