//! Moments as pages have them: milliseconds with thousandths.

use quorate_core::time::Instant;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment. What is written is read again as the same moment: virtual time is in microseconds, and
/// a number of JavaScript holds 285 years of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub Instant);

/// The greatest number of microseconds that a number of JavaScript holds exactly.
const MICROSECONDS_MAX: f64 = 9_007_199_254_740_991.0;

impl Milliseconds {
    /// A moment of so many milliseconds; `None` for what is none.
    pub fn new(milliseconds: f64) -> Option<Milliseconds> {
        let microseconds = (milliseconds * 1_000.0).round();
        let is_moment = (0.0..=MICROSECONDS_MAX).contains(&microseconds);
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
    use super::Milliseconds;
    use quorate_core::time::Instant;

    #[test]
    fn what_is_written_is_read_again() {
        for microseconds in [0, 1, 999, 1_001, 123_456_789_012_345, 9_007_199_254_740_991] {
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
