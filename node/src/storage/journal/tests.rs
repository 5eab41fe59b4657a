//! Journals that the real engine wrote, torn and damaged in every way, against what it then finds.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use quorate_core::prng::Prng;
use tempfile::TempDir;

use super::aside::{KEPT_MAX, PREFIX};
use super::*;

const PAGE: u64 = 4096;

const JOURNAL: &str = "0.jnl";

/// What a keyspace holds.
type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// A directory with one journal, as a killed process leaves it.
struct Written {
    directory: TempDir,
    /// The written bytes of the journal.
    journal: Vec<u8>,
    /// Behind each batch.
    ends: Vec<usize>,
    /// After none of the batches, after the first one, and so on.
    contents: Vec<Content>,
}

fn open(directory: &Path) -> (Database, Keyspace) {
    let database = Database::builder(directory).manual_journal_persist(true).open().unwrap();
    let keyspace = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    (database, keyspace)
}

impl Written {
    /// So many batches, mostly small ones, of values that compress and such that do not.
    fn new(prng: &mut Prng, batches: usize) -> Written {
        let directory = tempfile::tempdir().unwrap();
        let (database, keyspace) = open(directory.path());
        let journal_path = directory.path().join(JOURNAL);
        let (mut journal, mut ends) = (Vec::new(), Vec::new());
        let mut contents = vec![Content::new()];
        for _ in 0..batches {
            let mut content = contents.last().unwrap().clone();
            let mut batch = database.batch();
            for _ in 0..1 + prng.below(4) {
                let key = format!("key {}", prng.below(40)).into_bytes();
                if prng.chance(1, 5) {
                    batch.remove(&keyspace, &*key);
                    content.remove(&key);
                } else {
                    let value = value(prng);
                    batch.insert(&keyspace, &*key, &*value);
                    content.insert(key, value);
                }
            }
            batch.commit().unwrap();
            database.persist(PersistMode::SyncData).unwrap();
            append_written(&journal_path, &mut journal);
            ends.push(journal.len());
            contents.push(content);
        }
        // Its drop would go on writing.
        let copy = tempfile::tempdir().unwrap();
        copy_all(directory.path(), copy.path());
        Written { directory: copy, journal, ends, contents }
    }

