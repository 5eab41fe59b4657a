//! The only reader of clocks: the core takes the present as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quorate_core::time::{self, Now, UnixMs};

/// Measures from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Instant zero of the core.
    origin: Instant,
}

impl Clock {
    /// A clock that begins at zero.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// The present.
    pub fn now(&self) -> Now {
        Now { instant: self.instant(), unix: unix_now() }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// When the core's `instant` is on the clock of the operating system.
    pub fn std(&self, instant: time::Instant) -> Instant {
        self.origin + Duration::from_micros(instant.0)
    }

    fn instant(&self) -> time::Instant {
        // Half a million years of microseconds fit.
        time::Instant(self.origin.elapsed().as_micros() as u64)
    }
}

/// The wall clock. One that stands before 1970 reads as 1970.
fn unix_now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(since.as_millis() as u64)
}
