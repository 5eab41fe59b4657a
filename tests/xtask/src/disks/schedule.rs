//! Which nodes lose what, and when: all of it drawn from the seed.

use super::random::Random;

/// What happens to nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// What their disks had not taken is gone, and they are killed.
    Loss,
    /// They are killed.
    Kill,
}

/// One deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) deed: Deed,
    pub(super) victims: Vec<usize>,
    /// How long the nodes run before it.
    pub(super) run_ms: u64,
    /// How long the victims are away.
    pub(super) away_ms: u64,
}

/// So many losses and kills in a drawn order. Of each kind a third hits one node, a third two, and
/// a third all of them.
pub(super) fn rounds(seed: u64, losses: usize, kills: usize, nodes: usize) -> Vec<Round> {
    let mut random = Random::new(seed);
    let sizes = [nodes, 1, 2];
    let deeds = (0..losses).map(|index| (Deed::Loss, sizes[index % sizes.len()]));
    let deeds = deeds.chain((0..kills).map(|index| (Deed::Kill, sizes[index % sizes.len()])));
    let mut deeds: Vec<(Deed, usize)> = deeds.collect();
    random.shuffle(&mut deeds);
    let rounds = deeds.into_iter().map(|(deed, size)| {
        let mut victims: Vec<usize> = (0..nodes).collect();
        random.shuffle(&mut victims);
        victims.truncate(size);
        victims.sort_unstable();
        Round { deed, victims, run_ms: random.between(300, 1_500), away_ms: random.below(500) }
    });
    rounds.collect()
}

impl Deed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Deed::Loss => "power loss",
            Deed::Kill => "kill",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_and_every_size_is_among_three() {
        assert_eq!(rounds(1, 30, 30, 5), rounds(1, 30, 30, 5));
        assert_ne!(rounds(1, 30, 30, 5), rounds(2, 30, 30, 5));
        for seed in 0..100 {
            let rounds = rounds(seed, 3, 3, 5);
            for deed in [Deed::Loss, Deed::Kill] {
                let of_kind = rounds.iter().filter(|round| round.deed == deed);
                let mut sizes: Vec<usize> = of_kind.map(|round| round.victims.len()).collect();
                sizes.sort_unstable();
                assert_eq!(sizes, [1, 2, 5]);
            }
        }
    }
}