    /// The directory with another journal.
    fn with(&self, journal: &[u8], length: u64) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.directory.path(), copy.path());
        fs::write(copy.path().join(JOURNAL), journal).unwrap();
        let file = OpenOptions::new().write(true).open(copy.path().join(JOURNAL)).unwrap();
        file.set_len(length).unwrap();
        copy
    }

    /// How many batches stand before the first byte that differs.
    fn whole_in(&self, journal: &[u8]) -> usize {
        let same = self.journal.iter().zip(journal).take_while(|(one, two)| one == two).count();
        self.ends.iter().take_while(|end| **end <= same).count()
    }

    /// Mends the directory with this journal, and checks what is said and what is found.
    fn check(&self, journal: &[u8], length: u64, case: &str) {
        let damaged = self.with(journal, length);
        let mut whole = self.whole_in(journal);
        let mended = mend(damaged.path(), damaged.path(), |_| panic!("none is sealed")).unwrap();
        let written = journal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut cut_at = self.end(whole);
        if self.only_a_number_differs(journal, whole) {
            // No checksum covers it. Which of two batches is wrong may be told by nobody, and where
            // they are in order it changes nothing.
            let told = match &mended[..] {
                [] => self.ends.len(),
                [Mended::Tail(cut), ..] => cut.journal.scan.batches as usize,
                [Mended::Damaged(_), ..] => panic!("{case}"),
            };
            let right = [whole, whole + 1].contains(&told) || self.is_in_order(journal, whole);
            assert!(right, "{case}: {mended:?}");
            (whole, cut_at) = (told, self.end(told));
        }
        if written <= cut_at {
            assert_eq!(mended, [], "{case}");
            let after = fs::read(damaged.path().join(JOURNAL)).unwrap();
            assert_eq!(after.len() as u64, length, "{case}");
            assert!(after.starts_with(&journal[..written]), "{case}");
        } else {
            let [Mended::Tail(cut)] = &mended[..] else { panic!("{case}: {mended:?}") };
            let Scan { whole_until, written_until, batches, .. } = cut.journal.scan;
            let told = (whole_until as usize, written_until as usize, batches as usize);
            assert_eq!(told, (cut_at, written, whole), "{case}");
            assert_eq!(fs::read(&cut.kept_in).unwrap(), &journal[cut_at..written], "{case}");
        }
        let (database, keyspace) = open(damaged.path());
        assert_eq!(content_of(&keyspace), self.contents[whole], "{case}");
        drop((database, keyspace));
        assert_eq!(mend(damaged.path(), damaged.path(), |_| Ok(())).unwrap(), [], "{case}");
    }

    fn only_a_number_differs(&self, journal: &[u8], batch: usize) -> bool {
        let number = self.end(batch) + 5..self.end(batch) + 13;
        let differs = |at: &usize| self.journal[*at] != journal[*at];
        batch < self.ends.len()
            && journal.len() == self.journal.len()
            && (0..journal.len()).filter(differs).all(|at| number.contains(&at))
    }

    /// Whether the number of a batch and those of the batches around it are in order.
    fn is_in_order(&self, journal: &[u8], batch: usize) -> bool {
        let seqno = |batch: usize| {
            self.ends.get(batch)?;
            let bytes = journal[self.end(batch) + 5..].first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let follows = |from: usize| {
            let leap = seqno(from + 1).zip(seqno(from)).map(|(two, one)| two.wrapping_sub(one));
            leap.is_none_or(|leap| leap > 0 && leap < 1 << 32)
        };
        follows(batch) && batch.checked_sub(1).is_none_or(follows)
    }

    fn end(&self, batches: usize) -> usize {
        batches.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// 10 B to 60 KB.
fn value(prng: &mut Prng) -> Vec<u8> {
    let length = match prng.below(20) {
        0 => 20_000 + prng.below(40_000),
        1..5 => 4_000 + prng.below(8_000),
        _ => 10 + prng.below(300),
    };
    let dull = prng.chance(1, 2);
    (0..length).map(|_| if dull { b'a' } else { prng.next_u64() as u8 }).collect()
}

/// Adds what was written since. Each batch ends with a byte that is not zero.
fn append_written(path: &Path, journal: &mut Vec<u8>) {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(journal.len() as u64)).unwrap();
    let mut more = Vec::new();
    file.take(1 << 20).read_to_end(&mut more).unwrap();
    let written = more.iter().rposition(|byte| *byte != 0).expect("a batch was written");
    journal.extend_from_slice(&more[..=written]);
}

fn content_of(keyspace: &Keyspace) -> Content {
    let pair = |entry: ::fjall::Guard| {
        let (key, value) = entry.into_inner().unwrap();
        (key.to_vec(), value.to_vec())
    };
    keyspace.iter().map(pair).collect()
}

/// Everything but the journals.
fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            fs::create_dir(to.join(&name)).unwrap();
            copy_all(&path, &to.join(name));
        } else if path.extension().is_none_or(|extension| extension != EXTENSION) {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// What the engine reserves, or what it has after its next start.
fn some_length(prng: &mut Prng, written: usize) -> u64 {
    if prng.chance(1, 8) { 64 << 20 } else { written as u64 }
}

#[test]
fn after_a_torn_tail_all_that_was_synced_is_there_and_nothing_that_was_never_written() {
    let mut prng = Prng::stream(1, "torn tail");
    for round in 0..10 {
        let written = Written::new(&mut prng, 30);
        for case in 0..15 {
            let synced = prng.below(28) as usize;
            let synced_bytes = written.end(synced) as u64;
            let mut torn = written.journal.clone();
            let unsynced_pages = synced_bytes.div_ceil(PAGE)..torn.len() as u64 / PAGE + 1;
            for page in unsynced_pages {
                if prng.chance(1, 3) {
                    let start = (page * PAGE) as usize;
                    let end = torn.len().min(start + PAGE as usize);
                    torn.get_mut(start..end).unwrap_or_default().fill(0);
                }
            }
            if prng.chance(1, 3) {
                let cut = prng.below(torn.len() as u64 - synced_bytes + 1);
                torn.truncate((synced_bytes + cut) as usize);
            }
            assert!(written.whole_in(&torn) >= synced);
            let length = some_length(&mut prng, torn.len());
            written.check(&torn, length, &format!("round {round}, case {case}"));
        }
    }
}

#[test]
fn after_damage_anywhere_all_before_it_is_there_and_nothing_behind_it() {
    let mut prng = Prng::stream(2, "damage");
    for round in 0..8 {
        let written = Written::new(&mut prng, 20);
        for case in 0..25 {
            let mut damaged = written.journal.clone();
            let at = prng.below(damaged.len() as u64) as usize;
            // Heads are few among the bytes, and the most of what there is to get wrong.
            let at = if prng.chance(1, 2) {
                let batch = prng.below(written.ends.len() as u64) as usize;
                (written.end(batch) + prng.below(34) as usize).min(damaged.len() - 1)
            } else {
                at
            };
            if prng.chance(2, 3) {
                damaged[at] ^= 1 << prng.below(8);
            } else {
                let end = damaged.len().min(at + 1 + prng.below(2_000) as usize);
                damaged[at..end].fill(0);
            }
            let length = some_length(&mut prng, damaged.len());
            written.check(&damaged, length, &format!("round {round}, case {case}, byte {at}"));
        }
    }
}

#[test]
fn a_number_out_of_order_is_blamed_on_the_batch_that_has_it() {
    let written = Written::new(&mut Prng::new(3), 10);
    for batch in 0..9 {
        for (byte, bit) in [(0, 0), (0, 1), (0, 7), (1, 0), (4, 0), (7, 7)] {
            let mut damaged = written.journal.clone();
            damaged[written.end(batch) + 5 + byte] ^= 1 << bit;
            written.check(&damaged, damaged.len() as u64, &format!("{batch} {byte} {bit}"));
        }
    }
}

#[test]
fn whole_batches_behind_a_broken_place_are_counted() {
    let written = Written::new(&mut Prng::new(4), 20);
    let mut damaged = written.journal.clone();
    damaged[written.end(7) + 20] ^= 1;
    let directory = written.with(&damaged, 64 << 20);
    let [journal] = &look(directory.path()).unwrap()[..] else { panic!("there is one") };
    let behind = (written.end(20) - written.end(8)) as u64;
    let Scan { batches, batches_behind, bytes_behind, .. } = journal.scan;
    assert_eq!((batches, batches_behind, bytes_behind), (7, 12, behind));
}

#[test]
fn values_that_look_like_batches_do_not_hold_up_the_search() {
    let mut start = vec![START_OF_BATCH];
    start.extend(1_u32.to_le_bytes());
    start.extend(1_000_u64.to_le_bytes());
    start.extend([2, 0, 0]);
    start.extend([0; 8]);
    start.extend(1_u16.to_le_bytes());
    start.extend(40_000_000_u32.to_le_bytes());
    start.extend(40_000_000_u32.to_le_bytes());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(JOURNAL);
    fs::write(&path, start.repeat((60 << 20) / start.len())).unwrap();
    let began = std::time::Instant::now();
    let scan = look(directory.path()).unwrap()[0].scan;
    assert_eq!((scan.batches, scan.batches_behind), (0, 0));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

const START_OF_BATCH: u8 = 1;

#[test]
fn healthy_journals_stay_byte_for_byte_through_restarts_flushes_and_compactions() {
    let mut prng = Prng::new(5);
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        let (database, keyspace) = open(directory.path());
        let other = database.keyspace("other", KeyspaceCreateOptions::default).unwrap();
        for number in 0..60 {
            let key = format!("key {}", prng.below(40));
            match prng.below(4) {
                0 => keyspace.remove(&*key).unwrap(),
                1 => other.insert(&*key, value(&mut prng)).unwrap(),
                _ => keyspace.insert(&*key, value(&mut prng)).unwrap(),
            }
            if number % 25 == 24 {
                keyspace.rotate_memtable_and_wait().unwrap();
            }
        }
        database.persist(PersistMode::SyncAll).unwrap();
        keyspace.major_compact().unwrap();
        drop((database, keyspace, other));
        let before = journal_bytes(directory.path());
        assert_eq!(mend(directory.path(), directory.path(), |_| Ok(())).unwrap(), []);
        assert!(before == journal_bytes(directory.path()));
        assert!(look(directory.path()).unwrap().iter().any(|journal| journal.scan.batches > 0));
    }
}

fn journal_bytes(directory: &Path) -> Vec<Vec<u8>> {
    journals(directory).unwrap().iter().map(|(_, path)| fs::read(path).unwrap()).collect()
}

/// A directory with a sealed journal, that holds what no table does, and a newer one.
fn sealed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (database, keyspace) = open(directory.path());
    let other = database.keyspace("other", KeyspaceCreateOptions::default).unwrap();
    for number in 0_u32..70 {
        // What repeats would be compressed, and the journal not be long enough to be sealed.
        let mut prng = Prng::new(number.into());
        let mut value = vec![0; 1 << 20];
        value.chunks_mut(8).for_each(|it| it.copy_from_slice(&prng.next_u64().to_le_bytes()));
        keyspace.insert(number.to_be_bytes(), value).unwrap();
        other.insert(number.to_be_bytes(), "small").unwrap();
    }
    database.persist(PersistMode::SyncAll).unwrap();
    keyspace.rotate_memtable_and_wait().unwrap();
    other.insert("newer", "small").unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
    drop((database, keyspace, other));
    directory
}

