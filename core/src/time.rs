//! Points in time, as arguments: the core never reads a clock.
//!
//! Invariant: deadlines compare [`Instant`]s only, ages of stored data compare [`UnixMs`] only, so
//! a wall clock that jumps can never end a request early or keep one alive.

use core::ops::Add;
pub use core::time::Duration;

/// A point of the monotonic clock in microseconds since an origin that the embedder chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(micros(duration)))
    }
}

/// The microseconds of a duration, without the 128-bit arithmetic of `Duration::as_micros`.
pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros().into())
}

/// A point of the wall clock in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for UnixMs {
    type Output = UnixMs;

    /// Parts of a millisecond count as a whole one.
    fn add(self, duration: Duration) -> UnixMs {
        UnixMs(self.0.saturating_add(millis(duration)))
    }
}

/// The milliseconds of a duration, rounded up: a short time is not none.
pub(crate) fn millis(duration: Duration) -> u64 {
    let parts = duration.subsec_nanos().div_ceil(1_000_000);
    duration.as_secs().saturating_mul(1_000).saturating_add(parts.into())
}

/// The present, as the embedder reads it just before it hands over an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines; never goes back.
    pub instant: Instant,
    /// For expiry and the age of stored data; may jump.
    pub unix: UnixMs,
}
