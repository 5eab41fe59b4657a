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

/// A moment for people and for names, such as `2026-11-21T19:38:04Z`.
///
/// The date is worked out as in "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant,
/// `civil_from_days`.
pub fn utc(at: UnixMs) -> String {
    let seconds = at.0 / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // Years begin with March, and eras of 400 years with the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next_year;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_the_calendar_has_them() {
        let told = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59Z"),
            (1_795_289_884_000, "2026-11-21T19:38:04Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ];
        for (at, text) in told {
            assert_eq!(utc(UnixMs(at)), text);
        }
    }
}
