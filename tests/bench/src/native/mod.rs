//! A load through a client in Rust: what `tests/bench/clients/driver.mjs` does, natively.

mod quorate;
#[cfg(feature = "peers")]
mod redis;
mod sockets;
mod store;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use std::{io, process, thread};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use quorate_core::prng::Prng;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{self, Instant};

use crate::compare::draws::{self, GET};
use crate::compare::outcome::{Outcome, histogram, pairs};
use crate::compare::task::Task;
use store::Store;

/// Values that differ; keys share them.
const VALUES: u64 = 64;
const FILLED_AT_ONCE: u32 = 128;
const TICK: Duration = Duration::from_millis(1);

/// Puts one load on running servers, for `compare`.
#[derive(Args)]
#[command(hide = true)]
pub(crate) struct Load {
    #[arg(value_enum)]
    store: Kind,
    /// JSON of `Task`.
    task: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Quorate,
    #[cfg(feature = "peers")]
    Redis,
    Sockets,
}

impl Load {
    pub(crate) fn run(&self) -> Result<()> {
        let task: Task = serde_json::from_str(&self.task).context("the task")?;
        thread::spawn(|| {
            // Whoever gave the task is gone when this ends, whatever it says.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(1);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = LocalSet::new().block_on(&runtime, async {
            match self.store {
                Kind::Quorate => drive(&task, quorate::Quorate::connect(&task).await?).await,
                #[cfg(feature = "peers")]
                Kind::Redis => drive(&task, redis::Redis::connect(&task).await?).await,
                Kind::Sockets => drive(&task, sockets::Sockets::connect(&task).await?).await,
            }
        })?;
        println!("{}", serde_json::to_string(&outcome)?);
        Ok(())
    }
}

/// What all operations share.
struct Run<S> {
    store: S,
    value_bytes: usize,
    keys: Vec<Bytes>,
    values: Vec<Bytes>,
    draws: Vec<u32>,
    next: Cell<usize>,
    measured: RefCell<Measured>,
    over: Cell<bool>,
    under_way: Cell<usize>,
}

struct Measured {
    gets: Histogram<u64>,
    puts: Histogram<u64>,
    errors: u64,
    error: Option<String>,
    bound_reached: bool,
}

/// Fills the keys, warms up and measures.
async fn drive<S: Store>(task: &Task, store: S) -> Result<Outcome> {
    let draws = draws::read(&task.draws)?;
    let run = Rc::new(Run {
        store,
        value_bytes: task.value_bytes,
        keys: (0..task.keys).map(|index| format!("key:{index:012}").into()).collect(),
        values: (1..=VALUES).map(|seed| text(task.value_bytes, seed)).collect(),
        next: Cell::new(task.first_draw % draws.len()),
        draws,
        measured: RefCell::new(Measured::new()),
        over: Cell::new(false),
        under_way: Cell::new(0),
    });
    run.fill().await?;
    let load = match task.rate {
        Some(rate) => spawn_local(Rc::clone(&run).open_loop(rate, task.under_way_max)),
        None => spawn_local(Rc::clone(&run).closed_loop(task.in_flight)),
    };
    time::sleep(Duration::from_secs_f64(task.warm_up_seconds)).await;
    *run.measured.borrow_mut() = Measured::new();
    println!("begin");
    let (began, taken) = (Instant::now(), cpu_seconds());
    time::sleep(Duration::from_secs_f64(task.seconds)).await;
    run.over.set(true);
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), cpu_seconds() - taken);
    println!("end");
    load.await?;
    let measured = run.measured.replace(Measured::new());
    Ok(Outcome {
        seconds,
        gets: pairs(&measured.gets),
        puts: pairs(&measured.puts),
        errors: measured.errors,
        error: measured.error,
        cpu_seconds,
        bound_reached: measured.bound_reached,
        siblings_max: run.store.siblings_max(),
    })
}

