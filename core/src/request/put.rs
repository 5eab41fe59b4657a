//! A write: apply at home, send what came of it, end with W durable acknowledgements.

use super::copies::Copies;
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
    ///
    /// # Panics
    /// Where a fallback coordinates although all primaries are to be asked.
    pub fn start(
        primaries: usize,
        w: usize,
        own: Option<usize>,
        reach: Reach,
    ) -> Result<Put, Short> {
        sane_or!(let w, WriteQuorumShort => (w - 1).max(1));
        let spare = if reach.sloppy { reach.fallbacks } else { 0 };
        let reachable = reach.reachable.len() + spare;
        if reachable < w {
            return Err(Short { needed: w, reachable });
        }
        let mut copies = Copies::new(primaries, w, reach);
        let own = own.unwrap_or_else(|| {
            let primary = copies.wants_stand_in().expect("a fallback stands in for a primary");
            copies.stand_in(primary).expect("there is room for the first stand-in")
        });
        Ok(Put { own, copies, applied: false, ended: false })
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
        self.ended = true;
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
        self.ended = true;
        Some(end)
    }

    /// Those who were sent the write and said nothing yet.
    pub fn awaited(&self) -> Replicas {
        self.copies.expected()
    }

    /// Whether each primary holds the write, or somebody in its place, or nobody will.
    pub fn is_covered(&self) -> bool {
        self.copies.is_covered()
    }

    /// Those whose acknowledgements count.
    pub fn counted(&self) -> Replicas {
        self.copies.tally().counted()
    }

    /// For each stand-in its index and its primary's.
    pub fn stand_ins(&self) -> impl Iterator<Item = (usize, usize)> {
        self.copies.stand_ins()
    }
}
