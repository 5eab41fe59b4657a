//! How long to wait before a dial is tried again: exponential, with full jitter.
//!
//! Source: Marc Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.

use crate::prng::Prng;
use crate::time::{Duration, micros};

const FIRST: Duration = Duration::from_millis(50);
/// The longest bound, unless somebody says otherwise.
pub(crate) const LAST: Duration = Duration::from_millis(1_000);

/// The wait before attempt number `attempt`, which counts from 1; at least a tenth of its bound.
pub(crate) fn wait(prng: &mut Prng, attempt: u32) -> Duration {
    wait_up_to(prng, attempt, LAST)
}

/// The same where the bound goes on growing up to `longest`.
pub(crate) fn wait_up_to(prng: &mut Prng, attempt: u32, longest: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = (FIRST * (1 << doublings)).min(longest);
    let micros = micros(bound);
    let floor = micros / 10;
    Duration::from_micros(floor + prng.below(micros - floor))
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LAST, wait};
    use crate::prng::Prng;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let mut prng = Prng::new(1);
        assert!((0..100).all(|_| wait(&mut prng, 1) <= FIRST));
        assert!((0..100).all(|_| wait(&mut prng, u32::MAX) <= LAST));
        assert!((0..100).any(|_| wait(&mut prng, 10) > FIRST));
    }
}
