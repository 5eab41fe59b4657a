//! How many more questions a client may ask than the quorums of its reads need.

/// One question more for so many that were asked: 10 %.
const QUESTIONS_PER_HEDGE: u32 = 10;

/// Questions more that may be asked at once after a quiet time.
const HEDGES_SAVED_MAX: u32 = 10;

/// Questions earn the right to ask one more.
///
/// A cluster that is slow as a whole answers nobody in the usual time. If all reads asked one more
/// primary then, it would have even more to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HedgeBudget {
    /// In questions; a hedge costs [`QUESTIONS_PER_HEDGE`] of them.
    saved: u32,
}

impl HedgeBudget {
    /// A read has asked so many for their copies.
    pub(super) fn on_asked(&mut self, questions: usize) {
        let most = HEDGES_SAVED_MAX * QUESTIONS_PER_HEDGE;
        let questions = u32::try_from(questions).unwrap_or(most);
        self.saved = self.saved.saturating_add(questions).min(most);
    }

    /// Whether one more may be asked; it is paid for.
    pub(super) fn take(&mut self) -> bool {
        let left = self.saved.checked_sub(QUESTIONS_PER_HEDGE);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{HEDGES_SAVED_MAX, HedgeBudget, QUESTIONS_PER_HEDGE};

    #[test]
    fn one_question_in_ten_is_one_more() {
        let mut budget = HedgeBudget::default();
        assert!(!budget.take(), "it is earned first");
        let mut hedges = 0;
        for _ in 0..1_000 {
            budget.on_asked(2);
            hedges += u32::from(budget.take());
        }
        assert_eq!(hedges, 2_000 / QUESTIONS_PER_HEDGE);
    }

    #[test]
    fn a_quiet_time_saves_some_and_no_more() {
        let mut budget = HedgeBudget::default();
        (0..10_000).for_each(|_| budget.on_asked(3));
        budget.on_asked(usize::MAX);
        let at_once = (0..10_000).filter(|_| budget.take()).count();
        assert_eq!(at_once, HEDGES_SAVED_MAX as usize);
    }
}
