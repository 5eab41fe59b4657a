//! Zipf's distribution: the key of rank `r` is drawn in proportion to `1 / r^theta`. Which key has
//! which rank is shuffled, so that hot keys are spread over the nodes.

use quorate_core::prng::Prng;

/// That of YCSB.
const THETA: f64 = 0.99;

/// Draws keys.
pub(crate) struct Zipf {
    /// For each rank the chance of this rank or one in front of it, out of [`Prng::next_u64`].
    up_to: Vec<u64>,
    /// For each rank its key.
    keys: Vec<u32>,
}

impl Zipf {
    pub(crate) fn new(count: u32, seed: u64) -> Zipf {
        let weight = |rank: u32| f64::from(rank).powf(-THETA);
        let total: f64 = (1..=count).map(weight).sum();
        let mut sum = 0.0;
        let up_to = (1..=count).map(|rank| {
            sum += weight(rank);
            (sum / total * u64::MAX as f64) as u64
        });
        let up_to = up_to.collect();
        let mut keys: Vec<u32> = (0..count).collect();
        let mut prng = Prng::stream(seed, "ranks");
        for last in (1..keys.len()).rev() {
            keys.swap(last, prng.below(last as u64 + 1) as usize);
        }
        Zipf { up_to, keys }
    }

    pub(crate) fn draw(&self, prng: &mut Prng) -> u32 {
        let drawn = prng.next_u64();
        let rank = self.up_to.partition_point(|up_to| *up_to < drawn);
        self.keys[rank.min(self.keys.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_drawn_as_often_as_the_law_says() {
        const KEYS: u32 = 1_000;
        const DRAWS: u32 = 1_000_000;
        let zipf = Zipf::new(KEYS, 1);
        let mut prng = Prng::new(2);
        let mut counts = vec![0_u32; KEYS as usize];
        (0..DRAWS).for_each(|_| counts[zipf.draw(&mut prng) as usize] += 1);
        let total: f64 = (1..=KEYS).map(|rank| f64::from(rank).powf(-THETA)).sum();
        for rank in [1_u32, 2, 10, 100] {
            let key = zipf.keys[rank as usize - 1];
            let wanted = f64::from(DRAWS) * f64::from(rank).powf(-THETA) / total;
            let drawn = f64::from(counts[key as usize]);
            assert!((drawn / wanted - 1.0).abs() < 0.1, "rank {rank}: {drawn} of {wanted}");
        }
    }

    #[test]
    fn every_key_has_one_rank_and_few_have_that_of_their_number() {
        let zipf = Zipf::new(10_000, 3);
        let fixed = zipf.keys.iter().zip(0..).filter(|(key, rank)| **key == *rank).count();
        assert!(fixed < 10, "{fixed} keys were not shuffled");
        let mut keys = zipf.keys;
        keys.sort_unstable();
        assert!(keys.into_iter().eq(0..10_000));
    }
}
