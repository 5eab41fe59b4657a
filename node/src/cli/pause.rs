//! `bench --pause`: what clients notice of a node that hangs.
//!
//! ```text
//!  all answer | SIGSTOP ... its absence is noticed | it is gone around | SIGCONT | all answer
//! ```
//!
//! A get counts where it began: one that began before its node was found to hang, and was answered
//! late, tells of that time, however late it was. Gets that were under way when the node was stopped
//! began before, and count as if they had begun just then.

use std::io;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::bench::{Load, Worker, histogram, progress, quantiles, worker_seed};
use super::failure::Failure;
use super::other::Other;
use super::output::{Format, print_json, print_line, table};
use crate::client::Client;

/// What is told of a moment is told of so much time.
const WINDOW: Duration = Duration::from_millis(20);
/// Latencies are good again where p99 is below so many times that of before.
const GOOD: u64 = 2;
/// In a window with less than this part of the usual number of gets most of them hang.
const PART_ENOUGH: u64 = 2;
/// Caches fill, and latencies become known.
const WARM_UP: Duration = Duration::from_secs(1);

/// One get: when it began, and what it took, in microseconds since the measurement began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) began: u64,
    pub(super) took: u64,
    pub(super) failed: bool,
}

/// The same gets before, while and after a node is stopped.
#[derive(Debug)]
pub(super) struct Paused {
    load: Load,
    healthy: Part,
    /// From the stop until latencies were good again.
    noticing: Part,
    /// Whether they were, before the node went on.
    noticed: bool,
    /// From there on.
    gone_around: Part,
    /// After the node went on.
    resumed: Part,
}

/// What happened in one stretch of time.
#[derive(Debug)]
struct Part {
    micros: Histogram<u64>,
    errors: u64,
    length: Duration,
}

/// When what was done, in microseconds since the measurement began.
#[derive(Clone, Copy, Debug)]
struct Marks {
    begun: u64,
    stopped: u64,
    resumed: u64,
    ended: u64,
}

/// Measures gets while the process `id` answers, is stopped, and answers again.
pub(super) async fn measure(client: &Client, load: Load, id: u32) -> Result<Paused, Failure> {
    let seed = worker_seed()?;
    let bar = progress(load);
    let mut workers = JoinSet::new();
    for number in 0..load.in_flight {
        workers.spawn(Worker::new(client.clone(), load, seed, number).prepare());
    }
    let mut prepared = Vec::new();
    while let Some(worker) = workers.join_next().await {
        prepared.push(worker.map_err(Failure::failed)??);
    }
    let start = Instant::now();
    let until = start + WARM_UP + load.duration * 3;
    let mut running = JoinSet::new();
    for worker in prepared {
        running.spawn(worker.sample(start, until));
    }
    let marks = stop_meanwhile(start, load, id).await?;
    let mut samples = Vec::new();
    while let Some(worker) = running.join_next().await {
        samples.extend(worker.map_err(Failure::failed)?);
    }
    bar.finish_and_clear();
    Ok(Paused::of(load, &samples, marks))
}

/// The same of gets that another program makes.
pub(super) async fn measure_other(other: &Other, load: Load, id: u32) -> Result<Paused, Failure> {
    let bar = progress(load);
    let gets = other.start(load).await?;
    let start = Instant::now();
    let started = SystemTime::now();
    let marks = stop_meanwhile(start, load, id).await?;
    let samples = gets.end(started).await?;
    bar.finish_and_clear();
    Ok(Paused::of(load, &samples, marks))
}

/// Stops the process `id` for the second third of the time, and returns at the end of the last.
async fn stop_meanwhile(start: Instant, load: Load, id: u32) -> Result<Marks, Failure> {
    sleep(WARM_UP).await;
    let begun = micros_since(start);
    sleep(load.duration).await;
    let paused = Stopped::stop(id).await?;
    let stopped = micros_since(start);
    sleep(load.duration).await;
    paused.resume().await?;
    let resumed = micros_since(start);
    sleep(load.duration).await;
    Ok(Marks { begun, stopped, resumed, ended: micros_since(start) })
}

/// A process that is stopped. It goes on when this is dropped, too.
struct Stopped {
    id: u32,
}

impl Stopped {
    async fn stop(id: u32) -> Result<Stopped, Failure> {
        signal("-STOP", id).await?;
        Ok(Stopped { id })
    }

