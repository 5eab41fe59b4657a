//! The freedom that quotas leave: which slots change their owner, and to whom they go.
//!
//! Two kinds of swaps keep the number of moves:
//!
//! ```text
//!   two slots that move    A→X  B→Y    becomes   A→Y  B→X
//!   another one of A       A→X  A stays  becomes   A stays  A→X
//! ```
//!
//! Many of both are tried. Where members hold too much even so, first the price of what must be sent
//! is waived, then a few more slots move.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::search::{Score, Search};
use crate::prng::Prng;

/// Swaps tried per slot that moves.
const TRIES_PER_MOVE: usize = 256;

/// Swaps tried at most: where very many slots move, even a few tries for each make loads even.
const TRIES_MAX: usize = 600_000;

/// Swaps of which the best one is taken to relieve a member.
const TRIES_PER_RELIEF: usize = 256;

/// How far before a slot of a member a swap may relieve it.
const RELIEF_REACH: u64 = 4;

/// Times that further slots may move, and all that move are arranged anew.
const RELIEF_ROUNDS: isize = 4;

/// A ring of which some slots have left the members that owned them.
pub(super) struct Moves {
    search: Search,
    /// Per slot, the member that owned it; `None` where that one is no member any more.
    homes: Vec<Option<u16>>,
    /// Per member, the slots that it owned.
    slots_of: Vec<Vec<usize>>,
    /// The slots that another member owns now, in no order.
    moved: Vec<usize>,
    /// Swaps that may still be tried to arrange the moves.
    tries_left: usize,
    prng: Prng,
}

impl Moves {
    /// The moves from `homes`, per slot the member that owned it, to the ring of `search`;
    /// `slots_of` are the same, per member the slots that it owned.
    pub(super) fn new(search: Search, homes: Vec<Option<u16>>, slots_of: Vec<Vec<usize>>) -> Moves {
        let prng = Prng::stream(0, "moves");
        let tries_left = TRIES_MAX;
        let mut moves = Moves { search, homes, slots_of, moved: Vec::new(), tries_left, prng };
        moves.moved = (0..moves.homes.len()).filter(|&slot| !moves.is_at_home(slot)).collect();
        moves
    }

    /// Chooses the moves and returns the owners.
    ///
    /// More slots than before move only while a member holds more than a twentieth, and more than
    /// the replicas of one slot, above its load in `fair` (thousandths of a replica): at most as
    /// many as there are members with slots.
    pub(super) fn choose(mut self, fair: &[u64], replication: u8) -> Vec<u16> {
        let limit = |&fair: &u64| {
            let twentieth_above = fair * 21 / 20 / 1000;
            twentieth_above.max(fair.div_ceil(1000) + u64::from(replication)) as u32
        };
        let limits: Vec<u32> = fair.iter().map(limit).collect();
        let mut left = fair.iter().filter(|&&fair| fair > 0).count() as isize;
        let share = left / RELIEF_ROUNDS + 1;

        self.arrange();
        for _ in 0..RELIEF_ROUNDS {
            if !self.is_overloaded(&limits) {
                break;
            }
            self.search.ignore_sent();
            self.arrange();
            left -= self.relieve(&limits, left.min(share));
        }
        self.search.into_owners()
    }

    /// Makes the ring better by its [`Score`]; no more slots move for it.
    fn arrange(&mut self) {
        if self.moved.is_empty() {
            return;
        }
        // Half of what is left, so that there is always some for another time.
        let tries = (self.tries_left / 2).min(TRIES_PER_MOVE * self.moved.len());
        self.tries_left -= tries;
        for _ in 0..tries {
            if self.search.is_spent() {
                break;
            }
            let at = self.prng.below(self.moved.len() as u64) as usize;
            let one = self.moved[at];
            let others = match self.homes[one] {
                Some(home) if self.prng.chance(1, 2) => &self.slots_of[usize::from(home)],
                _ => &self.moved,
            };
            let other = others[self.prng.below(others.len() as u64) as usize];
            let moved = self.moved_of(one, other);
            let Some((before, after)) = self.search.swap(one, other) else {
                continue;
            };
            if after > before || self.moved_of(one, other) > moved {
                self.search.swap_back();
            } else if self.is_at_home(one) {
                self.moved[at] = other;
            }
        }
    }

    fn is_overloaded(&self, limits: &[u32]) -> bool {
        self.search.loads().iter().zip(limits).any(|(load, limit)| load > limit)
    }

    /// Lets further slots move, at most `more_max`, as long as that relieves members whose load is
    /// above the limit; returns how many.
    fn relieve(&mut self, limits: &[u32], more_max: isize) -> isize {
        let mut more = 0;
        let mut given_up = vec![false; limits.len()];
        while !self.search.is_spent() {
            let excess = |member: usize| self.search.loads()[member].saturating_sub(limits[member]);
            let candidates = (0..limits.len()).filter(|&member| !given_up[member]);
            let worst = candidates.max_by_key(|&member| (excess(member), Reverse(member)));
            let Some(member) = worst.filter(|&member| excess(member) > 0) else {
                break;
            };
            match self.relief(member, more_max - more) {
                Some((one, other, moves)) => {
                    self.search.swap(one, other);
                    more += moves;
                }
                None => given_up[member] = true,
            }
        }
        self.moved = (0..self.homes.len()).filter(|&slot| !self.is_at_home(slot)).collect();
        more
    }

    /// Of some swaps after which a member holds less, the best: its slots, and how many more slots
    /// move with it, no more than `more_max`.
    fn relief(&mut self, member: usize, more_max: isize) -> Option<(usize, usize, isize)> {
        let owned: Vec<usize> = (0..self.homes.len())
            .filter(|&slot| usize::from(self.search.owners()[slot]) == member)
            .collect();
        let slots = self.homes.len();
        let mut best: Option<(Score, (usize, usize, isize))> = None;
        for _ in 0..TRIES_PER_RELIEF {
            // A slot of the member, or one of those before it, whose walks end at the member.
            let own = owned[self.prng.below(owned.len() as u64) as usize];
            let back = self.prng.below(RELIEF_REACH) as usize % slots;
            let one = (own + slots - back) % slots;
            let other = self.prng.below(self.homes.len() as u64) as usize;
            let (load, moved) = (self.search.loads()[member], self.moved_of(one, other));
            let Some((before, after)) = self.search.swap(one, other) else {
                continue;
            };
            let more = self.moved_of(one, other) - moved;
            let helps = self.search.loads()[member] < load && after.cost < before.cost;
            if helps && more <= more_max && best.is_none_or(|(score, _)| after < score) {
                best = Some((after, (one, other, more)));
            }
            self.search.swap_back();
        }
        best.map(|(_, swap)| swap)
    }

    /// How many of two slots are not at home.
    fn moved_of(&self, one: usize, other: usize) -> isize {
        [one, other].into_iter().filter(|&slot| !self.is_at_home(slot)).count() as isize
    }

    fn is_at_home(&self, slot: usize) -> bool {
        self.homes[slot] == Some(self.search.owners()[slot])
    }
}
