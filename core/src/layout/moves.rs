//! The freedom that quotas leave: which slots change their owner, and to whom they go.
//!
//! Two kinds of swaps keep the number of moves:
//!
//! ```text
//!   two slots that move    A→X  B→Y    becomes   A→Y  B→X
//!   another one of A       A→X  A stays  becomes   A stays  A→X
//! ```
//!
//! Many of both are tried. Where members hold too much even so, the price of what must be sent is
//! waived, and a few more slots move:
//!
//! ```text
//!   arrange   no more slots                 swaps that make the ring better
//!   relieve   up to one more per member     swaps that relieve the fullest member most
//!   anneal    up to 8 more, step by step    swaps that may make the ring worse for a while
//! ```
//!
//! The last one is for few nodes in zones of which one has just come to hold a replica of every
//! slot: there each slot must have its place in the order of zones.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::search::{Score, Search};
use super::slot_set::SlotSet;
use crate::prng::Prng;

/// Swaps tried per slot that moves.
const TRIES_PER_MOVE: usize = 256;

/// Swaps tried at most: where very many slots move, even a few tries for each make loads even.
const TRIES_MAX: usize = 250_000;

/// The same, for another try once the price is waived.
const TRIES_MAX_WAIVED: usize = 50_000;

/// Swaps of which the best one is taken to relieve a member.
const TRIES_PER_RELIEF: usize = 256;

/// How far before a slot of a member a swap may relieve it.
const RELIEF_REACH: u64 = 4;

/// Times that all slots that move are arranged anew and members relieved.
const RELIEF_ROUNDS: usize = 2;

/// Swaps tried each time that more slots may move.
const ANNEALING_TRIES: usize = 100_000;

/// By how many replicas, squared, annealing may make the ring worse at first.
const ANNEALING_HEAT: u128 = 4;

/// How many slots per member with slots may move in the end beyond those that must: one after the
/// other until loads are even.
const MORE_PER_MEMBER: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// A ring of which some slots have left the members that owned them.
pub(super) struct Moves {
    search: Search,
    /// Per slot, the member that owned it; `None` where that one is no member any more.
    homes: Vec<Option<u16>>,
    /// Per member, the slots that it owned.
    slots_of: Vec<Vec<usize>>,
    /// Invariant: the slots that another member owns now.
    moved: SlotSet,
    prng: Prng,
}

impl Moves {
    /// The moves from `homes`, per slot the member that owned it, to the ring of `search`;
    /// `slots_of` are the same, per member the slots that it owned.
    pub(super) fn new(search: Search, homes: Vec<Option<u16>>, slots_of: Vec<Vec<usize>>) -> Moves {
        let prng = Prng::stream(0, "moves");
        let moved = SlotSet::new(homes.len());
        let mut moves = Moves { search, homes, slots_of, moved, prng };
        for slot in 0..moves.homes.len() {
            moves.file(slot);
        }
        moves
    }

    /// Chooses the moves and returns the owners.
    ///
    /// More slots than before move only while a member holds more than a twentieth, and more than
    /// the replicas of one slot, above its load in `fair` (thousandths of a replica), and no more
    /// than [`MORE_PER_MEMBER`] says.
    pub(super) fn choose(mut self, fair: &[u64], replication: u8) -> Vec<u16> {
        let limit = |&fair: &u64| {
            let twentieth_above = fair * 21 / 20 / 1000;
            twentieth_above.max(fair.div_ceil(1000) + u64::from(replication)) as u32
        };
        let limits: Vec<u32> = fair.iter().map(limit).collect();
        let members = fair.iter().filter(|&&fair| fair > 0).count();
        let least = self.moved.len();

        self.arrange(TRIES_MAX);
        if self.is_overloaded(&limits) {
            self.search.ignore_sent();
            for round in 1..=RELIEF_ROUNDS {
                self.arrange(TRIES_MAX_WAIVED);
                self.relieve(&limits, least + members * round / RELIEF_ROUNDS);
            }
        }
        for more in MORE_PER_MEMBER {
            if self.is_overloaded(&limits) {
                self.anneal(&limits, least + more * members);
            }
        }
        self.search.into_owners()
    }

    /// Makes the ring better by its [`Score`]; no more slots move for it.
    fn arrange(&mut self, tries_max: usize) {
        for _ in 0..tries_max.min(TRIES_PER_MOVE * self.moved.len()) {
            if self.search.is_spent() {
                break;
            }
            let one = self.moved.draw(&mut self.prng);
            let other = self.partner(one);
            let Some((before, after)) = self.search.swap(one, other) else {
                continue;
            };
            if after > before {
                self.search.swap_back();
            } else {
                self.file(one);
                self.file(other);
            }
        }
    }