#[test]
fn a_sealed_journal_that_is_not_whole_is_damage_and_said_before_it_is_cut() {
    let directory = sealed();
    let journals = look(directory.path()).unwrap();
    let [old, new] = &journals[..] else { panic!("{journals:?}") };
    assert!(old.sealed && !new.sealed && old.scan.is_whole() && new.scan.is_whole());
    let mut bytes = fs::read(&old.path).unwrap();
    bytes[30 << 20] ^= 1;
    fs::write(&old.path, &bytes).unwrap();

    let refused = mend(directory.path(), directory.path(), |damaged| {
        assert_eq!(damaged.len(), 1);
        Err(io::Error::other("it could not be written down"))
    });
    assert!(refused.is_err());
    assert!(fs::read(&old.path).unwrap() == bytes, "it is cut after that was written down");

    let mended = mend(directory.path(), directory.path(), |_| Ok(())).unwrap();
    let [Mended::Damaged(cut)] = &mended[..] else { panic!("{mended:?}") };
    assert_eq!(cut.journal.path, old.path);
    assert!(cut.journal.scan.batches_behind > 50, "{:?}", cut.journal.scan);
    let (database, _) = open(directory.path());
    let other = database.keyspace("other", KeyspaceCreateOptions::default).unwrap();
    assert!(other.contains_key("newer").unwrap());
    assert!(other.contains_key(0_u32.to_be_bytes()).unwrap());
}

