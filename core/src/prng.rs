//! A seeded generator with named sub-streams: the only source of chance in the core.
//!
//! The algorithm is xoshiro256++ (Blackman and Vigna, *Scrambled Linear Pseudorandom Number
//! Generators*, 2021), its state filled by splitmix64. It decides jitter and ids, never secrets.

/// A deterministic pseudo-random generator.
#[derive(Clone, Debug)]
pub struct Prng {
    state: [u64; 4],
}

impl Prng {
    /// A generator whose whole future follows from `seed`.
    pub fn new(seed: u64) -> Prng {
        let mut source = seed;
        Prng { state: core::array::from_fn(|_| split_mix(&mut source)) }
    }

    /// An independent generator for one purpose: one more draw in `"gossip"` shifts no `"hedge"`.
    pub fn stream(seed: u64, purpose: &str) -> Prng {
        // FNV-1a spreads the name over the seed.
        let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Prng::new(seed ^ name)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number from 0 up to, not including, `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: biased by less than bound / 2^64.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// True in `numerator` of `denominator` draws.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::Prng;

    #[test]
    fn matches_the_reference_generator() {
        // First outputs of the reference C implementation of xoshiro256++ with state 1, 2, 3, 4.
        let mut prng = Prng { state: [1, 2, 3, 4] };
        let drawn: [u64; 4] = core::array::from_fn(|_| prng.next_u64());
        assert_eq!(drawn, [41943041, 58720359, 3588806011781223, 3591011842654386]);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let mut gossip = Prng::stream(7, "gossip");
        let mut hedge = Prng::stream(7, "hedge");
        assert_ne!(gossip.next_u64(), hedge.next_u64());
    }

    #[test]
    fn below_stays_below() {
        let mut prng = Prng::new(1);
        assert!((0..1_000).all(|_| prng.below(7) < 7));
        assert_eq!(prng.below(0), 0);
    }
}
