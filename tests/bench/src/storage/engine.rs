//! The bare engine, and the bare disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use quorate_core::prng::Prng;
use quorate_core::ring::Position;

use super::VALUE_BYTES;

/// What is asked of a sync.
const SYNC: PersistMode = PersistMode::SyncData;

/// A database with one keyspace.
pub(crate) struct Engine {
    database: Database,
    keyspace: Keyspace,
}

impl Engine {
    pub(crate) fn open(path: &Path) -> Result<Engine> {
        let database = Database::builder(path).manual_journal_persist(true).open()?;
        let keyspace = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Engine { database, keyspace })
    }

    /// Puts per second of so many threads.
    pub(crate) fn puts(&self, writers: usize, synced: bool, round: Duration, seed: u64) -> f64 {
        let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let begun = Instant::now();
        thread::scope(|scope| {
            for writer in 0..writers as u64 {
                let (over, done) = (&over, &done);
                scope.spawn(move || {
                    let mut prng = Prng::stream(seed, &format!("writer {writer}"));
                    while !over.load(Ordering::Relaxed) {
                        let put = self.put(prng.next_u64());
                        let put = put.and_then(|()| match synced {
                            true => self.database.persist(SYNC),
                            false => Ok(()),
                        });
                        put.expect("the engine takes a put");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(round);
            over.store(true, Ordering::Relaxed);
        });
        done.into_inner() as f64 / begun.elapsed().as_secs_f64()
    }

    /// Stores the records that are numbered up to `records`.
    pub(crate) fn load(&self, records: u64) -> Result<()> {
        (0..records).try_for_each(|number| self.put(number))?;
        Ok(self.database.persist(SYNC)?)
    }

    /// Point reads per second of one thread.
    pub(crate) fn reads(&self, among: u64, round: Duration, seed: u64) -> Result<f64> {
        let (mut prng, mut done) = (Prng::new(seed), 0_u64);
        let begun = Instant::now();
        while begun.elapsed() < round {
            for _ in 0..16 {
                let found = self.keyspace.get(place(prng.below(among)))?;
                anyhow::ensure!(found.is_some(), "a record is gone");
                done += 1;
            }
        }
        Ok(done as f64 / begun.elapsed().as_secs_f64())
    }

    fn put(&self, number: u64) -> fjall::Result<()> {
        self.keyspace.insert(place(number), super::node::value(number))
    }
}

/// The same place that a node's storage gives to a key.
fn place(number: u64) -> Vec<u8> {
    let key = super::node::key(number);
    let mut place = Position::of(key.as_bytes()).to_be_bytes().to_vec();
    place.extend_from_slice(key.as_bytes());
    place
}

/// How often the disk syncs in a second when nothing else is done: the rate of a writer that waits
/// for each sync.
pub(crate) fn syncs_per_second(folder: &Path, round: Duration) -> Result<f64> {
    let mut file = File::create(folder.join("syncs"))?;
    let block = vec![VALUE_BYTES as u8; 4096];
    let (begun, mut syncs) = (Instant::now(), 0_u64);
    while begun.elapsed() < round {
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(syncs as f64 / begun.elapsed().as_secs_f64())
}
