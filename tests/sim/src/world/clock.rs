//! The wall clock of one machine: it jumps and drifts; the monotonic half never goes back.

use quorate_core::time::{Instant, Now, UnixMs};

/// The wall clock at the beginning of the world.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// How a wall clock differs from the time of the world.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// By how much it jumped, and drifted before `since`, in all.
    offset_ms: i64,
    /// How much faster it runs, in millionths.
    drift_ppm: i64,
    /// From when on it runs so.
    since: Instant,
}

impl Clock {
    /// What the machine reads at `instant`.
    pub(super) fn read(self, instant: Instant) -> Now {
        let unix = EPOCH_MS + millis(instant) + self.offset_ms + self.drifted(instant);
        Now { instant, unix: UnixMs(u64::try_from(unix).unwrap_or(0)) }
    }

    /// Jumps.
    pub(super) fn jump(&mut self, by_ms: i64) {
        self.offset_ms += by_ms;
    }

    /// Runs faster by so many millionths, or slower, from `now` on.
    pub(super) fn drift_from(&mut self, now: Instant, ppm: i64) {
        self.offset_ms += self.drifted(now);
        self.drift_ppm = ppm;
        self.since = now;
    }

    /// By how much it drifted since it runs as it does.
    fn drifted(self, instant: Instant) -> i64 {
        (millis(instant) - millis(self.since)) * self.drift_ppm / 1_000_000
    }
}

fn millis(instant: Instant) -> i64 {
    i64::try_from(instant.0 / 1_000).unwrap_or(i64::MAX)
}

/// What a clock reads that was never touched.
pub(crate) fn unix(instant: Instant) -> UnixMs {
    Clock::default().read(instant).unix
}

#[cfg(test)]
mod tests {
    use super::{Clock, EPOCH_MS};
    use quorate_core::time::Instant;

    #[test]
    fn a_clock_keeps_what_it_drifted_when_its_drift_changes() {
        let mut clock = Clock::default();
        let at = |clock: Clock, seconds: u64| {
            clock.read(Instant(seconds * 1_000_000)).unix.0 as i64 - EPOCH_MS
        };
        clock.drift_from(Instant(0), 100_000);
        assert_eq!(at(clock, 10), 11_000);
        clock.drift_from(Instant(10_000_000), -100_000);
        assert_eq!((at(clock, 10), at(clock, 20)), (11_000, 20_000));
        clock.jump(-5_000);
        assert_eq!(at(clock, 20), 15_000);
    }
}
