//! How long a peer takes to answer.
//!
//! Smoothed like a round-trip time: mean and mean deviation, by Jacobson, *Congestion Avoidance and
//! Control*, SIGCOMM 1988, with its gains of 1/8 and 1/4.

use crate::time::{Duration, micros};

/// The smoothed time to an answer.
///
/// Invariant: `deviation` is 0 where `mean` is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    /// In microseconds; 0: nothing is known.
    mean: u64,
    /// The smoothed distance of the times from their mean, in microseconds.
    deviation: u64,
}

impl Latency {
    /// An answer took so long.
    pub(crate) fn on_answer(&mut self, took: Duration) {
        let sample = micros(took).max(1);
        if self.mean == 0 {
            (self.mean, self.deviation) = (sample, sample / 2);
            return;
        }
        let error = sample.abs_diff(self.mean);
        self.deviation = self.deviation - self.deviation / 4 + error / 4;
        self.mean = self.mean - self.mean / 8 + sample / 8;
    }

    /// The mean; zero where nothing is known.
    pub(crate) fn mean(self) -> Duration {
        Duration::from_micros(self.mean)
    }

    /// The mean and so many mean deviations; `None` where nothing is known. A mean deviation is
    /// about 0.8 of the standard deviation.
    pub(crate) fn within(self, deviations: u64) -> Option<Duration> {
        let bound = self.mean.saturating_add(self.deviation.saturating_mul(deviations));
        (self.mean > 0).then_some(Duration::from_micros(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use crate::time::Duration;

    fn latency(samples: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        samples.into_iter().for_each(|took| latency.on_answer(Duration::from_micros(took)));
        latency
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        let nothing = latency([]);
        assert_eq!((nothing.mean(), nothing.within(4)), (Duration::ZERO, None));
        assert!(latency([0]).within(4).is_some(), "an answer that took no time is one");
    }

    #[test]
    fn the_first_answer_is_the_mean_and_half_of_it_the_deviation() {
        let first = latency([1_000]);
        assert_eq!(first.mean(), Duration::from_micros(1_000));
        assert_eq!(first.within(4), Some(Duration::from_micros(3_000)));
    }

    #[test]
    fn mean_and_deviation_move_by_an_eighth_and_a_quarter() {
        let second = latency([1_000, 1_800]);
        assert_eq!(second.mean(), Duration::from_micros(1_100));
        // 500 - 125 + 200
        assert_eq!(second.within(1), Some(Duration::from_micros(1_675)));
    }

    #[test]
    fn equal_answers_leave_next_to_no_deviation() {
        let steady = latency([800; 100]);
        assert_eq!(steady.mean(), Duration::from_micros(800));
        assert!(steady.within(4) < Some(Duration::from_micros(820)));
    }

    #[test]
    fn times_beyond_all_measure_overflow_nothing() {
        let endless = latency([u64::MAX, 1, u64::MAX]);
        assert!(endless.within(u64::MAX) >= Some(endless.mean()));
    }
}
