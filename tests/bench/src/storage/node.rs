//! The storage of a node, asked as the driver of a node asks it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use quorate_core::causality::{Actor, Birth, Checksum, Context, Payload, RecordOp, Write};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId};
use quorate_core::machine::{HeldAs, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;
use quorate_core::prng::Prng;
use quorate_core::time::UnixMs;
use quorate_node::storage::{
    Answer, Directory, Durability, EngineOptions, FjallOptions, Settings, Storage,
};

use super::VALUE_BYTES;

const CLUSTER: ClusterId = ClusterId(1);

const SETTINGS: Settings =
    Settings { r: 2, w: 2, strict: false, allow_weak: false, replication: None, slots: None };

/// Records that are stored at one time when a directory is filled.
const LOADED_AT_ONCE: usize = 1_024;

/// A storage and what it answers.
pub(crate) struct NodeStorage {
    storage: Storage,
    answers: Receiver<Vec<Answer>>,
    /// The last number of an operation.
    last: u64,
}

pub(crate) fn key(number: u64) -> Key {
    Key::from(format!("key {number:016x}").into_bytes())
}

/// Bytes that do not compress: half of them are random.
pub(crate) fn value(number: u64) -> Vec<u8> {
    let mut prng = Prng::new(number);
    let random = (0..VALUE_BYTES / 16).flat_map(|_| prng.next_u64().to_be_bytes());
    let mut value: Vec<u8> = random.collect();
    value.resize(VALUE_BYTES, b'.');
    value
}

impl NodeStorage {
    pub(crate) fn open(
        path: &Path,
        durability: Durability,
        engine: EngineOptions,
    ) -> Result<NodeStorage> {
        let directory = Directory::open(path)?.adopt(CLUSTER, SETTINGS)?;
        let (sender, answers) = mpsc::channel();
        let answer = move |answers| drop(sender.send(answers));
        let options = FjallOptions { durability, engine, ..FjallOptions::default() };
        let tree_key = TreeKey::derive(CLUSTER, &Bytes::new());
        let storage = Storage::fjall(&directory, options, tree_key, Arc::new(answer))?;
        Ok(NodeStorage { storage, answers, last: 0 })
    }

    /// Acknowledged puts per second of so many writers, each of which waits for its last one.
    pub(crate) fn puts(&mut self, writers: usize, round: Duration, seed: u64) -> Result<f64> {
        let mut prng = Prng::new(seed);
        let begun = Instant::now();
        let until = |done: u64| (begun.elapsed() < round).then_some(done);
        let done = self.put_all(writers, |done| until(done).map(|_| prng.next_u64()))?;
        Ok(done as f64 / begun.elapsed().as_secs_f64())
    }

    /// Stores the records that are numbered up to `records`.
    pub(crate) fn load(&mut self, records: u64) -> Result<()> {
        let mut next = 0..records;
        self.put_all(LOADED_AT_ONCE, |_| next.next()).map(drop)
    }

    /// Keeps so many puts under way, until `next` names no more; answers how many were
    /// acknowledged.
    fn put_all(&mut self, writers: usize, mut next: impl FnMut(u64) -> Option<u64>) -> Result<u64> {
        let (mut done, mut open) = (0, 0);
        let mut answered = Vec::new();
        for _ in 0..writers {
            let Some(number) = next(done) else { break };
            self.put(number, &mut answered);
            open += 1;
        }
        while open > 0 {
            self.storage.flush();
            answered.extend(self.answers.recv()?);
            answered.extend(self.answers.try_iter().flatten());
            for (_, outcome) in std::mem::take(&mut answered) {
                if let StoreOutcome::Applied { .. } = outcome {
                    continue;
                }
                ensure!(outcome == StoreOutcome::Durable, "a put ended with {outcome:?}");
                done += 1;
                match next(done) {
                    Some(number) => self.put(number, &mut answered),
                    None => open -= 1,
                }
            }
        }
        Ok(done)
    }

    /// Point reads per second, so many under way at one time.
    pub(crate) fn reads(
        &mut self,
        among: u64,
        at_once: usize,
        round: Duration,
        seed: u64,
    ) -> Result<f64> {
        let (mut prng, mut done, mut open) = (Prng::new(seed), 0_u64, 0);
        let begun = Instant::now();
        let mut answered = Vec::new();
        loop {
            let is_over = begun.elapsed() >= round;
            while !is_over && open < at_once {
                self.read(prng.below(among), &mut answered);
                open += 1;
            }
            self.storage.flush();
            if open == 0 {
                return Ok(done as f64 / begun.elapsed().as_secs_f64());
            }
            if answered.is_empty() {
                answered.extend(self.answers.recv()?);
            }
            for (_, outcome) in answered.drain(..) {
                let found = matches!(outcome, StoreOutcome::Read { record: Some(_) });
                ensure!(found, "a read ended with {outcome:?}");
                done += 1;
                open -= 1;
            }
        }
    }

    /// Reads each of the first records once.
    pub(crate) fn warm_up(&mut self, records: u64) -> Result<()> {
        let mut answered = Vec::new();
        for number in 0..records {
            self.read(number, &mut answered);
            self.storage.flush();
            if answered.is_empty() {
                self.answers.recv()?;
            }
            answered.clear();
        }
        Ok(())
    }

    pub(crate) fn close(self) -> Result<()> {
        ensure!(self.storage.close(), "the storage could not be closed");
        Ok(())
    }

    fn read(&mut self, number: u64, answered: &mut Vec<Answer>) {
        self.last += 1;
        let read = StoreOp::Read { key: key(number), hints: Vec::new() };
        self.storage.submit(Ticket(self.last), read, answered);
    }

    fn put(&mut self, number: u64, answered: &mut Vec<Answer>) {
        self.last += 1;
        let payload = Payload::Value(value(number).into());
        let write = Write {
            context: Context::new(),
            checksum: Checksum::of(&payload),
            payload,
            written: UnixMs(1),
            expires: None,
            request: RequestId { client: 1, sequence: self.last },
            newborn: Actor {
                node: NodeId(1),
                incarnation: Incarnation(1),
                birth: Birth(self.last),
            },
            continued: [].into(),
            siblings_max: 100,
            record_bytes_max: 1024 * 1024,
            actors_kept: 10,
            actor_age_min: Duration::ZERO,
        };
        let (key, op) = (key(number), RecordOp::Write(write));
        let apply = StoreOp::Apply { key, copy: HeldAs::Own, op };
        self.storage.submit(Ticket(self.last), apply, answered);
    }
}
