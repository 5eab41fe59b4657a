//! The value of each version of each key: known from the seed, so none has to be kept.

use bytes::Bytes;
use clap::ValueEnum;
use quorate_core::prng::Prng;

/// How long values are.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sizes {
    /// From 10 bytes to 60 KiB: most are small, and some are longer than pages of a file.
    Mixed,
    /// From 100 bytes to 1 KiB.
    Small,
    /// From 20 to 60 KiB.
    Large,
}

/// Makes values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    pub(crate) seed: u64,
    pub(crate) sizes: Sizes,
}

impl Values {
    pub(crate) fn key(self, number: u64) -> String {
        format!("{:016x}/{number}", self.seed)
    }

    pub(crate) fn value(self, number: u64, version: u32) -> Bytes {
        let mut prng = Prng::stream(self.seed, &format!("value {number}/{version}"));
        let length = self.sizes.draw(&mut prng);
        let mut value = format!("{version}:").into_bytes();
        while value.len() < length {
            value.extend_from_slice(&prng.next_u64().to_le_bytes());
        }
        value.truncate(length);
        Bytes::from(value)
    }

    /// Which version of a key a value is; `None` for bytes that nobody wrote to it.
    pub(crate) fn version(self, number: u64, value: &[u8]) -> Option<u32> {
        let end = value.iter().position(|byte| *byte == b':')?;
        let version = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
        (*self.value(number, version) == *value).then_some(version)
    }
}

impl Sizes {
    fn draw(self, prng: &mut Prng) -> usize {
        let (from, to) = match self {
            Sizes::Small => (100, 1024),
            Sizes::Large => (20 * 1024, 60 * 1024),
            Sizes::Mixed => match prng.below(10) {
                0..=5 => (10, 300),
                6..=7 => (300, 4_096),
                8 => (4_096, 12_000),
                _ => (12_000, 60 * 1024),
            },
        };
        (from + prng.below(to - from + 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_its_version_and_other_bytes_tell_none() {
        let values = Values { seed: 7, sizes: Sizes::Mixed };
        for number in 0..200 {
            for version in 1..4 {
                let value = values.value(number, version);
                assert!((10..=60 * 1024).contains(&value.len()));
                assert_eq!(values.version(number, &value), Some(version));
                assert_eq!(values.version(number + 1, &value), None);
                let mut damaged = value.to_vec();
                *damaged.last_mut().unwrap() ^= 1;
                assert_eq!(values.version(number, &damaged), None);
                assert_eq!(values.version(number, &value[..value.len() - 1]), None);
            }
        }
    }
}
