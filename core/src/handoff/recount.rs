//! When the hints are counted.

use crate::time::{Duration, Instant};

/// The wait before hints are counted, after a doubt or a count that failed. It doubles with each
/// count that leaves a doubt: a count reads every hint.
const WAIT_FIRST: Duration = Duration::from_secs(5);

/// That wait is never longer.
const WAIT_LAST: Duration = Duration::from_secs(60);

/// The next count.
#[derive(Clone, Debug)]
pub(super) struct Recount {
    /// Invariant: never `None` where a target is in doubt and no count is under way.
    due: Option<Instant>,
    wait: Duration,
}

impl Recount {
    pub(super) fn new() -> Recount {
        Recount { due: None, wait: WAIT_FIRST }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// There is something to count.
    pub(super) fn ask(&mut self, now: Instant) {
        self.due.get_or_insert(now + self.wait);
    }

    /// Takes a count that is due.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.due.take_if(|at| *at <= now).is_some()
    }

    /// A count that is due has to wait.
    pub(super) fn put_off(&mut self, until: Instant) {
        self.due = Some(until);
    }

    /// All were counted; where a target is in doubt, again after a while.
    pub(super) fn on_counted(&mut self, now: Instant, in_doubt: bool) {
        if in_doubt {
            self.due = Some(now + self.wait);
            self.wait = (self.wait * 2).min(WAIT_LAST);
        } else {
            *self = Recount::new();
        }
    }
}
