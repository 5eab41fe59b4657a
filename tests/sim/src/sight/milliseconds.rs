//! Moments as pages have them: milliseconds with thousandths.

use quorate_core::time::Instant;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment. What is written is read again as the same moment: virtual time is in microseconds, and
/// a number of JavaScript tells those of 139 years apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub Instant);

/// 2^42 milliseconds: up to there a number of 53 bits comes within half a thousandth of each moment.
const MICROSECONDS_MAX: u64 = 1_000 << 42;

impl Milliseconds {
    /// A moment of so many milliseconds; `None` for what is none.
    pub fn new(milliseconds: f64) -> Option<Milliseconds> {
        let microseconds = (milliseconds * 1_000.0).round();
        let is_moment = (0.0..=MICROSECONDS_MAX as f64).contains(&microseconds);
        is_moment.then_some(Milliseconds(Instant(microseconds as u64)))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0.0 as f64 / 1_000.0
    }
}

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Milliseconds, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Milliseconds::new(number).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Float(number), &"milliseconds since the beginning")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{MICROSECONDS_MAX, Milliseconds};
    use quorate_core::time::Instant;

    #[test]
    fn what_is_written_is_read_again() {
        let last = MICROSECONDS_MAX;
        for microseconds in [0, 1, 999, 1_001, 123_456_789_012_345, last - 999, last - 1, last] {
            let moment = Milliseconds(Instant(microseconds));
            let text = serde_json::to_string(&moment).unwrap();
            assert_eq!(serde_json::from_str::<Milliseconds>(&text).unwrap(), moment, "{text}");
        }
        assert_eq!(Milliseconds(Instant(1_500)).get(), 1.5);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [-0.001, f64::NAN, f64::INFINITY, 1e16] {
            assert_eq!(Milliseconds::new(wrong), None);
        }
    }
}
