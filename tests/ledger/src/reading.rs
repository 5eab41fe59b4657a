//! Reads keys back and says what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use quorate_core::message::Answer;
use quorate_node::client::{CallOptions, Client, Completion, Request};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::book::Fault;
use crate::ledger::Shared;

/// Reads under way at one time.
const AT_ONE_TIME: usize = 64;
/// Time to the next try of a read that failed.
const REST: Duration = Duration::from_millis(100);
/// Faults that are told by their keys.
const EXAMPLES_MAX: usize = 8;

/// How keys are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Answers that end a read.
    pub(crate) r: u8,
    /// Whether only primaries count.
    pub(crate) strict: bool,
    /// One of so many keys is read.
    pub(crate) of: u64,
    /// How long a read that fails is tried again.
    pub(crate) patience: Duration,
    /// How long a read that misses an acknowledged version is tried again: a fallback may hold it,
    /// and hand it over as soon as a primary is up.
    pub(crate) late: Duration,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Reading {
    /// Keys that were read.
    keys: u64,
    /// Keys without an acknowledged version, and without one that superseded it.
    lost: u64,
    /// Keys that were without it for a while.
    late: u64,
    /// Keys that hold what nobody wrote, or what was refused.
    wrong: u64,
    /// Keys with an acknowledged version that nobody could read in time.
    unread: u64,
    /// Versions that stood beside what had superseded them.
    superseded: u64,
    /// For each node, by its id, at how many keys it was found stale.
    stale: BTreeMap<String, u64>,
    examples: Vec<String>,
}

impl Reader {
    pub(crate) async fn read(self, shared: &Shared) -> Reading {
        let numbers = (0..shared.book().keys()).filter(|number| number % self.of == 0);
        let reads = numbers.map(|number| async move {
            let client = &shared.clients[number as usize % shared.clients.len()];
            (number, self.read_one(client, shared, number).await)
        });
        let mut reads = stream::iter(reads).buffer_unordered(AT_ONE_TIME);
        let mut reading = Reading::default();
        while let Some((number, ended)) = reads.next().await {
            match ended {
                Ok(found) => reading.add(shared, number, found),
                Err(why) => reading.add_unread(shared, number, &why),
            }
        }
        reading
    }

    async fn read_one(
        self,
        client: &Client,
        shared: &Shared,
        number: u64,
    ) -> Result<Found, String> {
        let began = Instant::now();
        let key = shared.values.key(number);
        let mut options = CallOptions { receipt: true, ..CallOptions::default() };
        options.quorum.r = self.r;
        options.strict = self.strict.then_some(true);
        let mut found = Found::default();
        loop {
            let request = Request::Get { context: Default::default() };
            match client.call(&key, request, options).await {
                Ok(completion) => {
                    found.take(shared, number, completion);
                    if !shared.book().misses(number, &found.versions)
                        || began.elapsed() >= self.late
                    {
                        return Ok(found);
                    }
                    found.is_late = true;
                }
                Err(error) if began.elapsed() >= self.patience => {
                    return Err(format!("{}: {error}", error.code()));
                }
                Err(_) => {}
            }
            sleep(REST).await;
        }
    }
}

/// What came of the reads of one key.
#[derive(Debug, Default)]
struct Found {
    /// Of the last read: the version of each value, `None` for bytes that are none.
    versions: Vec<Option<u32>>,
    /// Nodes that were stale, each as often as it was.
    stale: Vec<String>,
    is_late: bool,
}

impl Found {
    fn take(&mut self, shared: &Shared, number: u64, completion: Completion) {
        let repaired = completion.receipt.iter().flat_map(|receipt| &receipt.repaired);
        self.stale.extend(repaired.map(ToString::to_string));
        self.versions = match completion.answer {
            Answer::Entry(entry) => {
                let values = entry.values.iter().map(|value| &value.payload);
                values.map(|value| shared.values.version(number, value)).collect()
            }
            // No answer to a read.
            Answer::Written(_) => vec![None],
        };
    }
}

impl Reading {
    fn add(&mut self, shared: &Shared, number: u64, found: Found) {
        let Found { versions, stale, is_late } = found;
        self.keys += 1;
        for node in stale {
            *self.stale.entry(node).or_default() += 1;
        }
        let mut book = shared.book();
        let chain = book.chain(number);
        self.superseded += chain.superseded(&versions) as u64;
        let faults = chain.judge(&versions);
        let is_loss = |fault: &&Fault| matches!(fault, Fault::Lost { .. });
        let is_lost = faults.iter().any(|fault| is_loss(&fault));
        self.lost += u64::from(is_lost);
        self.late += u64::from(is_late && !is_lost);
        self.wrong += u64::from(faults.iter().any(|fault| !is_loss(&fault)));
        if is_lost {
            book.give_up(number);
        }
        drop(book);
        for fault in faults {
            self.tell(format!("{}: {fault:?}, found {versions:?}", shared.values.key(number)));
        }
    }

    fn add_unread(&mut self, shared: &Shared, number: u64, why: &str) {
        self.keys += 1;
        if shared.book().chain(number).is_acknowledged() {
            self.unread += 1;
            self.tell(format!("{}: {why}", shared.values.key(number)));
        }
    }

    fn tell(&mut self, example: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }
}
