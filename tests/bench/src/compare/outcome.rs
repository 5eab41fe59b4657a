//! What a client tells when it has done its task: one line of JSON.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that is told apart, in microseconds.
const MICROS_MAX: u64 = 10 * 60 * 1_000_000;

/// The same for all clients. `tests/bench/clients/driver.mjs` writes it, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The measured time.
    pub(crate) seconds: f64,
    /// Microseconds of gets that ended well in that time, and how often each was measured.
    pub(crate) gets: Vec<(u64, u64)>,
    /// The same of puts.
    pub(crate) puts: Vec<(u64, u64)>,
    /// Operations that did not end well.
    pub(crate) errors: u64,
    /// The first of these errors.
    pub(crate) error: Option<String>,
    /// What the client took of the processors, in user and kernel mode.
    pub(crate) cpu_seconds: f64,
    /// Whether an open loop had as many operations under way as it may.
    pub(crate) bound_reached: bool,
    /// Values that stood side by side under one key, at most, where a system has such.
    pub(crate) siblings_max: Option<u64>,
}

impl Outcome {
    /// Operations that ended well.
    pub(crate) fn operations(&self) -> u64 {
        self.gets.iter().chain(&self.puts).map(|(_, count)| count).sum()
    }
}

/// For latencies in microseconds, three digits of each.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are in order")
}

/// The histogram of what an [`Outcome`] lists.
pub(crate) fn collect(pairs: &[(u64, u64)]) -> Histogram<u64> {
    let mut latencies = histogram();
    for (micros, count) in pairs {
        latencies.saturating_record_n(*micros, *count);
    }
    latencies
}

/// The list for an [`Outcome`].
pub(crate) fn pairs(latencies: &Histogram<u64>) -> Vec<(u64, u64)> {
    let recorded = latencies.iter_recorded();
    recorded.map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_comes_back_from_its_pairs() {
        let mut latencies = histogram();
        for micros in (0..50_000).step_by(7) {
            latencies.saturating_record(micros);
        }
        let back = collect(&pairs(&latencies));
        assert_eq!(back.len(), latencies.len());
        for quantile in [0.0, 0.5, 0.99, 0.999, 1.0] {
            assert_eq!(back.value_at_quantile(quantile), latencies.value_at_quantile(quantile));
        }
    }

    #[test]
    fn the_buckets_of_the_driver_are_as_fine_as_those_here() {
        let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/histogram.mjs");
        let script = format!(
            "import('{clients}').then(({{ Histogram }}) => {{
                const latencies = new Histogram();
                for (let micros = 0; micros < 3e6; micros += 7) latencies.record(micros);
                latencies.record(1e12);
                console.log(JSON.stringify(latencies.pairs()));
            }});"
        );
        let node = std::process::Command::new("node").args(["-e", &script]).output().unwrap();
        let driver: Vec<(u64, u64)> = serde_json::from_slice(&node.stdout).unwrap();
        let driver = collect(&driver);
        let mut exact = histogram();
        (0..3_000_000).step_by(7).for_each(|micros| exact.saturating_record(micros));
        exact.saturating_record(1 << 31);
        assert_eq!(driver.len(), exact.len());
        for quantile in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let [driver, exact] = [&driver, &exact].map(|it| it.value_at_quantile(quantile) as f64);
            assert!((driver / exact - 1.0).abs() < 0.01, "{quantile}: {driver}, {exact}");
        }
    }

    #[test]
    fn what_is_off_the_scale_counts_as_its_end() {
        let latencies = collect(&[(u64::MAX, 2), (0, 1)]);
        assert_eq!(latencies.len(), 3);
        assert!(latencies.max() >= MICROS_MAX);
    }
}
