//! A read: ask all, end with R answers, compare the late ones, repair the stale.

use alloc::vec::Vec;

use super::Short;
use crate::causality::Record;
use crate::quorum::{Replicas, Tally, Verdict};

/// A read over the replicas of one preference list.
///
/// Invariant: `answers[i]` is present exactly where the tally holds `i` as acknowledged, and
/// `merged` is the merge of all answers.
#[derive(Clone, Debug)]
pub struct Get {
    /// What each replica holds, by its index.
    answers: Vec<Option<Record>>,
    /// Who answered, who cannot.
    tally: Tally,
    /// The merge of all answers so far.
    merged: Record,
    /// Whether the end was announced.
    ended: bool,
}

/// How a read ended; announced once.
#[derive(Clone, Debug, PartialEq)]
pub enum GetEnd {
    /// R replicas answered.
    Found {
        /// The merge of their answers.
        record: Record,
        /// Those who answered.
        answered: Replicas,
        /// Those among them whose record lacks something.
        stale: Replicas,
    },
    /// Fewer than R can answer.
    Unavailable {
        /// Those who answered or still may.
        left: Replicas,
    },
    /// The deadline came first.
    Late {
        /// Those who answered.
        answered: Replicas,
    },
}

impl Get {
    /// Starts a read of `r` out of `asked` replicas. All in `reachable` are to be asked.
    ///
    /// # Errors
    /// Fewer than `r` are within reach.
    pub fn start(asked: usize, r: usize, reachable: Replicas) -> Result<Get, Short> {
        sane_or!(let r, ReadQuorumShort => (r - 1).max(1));
        let mut tally = Tally::new(asked, r);
        for index in Replicas::first(asked).minus(reachable).iter() {
            tally.fail(index);
        }
        if tally.verdict() == Verdict::Impossible {
            return Err(Short { needed: r, reachable: tally.silent().len() });
        }
        Ok(Get { answers: alloc::vec![None; asked], tally, merged: Record::new(), ended: false })
    }

    /// Replica `index` answered with all that it holds. A second answer changes nothing.
    pub fn on_answer(&mut self, index: usize, record: Record) -> Option<GetEnd> {
        if !self.tally.silent().contains(index) {
            return None;
        }
        self.tally.ack(index);
        sane_or!(ReadTakesLast => self.merged = Record::new());
        self.merged.merge(&record);
        self.answers[index] = Some(record);
        self.end()
    }

    /// Replica `index` cannot say.
    pub fn on_fail(&mut self, index: usize) -> Option<GetEnd> {
        self.tally.fail(index);
        self.end()
    }

    /// Time is up: whoever is silent stays silent.
    pub fn on_deadline(&mut self) -> Option<GetEnd> {
        for index in self.tally.silent().iter() {
            self.tally.fail(index);
        }
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(GetEnd::Late { answered: self.tally.acked() })
    }

    /// Whether no more answers are to be expected.
    pub fn is_complete(&self) -> bool {
        self.tally.is_complete()
    }

    /// Whether `index` was asked and said nothing yet.
    pub fn waits_for(&self, index: usize) -> bool {
        self.tally.silent().contains(index)
    }

    /// The merge of all answers, and the replicas that are to be sent it. Meant for when the read
    /// is complete, so that a replica that is merely slow is not taken for stale.
    pub fn repairs(&self) -> (&Record, Replicas) {
        (&self.merged, self.stale())
    }

    fn end(&mut self) -> Option<GetEnd> {
        if self.ended {
            return None;
        }
        let answered = self.tally.acked();
        let end = match self.tally.verdict() {
            Verdict::Open => return None,
            Verdict::Reached => {
                GetEnd::Found { record: self.merged.clone(), answered, stale: self.stale() }
            }
            Verdict::Impossible => {
                GetEnd::Unavailable { left: answered.union(self.tally.silent()) }
            }
        };
        self.ended = true;
        Some(end)
    }

    fn stale(&self) -> Replicas {
        let differs = |index: &usize| {
            self.answers[*index].as_ref().is_some_and(|record| *record != self.merged)
        };
        (0..self.answers.len()).filter(differs).collect()
    }
}
