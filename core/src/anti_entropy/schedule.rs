//! What is to be compared with whom, and when.
//!
//! A *pair* is a slot and another node that is to hold it. What has not been compared for longest comes
//! first. What is compared in one go stays together; the wait until the next time varies a little,
//! so that the nodes of a cluster do not all compare at the same moment.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::prng::Prng;
use crate::ring::Slot;
use crate::time::{Duration, Instant, Now, UnixMs, micros};

/// The wait varies by such a part of the interval.
const JITTER_PART: u32 = 4;

/// What could not be compared is tried again after such a part of the interval.
const RETRY_PART: u32 = 8;

/// It is not tried again sooner; and not later where somebody waits for it.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// When a slot was compared with another primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) compared: Option<UnixMs>,
    pub(super) equal: Option<UnixMs>,
    due: Instant,
    /// Whether somebody waits for the next comparison.
    is_urgent: bool,
}

/// A slot that is to be compared with somebody.
pub(super) struct Wanted {
    pub(super) slot: Slot,
    pub(super) peer: NodeId,
    /// Whether somebody waits for it.
    pub(super) is_urgent: bool,
}

/// All pairs of a node.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Invariant: the pairs of the layouts in force, so no more than Q times N for each.
    pairs: BTreeMap<(NodeId, Slot), Pair>,
    /// Invariant: one entry for each pair.
    due: BTreeSet<(NodeId, Instant, Slot)>,
    prng: Prng,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Schedule {
        let prng = Prng::stream(seed, "anti-entropy");
        Schedule { pairs: BTreeMap::new(), due: BTreeSet::new(), prng }
    }

    /// These pairs, each once, take the place of the former ones.
    pub(super) fn on_pairs(
        &mut self,
        now: Instant,
        wanted: impl Iterator<Item = Wanted>,
        interval: Duration,
    ) {
        let former = core::mem::take(&mut self.pairs);
        self.due.clear();
        let mut first: BTreeMap<NodeId, Instant> = BTreeMap::new();
        for Wanted { slot, peer, is_urgent } in wanted {
            let begin = first.entry(peer);
            let due = *begin.or_insert_with(|| now + vary(&mut self.prng, interval));
            let new = Pair { due, ..Pair::default() };
            let mut pair = former.get(&(peer, slot)).copied().unwrap_or(new);
            if is_urgent {
                pair.due = pair.due.min(now);
                pair.is_urgent = true;
            }
            self.pairs.insert((peer, slot), pair);
            self.due.insert((peer, pair.due, slot));
        }
    }

    /// Those with whom anything is compared, and when the first slot is due.
    pub(super) fn peers(&self) -> impl Iterator<Item = (NodeId, Instant)> {
        let mut next = self.due.first();
        core::iter::from_fn(move || {
            let (peer, due, _) = *next?;
            let behind = NodeId(peer.0.checked_add(1)?);
            next = self.due.range((behind, Instant(0), Slot(0))..).next();
            Some((peer, due))
        })
    }

    /// The slots that are due with a peer, the longest not compared first.
    pub(super) fn due(&self, now: Instant, peer: NodeId) -> impl Iterator<Item = Slot> {
        let from = (peer, Instant(0), Slot(0));
        let until = (peer, now, Slot(u32::MAX));
        self.due.range(from..=until).map(|(_, _, slot)| *slot)
    }

    /// Whether a slot is compared with a peer at all.
    pub(super) fn contains(&self, peer: NodeId, slot: Slot) -> bool {
        self.pairs.contains_key(&(peer, slot))
    }

    /// Slots were compared with a peer. Equal ones need nothing more; others were made equal.
    pub(super) fn on_compared(
        &mut self,
        now: Now,
        peer: NodeId,
        slots: &[Slot],
        equal: bool,
        interval: Duration,
    ) {
        let due = now.instant + interval + vary(&mut self.prng, interval);
        for slot in slots {
            let Some(pair) = self.pairs.get_mut(&(peer, *slot)) else { continue };
            pair.compared = Some(now.unix);
            pair.is_urgent = false;
            if equal {
                pair.equal = Some(now.unix);
            }
            self.set_due(peer, *slot, due);
        }
    }

    /// A slot could not be compared with a peer: it is tried again after a while.
    pub(super) fn retry(&mut self, now: Instant, peer: NodeId, slot: Slot, interval: Duration) {
        let least = RETRY_MIN.min(interval);
        let is_urgent = self.pairs.get(&(peer, slot)).is_some_and(|pair| pair.is_urgent);
        let wait = if is_urgent { least } else { least.max(interval / RETRY_PART) };
        let wait = wait + vary(&mut self.prng, wait);
        self.set_due(peer, slot, now + wait);
    }

    /// What fits is due at once; returns how many pairs that are. `None`: any.
    pub(super) fn hasten(
        &mut self,
        now: Instant,
        peer: Option<NodeId>,
        slot: Option<Slot>,
    ) -> usize {
        let fits = |(with, of): &&(NodeId, Slot)| {
            peer.is_none_or(|peer| peer == *with) && slot.is_none_or(|slot| slot == *of)
        };
        let pairs: Vec<(NodeId, Slot)> = self.pairs.keys().filter(fits).copied().collect();
        for (with, of) in &pairs {
            let Some(pair) = self.pairs.get_mut(&(*with, *of)) else { continue };
            pair.is_urgent = true;
            let due = pair.due.min(now);
            self.set_due(*with, *of, due);
        }
        pairs.len()
    }

    pub(super) fn set_due(&mut self, peer: NodeId, slot: Slot, due: Instant) {
        let Some(pair) = self.pairs.get_mut(&(peer, slot)) else { return };
        self.due.remove(&(peer, pair.due, slot));
        pair.due = due;
        self.due.insert((peer, due, slot));
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (NodeId, Slot, Pair)> {
        self.pairs.iter().map(|((peer, slot), pair)| (*peer, *slot, *pair))
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.pairs.len(), self.due.len());
        let listed = |((peer, slot), pair): (&(NodeId, Slot), &Pair)| {
            self.due.contains(&(*peer, pair.due, *slot))
        };
        assert!(self.pairs.iter().all(listed), "each pair is due some time");
    }
}

fn vary(prng: &mut Prng, interval: Duration) -> Duration {
    Duration::from_micros(prng.below(micros(interval / JITTER_PART)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId(2);
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_somebody_waits_for_is_tried_again_soon_until_it_is_compared() {
        let mut schedule = Schedule::new(1);
        let now = Now { instant: Instant(0), unix: UnixMs(1) };
        let wanted = |is_urgent, slot| Wanted { slot: Slot(slot), peer: PEER, is_urgent };
        let all = [wanted(false, 0), wanted(true, 1), wanted(false, 2)];
        schedule.on_pairs(now.instant, all.into_iter(), HOUR);
        schedule.hasten(now.instant, None, Some(Slot(2)));
        let soon = |schedule: &mut Schedule| {
            (0..3).for_each(|slot| schedule.retry(now.instant, PEER, Slot(slot), HOUR));
            let due = schedule.due(now.instant + Duration::from_secs(2), PEER);
            due.map(|slot| slot.0).collect::<BTreeSet<u32>>()
        };
        assert_eq!(soon(&mut schedule), BTreeSet::from([1, 2]));
        schedule.on_compared(now, PEER, &[Slot(1), Slot(2)], false, HOUR);
        assert_eq!(soon(&mut schedule), BTreeSet::new());
        schedule.check_invariants();
    }
}
