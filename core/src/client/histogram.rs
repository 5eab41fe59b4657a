//! How long a node took to answer, as a histogram of fixed size.
//!
//! ```text
//!   16 us ............ 32 us ............ 64 us ....................... 16 s
//!   | 8 equal buckets | 8, twice as wide | ...
//! ```
//!
//! So a bucket is at most an eighth of its times wide, whatever they are. All counts are halved
//! when there are many: old answers count less and less.

use alloc::boxed::Box;

use crate::time::{Duration, micros};

/// Buckets between a time and its double.
const STEPS: usize = 8;
const STEPS_BITS: u32 = STEPS.trailing_zeros();

/// Shorter times count as 2 to this, in microseconds.
const FIRST_BITS: u32 = 4;
const DOUBLINGS: usize = 20;
const BUCKETS: usize = DOUBLINGS * STEPS;

/// Counts are halved when there are so many.
const COUNTED_MAX: u32 = 8_192;

/// How long one node takes to answer this client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Answers in all.
    pub answers: u64,
    /// Half of the latest answers came sooner.
    pub p50: Duration,
    /// 99 of 100 of the latest answers came sooner.
    pub p99: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// Of the latest answers.
    counts: Box<[u16; BUCKETS]>,
    /// The sum of `counts`.
    counted: u32,
    answers: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: Box::new([0; BUCKETS]), counted: 0, answers: 0 }
    }
}

impl Histogram {
    /// An answer took so long.
    pub(super) fn on_answer(&mut self, took: Duration) {
        self.answers += 1;
        self.counted += 1;
        self.counts[bucket(micros(took))] += 1;
        if self.counted >= COUNTED_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.counted = self.counts.iter().copied().map(u32::from).sum();
        }
    }

    #[cold]
    pub(super) fn latencies(&self) -> Latencies {
        Latencies { answers: self.answers, p50: self.quantile(50), p99: self.quantile(99) }
    }

    /// The middle of the bucket in which so many hundredths are reached.
    fn quantile(&self, percent: u32) -> Duration {
        let wanted = (self.counted * percent).div_ceil(100).max(1);
        let mut reached = 0;
        let found = self.counts.iter().position(|count| {
            reached += u32::from(*count);
            reached >= wanted
        });
        found.map_or(Duration::ZERO, |index| Duration::from_micros(middle(index)))
    }
}

fn bucket(micros: u64) -> usize {
    let micros = micros.max(1 << FIRST_BITS);
    let bits = micros.ilog2();
    let step = (micros >> (bits - STEPS_BITS)) as usize % STEPS;
    ((bits - FIRST_BITS) as usize * STEPS + step).min(BUCKETS - 1)
}

fn middle(bucket: usize) -> u64 {
    let width = 1 << (FIRST_BITS as usize - STEPS_BITS as usize + bucket / STEPS);
    (STEPS + bucket % STEPS) as u64 * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, COUNTED_MAX, Histogram, bucket, middle};
    use crate::time::Duration;

    fn histogram(samples: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        samples.into_iter().for_each(|took| histogram.on_answer(Duration::from_micros(took)));
        histogram
    }

    #[test]
    fn a_time_is_told_to_a_sixteenth() {
        for micros in (16..2_000).chain((2_000..16_000_000).step_by(997)) {
            let told = middle(bucket(micros));
            assert!(told.abs_diff(micros) * 16 <= micros, "{micros} is told as {told}");
        }
    }

    #[test]
    fn times_beyond_all_measure_have_a_bucket() {
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_those_of_what_was_told() {
        let known = histogram((1..=1_000).map(|index| index * 100)).latencies();
        assert_eq!(known.answers, 1_000);
        for (told, exact) in [(known.p50, 50_000_u64), (known.p99, 99_000)] {
            let told = u64::try_from(told.as_micros()).unwrap();
            assert!(told.abs_diff(exact) * 16 <= exact, "{told} for {exact}");
        }
        assert_eq!(histogram([]).latencies().p99, Duration::ZERO);
    }

    #[test]
    fn what_was_long_ago_counts_no_more() {
        let slow = core::iter::repeat_n(1_000_000, 10_000);
        let fast = core::iter::repeat_n(100, 60_000);
        let known = histogram(slow.chain(fast));
        assert!(known.counted < COUNTED_MAX);
        let latencies = known.latencies();
        assert_eq!(latencies.answers, 70_000);
        assert!(latencies.p99 < Duration::from_micros(110), "{latencies:?}");
    }
}