    async fn resume(self) -> Result<(), Failure> {
        signal("-CONT", self.id).await
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may be gone.
        let _ = kill("-CONT", self.id);
    }
}

async fn signal(signal: &'static str, id: u32) -> Result<(), Failure> {
    let killed = spawn_blocking(move || kill(signal, id)).await.map_err(Failure::failed)?;
    let output = killed.map_err(Failure::failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::failed(format_args!("`kill {signal} {id}` failed: {}", said.trim())))
}

fn kill(signal: &str, id: u32) -> io::Result<Output> {
    Command::new("kill").args([signal, &id.to_string()]).output()
}

fn micros_since(start: Instant) -> u64 {
    start.elapsed().as_micros() as u64
}

impl Paused {
    fn of(load: Load, samples: &[Sample], marks: Marks) -> Paused {
        let Marks { begun, stopped, resumed, ended } = marks;
        let under_way =
            |sample: &Sample| sample.began < stopped && sample.began + sample.took > stopped;
        let samples: Vec<Sample> = samples
            .iter()
            .map(|sample| match under_way(sample) {
                true => Sample { began: stopped, ..*sample },
                false => *sample,
            })
            .collect();
        let healthy = Part::of(&samples, begun, stopped);
        let good = first_good(&samples, stopped, resumed, &healthy);
        let noticed_at = good.unwrap_or(resumed);
        Paused {
            load,
            healthy,
            noticing: Part::of(&samples, stopped, noticed_at),
            noticed: good.is_some(),
            gone_around: Part::of(&samples, noticed_at, resumed),
            resumed: Part::of(&samples, resumed, ended),
        }
    }

    fn rows(&self) -> [(String, &Part); 4] {
        let noticing = match self.noticed {
            true => format!("stopped, for {} ms", self.noticing.length.as_millis()),
            false => "stopped, never good".to_owned(),
        };
        [
            ("all answer".into(), &self.healthy),
            (noticing, &self.noticing),
            ("stopped, gone around".into(), &self.gone_around),
            ("goes on".into(), &self.resumed),
        ]
    }

    /// How many times as long as with all nodes, for each of the quantiles.
    fn ratios(&self, part: &Part) -> Option<[f64; 3]> {
        let healthy = quantiles(&self.healthy.micros);
        let of = quantiles(&part.micros);
        if part.micros.is_empty() || healthy.contains(&0) {
            return None;
        }
        Some([0, 1, 2].map(|index| of[index] as f64 / healthy[index] as f64))
    }

    fn json(&self) -> Value {
        let part = |part: &Part| {
            let [p50, p99, p999] = quantiles(&part.micros);
            json!({
                "count": part.micros.len(),
                "errors": part.errors,
                "seconds": part.length.as_secs_f64(),
                "p50_us": p50,
                "p99_us": p99,
                "p999_us": p999,
                "max_us": part.micros.max(),
                "ratios": self.ratios(part),
            })
        };
        json!({
            "in_flight": self.load.in_flight,
            "value_bytes": self.load.value_bytes,
            "all_answer": part(&self.healthy),
            "noticed_ms": self.noticed.then_some(self.noticing.length.as_millis() as u64),
            "noticing": part(&self.noticing),
            "gone_around": part(&self.gone_around),
            "goes_on": part(&self.resumed),
        })
    }
}

/// When the first window began from `from` on, before `until`, that was nearly as good as all of
/// `healthy`.
fn first_good(samples: &[Sample], from: u64, until: u64, healthy: &Part) -> Option<u64> {
    let window = WINDOW.as_micros() as u64;
    let [_, p99, _] = quantiles(&healthy.micros);
    let windows = (healthy.length.as_micros() as u64 / window).max(1);
    let enough = healthy.micros.len() / windows / PART_ENOUGH;
    let starts = (from..until).step_by(window as usize);
    let mut starts = starts.filter(|start| start + window <= until);
    starts.find(|start| {
        let part = Part::of(samples, *start, start + window);
        let is_busy = part.micros.len() >= enough.max(1);
        is_busy && part.errors == 0 && quantiles(&part.micros)[1] < p99 * GOOD
    })
}

impl Part {
    /// The gets that began at `from` or later, and before `until`.
    fn of(samples: &[Sample], from: u64, until: u64) -> Part {
        let mut part = Part {
            micros: histogram(),
            errors: 0,
            length: Duration::from_micros(until.saturating_sub(from)),
        };
        for sample in samples.iter().filter(|sample| (from..until).contains(&sample.began)) {
            match sample.failed {
                true => part.errors += 1,
                false => part.micros.saturating_record(sample.took),
            }
        }
        part
    }
}