    /// A slot that may swap owners with `one`: it moves, or has the same home. Where `one` moves,
    /// no more slots move after the swap.
    fn partner(&mut self, one: usize) -> usize {
        match self.homes[one] {
            Some(home) if self.prng.chance(1, 2) => {
                let slots = &self.slots_of[usize::from(home)];
                slots[self.prng.below(slots.len() as u64) as usize]
            }
            _ => self.moved.draw(&mut self.prng),
        }
    }

    fn is_overloaded(&self, limits: &[u32]) -> bool {
        self.search.loads().iter().zip(limits).any(|(load, limit)| load > limit)
    }

    /// Lets further slots move, until `moved_max` do, as long as that relieves members whose load
    /// is above the limit.
    fn relieve(&mut self, limits: &[u32], moved_max: usize) {
        let mut given_up = vec![false; limits.len()];
        while !self.search.is_spent() {
            let excess = |member: usize| self.search.loads()[member].saturating_sub(limits[member]);
            let candidates = (0..limits.len()).filter(|&member| !given_up[member]);
            let worst = candidates.max_by_key(|&member| (excess(member), Reverse(member)));
            let Some(member) = worst.filter(|&member| excess(member) > 0) else {
                break;
            };
            match self.relief(member, moved_max) {
                Some((one, other)) => {
                    self.search.swap(one, other);
                    self.file(one);
                    self.file(other);
                }
                None => given_up[member] = true,
            }
        }
    }

    /// Of some swaps after which a member holds less, the best.
    fn relief(&mut self, member: usize, moved_max: usize) -> Option<(usize, usize)> {
        let owned: Vec<usize> = (0..self.homes.len())
            .filter(|&slot| usize::from(self.search.owners()[slot]) == member)
            .collect();
        let slots = self.homes.len();
        let mut best: Option<(Score, (usize, usize))> = None;
        for _ in 0..TRIES_PER_RELIEF {
            // A slot of the member, or one of those before it, whose walks end at the member.
            let own = owned[self.prng.below(owned.len() as u64) as usize];
            let back = self.prng.below(RELIEF_REACH) as usize % slots;
            let one = (own + slots - back) % slots;
            let other = self.prng.below(slots as u64) as usize;
            let (load, moved) = (self.search.loads()[member], self.moved_of(one, other));
            let Some((before, after)) = self.search.swap(one, other) else {
                continue;
            };
            let moves = self.moved.len() + self.moved_of(one, other) - moved;
            let helps = self.search.loads()[member] < load && after.cost < before.cost;
            if helps && moves <= moved_max && best.is_none_or(|(score, _)| after < score) {
                best = Some((after, (one, other)));
            }
            self.search.swap_back();
        }
        best.map(|(_, swap)| swap)
    }

    /// Tries swaps of any slots, up to `moved_max` of which then move, and keeps those that make
    /// the ring worse by no more than a heat that falls to nothing. Ends as soon as nobody's load is
    /// above the limit.
    fn anneal(&mut self, limits: &[u32], moved_max: usize) {
        let slots = self.homes.len() as u64;
        for left in (0..ANNEALING_TRIES).rev() {
            if self.search.is_spent() || left % 1024 == 0 && !self.is_overloaded(limits) {
                break;
            }
            let mut any = || self.prng.below(slots) as usize;
            let (mut one, mut other) = (any(), any());
            if !self.moved.is_empty() && self.prng.chance(3, 4) {
                one = self.moved.draw(&mut self.prng);
            }
            if !self.moved.is_empty() && self.prng.chance(3, 4) {
                other = self.partner(one);
            }
            let moved = self.moved_of(one, other);
            let Some((before, after)) = self.search.swap(one, other) else {
                continue;
            };
            let heat = ANNEALING_HEAT * self.search.unit() * left as u128 / ANNEALING_TRIES as u128;
            let more = self.moved_of(one, other).saturating_sub(moved);
            if after.cost > before.cost + heat || more > 0 && self.moved.len() + more > moved_max {
                self.search.swap_back();
            } else {
                self.file(one);
                self.file(other);
            }
        }
    }

    /// How many of two slots are not at home.
    fn moved_of(&self, one: usize, other: usize) -> usize {
        [one, other].into_iter().filter(|&slot| !self.is_at_home(slot)).count()
    }

    fn is_at_home(&self, slot: usize) -> bool {
        self.homes[slot] == Some(self.search.owners()[slot])
    }

    /// Keeps the invariant of `moved` for a slot with another owner.
    fn file(&mut self, slot: usize) {
        if self.is_at_home(slot) {
            self.moved.remove(slot);
        } else {
            self.moved.insert(slot);
        }
    }
}
