//! Evening out: swaps of slots between owners, as long as no swap makes the loads less even.
//!
//! How uneven the loads are is the sum, over all members, of load² / weight, where the load counts
//! the slots of which a member is a primary: least where loads are in proportion to weights. A
//! swap is kept unless it raises that sum. Since a swap that changes nothing is kept as well, the
//! search also mixes the order of the owners: the neighbours that stand in for a failed node, and
//! that send it its data, become many different ones (Dynamo §4.2, §6.2).
//!
//! Invariant: nobody's number of owned slots changes.

use alloc::vec;
use alloc::vec::Vec;

use crate::prng::Prng;
use crate::ring::Ring;

/// Swaps tried per slot.
const TRIES_PER_SLOT: u64 = 16;

/// Bounds the whole search where walks are long: slots walked over in all.
const STEPS_MAX: usize = 32_000_000;

/// A swap that changes the lists of more slots than this is not tried.
const TOUCHED_MAX: usize = 512;

/// Evens out the replica loads of a ring and returns its owners.
pub(super) fn balance(ring: Ring, replication: u8, weights: &[u32]) -> Vec<u16> {
    let mut search = Search::new(ring, usize::from(replication), weights);
    search.run();
    search.ring.into_owners()
}

struct Search {
    ring: Ring,
    replication: usize,
    /// Primaries per slot.
    width: usize,
    /// The primaries of all slots, one slot after the other.
    primaries: Vec<u16>,
    /// Per slot, how many slots its walk looks at.
    reach: Vec<usize>,
    /// Per member, of how many slots it is a primary.
    loads: Vec<u32>,
    /// Per member, what the square of its load counts: inverse to its weight.
    factors: Vec<u128>,
    /// Invariant: the sum of `factors` × `loads`².
    unevenness: u128,
    /// Slots walked over in all.
    steps: usize,
}

impl Search {
    fn new(ring: Ring, replication: usize, weights: &[u32]) -> Search {
        let width = replication.min(ring.owner_count());
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        // Shares below 2^-16 of a weight make no difference.
        let factor = |&weight: &u32| (total << 16) / u128::from(weight.max(1));
        let mut search = Search {
            replication,
            width,
            primaries: vec![0; width * ring.slot_count()],
            reach: vec![0; ring.slot_count()],
            loads: vec![0; weights.len()],
            factors: weights.iter().map(factor).collect(),
            unevenness: 0,
            steps: 0,
            ring,
        };
        let (primaries, reaches) = (&mut search.primaries, &mut search.reach);
        search.ring.for_each_primaries(replication, |slot, indexes, reach| {
            primaries[slot.index() * width..][..width].copy_from_slice(indexes);
            reaches[slot.index()] = reach;
        });
        for slot in 0..search.ring.slot_count() {
            search.count_in(slot);
        }
        search
    }

    fn run(&mut self) {
        let slots = self.ring.slot_count() as u64;
        let mut prng = Prng::stream(0, "balance");
        for _ in 0..TRIES_PER_SLOT * slots {
            if self.steps > STEPS_MAX {
                break;
            }
            let one = prng.below(slots) as usize;
            let other = prng.below(slots) as usize;
            self.attempt(one, other);
        }
    }

    /// Swaps the owners of two slots, and back again if that makes the loads less even, or leaves
    /// them as they are and the walks longer.
    fn attempt(&mut self, one: usize, other: usize) {
        if self.ring.owners()[one] == self.ring.owners()[other] {
            return;
        }
        let Some(touched) = self.touched(one, other) else {
            return;
        };
        let before = self.unevenness;
        let (mut reach_before, mut reach_after) = (0, 0);
        let mut saved = Vec::with_capacity(touched.len() * self.width);
        let mut walked = Vec::with_capacity(self.width + 1);
        self.ring.swap_owners(one, other);
        for (slot, reach) in &touched {
            self.count_out(*slot);
            saved.extend_from_slice(&self.primaries[slot * self.width..][..self.width]);
            self.reach[*slot] = self.ring.walk(*slot, self.replication, &mut walked);
            self.primaries[slot * self.width..][..self.width].copy_from_slice(&walked);
            reach_before += reach;
            reach_after += self.reach[*slot];
            self.count_in(*slot);
        }
        self.steps += reach_after;
        if (self.unevenness, reach_after) <= (before, reach_before) {
            return;
        }
        self.ring.swap_owners(one, other);
        for ((slot, reach), old) in touched.iter().zip(saved.chunks_exact(self.width)) {
            self.count_out(*slot);
            self.primaries[slot * self.width..][..self.width].copy_from_slice(old);
            self.reach[*slot] = *reach;
            self.count_in(*slot);
        }
        debug_assert_eq!(self.unevenness, before, "a swap back restores everything");
    }

    /// The slots whose walk looks at `one` or `other`, with their reach; `None` for too many.
    fn touched(&self, one: usize, other: usize) -> Option<Vec<(usize, usize)>> {
        let slots = self.ring.slot_count();
        let sees = |slot: usize, target: usize| self.ring.distance(slot, target) < self.reach[slot];
        let mut touched = Vec::new();
        for target in [one, other] {
            // A walk that begins earlier ends no later: behind the first that falls short, all do.
            for back in 0..slots {
                let slot = (target + slots - back) % slots;
                if !sees(slot, target) {
                    break;
                }
                if target == one || !sees(slot, one) {
                    touched.push((slot, self.reach[slot]));
                }
                if touched.len() > TOUCHED_MAX {
                    return None;
                }
            }
        }
        Some(touched)
    }

    fn count_in(&mut self, slot: usize) {
        for &member in &self.primaries[slot * self.width..][..self.width] {
            let load = &mut self.loads[usize::from(member)];
            // (load + 1)² - load²
            self.unevenness += self.factors[usize::from(member)] * u128::from(2 * *load + 1);
            *load += 1;
        }
    }

    fn count_out(&mut self, slot: usize) {
        for &member in &self.primaries[slot * self.width..][..self.width] {
            let load = &mut self.loads[usize::from(member)];
            // load² - (load - 1)²
            self.unevenness -= self.factors[usize::from(member)] * u128::from(2 * *load - 1);
            *load -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Search;
    use crate::ring::Ring;

    #[test]
    fn the_search_knows_the_walks_of_the_ring_that_it_leaves() {
        // Clustered owners and a rare zone: walks are long, and swaps change many of them.
        let owners: Vec<u16> = (0..256).map(|slot| if slot < 3 { 9 } else { slot / 29 }).collect();
        let zones = alloc::vec![0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
        for replication in 1..=5 {
            let weights = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
            let ring = Ring::new(owners.clone(), zones.clone());
            let mut search = Search::new(ring, replication, &weights);
            let before = search.unevenness;
            search.run();
            let fresh = Search::new(search.ring.clone(), replication, &weights);
            assert_eq!(search.primaries, fresh.primaries);
            assert_eq!(search.reach, fresh.reach);
            assert_eq!(search.loads, fresh.loads);
            assert_eq!(search.unevenness, fresh.unevenness);
            assert!(search.unevenness < before || replication == 1);
        }
    }
}