pub(super) fn report(measured: &[Paused], output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        let runs = measured.iter().map(Paused::json);
        return print_json(&json!({ "runs": runs.collect::<Vec<_>>() }));
    }
    let header =
        ["in flight", "value", "the node", "gets/s", "p50", "p99", "p99.9", "slowest", "errors"];
    let mut rows = table(&header, 3);
    for paused in measured {
        for (name, part) in paused.rows() {
            let times = quantiles(&part.micros);
            let ratios = paused.ratios(part);
            let of = |index: usize| {
                let milliseconds = milliseconds(times[index]);
                match ratios {
                    _ if part.micros.is_empty() => "-".to_owned(),
                    Some(ratios) => format!("{milliseconds} {:>5.1}x", ratios[index]),
                    None => milliseconds,
                }
            };
            rows.add_row([
                paused.load.in_flight.to_string(),
                format!("{} B", paused.load.value_bytes),
                name,
                format!("{:.0}", part.per_second()),
                of(0),
                of(1),
                of(2),
                milliseconds(part.micros.max()),
                part.errors.to_string(),
            ]);
        }
    }
    print_line(&rows.to_string())
}

impl Part {
    fn per_second(&self) -> f64 {
        self.micros.len() as f64 / self.length.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load =
        Load { in_flight: 1, value_bytes: 100, gets: 100, duration: Duration::from_secs(1) };
    const MARKS: Marks =
        Marks { begun: 0, stopped: 1_000_000, resumed: 2_000_000, ended: 3_000_000 };

    /// A get each millisecond from `from` to `until`, in milliseconds.
    fn gets(from: u64, until: u64, took: u64) -> impl Iterator<Item = Sample> {
        (from..until).map(move |began| Sample { began: began * 1_000, took, failed: false })
    }

    #[test]
    fn a_late_answer_counts_where_its_get_began() {
        let mut samples: Vec<Sample> = gets(0, 3_000, 500).collect();
        // All who began within 150 ms of the stop waited until 250 ms after it.
        for sample in &mut samples[1_000..1_150] {
            sample.took = 1_250_000 - sample.began;
        }
        let paused = Paused::of(LOAD, &samples, MARKS);
        assert!(paused.noticed);
        assert_eq!(paused.noticing.length, Duration::from_millis(160));
        assert_eq!(paused.noticing.micros.len(), 160);
        assert!(paused.ratios(&paused.noticing).unwrap()[1] > 100.0);
        assert_eq!(paused.ratios(&paused.gone_around), Some([1.0; 3]));
    }

    #[test]
    fn a_get_under_way_when_the_node_is_stopped_tells_nothing_of_before() {
        let mut samples: Vec<Sample> = gets(0, 3_000, 500).collect();
        samples[990].took = 300_000;
        let paused = Paused::of(LOAD, &samples, MARKS);
        assert_eq!(paused.healthy.micros.len(), 999);
        assert!(paused.healthy.micros.max() < 1_000);
        assert!(paused.noticing.micros.max() >= 299_000);
    }

    #[test]
    fn a_window_in_which_few_began_or_somebody_failed_is_not_good() {
        let alone = Sample { began: 1_090_000, took: 500, failed: false };
        let mut samples: Vec<Sample> =
            gets(0, 1_000, 500).chain([alone]).chain(gets(1_100, 3_000, 500)).collect();
        let failing = samples.iter_mut().find(|sample| sample.began == 1_110_000).unwrap();
        failing.failed = true;
        let paused = Paused::of(LOAD, &samples, MARKS);
        assert_eq!(paused.noticing.length, Duration::from_millis(120));
        assert_eq!(paused.noticing.errors, 1);
    }

    #[test]
    fn a_node_that_is_never_gone_around_is_told() {
        let samples = gets(0, 1_000, 500).chain(gets(1_000, 2_000, 5_000));
        let samples: Vec<Sample> = samples.chain(gets(2_000, 3_000, 500)).collect();
        let paused = Paused::of(LOAD, &samples, MARKS);
        assert!(!paused.noticed);
        assert_eq!(paused.noticing.length, Duration::from_secs(1));
        assert!(paused.gone_around.micros.is_empty());
        assert_eq!(paused.json()["noticed_ms"], Value::Null);
    }
}
