//! What a storage knows of itself when it is opened, and what becomes of one that has lost something.

use quorate_core::ids::Remembered;
use quorate_core::machine::Standing;

use super::*;
use crate::storage::offline::Contents;

const LIVES: [Incarnation; 2] = [Incarnation(7), Incarnation(u32::MAX)];

impl Bench {
    fn found_at_start(&self) -> Found {
        self.storage.found()
    }

    fn mark(&self) -> u64 {
        self.storage.synced_mark().0
    }

    fn stop(self) {
        assert!(self.storage.stop(CleanStop { lives: LIVES.to_vec(), trees: None }));
    }
}

/// What the storage of a directory finds when it is opened.
fn found(directory: &Path) -> Found {
    let bench = Bench::fjall(directory);
    let found = bench.found_at_start();
    assert!(bench.storage.close());
    found
}

/// Whether it knows that it has lost something, and lets no former life go on.
fn is_loss(found: &Found) -> bool {
    let Standing { refilling, lost } = found.standing;
    refilling && lost.is_some_and(|lost| lost.0 > 1_700_000_000_000) && found.lives.is_empty()
}

fn asides(directory: &Path) -> Vec<String> {
    Directory::open(directory).unwrap().asides().unwrap()
}

/// A stopped directory with so many records.
fn stopped(records: u32) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    (0..records).for_each(|n| drop(bench.put(&format!("key {n}"), "value")));
    bench.stop();
    directory
}

fn replace_store(directory: &Path, with: &Path) {
    fs::remove_dir_all(directory.join("store")).unwrap();
    fs::create_dir(directory.join("store")).unwrap();
    copy_files(&with.join("store"), &directory.join("store"));
}

#[test]
fn marks_grow_with_each_commit_and_survive() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::fjall(directory.path());
    assert_eq!(
        (bench.found_at_start(), bench.mark()),
        (Found::default(), 1),
        "nothing was there before"
    );
    assert!(bench.storage.close());
    for round in 0..3 {
        let mut bench = Bench::fjall(directory.path());
        let mut last = bench.mark();
        assert_eq!(bench.found_at_start().mark.0 + 1, last, "the start is a commit");
        for n in 0..5 {
            bench.put(&format!("key {n}"), &format!("value {round}"));
            assert!(bench.mark() > last, "a commit that is acknowledged is synced");
            last = bench.mark();
        }
        let read = StoreOp::Read { key: name("key 1"), hints: Vec::new() };
        bench.run(read);
        assert_eq!(bench.mark(), last, "a read is no commit");
        let killed = found(killed(directory.path()).path());
        assert_eq!((killed.mark.0, killed.standing), (last, Standing::default()));
        assert!(killed.written.0 > 1_700_000_000_000);
        assert!(bench.storage.close());
        assert_eq!(found(directory.path()).mark.0, last);
    }
}

#[test]
fn a_store_is_no_younger_for_having_been_opened() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    assert!(bench.storage.close());
    let written = found(directory.path()).written;
    for _ in 0..2 {
        let bench = Bench::fjall(directory.path());
        assert_eq!(bench.found_at_start().written, written);
        assert!(bench.storage.close());
    }
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "2");
    assert!(bench.storage.close());
    assert!(found(directory.path()).written > written);
}

#[test]
fn a_mark_tells_only_what_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), Durability::Periodic).unwrap();
    let before = bench.mark();
    let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
    let shared = fjall.shared();
    bench.put("a", "1");
    assert!(shared.marks.committed().0 > before);
    while bench.mark() == before {
        std::thread::yield_now();
    }
    assert_eq!(bench.storage.synced_mark(), shared.marks.committed());
    drop(shared);
    assert!(bench.storage.close());
}

/// Others remember so much of a life that is not known here.
fn told(mark: u64) -> Vec<Remembered> {
    vec![Remembered { mark: DurableMark(mark), life: Incarnation(77) }]
}

#[test]
fn memory_counts_its_changes_and_finds_nothing() {
    let mut bench = Bench::memory();
    assert_eq!((bench.found_at_start(), bench.mark()), (Found::default(), 0));
    bench.put("a", "1");
    assert_eq!(bench.mark(), 1);
    let standing = Standing { refilling: true, lost: None };
    let save = StoreOp::SaveStanding { standing, above: told(9), discard: Vec::new() };
    assert_eq!(bench.run(save), StoreOutcome::Durable);
    assert_eq!(bench.mark(), 10);
}

#[test]
fn the_lives_of_a_clean_stop_are_found_once_even_if_the_next_process_dies_at_once() {
    let directory = stopped(3);
    let bench = Bench::fjall(directory.path());
    let now = bench.found_at_start();
    assert_eq!((&now.lives[..], now.standing), (&LIVES[..], Standing::default()));
    let died = killed(directory.path());
    assert!(found(died.path()).lives.is_empty());
    assert!(bench.storage.close());
    assert!(found(directory.path()).lives.is_empty(), "that was no clean stop");
}

