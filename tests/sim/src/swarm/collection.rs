//! When what is dead goes for good in a run.

use quorate_core::node::CollectionSettings;
use quorate_core::prng::Prng;
use quorate_core::time::Duration;

use super::draw::pick;

/// Draws the grace time of a run: in one of three shorter than most frames are under way, in one
/// about as long as faults last, in one so long that only a clock that jumps gets there.
pub(super) fn draw_collection(seed: u64) -> CollectionSettings {
    let mut prng = Prng::stream(seed, "plan of collections");
    let kinds: [&[u64]; 3] = [&[2, 20, 100], &[500, 2_000, 10_000], &[24 * 60 * 60 * 1_000]];
    let kind = pick(&mut prng, &kinds);
    CollectionSettings { grace: Duration::from_millis(pick(&mut prng, kind)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::draw_collection;

    #[test]
    fn every_grace_time_is_drawn() {
        let mut counts: BTreeMap<u128, u32> = BTreeMap::new();
        for seed in 0..900 {
            *counts.entry(draw_collection(seed).grace.as_millis()).or_default() += 1;
        }
        assert_eq!(counts.len(), 7);
        assert!(counts.values().all(|count| *count >= 60), "{counts:?}");
    }
}
