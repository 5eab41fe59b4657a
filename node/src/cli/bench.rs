//! `bench`: a closed loop through the native client.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_core::prng::Prng;
use serde_json::json;
use tokio::task::JoinSet;

use super::args::{ClientArgs, block_on};
use super::failure::Failure;
use super::other::Other;
use super::output::{Format, print_json, print_line, table};
use super::pause::{self, Paused, Sample};
use crate::client::{Client, ClientError};

/// Keys of one measurement, shared out among its workers.
const KEYS: usize = 4_096;

/// Measure operations per second and latencies.
///
/// Half of the operations are gets, half are puts that supersede the last put of the same key.
/// Each combination of --in-flight and --value-bytes is measured for --seconds, after its keys are
/// written once. The keys begin with `bench/` and a random number, and stay.
///
/// With --pause there are gets only: for --seconds each, while all nodes answer, while one does
/// not, and after it goes on. The times are shown beside how often they contain those of before.
/// Where a program is named, the gets are its own: it is started with QUORATE_SEEDS, and with the
/// number of gets under way and the length of the values as arguments behind its own. Once it has
/// written its keys it prints `ready`. When its input ends, it prints a line for each get: when it
/// began (microseconds since 1970), how many it took, and 1 where it failed, else 0.
///
/// Examples:
///   quorate bench
///   quorate bench --pause 4711 --in-flight 64 --value-bytes 100
///   quorate bench --pause 4711 --in-flight 64 --value-bytes 100 -- node gets.mjs
///   quorate bench --seconds 30 --in-flight 256 --value-bytes 1024 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Bench {
    /// Length of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Operations under way at one time; repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    in_flight: Vec<usize>,
    /// Length of the values; repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1024])]
    value_bytes: Vec<usize>,
    /// Share of gets.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=100))]
    gets: u64,
    /// Stop the process of a node of this machine (SIGSTOP) for a third of the time.
    #[arg(long, value_name = "PROCESS", conflicts_with = "gets", value_parser = clap::value_parser!(u32).range(2..))]
    pause: Option<u32>,
    /// A program that makes the gets, with its first arguments.
    #[arg(last = true, value_name = "PROGRAM", requires = "pause")]
    program: Vec<OsString>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) in_flight: usize,
    pub(super) value_bytes: usize,
    pub(super) gets: u64,
    pub(super) duration: Duration,
}

/// Microseconds of all operations that ended well.
struct Measured {
    load: Load,
    gets: Histogram<u64>,
    puts: Histogram<u64>,
    errors: u64,
    elapsed: Duration,
}

impl Bench {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Bench { seconds, in_flight, value_bytes, gets, pause, program, client } = self;
        let duration = Duration::from_secs(seconds);
        let load = |in_flight, value_bytes| Load { in_flight, value_bytes, gets, duration };
        let loads = in_flight.iter().flat_map(|&in_flight| {
            value_bytes.iter().map(move |&value_bytes| load(in_flight.max(1), value_bytes))
        });
        let loads: Vec<Load> = loads.collect();
        if let Some(id) = pause {
            let measured = match program.is_empty() {
                true => client.run(async |client| {
                    pauses(&loads, async |load| pause::measure(&client, load, id).await).await
                }),
                false => {
                    let other = Other { seeds: client.seeds().to_vec(), command: program };
                    block_on(pauses(&loads, async |load| {
                        pause::measure_other(&other, load, id).await
                    }))
                }
            };
            return pause::report(&measured?, output);
        }
        let measured = client.run(async |client| {
            let mut measured = Vec::new();
            for load in loads {
                measured.push(measure(&client, load).await?);
            }
            Ok(measured)
        })?;
        report(&measured, output)
    }
}

/// Dropped on the way out, a measurement lets the node go on.
async fn pauses(
    loads: &[Load],
    measure: impl AsyncFn(Load) -> Result<Paused, Failure>,
) -> Result<Vec<Paused>, Failure> {
    let mut measured = Vec::new();
    for load in loads {
        measured.push(tokio::select! {
            paused = measure(*load) => paused?,
            _ = tokio::signal::ctrl_c() => return Err(Failure::failed("interrupted")),
        });
    }
    Ok(measured)
}

async fn measure(client: &Client, load: Load) -> Result<Measured, Failure> {
    let seed = worker_seed()?;
    let bar = progress(load);
    let mut workers = JoinSet::new();
    let mut prepared = Vec::new();
    for number in 0..load.in_flight {
        let worker = Worker::new(client.clone(), load, seed, number);
        workers.spawn(worker.prepare());
    }
    while let Some(worker) = workers.join_next().await {
        prepared.push(worker.map_err(Failure::failed)??);
    }
    let start = Instant::now();
    let mut running = JoinSet::new();
    for worker in prepared {
        running.spawn(worker.run(start + load.duration));
    }
    let mut measured =
        Measured { load, gets: histogram(), puts: histogram(), errors: 0, elapsed: Duration::ZERO };
    while let Some(worker) = running.join_next().await {
        let worker = worker.map_err(Failure::failed)?;
        measured.gets.add(&worker.get_micros).map_err(Failure::failed)?;
        measured.puts.add(&worker.put_micros).map_err(Failure::failed)?;
        measured.errors += worker.errors;
    }
    measured.elapsed = start.elapsed();
    bar.finish_and_clear();
    Ok(measured)
}

