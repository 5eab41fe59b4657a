//! The wall clock of one machine: it jumps and drifts; the monotonic half never goes back.

use quorate_core::time::{Instant, Now, UnixMs};

/// The wall clock at the beginning of the world.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// How a wall clock differs from the time of the world.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// By how much it jumped in all.
    pub(super) offset_ms: i64,
    /// How much faster it runs, in millionths.
    pub(super) drift_ppm: i64,
}

impl Clock {
    /// What the machine reads at `instant`.
    pub(super) fn read(self, instant: Instant) -> Now {
        let elapsed = i64::try_from(instant.0).unwrap_or(i64::MAX);
        let drift = elapsed / 1_000 * self.drift_ppm / 1_000_000;
        let unix = EPOCH_MS + elapsed / 1_000 + drift + self.offset_ms;
        Now { instant, unix: UnixMs(u64::try_from(unix).unwrap_or(0)) }
    }
}
