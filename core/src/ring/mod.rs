//! The ring: where a key lies, and who is met walking clockwise from there (DESIGN.md §3).
//!
//! ```text
//!   position  0 ───────────────────────────────────────────────── 2^128
//!   slot      │  0  │  1  │  2  │  3  │  4  │  5  │  6  │  7  │  (Q = 8)
//!   owner        A     B     C     A     B     C     A     D
//!                            ▲ key          clockwise ──▶
//!   preference list of the key, all in one zone:  C A B D
//! ```
//!
//! Slots are equal arcs and never change their bounds: only their owners change.

mod walk;

pub use walk::{Fate, Look, PreferenceList, Ring};

use core::fmt;

use md5::{Digest, Md5};

/// The place of a key on the ring: its MD5, read as a big-endian number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u128);

impl Position {
    /// The position of a key.
    pub fn of(key: &[u8]) -> Position {
        Position(u128::from_be_bytes(Md5::digest(key).into()))
    }

    /// The slot in which this position lies: the upper log2(Q) bits.
    pub fn slot(self, slots: SlotCount) -> Slot {
        let bits = slots.0.trailing_zeros();
        // One slot has no bits, and a shift by all 128 would overflow.
        let slot = self.0.checked_shr(u128::BITS - bits).unwrap_or(0);
        Slot(slot as u32)
    }

    /// The 16 bytes of the digest.
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// A piece of the ring, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingArc {
    /// The first position.
    pub first: Position,
    /// The last position.
    pub last: Position,
}

impl RingArc {
    /// The whole ring.
    pub const ALL: RingArc = RingArc { first: Position(0), last: Position(u128::MAX) };

    /// One of the 2^`bits` equal arcs of the ring, counted clockwise from position 0.
    pub(crate) fn one_of(number: u128, bits: u32) -> RingArc {
        let first = number.checked_shl(u128::BITS - bits).unwrap_or(0);
        let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
        RingArc { first: Position(first), last: Position(first | rest) }
    }

    /// Whether a position lies in it.
    pub fn contains(self, position: Position) -> bool {
        (self.first..=self.last).contains(&position)
    }
}

/// One of the Q equal arcs of the ring, counted clockwise from position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot as an index into a table of all slots.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Q, the number of slots: a power of two up to [`SlotCount::MAX`], fixed when a cluster is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotCount(u32);

impl SlotCount {
    /// The most slots that a cluster can have.
    pub const MAX: SlotCount = SlotCount(65_536);

    /// The number of slots where nothing else is configured.
    pub const DEFAULT: SlotCount = SlotCount(1024);

    /// `slots` as a count; `None` unless it is a power of two from 1 to [`SlotCount::MAX`].
    pub fn new(slots: u32) -> Option<SlotCount> {
        let valid = slots.is_power_of_two() && slots <= SlotCount::MAX.0;
        valid.then_some(SlotCount(slots))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Where the positions of a slot lie.
    pub fn arc(self, slot: Slot) -> RingArc {
        RingArc::one_of(u128::from(slot.0), self.0.trailing_zeros())
    }

    /// Every slot, clockwise.
    pub fn slots(self) -> impl ExactSizeIterator<Item = Slot> + DoubleEndedIterator {
        (0..self.0).map(Slot)
    }
}

impl Default for SlotCount {
    fn default() -> SlotCount {
        SlotCount::DEFAULT
    }
}

impl fmt::Display for SlotCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, Slot, SlotCount};

    #[test]
    fn slots_are_equal_arcs_in_order() {
        let slots = SlotCount::new(8).unwrap();
        assert_eq!(Position(0).slot(slots), Slot(0));
        assert_eq!(Position((1 << 125) - 1).slot(slots), Slot(0));
        assert_eq!(Position(1 << 125).slot(slots), Slot(1));
        assert_eq!(Position(u128::MAX).slot(slots), Slot(7));
    }

    #[test]
    fn the_arcs_of_all_slots_are_the_ring() {
        for slots in [1, 2, 8, 1024].map(|slots| SlotCount::new(slots).unwrap()) {
            let mut next = 0_u128;
            for slot in slots.slots() {
                let arc = slots.arc(slot);
                assert_eq!(arc.first, Position(next));
                assert_eq!([arc.first, arc.last].map(|end| end.slot(slots)), [slot, slot]);
                next = arc.last.0.wrapping_add(1);
            }
            assert_eq!(next, 0, "the last one ends with the ring");
        }
    }

    #[test]
    fn a_ring_of_one_slot_holds_everything() {
        let one = SlotCount::new(1).unwrap();
        assert_eq!(Position(u128::MAX).slot(one), Slot(0));
    }

    #[test]
    fn only_powers_of_two_up_to_the_limit_are_counts() {
        assert!([0, 3, 1000, 131_072, u32::MAX].iter().all(|&n| SlotCount::new(n).is_none()));
        assert!((0..=16).all(|bits| SlotCount::new(1 << bits).is_some()));
    }
}
