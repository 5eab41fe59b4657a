//! A read: ask, end with R answers, compare the late ones, repair the stale.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::copies::{Copies, Quota};
use super::{Reach, Short};
use crate::causality::{Context, Record};
use crate::quorum::{Replicas, Verdict};

/// A read over one preference list.
///
/// Absence is never told on the word of fallbacks alone: one that keeps nothing for the key knows
/// nothing of it.
///
/// Invariant: `answers[i]` is present exactly where the tally holds `i` as acknowledged, and
/// `merged` is the merge of all answers.
#[derive(Clone, Debug)]
pub struct Get {
    /// What each replica holds, by its index.
    answers: Vec<Option<Arc<Record>>>,
    copies: Copies,
    /// The merge of all answers so far. Shared with those that say as much.
    merged: Arc<Record>,
    /// What the answer must cover; such a read is content with whoever covers it.
    session: Option<Context>,
    /// Whether the end was announced.
    ended: bool,
}

/// How a read ended; announced once.
#[derive(Clone, Debug, PartialEq)]
pub enum GetEnd {
    /// R replicas answered, or one that covers what the reader was shown.
    Found {
        /// The merge of the answers.
        record: Arc<Record>,
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
    /// All who can answer did, and nobody covers what the reader was shown.
    Stale {
        /// Those who answered.
        answered: Replicas,
    },
    /// The deadline came first.
    Late {
        /// Those who answered.
        answered: Replicas,
    },
}

impl Get {
    /// Starts a read of `r` out of so many `primaries`. A `session` is what the answer must cover.
    ///
    /// # Errors
    /// Fewer than `r` are within reach.
    pub fn start(
        primaries: usize,
        r: usize,
        reach: Reach,
        session: Option<Context>,
    ) -> Result<Get, Short> {
        sane_or!(let r, ReadQuorumShort => (r - 1).max(1));
        let needed = if session.is_some() { 1 } else { r };
        Quota { primaries: Replicas::first(primaries), needed, local: false }.check(reach)?;
        Ok(Get::begin(primaries, Copies::new(primaries, needed, reach), session))
    }

    /// Starts a read that ends with as many answers of one zone as `quota` says.
    ///
    /// # Errors
    /// Fewer are within reach.
    pub fn start_local(primaries: usize, quota: Quota, reach: Reach) -> Result<Get, Short> {
        quota.check(reach)?;
        let copies = Copies::new(primaries, quota.needed, reach);
        Ok(Get::begin(primaries, copies.with_quotas(vec![quota]), None))
    }

    fn begin(primaries: usize, copies: Copies, session: Option<Context>) -> Get {
        let answers = vec![None; primaries];
        Get { answers, copies, merged: Arc::default(), session, ended: false }
    }

    /// Replica `index` answered with all that it holds. A second answer changes nothing.
    pub fn on_answer(&mut self, index: usize, record: Arc<Record>) {
        if !self.waits_for(index) {
            return;
        }
        self.copies.ack(index);
        sane_or!(ReadTakesLast => self.merged = Arc::default());
        if self.merged.is_empty() {
            self.merged = record.clone();
        } else if !is_same(&self.merged, &record) {
            Arc::make_mut(&mut self.merged).merge(&record);
        }
        self.answers[index] = Some(record);
    }

    /// Replica `index` cannot say.
    pub fn on_fail(&mut self, index: usize) {
        self.copies.fail(index);
    }

    /// Time is up: whoever is silent stays silent.
    pub fn on_deadline(&mut self) -> Option<GetEnd> {
        for index in self.copies.tally().silent().iter() {
            self.copies.fail(index);
        }
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(GetEnd::Late { answered: self.copies.tally().acked() })
    }

    /// Whoever is silent takes too long, but for `own`: others are asked as well.
    pub fn on_patience_over(&mut self, own: usize) {
        let others = self.copies.awaited().minus([own].into_iter().collect());
        self.copies.on_patience_over(others);
    }

    /// Whether those who answered and those who may yet in time are too few.
    pub fn wants_more(&self) -> bool {
        if self.ended {
            return false;
        }
        let expected = self.copies.expected();
        let too_few = !self.copies.are_enough(self.copies.tally().acked().union(expected));
        too_few || (expected.is_empty() && !self.is_worth_telling())
    }

    /// Answers that end it: R, or one for a session.
    pub fn needed(&self) -> usize {
        self.copies.tally().needed()
    }

