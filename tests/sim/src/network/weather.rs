//! What a directed link does to the frames that are given to it.

use quorate_core::prng::Prng;
use quorate_core::time::Duration;

/// The condition of a directed link. Chances are per thousand frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Least time that a frame travels.
    pub delay_min: Duration,
    /// Most time that a frame travels, but for the tail.
    pub delay_max: Duration,
    /// Chance that a frame belongs to the tail.
    pub tail: u32,
    /// Most time that a frame of the tail travels longer; half of them at most half of it, a
    /// quarter at most a quarter, and so on.
    pub tail_max: Duration,
    /// Chance that a frame is lost although the connection stays.
    pub loss: u32,
    /// Chance that a frame arrives twice, the second time perhaps after the connection is gone,
    /// but never at a later process.
    pub duplicates: u32,
    /// Chance that a frame is overtaken by those behind it.
    pub reorder: u32,
    /// How long the link is busy with each KiB, and at least with each frame; zero: never.
    pub busy: Duration,
}

impl Default for Weather {
    fn default() -> Weather {
        Weather {
            delay_min: Duration::from_micros(200),
            delay_max: Duration::from_micros(1_500),
            tail: 0,
            tail_max: Duration::ZERO,
            loss: 0,
            duplicates: 0,
            reorder: 0,
            busy: Duration::ZERO,
        }
    }
}

impl Weather {
    /// How long a frame travels.
    pub(super) fn delay(&self, prng: &mut Prng) -> Duration {
        let spread = self.delay_max.saturating_sub(self.delay_min);
        self.delay_min + up_to(prng, spread) + tail(prng, self.tail, self.tail_max)
    }
}

/// A time up to `most`.
pub(crate) fn up_to(prng: &mut Prng, most: Duration) -> Duration {
    Duration::from_micros(prng.below(most.as_micros() as u64 + 1))
}

/// In `chance` of a thousand draws a time up to `most`, the longer the rarer.
pub(crate) fn tail(prng: &mut Prng, chance: u32, most: Duration) -> Duration {
    if chance == 0 || !prng.chance(chance.into(), 1_000) {
        return Duration::ZERO;
    }
    let halvings = prng.next_u64().trailing_zeros().min(16);
    up_to(prng, most / (1 << halvings))
}
