//! Clients that share keys. Each reads a key, appends an element that nobody else appends, and
//! writes what it read with it; so nothing that was acknowledged may ever be missing from what the
//! siblings of the key hold together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use quorate_cluster::{eventually, run};
use quorate_core::message::Answer;
use quorate_core::prng::Prng;
use quorate_node::client::{CallOptions, Client, ClientOptions, Completion, Request};
use tokio::task::JoinSet;

/// Of each kind, sloppy and strict.
const CLIENTS: u64 = 8;

/// R and W.
const QUORUM: usize = 2;

/// Keys that all clients share, in each stage.
const KEYS: u64 = 24;

/// The machine is to have some time for the nodes.
const REST: Duration = Duration::from_millis(10);

/// What is the matter while keys are written. Each stage has keys of its own, so that no later
/// write brings a node what it has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Before,
    Away,
    Back,
}

/// Clients at work, on a thread of their own.
pub(crate) struct Appending {
    log: Arc<Mutex<Log>>,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Log {
    /// `None` once it is over.
    stage: Option<Stage>,
    acknowledged: Acknowledged,
    /// The part of it that a strict read must show: by strict clients.
    strictly: Acknowledged,
    /// How many writes of each client were acknowledged in each stage.
    counts: BTreeMap<(Stage, String), u64>,
    failures: Vec<String>,
}

/// The elements of each key that were acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledged(BTreeMap<(Stage, u64), BTreeSet<String>>);

impl Appending {
    /// All clients begin at once.
    pub(crate) fn begin(options: ClientOptions) -> Appending {
        let log = Log { stage: Some(Stage::Before), ..Log::default() };
        let log = Arc::new(Mutex::new(log));
        let thread = std::thread::spawn({
            let log = Arc::clone(&log);
            move || run(append_all(options, log))
        });
        Appending { log, thread }
    }

    /// What is begun from now on belongs to a stage.
    pub(crate) fn enter(&self, stage: Stage) {
        locked(&self.log).stage = Some(stage);
    }

    /// Waits until each client has made so many writes in a stage.
    pub(crate) async fn wait(&self, stage: Stage, writes: u64) -> Result<()> {
        let waiting = eventually("all clients write", || async {
            let log = locked(&self.log);
            let done =
                log.counts.iter().filter(|((at, _), count)| *at == stage && **count >= writes);
            (done.count() as u64 == 2 * CLIENTS || !log.failures.is_empty()).then_some(())
        });
        waiting.await.with_context(|| format!("{stage:?}: {:?}", locked(&self.log).counts))
    }

    /// Stops all clients. Returns what was acknowledged.
    ///
    /// # Errors
    /// Where a read or a write has failed, whenever that was.
    pub(crate) fn end(self) -> Result<Acknowledged> {
        locked(&self.log).stage = None;
        self.thread.join().expect("no client panics")?;
        let log = locked(&self.log);
        ensure!(log.failures.is_empty(), "{:?}", log.failures);
        Ok(log.acknowledged.clone())
    }
}

async fn append_all(options: ClientOptions, log: Arc<Mutex<Log>>) -> Result<()> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        for (kind, strict) in [("sloppy", false), ("strict", true)] {
            let quorum = QUORUM as u8;
            let options =
                ClientOptions { r: quorum, w: quorum, strict: Some(strict), ..options.clone() };
            let client = Client::connect(options).await?;
            clients.spawn(append(client, format!("{kind}{number}"), strict, Arc::clone(&log)));
        }
    }
    while let Some(ended) = clients.join_next().await {
        ended?;
    }
    Ok(())
}

/// Appends until it is over, or something fails.
async fn append(client: Client, name: String, strict: bool, log: Arc<Mutex<Log>>) {
    let mut prng = Prng::stream(0, &name);
    for number in 0_u64.. {
        let Some(stage) = locked(&log).stage else { return };
        let place = (stage, prng.below(KEYS));
        let element = format!("{name}-{number}");
        let appended = append_one(&client, place, &element, strict, &log).await;
        if let Err(failure) = appended {
            let failure = format!("{element} to {}: {failure}", key(place));
            return locked(&log).failures.push(failure);
        }
        locked(&log).note(place, &name, element, strict);
        tokio::time::sleep(REST).await;
    }
}

async fn append_one(
    client: &Client,
    place: (Stage, u64),
    element: &str,
    strict: bool,
    log: &Mutex<Log>,
) -> Result<()> {
    let before = locked(log).strictly.0.get(&place).cloned().unwrap_or_default();
    let get = Request::Get { context: Bytes::new() };
    let Answer::Entry(entry) = call(client, place, get, strict).await? else {
        bail!("another answer than that to a get");
    };
    let mut held = elements(entry.values.iter().map(|value| &value.payload));
    if strict {
        let unseen: Vec<&String> = before.difference(&held).collect();
        ensure!(unseen.is_empty(), "a strict read did not see {unseen:?}");
    }
    held.insert(element.to_owned());
    let value = held.into_iter().collect::<Vec<_>>().join("\n");
    let put = Request::Put { value: value.into(), context: entry.context };
    call(client, place, put, strict).await.map(drop)
}

/// A call that must not fail, and whose quorum must be one.
async fn call(
    client: &Client,
    place: (Stage, u64),
    request: Request,
    strict: bool,
) -> Result<Answer> {
    let what = if matches!(request, Request::Get { .. }) { "get" } else { "put" };
    let options = CallOptions { receipt: true, ..CallOptions::default() };
    let called = client.call(key(place), request, options).await;
    let Completion { answer, receipt, .. } = called.map_err(|error| {
        anyhow!("{what} failed, {} ({:?}): {error}", error.code(), error.outcome())
    })?;
    let receipt = receipt.context("a receipt was asked for")?;
    let fallbacks = if strict { 0 } else { receipt.fallbacks.len() };
    ensure!(receipt.primaries.len() + fallbacks >= QUORUM, "{what} ended with {receipt:?}");
    Ok(answer)
}

impl Log {
    fn note(&mut self, place: (Stage, u64), name: &str, element: String, strict: bool) {
        if strict {
            self.strictly.0.entry(place).or_default().insert(element.clone());
        }
        self.acknowledged.0.entry(place).or_default().insert(element);
        *self.counts.entry((place.0, name.to_owned())).or_default() += 1;
    }
}

impl Acknowledged {
    /// Keys, and what each must hold.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (String, &BTreeSet<String>)> {
        self.0.iter().map(|(place, elements)| (key(*place), elements))
    }
}

fn key((stage, number): (Stage, u64)) -> String {
    format!("{stage:?} {number}")
}

/// What the siblings of a key hold together.
pub(crate) fn elements<'a>(siblings: impl IntoIterator<Item = &'a Bytes>) -> BTreeSet<String> {
    let texts = siblings.into_iter().map(|value| String::from_utf8_lossy(value));
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
