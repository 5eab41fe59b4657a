//! How many bytes a node may spend on comparisons.

use crate::time::{Duration, Instant, micros};

/// Millionths of a byte in a byte: what a microsecond earns at a byte per second.
const MILLIONTHS: u64 = 1_000_000;

/// What is saved in a quiet time is spent at once: so long a part of a second.
const SAVED_PARTS: u64 = 4;

/// Bytes that are earned as time passes and may be overspent once: nothing more is begun until the
/// debt is paid.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteBudget {
    /// In millionths of a byte; below 0: a debt.
    saved: i64,
    at: Instant,
}

impl ByteBudget {
    pub(super) fn spend(&mut self, bytes: u64) {
        self.saved = self.saved.saturating_sub_unsigned(bytes.saturating_mul(MILLIONTHS));
    }

    /// Until when nothing may be begun, at a rate in bytes per second; `None`: it may.
    pub(super) fn holds_until(&mut self, now: Instant, rate: u64) -> Option<Instant> {
        let earned = micros(now.since(self.at)).saturating_mul(rate);
        let most = (rate / SAVED_PARTS).saturating_mul(MILLIONTHS);
        self.saved = self.saved.saturating_add_unsigned(earned);
        self.saved = self.saved.min(i64::try_from(most).unwrap_or(i64::MAX));
        self.at = now;
        if self.saved >= 0 {
            return None;
        }
        let wait = self.saved.unsigned_abs().div_ceil(rate.max(1));
        Some(now + Duration::from_micros(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::ByteBudget;
    use crate::time::Instant;

    #[test]
    fn a_debt_is_paid_at_the_rate_and_no_more_than_a_little_is_saved() {
        let mut budget = ByteBudget::default();
        assert_eq!(budget.holds_until(Instant(0), 1_000), None);
        budget.spend(500);
        assert_eq!(budget.holds_until(Instant(0), 1_000), Some(Instant(500_000)));
        assert_eq!(budget.holds_until(Instant(499_999), 1_000), Some(Instant(500_000)));
        assert_eq!(budget.holds_until(Instant(500_000), 1_000), None);
        assert_eq!(budget.holds_until(Instant(3_600_000_000), 1_000), None);
        budget.spend(1_250);
        let paid = Instant(3_601_000_000);
        assert_eq!(budget.holds_until(Instant(3_600_000_000), 1_000), Some(paid));
    }

    #[test]
    fn a_slower_rate_makes_the_wait_longer() {
        let mut budget = ByteBudget::default();
        budget.spend(1_000);
        assert_eq!(budget.holds_until(Instant(0), 1_000), Some(Instant(1_000_000)));
        assert_eq!(budget.holds_until(Instant(0), 100), Some(Instant(10_000_000)));
    }
}
