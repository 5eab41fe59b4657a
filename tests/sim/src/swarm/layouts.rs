//! How the layout changes in a run.

use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};

use super::draw::pick;
use super::plan::Act;
use crate::config::WorldConfig;
use crate::network::up_to;

/// One run in so many changes its layout.
const RUNS: u64 = 3;

/// Changes of a run, at most.
const CHANGES_MAX: u64 = 4;

/// What a run does with its layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// What the nodes weigh, to begin with; empty: all alike.
    pub(super) weights: Vec<u32>,
    /// What they weigh after each change, and who is asked for it.
    pub(super) acts: Vec<Act>,
    /// The time from call to call: a change takes some rounds of gossip.
    gap: Duration,
}

/// A run with changes has so many microseconds from call to call.
const GAPS_US: [u64; 3] = [5_000, 10_000, 30_000];

impl Changes {
    /// Draws the changes of a run: nodes join, leave, and take more or less. Where nothing is
    /// compared nothing moves, so the layout stays.
    pub(super) fn draw(seed: u64, config: &mut WorldConfig) -> Changes {
        let mut prng = Prng::stream(seed, "plan of layouts");
        if !prng.chance(1, RUNS) || config.anti_entropy.bytes_per_second == 0 {
            return Changes::default();
        }
        // Slots can move to nodes that held nothing of them before.
        if config.replication <= 3 && prng.chance(2, 3) {
            config.nodes = config.nodes.max(2 * usize::from(config.replication));
        }
        let nodes = config.nodes;
        let least = usize::from(config.replication).min(nodes);
        let weights = draw_weights(&mut prng, nodes, least);
        let mut last = weights.clone();
        let acts = (0..1 + prng.below(CHANGES_MAX)).map(|_| {
            let others = last.iter().filter(|weight| **weight == 0).count();
            last = match others >= least && prng.chance(2, 3) {
                // All those that hold nothing take the place of all others.
                true => last.iter().map(|weight| u32::from(*weight == 0)).collect(),
                false => draw_weights(&mut prng, nodes, least),
            };
            Act::Layout { node: prng.below(nodes as u64) as usize, weights: last.clone() }
        });
        let acts = acts.collect();
        let gap = Duration::from_micros(pick(&mut prng, &GAPS_US));
        Changes { weights, acts, gap }
    }

    /// For how long so many calls go on, which else would go on for `span`.
    pub(super) fn stretch(&self, span: Duration, calls: usize) -> Duration {
        if self.acts.is_empty() { span } else { self.gap * calls as u32 }
    }

    /// When each of them comes: now and then one right after the other.
    pub(super) fn at(&self, seed: u64, beginning: Instant, span: Duration) -> Vec<(Instant, Act)> {
        let mut prng = Prng::stream(seed, "moments of layouts");
        let hurried = prng.chance(1, 3);
        let first = up_to(&mut prng, span);
        let acts = self.acts.iter().cloned();
        let timed = acts.map(|act| {
            let at =
                if hurried { first + up_to(&mut prng, span / 20) } else { up_to(&mut prng, span) };
            (beginning + at, act)
        });
        timed.collect()
    }
}

/// What each node weighs; `least` of them weigh something.
fn draw_weights(prng: &mut Prng, nodes: usize, least: usize) -> Vec<u32> {
    let mut weights: Vec<u32> = (0..nodes).map(|_| pick(prng, &[0, 0, 0, 1, 1, 2])).collect();
    while weights.iter().filter(|weight| **weight > 0).count() < least {
        let node = prng.below(nodes as u64) as usize;
        weights[node] = 1;
    }
    weights
}
