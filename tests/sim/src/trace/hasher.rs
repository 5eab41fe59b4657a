//! A hash that is the same on every platform.
//!
//! `std`'s own hashers leave the width of lengths and discriminants, and the order of bytes, to the
//! machine. Here all of them are 64 bits wide, lowest byte first.

use std::hash::Hasher;

/// 2^64 divided by the golden ratio, made odd: spreads neighbouring numbers.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiply, rotate, exclusive or: fast, and good enough to tell runs apart that nobody forges.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceHasher {
    state: u64,
}

impl TraceHasher {
    fn add(&mut self, word: u64) {
        self.state = (self.state.rotate_left(23) ^ word).wrapping_mul(SPREAD);
    }
}

impl Hasher for TraceHasher {
    fn finish(&self) -> u64 {
        let mixed = (self.state ^ (self.state >> 32)).wrapping_mul(SPREAD);
        mixed ^ (mixed >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
        self.add(bytes.len() as u64);
    }

    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn write_u128(&mut self, number: u128) {
        self.add(number as u64);
        self.add((number >> 64) as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    fn write_i64(&mut self, number: i64) {
        self.add(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.add(number as i64 as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{Hash, Hasher};

    use super::TraceHasher;

    fn hash(value: impl Hash) -> u64 {
        let mut hasher = TraceHasher::default();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn lengths_and_discriminants_have_one_width_everywhere() {
        // Numbers that a 32-bit machine has to reach, too: the browser test compares whole runs.
        assert_eq!(hash(3_usize), hash(3_u64));
        assert_eq!(hash(-1_isize), hash(-1_i64));
    }

    #[test]
    fn order_and_length_matter() {
        assert_ne!(hash([1_u8, 2]), hash([2_u8, 1]));
        assert_ne!(hash((1_u64, 2_u64)), hash((2_u64, 1_u64)));
        assert_ne!(hash([0_u8; 3].as_slice()), hash([0_u8; 4].as_slice()));
    }
}
