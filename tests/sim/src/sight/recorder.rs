//! What is kept of a run that nobody can stop: the last happenings, and a view every so often.

use std::collections::VecDeque;

use quorate_core::time::{Duration, Instant};

use super::{Happening, Milliseconds, View};

/// Views that are kept; where there would be more, every other one goes.
const VIEWS_MAX: usize = 256;

/// Time between the first views.
const INTERVAL: Duration = Duration::from_millis(250);

/// Views of a run, at even intervals, and how many happenings are kept of it.
#[derive(Debug)]
pub(crate) struct Recorder {
    views: Vec<View>,
    interval: Duration,
    /// When the next view is due.
    next: Instant,
    happenings_max: usize,
    /// Up to when happenings were given up.
    since: Milliseconds,
}

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// What happened, in its order.
    pub happenings: Vec<Happening>,
    /// Views, in the order of their times.
    pub views: Vec<View>,
    /// From when on all happenings are kept; 0: all are.
    pub since: Milliseconds,
}

impl Recorder {
    /// One that keeps so many happenings, the last ones.
    pub(crate) fn new(happenings_max: usize) -> Recorder {
        Recorder {
            views: Vec::new(),
            interval: INTERVAL,
            next: Instant(0),
            happenings_max,
            since: Milliseconds::default(),
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    pub(crate) fn keep(&mut self, now: Instant, view: View) {
        self.views.push(view);
        if self.views.len() == VIEWS_MAX {
            let mut place = 0;
            self.views.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.interval *= 2;
        }
        self.next = now + self.interval;
    }

    /// Gives up the oldest happenings where there are too many.
    pub(super) fn bound(&mut self, happenings: &mut VecDeque<Happening>) {
        while happenings.len() > self.happenings_max {
            let gone = happenings.pop_front();
            self.since = gone.map_or(self.since, |gone| gone.at);
        }
    }

    /// The views, and up to when happenings were given up.
    pub(super) fn into_parts(self) -> (Vec<View>, Milliseconds) {
        (self.views, self.since)
    }
}
