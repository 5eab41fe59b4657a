//! What trees cost: the state of a record, the count at a start, the memory. These measure and
//! print; run them in release:
//!
//! ```text
//! cargo test --release -p quorate-cluster --test figures_of_trees -- --ignored --nocapture
//! ```

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use quorate_cluster::user_time;
use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Held, Payload, Record, RecordOp, Write,
};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId};
use quorate_core::machine::{HeldAs, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::{Forest, LeafCount, SavedTrees, State, StateHash, TreeKey};
use quorate_core::ring::{Position, RingArc, SlotCount};
use quorate_core::time::UnixMs;
use quorate_node::storage::{
    Answer, Answers, Directory, Durability, FjallOptions, Settings, Storage,
};

const CLUSTER: ClusterId = ClusterId(0x5155_4f52_4154_4521);

const VALUE_BYTES: usize = 100;

/// Records of the count at a start.
const RECORDS: u64 = 1_000_000;

/// States of a page: as many as a node asks for, and more.
const PAGES: [usize; 2] = [256, 1_024];

/// Writes handed over together while records are made.
const LOADED_TOGETHER: u64 = 1_024;

/// Time between two puts of a client that is not to be stalled.
const PUT_EVERY: Duration = Duration::from_millis(2);

fn tree_key() -> TreeKey {
    TreeKey::derive(CLUSTER, b"secret")
}

/// 16 bytes.
fn key(number: u64) -> Key {
    Key::from(format!("key-{number:012}").into_bytes())
}

/// A write by the copy of one node that has seen nothing.
fn write(node: u64, number: u64) -> RecordOp {
    let payload = Payload::Value(Bytes::from(vec![b'x'; VALUE_BYTES]));
    RecordOp::Write(Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1_790_000_000_000 + number),
        expires: None,
        request: RequestId { client: 0x1234_5678_9abc_def0, sequence: number + 1 },
        newborn: Actor {
            node: NodeId(0x0123_4567_89ab_cdef ^ node),
            incarnation: Incarnation(0x89ab_cdef),
            birth: Birth(number + 1),
        },
        continued: [].into(),
        siblings_max: 100,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(1),
    })
}

fn record(actors: u64, number: u64) -> Record {
    let mut all = Held::new();
    for node in 0..actors {
        let mut one = Held::new();
        one.apply(&write(node, number)).expect("a first write is taken");
        all.apply(&RecordOp::Merge(one.into_record())).expect("a merge is taken");
    }
    all.into_record()
}

#[test]
#[ignore = "measures"]
fn figures_of_a_state() {
    const KEYS: u64 = 300;
    const ROUNDS: u32 = 3_000;
    let tree_key = tree_key();
    for actors in 1..=3 {
        let records: Vec<(Key, Record)> =
            (0..KEYS).map(|number| (key(number), record(actors, number))).collect();
        let nanos = |run: &mut dyn FnMut(&Key, &Record)| {
            let rounds = (0..ROUNDS).map(|_| {
                let start = Instant::now();
                records.iter().for_each(|(key, record)| run(key, record));
                start.elapsed()
            });
            rounds.min().unwrap_or_default().as_nanos() as f64 / KEYS as f64
        };
        let state = nanos(&mut |key, record| {
            black_box(tree_key.state(black_box(key), black_box(record)));
        });
        let digest = nanos(&mut |_, record| {
            black_box(black_box(record).digest());
        });
        println!("state of a record of {actors} actors: {state:.0} ns; its MD5: {digest:.0} ns");
    }
    let mut forest = Forest::new(tree_key, slots(), LeafCount::DEFAULT);
    let start = Instant::now();
    for number in 0..KEYS {
        let position = Position(u128::from(number) << 100);
        let state = State { hash: StateHash(number.into()), bytes: 100 };
        forest.change(black_box(position), State::NOTHING, state);
    }
    println!("change of a leaf: {:.0} ns", start.elapsed().as_nanos() as f64 / KEYS as f64);
}

fn slots() -> SlotCount {
    SlotCount::new(1_024).expect("a power of two")
}

#[test]
#[ignore = "measures"]
fn figures_of_memory() -> Result<()> {
    // Of five equal nodes with N=3 each holds three fifths of all slots.
    let slots = slots();
    let held = slots.get() * 3 / 5;
    let mut forest = Forest::new(tree_key(), slots, LeafCount::DEFAULT);
    for number in 0..RECORDS {
        let position = Position::of(key(number).as_bytes());
        if position.slot(slots).0 < held {
            let state = State { hash: StateHash(1), bytes: 100 };
            forest.change(position, State::NOTHING, state);
        }
    }
    println!(
        "trees of a node of five, N=3, {} slots, {} leaves, {RECORDS} records in the cluster: {} B",
        slots.get(),
        forest.leaves().get(),
        forest.bytes()
    );
    let start = Instant::now();
    let saved = SavedTrees::encode(&forest).context("they are not too big")?;
    let encoded = start.elapsed();
    let start = Instant::now();
    let read = SavedTrees::decode(&saved)?.into_forest(tree_key(), forest.leaves());
    ensure!(read.is_ok_and(|read| read.bytes() == forest.bytes()), "they come back");
    let (bytes, decoded) = (saved.len(), start.elapsed());
    println!("saved: {bytes} B, encoded in {encoded:?}, decoded in {decoded:?}");
    Ok(())
}

/// A storage and what it has answered.
struct Disk {
    storage: Storage,
    answers: Receiver<Vec<Answer>>,
    at_once: Vec<Answer>,
    ticket: u64,
}

