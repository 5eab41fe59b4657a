//! How replicas are compared in a run.

use quorate_core::merkle::LeafCount;
use quorate_core::node::AntiEntropySettings;
use quorate_core::prng::Prng;
use quorate_core::time::Duration;

use super::draw::pick;

/// Bytes per second of a node that has little to spare.
const SCARCE: u64 = 20_000;

/// Draws the settings of a run. In one run of eight nothing is compared.
pub(super) fn draw_comparisons(seed: u64) -> AntiEntropySettings {
    let mut prng = Prng::stream(seed, "plan of comparisons");
    let usual = AntiEntropySettings::default();
    let second = Duration::from_secs(1);
    let interval = pick(&mut prng, &[second, second * 2, second * 5, usual.interval]);
    let recheck = pick(&mut prng, &[Duration::from_millis(20), second / 5, usual.recheck]);
    let leaves = pick(&mut prng, &[1, 16, 256, 256]);
    let leaves = LeafCount::new(leaves).unwrap_or(usual.leaves);
    let plenty = usual.bytes_per_second;
    let rates = [0, SCARCE, SCARCE, plenty, plenty, plenty, plenty, plenty];
    AntiEntropySettings { leaves, interval, recheck, bytes_per_second: pick(&mut prng, &rates) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::draw_comparisons;

    #[test]
    fn every_setting_is_drawn_and_some_runs_compare_nothing() {
        let mut counts: BTreeMap<(&str, u64), u32> = BTreeMap::new();
        for seed in 0..800 {
            let drawn = draw_comparisons(seed);
            let drawn = [
                ("interval", drawn.interval.as_secs()),
                ("recheck", drawn.recheck.as_millis() as u64),
                ("leaves", drawn.leaves.get().into()),
                ("rate", drawn.bytes_per_second),
            ];
            drawn.into_iter().for_each(|drawn| *counts.entry(drawn).or_default() += 1);
        }
        assert_eq!(counts.len(), 4 + 3 + 3 + 3);
        assert!((60..140).contains(&counts[&("rate", 0)]), "{counts:?}");
        assert!(counts.values().all(|count| *count >= 60), "{counts:?}");
    }
}
