//! The state of a search for even loads: a ring, its walks, what its members hold, and one move,
//! the swap of two slots between their owners, which can be taken back.
//!
//! How uneven the loads are is the sum, over all members, of load² / weight, where the load counts
//! the slots of which a member is a primary: least where loads are in proportion to weights. Where
//! the ring takes the place of a former one, each replica that must be sent for it costs, too.
//!
//! Invariant: nobody's number of owned slots changes.

use alloc::vec;
use alloc::vec::Vec;

use crate::ring::Ring;

/// Bounds a whole search where walks are long: slots walked over in all.
const STEPS_MAX: usize = 32_000_000;

/// A swap that changes the lists of more slots than this is not tried.
const TOUCHED_MAX: usize = 512;

/// What a replica that must be sent costs, in squares of a load of mean weight.
const REPLICA_PRICE: u128 = 2;

/// Stands, among former primaries, for one that is no member any more.
const GONE: u16 = u16::MAX;

/// A ring under search.
pub(super) struct Search {
    ring: Ring,
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
    /// The former primaries of all slots, one slot after the other; empty without a former ring.
    former: Vec<u16>,
    /// Former primaries per slot.
    former_width: usize,
    /// Invariant: the number of primaries that are none in `former`.
    sent: u64,
    /// What one of them costs, in the units of `unevenness`.
    price: u128,
    /// Slots walked over in all.
    steps: usize,
    /// How many may be.
    steps_max: usize,
    /// Room for the primaries that a walk meets.
    walked: Vec<u16>,
    /// The last swap, to be taken back.
    last: Swap,
}

/// What a swap changed.
#[derive(Default)]
struct Swap {
    /// The two slots.
    slots: (usize, usize),
    /// The slots whose walk looks at one of the two, with their reach before the swap.
    touched: Vec<(usize, usize)>,
    /// The primaries of the touched slots before the swap.
    primaries: Vec<u16>,
    /// `Search::unevenness` before the swap.
    unevenness: u128,
    /// `Search::sent` before the swap.
    sent: u64,
}

/// How good a ring is: less is better, cost before short walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    /// How uneven the loads are, and the price of all replicas that must be sent.
    pub(super) cost: u128,
    /// How many slots the walks look at that a swap touches.
    pub(super) reach: usize,
}

impl Search {
    /// The walks and loads of a ring; `weights` are those of its members.
    pub(super) fn new(ring: Ring, replication: u8, weights: &[u32]) -> Search {
        let replication = usize::from(replication);
        let width = replication.min(ring.owner_count());
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        // Shares below 2^-16 of a weight make no difference.
        let factor = |&weight: &u32| (total << 16) / u128::from(weight.max(1));
        let mut search = Search {
            width,
            primaries: vec![0; width * ring.slot_count()],
            reach: vec![0; ring.slot_count()],
            loads: vec![0; weights.len()],
            factors: weights.iter().map(factor).collect(),
            unevenness: 0,
            former: Vec::new(),
            former_width: 0,
            sent: 0,
            price: 0,
            steps: 0,
            steps_max: STEPS_MAX,
            walked: vec![0; width],
            last: Swap::default(),
            ring,
        };
        let (primaries, reaches) = (&mut search.primaries, &mut search.reach);
        search.ring.for_each_primaries(replication, |slot, indexes, reach| {
            primaries[slot.index() * width..][..width].copy_from_slice(indexes);
            reaches[slot.index()] = reach;
        });
        for at in 0..search.primaries.len() {
            search.count_in(search.primaries[at]);
        }
        search
    }

    /// The same, where the ring takes the place of one with these primaries: per slot, the indexes
    /// of its members, `None` for those who left.
    pub(super) fn after(self, former: impl Iterator<Item = Option<u16>>) -> Search {
        let former: Vec<u16> = former.map(|member| member.unwrap_or(GONE)).collect();
        let slots = self.ring.slot_count();
        let mut search = Search {
            former_width: former.len() / slots,
            price: REPLICA_PRICE * ((self.loads.len() as u128) << 16),
            former,
            // Room for repairs after a first search.
            steps_max: 2 * STEPS_MAX,
            ..self
        };
        search.sent = (0..slots).map(|slot| search.sent_for(slot)).sum();
        search
    }

    /// What the square of one replica costs a member of mean weight.
    pub(super) fn unit(&self) -> u128 {
        (self.loads.len() as u128) << 16
    }

    /// From here on, what must be sent costs nothing.
    pub(super) fn ignore_sent(&mut self) {
        self.price = 0;
    }

    /// Per slot, the index of the member that owns it.
    pub(super) fn owners(&self) -> &[u16] {
        self.ring.owners()
    }

    /// Per member, of how many slots it is a primary.
    pub(super) fn loads(&self) -> &[u32] {
        &self.loads
    }

    /// Whether the search has walked over as many slots as it may.
    pub(super) fn is_spent(&self) -> bool {
        self.steps > self.steps_max
    }

    /// Gives up everything but the owners.
    pub(super) fn into_owners(self) -> Vec<u16> {
        self.ring.into_owners()
    }

    /// Swaps the owners of two slots and tells how good the ring was before and is after it.
    ///
    /// `None`, and nothing is changed, where one member owns both or too many walks would change.
    pub(super) fn swap(&mut self, one: usize, other: usize) -> Option<(Score, Score)> {
        if self.ring.owners()[one] == self.ring.owners()[other] {
            return None;
        }
        let mut last = core::mem::take(&mut self.last);
        if !self.find_touched(one, other, &mut last.touched) {
            self.last = last;
            return None;
        }
        let mut before = Score { cost: self.cost(), reach: 0 };
        let mut reach_after = 0;
        let mut walked = core::mem::take(&mut self.walked);
        last.slots = (one, other);
        (last.unevenness, last.sent) = (self.unevenness, self.sent);
        last.primaries.clear();
        self.ring.swap_owners(one, other);
        for &(slot, reach) in &last.touched {
            last.primaries.extend_from_slice(self.primaries_of(slot));
            self.reach[slot] = self.ring.walk(slot, &mut walked);
            before.reach += reach;
            reach_after += self.reach[slot];
            self.set_primaries(slot, &walked);
        }
        self.last = last;
        self.walked = walked;
        self.steps += reach_after;
        Some((before, Score { cost: self.cost(), reach: reach_after }))
    }

