//! A write: apply at home, send what came of it, end with W durable acknowledgements.

use super::Short;
use crate::quorum::{Replicas, Tally, Verdict};

/// A write over the replicas of one preference list, one of which is the coordinator.
///
/// Invariant: nothing is sent before the coordinator's own storage has applied the write, so a
/// write that it refuses leaves no trace anywhere.
#[derive(Clone, Debug)]
pub struct Put {
    /// The coordinator's index.
    own: usize,
    /// Who acknowledged durably, who cannot.
    tally: Tally,
    /// Whether the coordinator's storage has applied the write.
    applied: bool,
    /// Whether the end was announced.
    ended: bool,
}

/// How a write ended; announced once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutEnd {
    /// W replicas hold it durably.
    Done {
        /// Those who acknowledged.
        acked: Replicas,
    },
    /// Nothing happened and nothing will.
    Refused,
    /// Fewer than W acknowledged; some replica may hold it.
    Unknown {
        /// Those who acknowledged.
        acked: Replicas,
        /// The deadline came first.
        late: bool,
    },
}

impl Put {
    /// Starts a write of `w` out of `asked` replicas; the coordinator is the one at `own`. The
    /// first thing to do is to apply it there.
    ///
    /// # Errors
    /// Fewer than `w` are within reach.
    pub fn start(asked: usize, w: usize, own: usize, reachable: Replicas) -> Result<Put, Short> {
        sane_or!(let w, WriteQuorumShort => (w - 1).max(1));
        let mut tally = Tally::new(asked, w);
        for index in Replicas::first(asked).minus(reachable).iter() {
            tally.fail(index);
        }
        if tally.verdict() == Verdict::Impossible {
            return Err(Short { needed: w, reachable: tally.silent().len() });
        }
        Ok(Put { own, tally, applied: false, ended: false })
    }

    /// The coordinator's storage has applied the write: the replicas to send the record to.
    pub fn on_applied(&mut self) -> Replicas {
        self.applied = true;
        self.tally.silent().minus([self.own].into_iter().collect())
    }

    /// Replica `index` holds the write durably. Before it was applied nobody can.
    pub fn on_ack(&mut self, index: usize) -> Option<PutEnd> {
        if self.applied {
            self.tally.ack(index);
        }
        self.end()
    }

    /// Replica `index` is gone or could not store it.
    pub fn on_fail(&mut self, index: usize) -> Option<PutEnd> {
        self.tally.fail(index);
        self.end()
    }

    /// The coordinator's storage refused the write; nothing happened.
    pub fn on_refused(&mut self) -> Option<PutEnd> {
        if self.ended || self.applied {
            return None;
        }
        self.ended = true;
        Some(PutEnd::Refused)
    }

    /// Time is up.
    pub fn on_deadline(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(PutEnd::Unknown { acked: self.tally.acked(), late: true })
    }

    fn end(&mut self) -> Option<PutEnd> {
        if self.ended {
            return None;
        }
        let acked = self.tally.acked();
        let end = match self.tally.verdict() {
            Verdict::Open => return None,
            Verdict::Reached => PutEnd::Done { acked },
            Verdict::Impossible => PutEnd::Unknown { acked, late: false },
        };
        self.ended = true;
        Some(end)
    }
}