#[test]
fn no_life_goes_on_where_it_is_unknown_what_became_of_an_operation() {
    let outcomes = [
        (StoreError::Io, false),
        (StoreError::Closed, false),
        (StoreError::Damaged, true),
        (StoreError::Full, true),
    ];
    for (error, goes_on) in outcomes {
        let directory = stopped(1);
        let bench = Bench::fjall(directory.path());
        let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
        fjall.shared().answer(vec![failed(Ticket(0), error)]);
        bench.stop();
        assert_eq!(!found(directory.path()).lives.is_empty(), goes_on, "{error:?}");
    }
    let directory = stopped(1);
    let bench = Bench::fjall(directory.path());
    bench.storage.break_down(Health::Failed);
    assert!(directory.path().join("failed").exists(), "the next start is to know");
    assert!(!bench.storage.stop(CleanStop { lives: LIVES.to_vec(), trees: None }));
    assert!(found(directory.path()).lives.is_empty());
}

#[test]
fn a_store_that_is_older_than_the_mark_beside_it_is_kept_and_refilled() {
    let directory = stopped(3);
    let old = killed(directory.path());
    let mut bench = Bench::fjall(directory.path());
    bench.put("new", "value");
    let mark = bench.mark();
    bench.stop();
    replace_store(directory.path(), old.path());

    let contents = Contents::open(directory.path()).unwrap();
    assert!(contents.inventory(|| {}).unwrap().lacks_commits);
    drop(contents);
    let mut bench = Bench::fjall(directory.path());
    let now = bench.found_at_start();
    assert!(is_loss(&now) && now.mark.0 < mark, "{now:?}");
    assert!(bench.mark() > mark, "no number is given twice");
    assert_eq!(bench.values("key 1"), ["value"]);
    assert!(bench.values("new").is_empty());
    let died = killed(directory.path());
    bench.stop();
    assert!(asides(directory.path()).is_empty());
    for directory in [died.path(), directory.path()] {
        let then = found(directory);
        assert_eq!(then.standing, now.standing, "known until it is refilled, and found once");
    }
}

#[test]
fn a_journal_that_lost_what_was_synced_is_no_clean_start() {
    let directory = stopped(40);
    let journal = directory.path().join("store/0.jnl");
    let written = fs::read(&journal).unwrap();
    let end = written.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let whole = found(killed(directory.path()).path());
    assert_eq!(whole.lives, LIVES);
    for cut in (0..end).step_by(end / 25).chain([end - 1]) {
        let copy = killed(directory.path());
        let journal = copy.path().join("store/0.jnl");
        let mut damaged = written.clone();
        damaged[cut..].fill(0);
        fs::write(&journal, &damaged).unwrap();
        let now = found(copy.path());
        assert!(is_loss(&now) && now.mark < whole.mark, "cut at {cut} of {end}: {now:?}");
    }
}

#[test]
fn what_does_not_open_is_set_aside_with_everything_in_it_and_the_node_keeps_its_id() {
    let break_store: [fn(&Path); 4] = [
        |store| fs::remove_file(store.join("version")).unwrap(),
        |store| fs::write(store.join("version"), "what?").unwrap(),
        |store| fs::write(store.join("keyspaces/0/current"), "what?").unwrap(),
        |store| {
            let directory = store.parent().unwrap();
            change(directory, "meta", b"mark", |_| Some(b"what?".to_vec()));
        },
    ];
    for (number, break_store) in break_store.into_iter().enumerate() {
        let directory = stopped(3);
        let (node, mark) = {
            let bench = Bench::fjall(directory.path());
            let mark = bench.mark();
            bench.stop();
            (Directory::open(directory.path()).unwrap().node(), mark)
        };
        for times in 1..=2 {
            break_store(&directory.path().join("store"));
            let before = files(&directory.path().join("store"));
            if number != 3 {
                let error = Contents::open(directory.path()).err();
                assert!(matches!(error, Some(OpenError::Store { .. })), "{number}: {error:?}");
                assert!(asides(directory.path()).len() < times, "a look sets nothing aside");
            }
            let mut bench = Bench::fjall(directory.path());
            let now = bench.found_at_start();
            assert!(is_loss(&now) && now.mark.0 == 0, "{number}: {now:?}");
            assert!(bench.mark() > mark, "no number is given twice");
            assert!(bench.values("key 1").is_empty());
            assert!(is_applied_then_durable(&bench.put("key 1", "again")));
            bench.stop();
            let asides = asides(directory.path());
            assert_eq!(asides.len(), times, "{asides:?}");
            let aside = asides.iter().map(|aside| files(&directory.path().join(aside)));
            assert!(aside.into_iter().any(|files| files == before), "{number}: {asides:?}");
            assert_eq!(Directory::open(directory.path()).unwrap().node(), node);
            let then = found(directory.path());
            assert_eq!(then.standing, now.standing, "known until it is refilled");
        }
    }
}