impl Disk {
    fn open(path: &Path) -> Result<Disk> {
        let settings = Settings {
            r: 1,
            w: 1,
            strict: false,
            allow_weak: false,
            replication: Some(1),
            slots: Some(slots().get()),
        };
        let directory = Directory::open(path)?.adopt(CLUSTER, settings)?;
        let (sender, answers) = mpsc::channel();
        let answer: Answers = Arc::new(move |answers| drop(sender.send(answers)));
        let options = FjallOptions {
            durability: Durability::Group,
            cache_bytes: 64 << 20,
            ..FjallOptions::default()
        };
        let storage = Storage::fjall(&directory, options, tree_key(), answer)?;
        Ok(Disk { storage, answers, at_once: Vec::new(), ticket: 0 })
    }

    fn submit(&mut self, op: StoreOp) -> Ticket {
        self.ticket += 1;
        self.storage.submit(Ticket(self.ticket), op, &mut self.at_once);
        Ticket(self.ticket)
    }

    fn put(&mut self, of: u64, number: u64) -> Ticket {
        let (key, op) = (key(of), write(0, number));
        self.submit(StoreOp::Apply { key, copy: HeldAs::Own, op })
    }

    fn page(&mut self, after: Option<Key>, count_max: usize) -> Ticket {
        self.submit(StoreOp::ScanStates { arc: RingArc::ALL, after, count_max })
    }

    fn next(&mut self, wait: Duration) -> Vec<Answer> {
        self.storage.flush();
        self.answers.recv_timeout(wait).unwrap_or_default()
    }
}

/// Puts at an even pace, and how long each took until it was durable.
#[derive(Default)]
struct Puts {
    under_way: Vec<(Ticket, Instant)>,
    micros: Vec<u128>,
    next: u64,
}

impl Puts {
    fn put(&mut self, disk: &mut Disk, begin: Instant) {
        let due = begin + PUT_EVERY * u32::try_from(self.next).unwrap_or(u32::MAX);
        if due <= Instant::now() {
            // Half of the keys are new, the others get a second value.
            let of = RECORDS / 2 + self.next * 7_919 % RECORDS;
            let ticket = disk.put(of, RECORDS + self.next);
            // From when it was due: a late one has waited.
            self.under_way.push((ticket, due));
            self.next += 1;
        }
    }

    fn durable(&mut self, ticket: Ticket) {
        let Some(found) = self.under_way.iter().position(|(of, _)| *of == ticket) else { return };
        let (_, due) = self.under_way.swap_remove(found);
        self.micros.push(due.elapsed().as_micros());
    }

    fn told(&mut self, when: &str) {
        let mut micros = std::mem::take(&mut self.micros);
        micros.sort_unstable();
        let at = |part: usize| micros.get(micros.len() * part / 1_000).copied().unwrap_or_default();
        let (count, [half, most, nearly]) = (micros.len(), [500, 990, 999].map(at));
        println!("{count} puts {when}: p50 {half} us, p99 {most} us, p99.9 {nearly} us");
    }
}

#[test]
#[ignore = "measures"]
fn figures_of_the_count_at_a_start() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    load(folder.path())?;
    PAGES.into_iter().try_for_each(|page| count(folder.path(), page))
}

/// Counts everything while a client puts, and lets it put for as long again.
fn count(folder: &Path, page_max: usize) -> Result<()> {
    let mut disk = Disk::open(folder)?;
    let mut forest = Forest::new(tree_key(), slots(), LeafCount::DEFAULT);
    let (mut counted, mut puts, begin) = (0, Puts::default(), Instant::now());
    let spent = user_time(std::process::id())?;
    disk.page(None, page_max);
    let mut ends = None;
    while ends.is_none_or(|ends| Instant::now() < ends) {
        puts.put(&mut disk, begin);
        for (ticket, outcome) in disk.next(PUT_EVERY / 4) {
            if outcome == StoreOutcome::Durable {
                puts.durable(ticket);
            } else if let StoreOutcome::StatesScanned { states, more } = outcome {
                counted += states.len() as u64;
                for (key, state) in &states {
                    forest.change(Position::of(key.as_bytes()), State::NOTHING, *state);
                }
                let last = states.last().map(|(key, _)| key.clone());
                if more {
                    disk.page(last, page_max);
                } else {
                    let took = begin.elapsed();
                    ends = Some(Instant::now() + took);
                    let (took, spent) =
                        (took.as_secs_f64(), user_time(std::process::id())? - spent);
                    println!(
                        "{counted} records counted in {took:.2} s, {:.2} s user time, pages of \
                             {page_max}",
                        spent.as_secs_f64()
                    );
                    puts.told("during the count");
                }
            } else {
                ensure!(matches!(outcome, StoreOutcome::Applied { .. }), "{outcome:?}");
            }
        }
    }
    puts.told("after it, for as long");
    ensure!(counted >= RECORDS, "every record is counted");
    ensure!(disk.storage.close(), "the storage closes");
    Ok(())
}

/// Makes the records, and closes the directory.
fn load(path: &Path) -> Result<()> {
    let mut disk = Disk::open(path)?;
    let mut durable = 0;
    for first in (0..RECORDS).step_by(LOADED_TOGETHER as usize) {
        let last = RECORDS.min(first + LOADED_TOGETHER);
        for number in first..last {
            disk.put(number, number);
        }
        while durable < last {
            let answers = disk.next(Duration::from_secs(30));
            ensure!(!answers.is_empty(), "the storage answers");
            let done = answers.iter().filter(|(_, outcome)| *outcome == StoreOutcome::Durable);
            durable += done.count() as u64;
        }
    }
    disk.storage.close().then_some(()).context("the storage closes")
}
