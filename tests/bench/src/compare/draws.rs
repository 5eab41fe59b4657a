//! The operations of a load, drawn once and handed to every client as a file, so that all of them
//! do the same to the same keys in the same order, whatever they are written in.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use quorate_core::prng::Prng;

use super::load::{Distribution, Load};
use super::zipf::Zipf;

/// Operations after which a client begins again with the first one, where there are not more keys.
const COUNT: usize = 1 << 20;

/// Set in a draw that is a get; the other bits are the index of the key.
pub(crate) const GET: u32 = 1 << 31;

/// Draws the operations of `load` on so many keys.
pub(crate) fn draw(load: &Load, keys: u32, seed: u64) -> Vec<u32> {
    let mut prng = Prng::stream(seed, "keys");
    let mut mix = Prng::stream(seed, "gets");
    let zipf = match load.distribution {
        Distribution::Uniform => None,
        Distribution::Zipfian => Some(Zipf::new(keys, seed)),
    };
    let mut draw = || {
        let key = match &zipf {
            Some(zipf) => zipf.draw(&mut prng),
            None => prng.below(keys.into()) as u32,
        };
        if mix.chance(load.gets.into(), 100) { key | GET } else { key }
    };
    (0..COUNT.max(keys as usize)).map(|_| draw()).collect()
}

/// Writes draws as little-endian numbers.
pub(crate) fn write(path: &Path, draws: &[u32]) -> Result<()> {
    let bytes: Vec<u8> = draws.iter().flat_map(|draw| draw.to_le_bytes()).collect();
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Reads what [`write()`] wrote.
pub(crate) fn read(path: &Path) -> Result<Vec<u32>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let (draws, rest) = bytes.as_chunks::<4>();
    anyhow::ensure!(!draws.is_empty() && rest.is_empty(), "{} holds no draws", path.display());
    Ok(draws.iter().map(|draw| u32::from_le_bytes(*draw)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gets_have_their_share_and_keys_their_range() {
        for gets in [0, 5, 50, 95, 100] {
            let load = Load::small(1, gets);
            let draws = draw(&load, 1_000, 7);
            let share = draws.iter().filter(|draw| **draw & GET != 0).count() * 100;
            let wanted = usize::from(gets) * COUNT;
            assert!(share.abs_diff(wanted) < COUNT, "{gets} % became {share} of {COUNT}");
            assert!(draws.iter().all(|draw| draw & !GET < 1_000));
        }
    }

    #[test]
    fn a_seed_draws_the_same_again_and_a_file_keeps_it() {
        let load = "64:50:100:zipfian".parse().unwrap();
        let draws = draw(&load, 100, 7);
        assert_eq!(draws, draw(&load, 100, 7));
        assert_ne!(draws, draw(&load, 100, 8));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws");
        write(&path, &draws).unwrap();
        assert_eq!(read(&path).unwrap(), draws);
    }
}
