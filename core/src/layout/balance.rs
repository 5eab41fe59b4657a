//! Evening out: swaps of slots between owners, as long as no swap makes the loads less even.
//!
//! A swap is kept unless it makes the [`Score`](super::search::Score) worse. Since a swap that
//! changes nothing is kept as well, the search also mixes the order of the owners: the neighbours
//! that stand in for a failed node, and that send it its data, become many different ones (Dynamo
//! §4.2, §6.2).
//!
//! Invariant: nobody's number of owned slots changes.

use alloc::vec::Vec;

use super::search::Search;
use crate::prng::Prng;
use crate::ring::Ring;

/// Swaps tried per slot.
const TRIES_PER_SLOT: u64 = 16;

/// Evens out the replica loads of a ring and returns its owners.
pub(super) fn balance(ring: Ring, replication: u8, weights: &[u32]) -> Vec<u16> {
    let slots = ring.slot_count() as u64;
    let mut search = Search::new(ring, replication, weights);
    let mut prng = Prng::stream(0, "balance");
    for _ in 0..TRIES_PER_SLOT * slots {
        if search.is_spent() {
            break;
        }
        let one = prng.below(slots) as usize;
        let other = prng.below(slots) as usize;
        if let Some((before, after)) = search.swap(one, other)
            && after > before
        {
            search.swap_back();
        }
    }
    search.into_owners()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::balance;
    use crate::layout::search::Search;
    use crate::ring::Ring;

    #[test]
    fn loads_become_more_even_and_quotas_stay() {
        let owners: Vec<u16> = (0..256).map(|slot| if slot < 3 { 9 } else { slot / 29 }).collect();
        let zones = alloc::vec![0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
        let sorted = |mut owners: Vec<u16>| {
            owners.sort_unstable();
            owners
        };
        let spread = |owners: &[u16], replication| {
            let ring = Ring::new(owners.to_vec(), zones.clone());
            let search = Search::new(ring, replication, &[1; 10]);
            search.loads().iter().map(|&load| u64::from(load).pow(2)).sum::<u64>()
        };
        for replication in 2..=5 {
            let ring = Ring::new(owners.clone(), zones.clone());
            let balanced = balance(ring, replication, &[1; 10]);
            assert!(spread(&balanced, replication) < spread(&owners, replication));
            assert_eq!(sorted(balanced), sorted(owners.clone()));
        }
    }
}