#[test]
fn a_directory_that_is_open_is_left_alone() {
    let written = Written::new(&mut Prng::new(6), 3);
    let directory = written.with(&written.journal, 64 << 20);
    let (database, keyspace) = open(directory.path());
    keyspace.insert("more", vec![7; 20_000]).unwrap();
    // What a writer has under way.
    let path = directory.path().join(JOURNAL);
    let mut torn = fs::read(&path).unwrap();
    torn.truncate(written.journal.len() + 3_000);
    torn.extend([9; 30]);
    fs::write(&path, &torn).unwrap();
    let said = mend(directory.path(), directory.path(), |_| Ok(())).unwrap();
    assert_eq!(said, []);
    assert!(fs::read(&path).unwrap() == torn);
    drop((database, keyspace));
}

#[test]
fn only_the_newest_tails_are_kept() {
    let written = Written::new(&mut Prng::new(7), 5);
    let keep = tempfile::tempdir().unwrap();
    fs::write(keep.path().join("thesis.txt"), "years of work").unwrap();
    for _ in 0..KEPT_MAX + 3 {
        let mut torn = written.journal.clone();
        torn.truncate(written.journal.len() - 10);
        let directory = written.with(&torn, torn.len() as u64);
        let mended = mend(directory.path(), keep.path(), |_| Ok(())).unwrap();
        let [Mended::Tail(cut)] = &mended[..] else { panic!("{mended:?}") };
        assert!(cut.kept_in.exists(), "the newest one is kept");
    }
    let names = fs::read_dir(keep.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let tails = names.filter(|name| name.to_str().unwrap().starts_with(PREFIX)).count();
    assert_eq!(tails, KEPT_MAX);
    assert!(keep.path().join("thesis.txt").exists());
}

#[test]
fn a_directory_without_an_engine_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(JOURNAL), "no journal").unwrap();
    assert_eq!(mend(directory.path(), directory.path(), |_| Ok(())).unwrap(), []);
}