    /// How many of those in `set` count.
    pub fn count(&self, set: Replicas) -> usize {
        let (_, counted) = self.copies.count(set);
        counted
    }

    /// Whether those of one zone count alone.
    pub fn is_local(&self) -> bool {
        self.copies.is_local()
    }

    /// Those that were asked and said nothing yet.
    pub fn awaited(&self) -> Replicas {
        self.copies.awaited()
    }

    /// Primaries that were not asked, and can be.
    pub fn spared(&self) -> Replicas {
        self.copies.spared()
    }

    /// A primary that was spared is asked.
    pub fn call_up(&mut self, primary: usize) {
        self.copies.call_up(primary);
    }

    /// The first primary that somebody could stand in for.
    pub fn wants_stand_in(&self) -> Option<usize> {
        self.copies.wants_stand_in()
    }

    /// The coordinator is a fallback: it stands in for a primary. `is_outside`: it is not in the zone
    /// of the local request.
    pub fn seat_own(&mut self, is_outside: bool) {
        self.copies.seat_own(is_outside);
        self.answers.push(None);
    }

    /// A fallback is asked in the place of `primary`; answers its index.
    pub fn stand_in(&mut self, primary: usize) -> Option<usize> {
        let index = self.copies.stand_in(primary)?;
        self.answers.push(None);
        Some(index)
    }

    /// No fallback is left for `primary`.
    pub fn give_up(&mut self, primary: usize) {
        self.copies.give_up(primary);
    }

    /// Whether no more answers are to be expected.
    pub fn is_complete(&self) -> bool {
        self.copies.awaited().is_empty()
    }

    /// Whether `index` was asked and said nothing yet.
    pub fn waits_for(&self, index: usize) -> bool {
        self.copies.awaited().contains(index)
    }

    /// The merge of all answers, and the primaries that are to be sent it. Meant for when the read
    /// is complete, so that a replica that is merely slow is not taken for stale.
    pub fn repairs(&self) -> (&Record, Replicas) {
        (&*self.merged, self.stale())
    }

    /// For each stand-in its index and its primary's.
    pub fn stand_ins(&self) -> impl Iterator<Item = (usize, usize)> {
        self.copies.stand_ins()
    }

    /// The end, when it is reached. To be asked after everything that happened, once nobody more
    /// is to be asked.
    pub fn end(&mut self) -> Option<GetEnd> {
        if self.ended {
            return None;
        }
        let answered = self.copies.tally().acked();
        let silent = self.copies.tally().silent();
        let end = match self.copies.verdict() {
            Verdict::Open => return None,
            Verdict::Reached if self.is_worth_telling() => {
                GetEnd::Found { record: self.merged.clone(), answered, stale: self.stale() }
            }
            // Whoever is silent may still know more.
            Verdict::Reached if !silent.is_empty() => return None,
            Verdict::Reached if self.is_session_met() => {
                GetEnd::Unavailable { left: self.primaries(answered) }
            }
            Verdict::Reached => GetEnd::Stale { answered },
            Verdict::Impossible => GetEnd::Unavailable { left: answered.union(silent) },
        };
        self.ended = true;
        Some(end)
    }

    /// Whether what was found may be told: it covers the session, and nobody says that there is
    /// nothing who cannot know.
    fn is_worth_telling(&self) -> bool {
        let answered = self.copies.tally().acked();
        let vouched = !self.merged.is_empty() || !self.primaries(answered).is_empty();
        sane_or!(vouched, FallbackVouchesForAbsence => true) && self.is_session_met()
    }

    /// Those of `indexes` that are primaries.
    fn primaries(&self, indexes: Replicas) -> Replicas {
        let primaries = self.answers.len() - self.copies.stand_ins().count();
        indexes.iter().filter(|index| *index < primaries).collect()
    }

    fn is_session_met(&self) -> bool {
        let covers = |context: &Context| self.merged.covers(context);
        sane_or!(self.session.as_ref().is_none_or(covers), SessionIgnored => true)
    }

    fn stale(&self) -> Replicas {
        let differs = |index: &usize| {
            self.answers[*index].as_ref().is_some_and(|record| !is_same(record, &self.merged))
        };
        self.primaries((0..self.answers.len()).filter(differs).collect())
    }
}

/// Whether two records are equal; those that are shared are, without a look at them.
fn is_same(one: &Arc<Record>, other: &Arc<Record>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