    /// Takes the last swap back.
    pub(super) fn swap_back(&mut self) {
        let last = core::mem::take(&mut self.last);
        self.ring.swap_owners(last.slots.0, last.slots.1);
        for (&(slot, reach), old) in
            last.touched.iter().zip(last.primaries.chunks_exact(self.width))
        {
            let primaries = &mut self.primaries[slot * self.width..][..self.width];
            for (member, &former) in primaries.iter_mut().zip(old) {
                self.loads[usize::from(*member)] -= 1;
                self.loads[usize::from(former)] += 1;
                *member = former;
            }
            self.reach[slot] = reach;
        }
        (self.unevenness, self.sent) = (last.unevenness, last.sent);
        self.last = last;
    }

    /// The slots whose walk looks at `one` or `other`, with their reach; false for too many.
    fn find_touched(&self, one: usize, other: usize, touched: &mut Vec<(usize, usize)>) -> bool {
        let slots = self.ring.slot_count();
        let sees = |slot: usize, target: usize| self.ring.distance(slot, target) < self.reach[slot];
        touched.clear();
        for target in [one, other] {
            // A walk that begins earlier ends no later: behind the first that falls short, all do.
            for slot in (0..=target).rev().chain((target + 1..slots).rev()) {
                if !sees(slot, target) {
                    break;
                }
                if target == one || !sees(slot, one) {
                    touched.push((slot, self.reach[slot]));
                }
                if touched.len() > TOUCHED_MAX {
                    return false;
                }
            }
        }
        true
    }

    fn cost(&self) -> u128 {
        self.unevenness + self.price * u128::from(self.sent)
    }

    /// How many primaries of a slot are no former ones.
    fn sent_for(&self, slot: usize) -> u64 {
        if self.former.is_empty() {
            return 0;
        }
        let former = &self.former[slot * self.former_width..][..self.former_width];
        self.primaries_of(slot).iter().filter(|member| !former.contains(member)).count() as u64
    }

    fn primaries_of(&self, slot: usize) -> &[u16] {
        &self.primaries[slot * self.width..][..self.width]
    }

    /// Gives a slot other primaries; counts only what differs.
    fn set_primaries(&mut self, slot: usize, primaries: &[u16]) {
        let start = slot * self.width;
        // Lists are short: a loop costs less than a call to compare or to copy memory.
        if self.primaries_of(slot).iter().zip(primaries).all(|(old, new)| old == new) {
            return;
        }
        self.sent -= self.sent_for(slot);
        for at in start..start + self.width {
            let former = self.primaries[at];
            if primaries.iter().all(|&member| member != former) {
                self.count_out(former);
            }
        }
        for &member in primaries {
            if self.primaries_of(slot).iter().all(|&former| former != member) {
                self.count_in(member);
            }
        }
        for (at, &member) in primaries.iter().enumerate() {
            self.primaries[start + at] = member;
        }
        self.sent += self.sent_for(slot);
    }

    fn count_in(&mut self, member: u16) {
        let load = &mut self.loads[usize::from(member)];
        // (load + 1)² - load²
        self.unevenness += self.factors[usize::from(member)] * u128::from(2 * *load + 1);
        *load += 1;
    }

    fn count_out(&mut self, member: u16) {
        let load = &mut self.loads[usize::from(member)];
        // load² - (load - 1)²
        self.unevenness -= self.factors[usize::from(member)] * u128::from(2 * *load - 1);
        *load -= 1;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Search;
    use crate::prng::Prng;
    use crate::ring::Ring;

    fn assert_same(search: &Search, fresh: &Search) {
        assert_eq!(search.primaries, fresh.primaries);
        assert_eq!(search.reach, fresh.reach);
        assert_eq!(search.loads, fresh.loads);
        assert_eq!(search.unevenness, fresh.unevenness);
        assert_eq!(search.sent, fresh.sent);
    }

    #[test]
    fn the_search_knows_the_walks_of_the_ring_that_it_leaves() {
        // Clustered owners and a rare zone: walks are long, and swaps change many of them.
        let owners: Vec<u16> = (0..256).map(|slot| if slot < 3 { 9 } else { slot / 29 }).collect();
        let zones = alloc::vec![0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
        let ring = Ring::new(owners, zones);
        for replication in 1..=5 {
            let former = (0..512).map(|index| Some(index % 7).filter(|&member| member > 0));
            let fresh = |ring: &Ring| {
                Search::new(ring.clone(), replication, &[1; 10]).after(former.clone())
            };
            let mut search = fresh(&ring);
            let mut prng = Prng::new(u64::from(replication));
            for _ in 0..400 {
                let unswapped = fresh(&search.ring);
                let (one, other) = (prng.below(256) as usize, prng.below(256) as usize);
                let Some((before, after)) = search.swap(one, other) else {
                    continue;
                };
                let swapped = fresh(&search.ring);
                assert_eq!([before.cost, after.cost], [unswapped.cost(), swapped.cost()]);
                assert_same(&search, &swapped);
                if prng.chance(1, 2) {
                    search.swap_back();
                    assert_same(&search, &unswapped);
                    assert_eq!(search.owners(), unswapped.owners());
                }
            }
        }
    }
}
