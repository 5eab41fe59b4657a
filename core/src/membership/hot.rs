//! News: members that changed of late, told in every question for a while.
//!
//! A window of a long list takes its time to come round; a join or a suspicion should not.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::prng::Prng;

/// Most members that one question speaks of since they changed.
pub(super) const HOT_PER_QUESTION: usize = 256;

/// The members that changed of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Hot {
    /// The round in which each is no longer news. Bounded like the members that it names.
    until: BTreeMap<NodeId, u64>,
    round: u64,
}

impl Hot {
    /// Begins a round.
    pub(super) fn on_round(&mut self) {
        self.round += 1;
        let round = self.round;
        self.until.retain(|_, until| *until > round);
    }

    /// A member changed, in a list of `members`: so many rounds reach all of them.
    pub(super) fn insert(&mut self, id: NodeId, members: usize) {
        self.until.insert(id, self.round + rounds_to_all(members));
    }

    /// What one question tells of them: all, or as many as fit, from a random one on.
    pub(super) fn pick(&self, prng: &mut Prng) -> Vec<NodeId> {
        let skip = match self.until.len() {
            ..=HOT_PER_QUESTION => 0,
            more => prng.below(more as u64) as usize,
        };
        let round_trip = self.until.keys().cycle().skip(skip);
        round_trip.take(self.until.len().min(HOT_PER_QUESTION)).copied().collect()
    }
}

/// Rounds after which an epidemic has reached all of so many members, with room to spare.
pub(super) fn rounds_to_all(members: usize) -> u64 {
    2 * u64::from(members.max(1).ilog2()) + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_ends_after_as_many_rounds_as_reach_all() {
        let (mut hot, mut prng) = (Hot::default(), Prng::new(1));
        hot.insert(NodeId(7), 8);
        for _ in 1..10 {
            hot.on_round();
            assert_eq!(hot.pick(&mut prng), [NodeId(7)]);
        }
        hot.on_round();
        assert!(hot.pick(&mut prng).is_empty());
    }

    #[test]
    fn a_flood_of_news_is_told_in_parts_that_differ() {
        let (mut hot, mut prng) = (Hot::default(), Prng::new(1));
        (0..1_000).for_each(|id| hot.insert(NodeId(id), 1_000));
        let (one, other) = (hot.pick(&mut prng), hot.pick(&mut prng));
        assert_eq!((one.len(), other.len()), (HOT_PER_QUESTION, HOT_PER_QUESTION));
        assert_ne!(one, other);
    }
}