/// Names the keys of one measurement.
pub(super) fn worker_seed() -> Result<u64, Failure> {
    getrandom::u64().map_err(Failure::failed)
}

/// One operation after the other, on keys that no other worker writes.
pub(super) struct Worker {
    client: Client,
    load: Load,
    prng: Prng,
    /// Keys and the contexts of their last puts.
    keys: Vec<(String, Bytes)>,
    value: Bytes,
    get_micros: Histogram<u64>,
    put_micros: Histogram<u64>,
    errors: u64,
}

impl Worker {
    pub(super) fn new(client: Client, load: Load, seed: u64, number: usize) -> Worker {
        let count = (KEYS / load.in_flight).max(1);
        let key = |key: usize| (format!("bench/{seed:016x}/{number}/{key}"), Bytes::new());
        Worker {
            client,
            load,
            prng: Prng::new(seed ^ number as u64),
            keys: (0..count).map(key).collect(),
            value: Bytes::from(vec![b'x'; load.value_bytes]),
            get_micros: histogram(),
            put_micros: histogram(),
            errors: 0,
        }
    }

    pub(super) async fn prepare(mut self) -> Result<Worker, ClientError> {
        for (key, context) in &mut self.keys {
            *context = self.client.put(&*key, self.value.clone(), None).await?.context;
        }
        Ok(self)
    }

    /// Gets one key after the other, and tells when each get began and what it took.
    pub(super) async fn sample(mut self, start: Instant, until: Instant) -> Vec<Sample> {
        let mut samples = Vec::new();
        loop {
            let begun = Instant::now();
            if begun >= until {
                return samples;
            }
            let index = self.prng.below(self.keys.len() as u64) as usize;
            let ended = self.client.get(&*self.keys[index].0).await;
            if let Err(error) = &ended {
                tracing::warn!(%error, "a get failed");
            }
            samples.push(Sample {
                began: (begun - start).as_micros() as u64,
                took: begun.elapsed().as_micros() as u64,
                failed: ended.is_err(),
            });
        }
    }

    async fn run(mut self, until: Instant) -> Worker {
        loop {
            let start = Instant::now();
            if start >= until {
                return self;
            }
            let index = self.prng.below(self.keys.len() as u64) as usize;
            let (key, context) = &mut self.keys[index];
            let (ended, micros) = if self.prng.chance(self.load.gets, 100) {
                (self.client.get(&*key).await.map(|_| ()), &mut self.get_micros)
            } else {
                let put = self.client.put(&*key, self.value.clone(), Some(&*context)).await;
                (put.map(|written| *context = written.context), &mut self.put_micros)
            };
            match ended {
                Ok(()) => micros.saturating_record(start.elapsed().as_micros() as u64),
                Err(error) => {
                    tracing::warn!(%error, "an operation failed");
                    self.errors += 1;
                }
            }
        }
    }
}

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

pub(super) fn progress(load: Load) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.set_message(format!("{} in flight, values of {} bytes", load.in_flight, load.value_bytes));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// p50, p99 and p99.9.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> [u64; 3] {
    [0.5, 0.99, 0.999].map(|quantile| histogram.value_at_quantile(quantile))
}

fn report(measured: &[Measured], output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        let latencies = |histogram: &Histogram<u64>| {
            let [p50, p99, p999] = quantiles(histogram);
            json!({ "count": histogram.len(), "p50_us": p50, "p99_us": p99, "p999_us": p999 })
        };
        let runs = measured.iter().map(|run| {
            json!({
                "in_flight": run.load.in_flight,
                "value_bytes": run.load.value_bytes,
                "seconds": run.elapsed.as_secs_f64(),
                "ops_per_second": run.ops_per_second(),
                "errors": run.errors,
                "get": latencies(&run.gets),
                "put": latencies(&run.puts),
            })
        });
        return print_json(&json!({ "runs": runs.collect::<Vec<_>>() }));
    }
    let header = [
        "in flight",
        "value",
        "ops/s",
        "get p50",
        "p99",
        "p99.9",
        "put p50",
        "p99",
        "p99.9",
        "errors",
    ];
    let mut rows = table(&header, 0);
    for run in measured {
        let mut row = vec![
            run.load.in_flight.to_string(),
            format!("{} B", run.load.value_bytes),
            format!("{:.0}", run.ops_per_second()),
        ];
        let all = [quantiles(&run.gets), quantiles(&run.puts)].concat();
        row.extend(all.into_iter().map(|micros| format!("{:.2} ms", micros as f64 / 1_000.0)));
        row.push(run.errors.to_string());
        rows.add_row(row);
    }
    print_line(&rows.to_string())
}

impl Measured {
    fn ops_per_second(&self) -> f64 {
        (self.gets.len() + self.puts.len()) as f64 / self.elapsed.as_secs_f64()
    }
}
