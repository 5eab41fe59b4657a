//! What one system did under one load in one round.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::client::Done;
use super::load::Load;
use super::outcome::collect;
use super::system::System;

/// The quantiles that are told: p50, p99 and p99.9.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) system: System,
    pub(crate) load: Load,
    /// The round, counted from 1.
    pub(crate) run: u32,
    pub(crate) ops_per_second: f64,
    pub(crate) gets: Latencies,
    pub(crate) puts: Latencies,
    /// What the client took of the processors for an operation, in microseconds.
    pub(crate) client_us: f64,
    /// The same of all servers together.
    pub(crate) servers_us: f64,
    /// Processors that others kept busy.
    pub(crate) others: Option<f64>,
    pub(crate) errors: u64,
    pub(crate) error: Option<String>,
    pub(crate) bound_reached: bool,
    pub(crate) siblings_max: Option<u64>,
}

/// Quantiles in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Latencies {
    pub(crate) count: u64,
    /// Of [`QUANTILES`]; `None` where nothing was measured.
    pub(crate) quantiles: Option<[f64; 3]>,
}

impl Sample {
    pub(crate) fn new(system: System, load: Load, run: u32, done: &Done) -> Sample {
        let Done { outcome, server_seconds, busy_seconds } = done;
        let ours = outcome.cpu_seconds + server_seconds;
        let operations = outcome.operations() as f64;
        Sample {
            system,
            load,
            run,
            ops_per_second: operations / outcome.seconds,
            gets: Latencies::of(&collect(&outcome.gets)),
            puts: Latencies::of(&collect(&outcome.puts)),
            client_us: outcome.cpu_seconds * 1e6 / operations,
            servers_us: server_seconds * 1e6 / operations,
            others: busy_seconds.map(|busy| ((busy - ours) / outcome.seconds).max(0.0)),
            errors: outcome.errors,
            error: outcome.error.clone(),
            bound_reached: outcome.bound_reached,
            siblings_max: outcome.siblings_max,
        }
    }

    /// Values that went through sockets in a second: a get gives one to its client.
    pub(crate) fn copies_per_second(&self) -> f64 {
        let (gets, puts) = (self.gets.count as f64, self.puts.count as f64);
        let copies = gets + puts * f64::from(self.system.copies());
        self.ops_per_second * copies / (gets + puts)
    }

    /// One of which nothing else is known.
    #[cfg(test)]
    pub(crate) fn of_throughput(system: System, load: Load, run: u32, ops: f64) -> Sample {
        let latencies = Latencies { count: 1, quantiles: Some([1.0, 2.0, 11.0]) };
        Sample {
            system,
            load,
            run,
            ops_per_second: ops,
            gets: latencies,
            puts: latencies,
            client_us: 1.0,
            servers_us: 1.0,
            others: None,
            errors: 0,
            error: None,
            bound_reached: false,
            siblings_max: None,
        }
    }

    pub(crate) fn json(&self) -> Value {
        let latencies = |latencies: Latencies| {
            let [p50, p99, p999] = latencies.quantiles.map_or([None; 3], |all| all.map(Some));
            json!({ "count": latencies.count, "p50_us": p50, "p99_us": p99, "p999_us": p999 })
        };
        json!({
            "system": self.system.name(),
            "load": self.load.to_string(),
            "run": self.run,
            "ops_per_second": self.ops_per_second,
            "get": latencies(self.gets),
            "put": latencies(self.puts),
            "client_cpu_us_per_op": self.client_us,
            "servers_cpu_us_per_op": self.servers_us,
            "others_cpus": self.others,
            "errors": self.errors,
            "error": self.error,
            "bound_reached": self.bound_reached,
            "siblings_max": self.siblings_max,
        })
    }
}

impl Latencies {
    fn of(histogram: &Histogram<u64>) -> Latencies {
        let quantiles = QUANTILES.map(|quantile| histogram.value_at_quantile(quantile) as f64);
        let count = histogram.len();
        Latencies { count, quantiles: (count > 0).then_some(quantiles) }
    }
}

/// The middle and the ends of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Range {
    /// `None` where there are no numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Range> {
        let mut numbers: Vec<f64> = numbers.into_iter().filter(|it| it.is_finite()).collect();
        numbers.sort_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let upper = numbers[numbers.len() / 2];
        let lower = numbers[(numbers.len() - 1) / 2];
        Some(Range { median: f64::midpoint(lower, upper), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Outcome;
    use super::*;

    #[test]
    fn figures_are_per_second_and_per_operation() {
        let outcome = Outcome {
            seconds: 2.0,
            gets: vec![(100, 600), (1_000, 400)],
            puts: vec![],
            errors: 3,
            error: None,
            cpu_seconds: 0.5,
            bound_reached: false,
            siblings_max: None,
        };
        let done = Done { outcome, server_seconds: 1.0, busy_seconds: Some(2.5) };
        let sample = Sample::new(System::Memory, Load::small(1, 100), 1, &done);
        assert_eq!(sample.ops_per_second, 500.0);
        assert_eq!((sample.client_us, sample.servers_us), (500.0, 1_000.0));
        assert_eq!(sample.others, Some(0.5));
        assert_eq!(sample.gets.quantiles, Some([100.0, 1_000.0, 1_000.0]));
        assert_eq!(sample.puts, Latencies { count: 0, quantiles: None });
        assert_eq!(sample.json()["put"]["p50_us"], Value::Null);
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let range = Range::of([4.0, 1.0, f64::NAN, 2.0, 9.0]).unwrap();
        assert_eq!(range, Range { median: 3.0, min: 1.0, max: 9.0 });
        assert_eq!(Range::of([5.0]), Some(Range { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(Range::of([f64::INFINITY]), None);
    }
}
