//! A write: apply at home, send what came of it, end with W durable acknowledgements.

use alloc::vec::Vec;

use super::copies::{Copies, Quota};
use super::{Reach, Short};
use crate::quorum::{Replicas, Verdict};

/// A write over one preference list. One of its nodes is the coordinator.
///
/// Invariant: nothing is sent before the coordinator's own storage has applied the write, so a
/// write that it refuses leaves no trace anywhere.
#[derive(Clone, Debug)]
pub struct Put {
    /// The coordinator's index.
    own: usize,
    copies: Copies,
    /// Whether the coordinator's storage has applied the write.
    applied: bool,
    /// Whether the end was announced.
    ended: bool,
}

/// How a write ended; announced once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutEnd {
    /// W copies are durable.
    Done {
        /// Those who acknowledged.
        acked: Replicas,
    },
    /// Fewer than W acknowledged; some replica may hold it.
    Unknown {
        /// Those who acknowledged.
        acked: Replicas,
        /// The deadline came first.
        late: bool,
    },
}

impl Put {
    /// Starts a write of `w` copies over so many `primaries`. The first thing to do is to apply it
    /// at the coordinator: the primary of index `own` or, with `None`, a fallback, which stands in
    /// for the first primary that is not reached.
    ///
    /// # Errors
    /// Fewer than `w` are within reach.
    pub fn start(
        primaries: usize,
        w: usize,
        own: Option<usize>,
        reach: Reach,
    ) -> Result<Put, Short> {
        sane_or!(let w, WriteQuorumShort => (w - 1).max(1));
        let all = Replicas::first(primaries);
        Quota { primaries: all, needed: w, local: false }.check(reach)?;
        Ok(Put::begin(Copies::new(primaries, w, reach), own, reach))
    }

    /// The same while several layouts are in force, or where those of one zone count alone: so many
    /// copies are needed of each of them. The primaries are those of all layouts and zones, each
    /// once.
    ///
    /// # Errors
    /// Of a layout fewer than are needed are within reach.
    pub fn start_in_all(
        primaries: usize,
        quotas: Vec<Quota>,
        own: Option<usize>,
        reach: Reach,
    ) -> Result<Put, Short> {
        sane_or!(let quotas, WritesToNewestOnly => quotas.into_iter().skip(1).collect::<Vec<_>>());
        sane_or!(let quotas, WritesToOldestOnly => quotas.into_iter().take(1).collect::<Vec<_>>());
        for quota in &quotas {
            quota.check(reach)?;
        }
        let needed = quotas.iter().map(|quota| quota.needed).max().unwrap_or(1);
        Ok(Put::begin(Copies::new(primaries, needed, reach).with_quotas(quotas), own, reach))
    }

    fn begin(mut copies: Copies, own: Option<usize>, reach: Reach) -> Put {
        let own = own.unwrap_or_else(|| copies.seat_own(reach.own_is_outside));
        Put { own, copies, applied: false, ended: false }
    }

    /// The coordinator's index.
    pub fn own(&self) -> usize {
        self.own
    }

    /// The coordinator's storage has applied the write: the primaries to send the record to.
    pub fn on_applied(&mut self) -> Replicas {
        self.applied = true;
        self.copies.awaited().minus([self.own].into_iter().collect())
    }

    /// Replica `index` holds the write durably. Before it was applied nobody can.
    pub fn on_ack(&mut self, index: usize) {
        if self.applied {
            self.copies.ack(index);
        }
    }

    /// Replica `index` is gone or could not store it.
    pub fn on_fail(&mut self, index: usize) {
        self.copies.fail(index);
    }

    /// Some that are silent take too long: others are to stand in for them.
    pub fn on_patience_over(&mut self, overdue: Replicas) {
        if self.applied {
            self.copies.on_patience_over(overdue.minus([self.own].into_iter().collect()));
        }
    }

    /// The first primary that somebody is to stand in for, once there is something to send.
    pub fn wants_stand_in(&self) -> Option<usize> {
        self.copies.wants_stand_in().filter(|_| self.applied)
    }

    /// A fallback is sent the record as a hint for `primary`; answers the fallback's index.
    pub fn stand_in(&mut self, primary: usize) -> Option<usize> {
        self.copies.stand_in(primary)
    }

    /// Whether those of one zone count alone.
    pub fn is_local(&self) -> bool {
        self.copies.is_local()
    }

    /// Whether only a fallback in the zone is of use in the place of `primary`.
    pub fn wants_near(&self, primary: usize) -> bool {
        self.copies.wants_near(primary)
    }

    /// The stand-in `index` is not in the zone of the local request.
    pub fn note_outsider(&mut self, index: usize) {
        self.copies.note_outsider(index);
    }

    /// Primaries that were not asked, and can be.
    pub fn spared(&self) -> Replicas {
        self.copies.spared()
    }

    /// A primary that was spared is sent the record after all.
    pub fn call_up(&mut self, primary: usize) {
        self.copies.call_up(primary);
    }

    /// No fallback is left for `primary`.
    pub fn give_up(&mut self, primary: usize) {
        self.copies.give_up(primary);
    }

    /// The coordinator's storage refused the write. True where that is the end of it: nothing
    /// happened and nothing will.
    pub fn on_refused(&mut self) -> bool {
        let ends = !self.ended && !self.applied;
        self.ended |= ends;
        ends
    }

    /// Time is up.
    pub fn on_deadline(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        self.set_ended();
        Some(PutEnd::Unknown { acked: self.copies.tally().acked(), late: true })
    }

    /// The end, when it is reached. To be asked after everything that happened, once no stand-in
    /// is wanted any more.
    pub fn end(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        let acked = self.copies.tally().acked();
        let end = match self.copies.verdict() {
            Verdict::Open => return None,
            Verdict::Reached => PutEnd::Done { acked },
            Verdict::Impossible => PutEnd::Unknown { acked, late: false },
        };
        self.set_ended();
        Some(end)
    }

    fn set_ended(&mut self) {
        self.ended = true;
        self.copies.on_ended();
    }

    /// Those who were sent the write and said nothing yet.
    pub fn awaited(&self) -> Replicas {
        self.copies.expected()
    }

    /// Whether each primary holds the write, or somebody in its place, or nobody will.
    pub fn is_covered(&self) -> bool {
        self.copies.is_covered()
    }

    /// Acknowledgements that are needed, and those that count.
    pub fn count(&self) -> (usize, usize) {
        self.copies.count(self.copies.tally().counted())
    }

    /// For each stand-in its index and its primary's.
    pub fn stand_ins(&self) -> impl Iterator<Item = (usize, usize)> {
        self.copies.stand_ins()
    }
}

#[cfg(test)]
mod tests;
