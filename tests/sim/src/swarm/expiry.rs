//! Which values of a run expire, and when.

use quorate_core::limits::TTL_MAX;
use quorate_core::prng::Prng;
use quorate_core::time::Duration;

use super::draw::pick;
use super::plan::Kind;
use crate::network::up_to;

const HOUR: Duration = Duration::from_secs(3_600);

/// Draws times to live. Each kind of them is absent from half of the seeds.
pub(super) struct Expiry {
    prng: Prng,
    /// Whether there are values that expire within the run.
    soon: bool,
    /// Whether there are values that expire so late that only a clock that jumps gets there.
    late: bool,
}

impl Expiry {
    pub(super) fn new(seed: u64) -> Expiry {
        let mut prng = Prng::stream(seed, "plan of expiry");
        let (soon, late) = (prng.chance(1, 2), prng.chance(1, 2));
        Expiry { prng, soon, late }
    }

    /// The time to live of one put in three, in a run that goes on for `span`.
    pub(super) fn ttl(&mut self, kind: Kind, span: Duration) -> Option<Duration> {
        let puts = matches!(kind, Kind::Put(_));
        if !puts || !(self.soon || self.late) || !self.prng.chance(1, 3) {
            return None;
        }
        if self.late && (!self.soon || self.prng.chance(1, 2)) {
            return Some(pick(&mut self.prng, &[HOUR, HOUR * 5, HOUR * 24, TTL_MAX]));
        }
        let longest = pick(&mut self.prng, &[Duration::ZERO, span / 20, span / 2]);
        Some(Duration::from_millis(1) + up_to(&mut self.prng, longest))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Expiry, HOUR, Kind};
    use crate::swarm::plan::Shown;

    #[test]
    fn each_kind_of_time_to_live_is_absent_from_about_half_of_the_seeds() {
        let span = Duration::from_secs(1);
        let (mut soon, mut late) = (0, 0);
        for seed in 0..400 {
            let mut expiry = Expiry::new(seed);
            assert_eq!(expiry.ttl(Kind::Delete(Shown::Nothing), span), None);
            let puts = (0..60).filter_map(|_| expiry.ttl(Kind::Put(Shown::Nothing), span));
            let ttls: Vec<Duration> = puts.collect();
            assert!(ttls.iter().all(|ttl| !ttl.is_zero()) && ttls.len() < 40, "{}", ttls.len());
            soon += u32::from(ttls.iter().any(|ttl| *ttl <= span));
            late += u32::from(ttls.iter().any(|ttl| *ttl >= HOUR));
        }
        for with in [soon, late] {
            assert!((150..250).contains(&with), "{soon} and {late} of 400");
        }
    }
}
