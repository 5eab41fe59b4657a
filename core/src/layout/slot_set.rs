//! A set of slots from which one can be drawn.

use alloc::vec;
use alloc::vec::Vec;

use crate::prng::Prng;

/// Some of the slots of a ring.
///
/// Invariant: `places[slot]` is where `slots` holds the slot, if it does.
pub(super) struct SlotSet {
    /// In no order.
    slots: Vec<usize>,
    places: Vec<Option<usize>>,
}

impl SlotSet {
    /// None of so many slots.
    pub(super) fn new(slot_count: usize) -> SlotSet {
        SlotSet { slots: Vec::new(), places: vec![None; slot_count] }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a slot that may be among them.
    pub(super) fn insert(&mut self, slot: usize) {
        if self.places[slot].is_none() {
            self.places[slot] = Some(self.slots.len());
            self.slots.push(slot);
        }
    }

    /// Takes a slot out that may be among them.
    pub(super) fn remove(&mut self, slot: usize) {
        if let Some(place) = self.places[slot].take() {
            self.slots.swap_remove(place);
            if let Some(&last) = self.slots.get(place) {
                self.places[last] = Some(place);
            }
        }
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub(super) fn draw(&self, prng: &mut Prng) -> usize {
        self.slots[prng.below(self.slots.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::SlotSet;
    use crate::prng::Prng;

    #[test]
    fn it_draws_what_was_put_in_and_not_taken_out() {
        let mut prng = Prng::new(1);
        let mut set = SlotSet::new(8);
        let mut expected = BTreeSet::new();
        for _ in 0..400 {
            let slot = prng.below(8) as usize;
            if prng.chance(1, 2) {
                set.insert(slot);
                expected.insert(slot);
            } else {
                set.remove(slot);
                expected.remove(&slot);
            }
            assert_eq!((set.len(), set.is_empty()), (expected.len(), expected.is_empty()));
            if !set.is_empty() {
                let drawn: BTreeSet<usize> = (0..200).map(|_| set.draw(&mut prng)).collect();
                assert_eq!(drawn, expected);
            }
        }
    }
}