/// All files of a store but its locks, by their names.
fn files(store: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(store).unwrap().to_owned();
                    found.push((name, fs::read(path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_store_that_is_missing_is_a_loss_and_a_new_directory_is_none() {
    let new = tempfile::tempdir().unwrap();
    drop(Directory::open(new.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap());
    assert_eq!(found(new.path()), Found::default());

    let directory = stopped(3);
    // The engine opens this, and knows of nothing.
    let emptied = killed(directory.path());
    fs::remove_dir_all(emptied.path().join("store/keyspaces")).unwrap();
    assert!(is_loss(&found(emptied.path())));

    fs::remove_dir_all(directory.path().join("store")).unwrap();
    let killed = killed(directory.path());
    assert!(is_loss(&found(directory.path())));
    // The engine may have begun a new store whose first commit was never made.
    drop(Database::builder(killed.path().join("store")).open().unwrap());
    assert!(is_loss(&found(killed.path())));
}

#[test]
fn a_store_that_somebody_has_open_is_not_set_aside() {
    let directory = stopped(3);
    let open = Database::builder(directory.path().join("store")).open().unwrap();
    let error = Bench::open(directory.path(), Durability::Group).err();
    assert!(matches!(error, Some(OpenError::InUse { .. })), "{error:?}");
    drop(open);
    assert!(asides(directory.path()).is_empty());
    assert_eq!(found(directory.path()).lives, LIVES);
}

#[test]
fn an_old_copy_that_is_set_aside_leaves_an_empty_store_that_is_refilled() {
    let directory = stopped(3);
    let adopted = Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let before = files(&directory.path().join("store"));
    // Even where nothing beside the store says that there was one.
    fs::remove_file(directory.path().join("mark")).unwrap();
    let aside = adopted.set_store_aside(Aside::Outdated).unwrap().unwrap();
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("store.outdated-20"));
    assert!(files(&aside) == before);
    assert_eq!(adopted.set_store_aside(Aside::Outdated).unwrap(), None, "there is none any more");
    let died = killed(directory.path());
    drop(adopted);
    for directory in [died.path(), directory.path()] {
        let now = found(directory);
        assert!(is_loss(&now) && now.mark.0 == 0, "{now:?}");
    }
}

#[test]
fn a_storage_is_opened_again_on_a_directory_that_was_held_all_the_time() {
    let directory = tempfile::tempdir().unwrap();
    let adopted = Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let options = FjallOptions {
        durability: Durability::Group,
        cache_bytes: 1 << 20,
        ..FjallOptions::default()
    };
    let mut last = 0;
    for _ in 0..3 {
        let answers: Answers = Arc::new(|_| {});
        let storage = Storage::fjall(&adopted, options, tree_key(), answers).unwrap();
        assert!(storage.found().mark.0 >= last);
        last = storage.synced_mark().0;
        assert!(storage.close());
        let error = Directory::open(directory.path()).err();
        assert!(matches!(error, Some(OpenError::InUse { .. })), "{error:?}");
    }
    drop(adopted);
    assert!(Directory::open(directory.path()).is_ok());
}

#[test]
fn what_is_known_of_losses_survives_a_killed_process_under_every_durability() {
    for durability in [Durability::Group, Durability::Periodic] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), durability).unwrap();
        let standings = [(true, Some(UnixMs(5))), (true, None), (false, Some(UnixMs(5)))];
        for (number, (refilling, lost)) in (1..).zip(standings) {
            let standing = Standing { refilling, lost };
            let above = DurableMark(1_000 * number);
            let save =
                StoreOp::SaveStanding { standing, above: told(above.0), discard: Vec::new() };
            assert_eq!(bench.run(save), StoreOutcome::Durable);
            assert!(bench.storage.synced_mark() > above);
            let now = found(killed(directory.path()).path());
            assert_eq!((now.standing, now.mark), (standing, bench.storage.synced_mark()));
        }
        let before = bench.storage.synced_mark();
        let (standing, above) = (Standing::default(), told(5));
        let save = StoreOp::SaveStanding { standing, above, discard: Vec::new() };
        assert_eq!(bench.run(save), StoreOutcome::Durable);
        assert!(bench.storage.synced_mark() > before, "no mark goes back");
    }
}

#[test]
fn a_record_that_cannot_be_read_is_removed_when_it_is_discarded_and_no_other() {
    let directory = stopped(3);
    damage(directory.path(), "records", &RecordKey::of(&name("key 1")).0);
    let mut bench = Bench::fjall(directory.path());
    let read = || StoreOp::Read { key: name("key 1"), hints: Vec::new() };
    assert_eq!(bench.run(read()), StoreOutcome::Failed(StoreError::Damaged));
    let standing = Standing { refilling: true, lost: None };
    let discard = vec![name("key 0"), name("key 1"), name("none")];
    let save = StoreOp::SaveStanding { standing, above: Vec::new(), discard };
    assert_eq!(bench.run(save), StoreOutcome::Durable);
    let died = killed(directory.path());
    for mut bench in [bench, Bench::fjall(died.path())] {
        assert!(bench.values("key 1").is_empty());
        assert_eq!(bench.values("key 0"), ["value"], "what can be read stays");
        assert!(is_applied_then_durable(&bench.put("key 1", "again")));
        assert_eq!(bench.values("key 1"), ["again"]);
    }
}

#[test]
fn a_table_that_is_damaged_ends_the_storage() {
    let reads: [fn(&str) -> StoreOp; 3] = [
        |key| StoreOp::Read { key: name(key), hints: Vec::new() },
        |key| put(key, "another", 100),
        |_| {
            let arc = quorate_core::ring::RingArc::ALL;
            StoreOp::ScanRecords { arc, after: None, bytes_max: usize::MAX }
        },
    ];
    for read in reads {
        let directory = stopped(400);
        damage_table(directory.path());
        let mut bench = Bench::fjall(directory.path());
        let damaged = StoreOutcome::Failed(StoreError::Damaged);
        let hit = (0..400).any(|n| {
            let ticket = bench.submit(read(&format!("key {n}")));
            bench.outcomes(ticket).contains(&damaged)
        });
        assert!(hit);
        assert_eq!(bench.storage.health(), Health::Damaged);
        assert_eq!(bench.put("new", "value"), [StoreOutcome::Failed(StoreError::Io)]);
        assert!(!bench.storage.close());
    }
}

/// Writes all to tables, and flips a bit in the greatest one.
pub(super) fn damage_table(directory: &Path) {
    let store = directory.join("store");
    let database = Database::builder(&store).open().unwrap();
    let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    records.rotate_memtable_and_wait().unwrap();
    drop((records, database));
    let tables = files(&store).into_iter().filter(|(name, _)| name.extension().is_none());
    let (table, mut bytes) = tables.max_by_key(|(_, bytes)| bytes.len()).unwrap();
    bytes[2_000] ^= 1;
    fs::write(store.join(table), bytes).unwrap();
}

#[test]
fn after_an_engine_failed_by_itself_rot_is_looked_for() {
    for (is_damaged, by_itself) in [(true, true), (true, false), (false, true)] {
        let directory = stopped(400);
        if is_damaged {
            damage_table(directory.path());
        }
        let bench = Bench::fjall(directory.path());
        let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
        match by_itself {
            true => fjall.shared().fail_with("a test", &::fjall::Error::Poisoned),
            false => bench.storage.break_down(Health::Failed),
        }
        assert!(!bench.storage.close());
        let now = found(directory.path());
        assert_eq!(is_loss(&now), is_damaged && by_itself, "{now:?}");
        assert_eq!(!asides(directory.path()).is_empty(), is_damaged && by_itself);
        assert!(!directory.path().join("failed").exists(), "that is over");
    }
}

#[test]
fn each_life_is_remembered_with_what_it_wrote_and_with_what_others_remember_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let lives = [3, 1, 2].map(Incarnation);
    let mut marks = Vec::new();
    for (count, life) in lives.into_iter().enumerate() {
        let options = FjallOptions { life, ..FjallOptions::default() };
        let mut bench = Bench::with(directory.path(), options).unwrap();
        let found = bench.found_at_start();
        let past: Vec<(Incarnation, DurableMark)> =
            found.past.iter().map(|past| (past.life, past.mark)).collect();
        assert_eq!(past, marks);
        assert_eq!(found.mark, marks.last().map_or(DurableMark(0), |(_, mark)| *mark));
        for number in 0..=count {
            bench.put("a", &number.to_string());
        }
        marks.push((life, bench.storage.synced_mark()));
        drop(bench);
    }
    let mut bench = Bench::with(directory.path(), FjallOptions::default()).unwrap();
    let standing = Standing { refilling: true, lost: None };
    let above = vec![Remembered { mark: DurableMark(900), life: lives[1] }];
    let save = StoreOp::SaveStanding { standing, above, discard: Vec::new() };
    assert_eq!(bench.run(save), StoreOutcome::Durable);
    drop(bench);
    let past = found(directory.path()).past;
    assert_eq!(past.mark_of(lives[1]), DurableMark(900));
    assert_eq!(past.mark_of(lives[2]), marks[2].1);
    assert_eq!(past.mark_of(Incarnation(77)), DurableMark(0));
}