impl<S: Store> Run<S> {
    async fn fill(self: &Rc<Self>) -> Result<()> {
        let next = Rc::new(Cell::new(0));
        let workers = (0..FILLED_AT_ONCE).map(|_| {
            let (run, next) = (Rc::clone(self), Rc::clone(&next));
            spawn_local(async move {
                loop {
                    let index: u32 = next.get();
                    if index as usize >= run.keys.len() {
                        return Ok(());
                    }
                    next.set(index + 1);
                    run.put(index, index as usize).await?;
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            let filled: Result<()> = worker.await?;
            filled.context("filling the keys")?;
        }
        Ok(())
    }

    /// So many operations under way at one time.
    async fn closed_loop(self: Rc<Self>, in_flight: usize) {
        let workers = (0..in_flight).map(|_| {
            let run = Rc::clone(&self);
            spawn_local(async move {
                while !run.over.get() {
                    run.operate(Instant::now()).await;
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.expect("a worker does not panic");
        }
    }

    /// So many operations per second, one burst for each tick, whatever the answers take. What is
    /// late is counted from the moment at which it should have begun.
    async fn open_loop(self: Rc<Self>, rate: u32, under_way_max: usize) {
        let began = Instant::now();
        let (mut tick, mut begun) = (0_u32, 0_u64);
        while !self.over.get() {
            let intended = began + TICK * tick;
            time::sleep_until(intended).await;
            tick += 1;
            let due = u64::from(tick) * u64::from(rate) / 1_000;
            while begun < due {
                if self.under_way.get() >= under_way_max {
                    self.measured.borrow_mut().bound_reached = true;
                    if self.over.get() {
                        break;
                    }
                    time::sleep(TICK).await;
                    continue;
                }
                begun += 1;
                self.under_way.set(self.under_way.get() + 1);
                let run = Rc::clone(&self);
                spawn_local(async move {
                    run.operate(intended).await;
                    run.under_way.set(run.under_way.get() - 1);
                });
            }
        }
        while self.under_way.get() > 0 {
            time::sleep(TICK).await;
        }
    }

    /// The next operation, which should have begun at `began`.
    async fn operate(&self, began: Instant) {
        let at = self.next.get();
        self.next.set(if at + 1 == self.draws.len() { 0 } else { at + 1 });
        let (is_get, index) = (self.draws[at] & GET != 0, self.draws[at] & !GET);
        let ended = if is_get { self.get(index).await } else { self.put(index, at).await };
        if self.over.get() {
            return;
        }
        match ended {
            Ok(()) => {
                let mut measured = self.measured.borrow_mut();
                let of = if is_get { &mut measured.gets } else { &mut measured.puts };
                of.saturating_record(began.elapsed().as_micros() as u64);
            }
            Err(error) => {
                self.measured.borrow_mut().fail(&error);
                // Errors that come at once must not keep the timers from running.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn get(&self, index: u32) -> Result<()> {
        let found = self.store.get(&self.keys[index as usize], index).await?;
        ensure!(found == Some(self.value_bytes), "key {index} holds another value");
        Ok(())
    }

    /// Puts of one key store different values, so what stands side by side is seen.
    async fn put(&self, index: u32, at: usize) -> Result<()> {
        let value = self.values[at % self.values.len()].clone();
        self.store.put(&self.keys[index as usize], value, index).await
    }
}

impl Measured {
    fn new() -> Measured {
        let (gets, puts) = (histogram(), histogram());
        Measured { gets, puts, errors: 0, error: None, bound_reached: false }
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.error.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// What this process has taken of the processors.
fn cpu_seconds() -> f64 {
    let taken = clock_gettime(ClockId::ProcessCPUTime);
    taken.tv_sec as f64 + taken.tv_nsec as f64 / 1e9
}

/// Text that does not compress.
fn text(length: usize, seed: u64) -> Bytes {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut prng = Prng::new(seed);
    (0..length).map(|_| LETTERS[prng.below(64) as usize]).collect()
}
