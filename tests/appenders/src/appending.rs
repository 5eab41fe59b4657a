//! Clients that append, and what they measure and remember.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use quorate_core::prng::Prng;
use quorate_node::client::{Client, ClientError};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Puts under way while keys are filled.
const FILLED_AT_ONCE: usize = 64;

/// What clients append to.
#[derive(Clone, Copy)]
pub(crate) struct Lists {
    /// How many are appended to at one time.
    pub(crate) count: u32,
    /// One that has so many elements is left as it is, and the next generation of it begins: so
    /// values keep their size, and a write costs the same at the end as at the beginning.
    pub(crate) elements: usize,
}

/// Clients at work.
pub(crate) struct Appending {
    log: Arc<Mutex<Log>>,
    clients: JoinSet<()>,
}

/// What all clients of the process saw.
#[derive(Default)]
struct Log {
    is_over: bool,
    /// In their order.
    phases: Vec<Phase>,
    /// The generation of each list, by its number, that is appended to.
    generations: BTreeMap<u32, u32>,
    /// By key.
    acknowledged: BTreeMap<String, Vec<String>>,
}

#[derive(Default)]
struct Phase {
    name: String,
    /// Of gets and puts, in microseconds.
    latencies: Vec<u64>,
    /// What errors are called, and how many there were.
    errors: BTreeMap<String, u64>,
}

impl Appending {
    /// Each client begins at once.
    pub(crate) fn begin(
        clients: Vec<Client>,
        name: String,
        lists: Lists,
        rest: Duration,
    ) -> Appending {
        let log = Arc::new(Mutex::new(Log::default()));
        let mut running = JoinSet::new();
        for (number, client) in clients.into_iter().enumerate() {
            let name = format!("{name}{number}");
            running.spawn(append(client, name, lists, rest, Arc::clone(&log)));
        }
        Appending { log, clients: running }
    }

    /// What is measured from now on belongs to a phase.
    pub(crate) fn phase(&self, name: String) {
        locked(&self.log).phases.push(Phase { name, ..Phase::default() });
    }

    /// Stops all clients. Returns what they saw.
    pub(crate) async fn end(mut self) -> Result<Value> {
        locked(&self.log).is_over = true;
        while let Some(ended) = self.clients.join_next().await {
            ended?;
        }
        let log = locked(&self.log);
        let phases = log.phases.iter().map(|phase| {
            json!({ "name": phase.name, "latencies": phase.latencies, "errors": phase.errors })
        });
        Ok(json!({ "phases": phases.collect::<Vec<_>>(), "acknowledged": log.acknowledged }))
    }
}

/// The key of a generation of a list.
fn key(list: u32, generation: u32) -> String {
    format!("list {list}-{generation}")
}

/// What the siblings of a key hold together.
fn elements(siblings: &[Bytes]) -> BTreeSet<String> {
    let texts = siblings.iter().map(|value| String::from_utf8_lossy(value));
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Stores values under keys that nobody appends to.
pub(crate) async fn fill(client: &Client, keys: u32, bytes: usize) -> Result<()> {
    let puts = (0..keys).map(|number| {
        let value = Bytes::from(vec![b'a' + (number % 26) as u8; bytes]);
        client.put(format!("filled {number}"), value, None)
    });
    stream::iter(puts).buffer_unordered(FILLED_AT_ONCE).map_ok(drop).try_collect::<()>().await?;
    Ok(())
}

/// The elements that each key holds. A list has no generation behind one that is empty.
pub(crate) async fn read(client: &Client, lists: u32) -> Result<Value> {
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for list in 0..lists {
        for key in (0..).map(|generation| key(list, generation)) {
            let elements = elements(&client.get(&key).await?.values);
            if elements.is_empty() {
                break;
            }
            held.insert(key, elements);
        }
    }
    Ok(json!(held))
}

async fn append(client: Client, name: String, lists: Lists, rest: Duration, log: Arc<Mutex<Log>>) {
    let mut prng = Prng::stream(0, &name);
    for number in 0_u64.. {
        if locked(&log).is_over {
            return;
        }
        let list = prng.below(lists.count.into()) as u32;
        let element = format!("{name}-{number}");
        match append_one(&client, (list, lists.elements), &element, &log).await {
            Ok(key) => locked(&log).acknowledged.entry(key).or_default().push(element),
            Err(error) => locked(&log).fail(&error),
        }
        sleep(rest).await;
    }
}

/// Returns the key that has the element.
async fn append_one(
    client: &Client,
    (list, elements_max): (u32, usize),
    element: &str,
    log: &Mutex<Log>,
) -> Result<String, ClientError> {
    let mut generation = locked(log).generations.get(&list).copied().unwrap_or(0);
    loop {
        let key = key(list, generation);
        let began = Instant::now();
        let entry = client.get(&key).await?;
        locked(log).note(began);
        let mut held: Vec<String> = elements(&entry.values).into_iter().collect();
        if held.len() >= elements_max {
            generation += 1;
            locked(log).leave_behind(list, generation);
            continue;
        }
        held.push(element.to_owned());
        let began = Instant::now();
        client.put(&key, held.join("\n"), Some(&entry.context)).await?;
        locked(log).note(began);
        return Ok(key);
    }
}

impl Log {
    fn note(&mut self, began: Instant) {
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(phase) = self.phases.last_mut() {
            phase.latencies.push(took);
        }
    }

    /// All generations of a list before this one are full.
    fn leave_behind(&mut self, list: u32, generation: u32) {
        let known = self.generations.entry(list).or_default();
        *known = generation.max(*known);
    }

    fn fail(&mut self, error: &ClientError) {
        if self.phases.is_empty() {
            self.phases.push(Phase::default());
        }
        if let Some(phase) = self.phases.last_mut() {
            *phase.errors.entry(format!("{}: {error}", error.code())).or_default() += 1;
        }
    }
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
