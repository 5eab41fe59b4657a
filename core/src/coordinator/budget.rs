//! How much may be done beside what clients wait for.

use crate::time::{Duration, Instant, micros};

/// Extra questions of reads: at most one for so many reads (DESIGN.md §7: 5 %).
const READS_PER_HEDGE: u32 = 20;

/// Extra questions that may be asked at once after a quiet time.
const HEDGES_SAVED_MAX: u32 = 10;

/// Reads earn the right to ask one more replica.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HedgeBudget {
    /// In reads; a hedge costs [`READS_PER_HEDGE`] of them.
    saved: u32,
}

impl HedgeBudget {
    pub(super) fn on_read(&mut self) {
        self.saved = (self.saved + 1).min(HEDGES_SAVED_MAX * READS_PER_HEDGE);
    }

    /// Whether one more replica may be asked; it is paid for.
    pub(super) fn take(&mut self) -> bool {
        let left = self.saved.checked_sub(READS_PER_HEDGE);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

/// A number of things per second, as many at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateBudget {
    per_second: u32,
    /// In millionths of one.
    saved: u64,
    at: Instant,
}

impl RateBudget {
    pub(super) fn new(per_second: u32) -> RateBudget {
        RateBudget { per_second, saved: u64::from(per_second) * 1_000_000, at: Instant(0) }
    }

    /// Whether one more may be done; it is paid for.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let rate = u64::from(self.per_second);
        let earned = micros(now.since(self.at)).saturating_mul(rate);
        self.at = now;
        self.saved = self.saved.saturating_add(earned).min(rate * 1_000_000);
        let left = self.saved.checked_sub(1_000_000);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

/// How long calls take, smoothed: whoever is turned away is told to come back after as long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// In microseconds.
    mean: u64,
}

/// A client that is turned away is told to wait at least so long.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(10);

/// And no longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

impl Pace {
    pub(super) fn on_end(&mut self, took: Duration) {
        self.mean = self.mean - self.mean / 16 + micros(took) / 16;
    }

    pub(super) fn retry_after(self) -> Duration {
        Duration::from_micros(2 * self.mean).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        HEDGES_SAVED_MAX, HedgeBudget, Pace, RETRY_AFTER_MAX, RETRY_AFTER_MIN, RateBudget,
    };
    use crate::time::{Duration, Instant};

    #[test]
    fn one_read_in_twenty_is_hedged() {
        let mut budget = HedgeBudget::default();
        let mut hedged = 0;
        for _ in 0..2_000 {
            budget.on_read();
            hedged += u32::from(budget.take());
        }
        assert_eq!(hedged, 100);
        (0..2_000).for_each(|_| budget.on_read());
        let at_once = (0..2_000).filter(|_| budget.take()).count();
        assert_eq!(at_once, HEDGES_SAVED_MAX as usize);
    }

    #[test]
    fn a_rate_is_kept_whatever_the_gaps() {
        let mut budget = RateBudget::new(10);
        let taken = |budget: &mut RateBudget, at| (0..100).filter(|_| budget.take(at)).count();
        assert_eq!(taken(&mut budget, Instant(0)), 10);
        assert_eq!(taken(&mut budget, Instant(100_000)), 1);
        assert_eq!(taken(&mut budget, Instant(3_600_000_000)), 10);
        assert!(!RateBudget::new(0).take(Instant(1)));
    }

    #[test]
    fn whoever_is_turned_away_waits_in_proportion_to_the_load() {
        let mut pace = Pace::default();
        assert_eq!(pace.retry_after(), RETRY_AFTER_MIN);
        (0..1_000).for_each(|_| pace.on_end(Duration::from_millis(40)));
        assert!(pace.retry_after() > Duration::from_millis(70));
        (0..1_000).for_each(|_| pace.on_end(Duration::from_secs(9)));
        assert_eq!(pace.retry_after(), RETRY_AFTER_MAX);
    }
}
