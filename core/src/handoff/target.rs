//! The hints for one target: where its handing over stands, and how fast it goes.
//!
//! The window is the number of hints that are sent and not acknowledged. It doubles with each
//! batch that is acknowledged, and halves with a failure, as that of TCP does (Jacobson,
//! *Congestion Avoidance and Control*, SIGCOMM 1988); once for each pause, however many fail.

use alloc::collections::VecDeque;

use crate::causality::Record;
use crate::ids::{Epoch, Key};
use crate::message::CallId;
use crate::time::{Duration, Instant};

/// The window of a target of which nothing is known yet.
pub(super) const WINDOW_FIRST: usize = 8;

/// The window is never greater.
pub(super) const WINDOW_MAX: usize = 256;

/// Nothing is sent for so long after a failure.
pub(super) const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// Nothing goes home for so long after a hint was made for a target that is connected: whoever
/// made it found the target overloaded.
const QUIET: Duration = Duration::from_secs(1);

/// Hints that keep coming hold delivery back for no longer: then they are made for another reason,
/// such as a link between two other nodes that is cut. It goes on with the smallest window, so it
/// adds little where the target is overloaded all the same.
const HELD_BACK_MAX: Duration = Duration::from_secs(30);

/// The time between two batches of which nothing could be sent.
const SKIP_PAUSE: Duration = Duration::from_millis(250);

/// The wait after a pass that removed no hint; it doubles with each further one that sent none.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// That wait is never longer.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// One target.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// A batch is under way.
    pub(super) served: bool,
    /// It stands in the queue. Invariant: never while it is served.
    pub(super) queued: bool,
    /// When something is to be done. Invariant: `None` while it is served or queued.
    pub(super) due: Option<Instant>,
    /// The read of the batch that is under way.
    pub(super) reading: Option<CallId>,
    /// This node's epoch before the batch was read.
    pub(super) epoch: Epoch,
    /// The rest of the batch, not sent yet.
    pub(super) waiting: VecDeque<(Key, Record)>,
    /// Calls that are not acknowledged. Invariant: never more than were allowed when sent.
    pub(super) unacknowledged: usize,
    /// Calls, together with those that are acknowledged and whose hint is being removed.
    pub(super) open: usize,
    /// The last hint that was looked at; `None`: a pass begins.
    after: Option<Key>,
    /// Whether there are hints behind the batch.
    more: bool,
    window: usize,
    /// Nothing is sent before this.
    not_before: Instant,
    retry: Duration,
    /// Hints are made while the target is connected: since when, and when the last one was. They
    /// are one stream as long as the pauses between them are shorter than [`QUIET`].
    stream: Option<(Instant, Instant)>,
    /// What the pass has come to.
    pass: Progress,
    /// Whether the batch has sent a hint.
    sent: bool,
    /// Whether the batch came to be held up.
    held_up: bool,
}

/// What a pass has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Nothing could be sent.
    #[default]
    None,
    /// Something was sent.
    Sent,
    /// Something is gone here.
    Removed,
}

/// What a read has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Hints,
    /// There are no hints for the target at all.
    Nothing,
}

impl Target {
    pub(super) fn new() -> Target {
        Target {
            served: false,
            queued: false,
            due: None,
            reading: None,
            epoch: Epoch::default(),
            waiting: VecDeque::new(),
            unacknowledged: 0,
            open: 0,
            after: None,
            more: false,
            window: WINDOW_FIRST,
            not_before: Instant::default(),
            retry: RETRY_FIRST,
            stream: None,
            pass: Progress::None,
            sent: false,
            held_up: false,
        }
    }

    /// When something may be sent; `None`: at once.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        (self.not_before > now).then_some(self.not_before)
    }

    pub(super) fn has_room(&self) -> bool {
        self.unacknowledged < self.window
    }

    /// Begins a batch with its read; answers the key behind which it begins.
    pub(super) fn on_read(&mut self, call: CallId, epoch: Epoch) -> Option<Key> {
        self.served = true;
        self.reading = Some(call);
        self.epoch = epoch;
        (self.sent, self.held_up) = (false, false);
        self.after.clone()
    }

    pub(super) fn on_found(&mut self, hints: VecDeque<(Key, Record)>, more: bool) -> Found {
        let nothing = self.after.is_none() && hints.is_empty() && !more;
        self.reading = None;
        (self.waiting, self.more) = (hints, more);
        if nothing { Found::Nothing } else { Found::Hints }
    }

    /// The next hint of the batch.
    pub(super) fn next(&mut self) -> Option<(Key, Record)> {
        let (key, record) = self.waiting.pop_front()?;
        self.after = Some(key.clone());
        Some((key, record))
    }

    pub(super) fn on_sent(&mut self) {
        self.sent = true;
        self.pass = self.pass.max(Progress::Sent);
        self.open += 1;
        self.unacknowledged += 1;
    }

    /// A hint was acknowledged and removed.
    pub(super) fn on_removed(&mut self) {
        self.pass = Progress::Removed;
    }

    /// Sends nothing before `until`. The rest of the batch is read again.
    pub(super) fn hold(&mut self, until: Instant) {
        self.not_before = self.not_before.max(until);
        self.held_up = true;
        self.more |= !self.waiting.is_empty() || self.reading.is_some();
        self.waiting.clear();
        self.reading = None;
    }

    /// What was sent failed, or must not be sent: slower.
    pub(super) fn slow_down(&mut self, now: Instant, pause: Duration) {
        if self.pause(now).is_none() {
            self.window = (self.window / 2).max(1);
        }
        self.hold(now + pause);
    }

    /// A hint was made although the target is connected.
    pub(super) fn on_hinted(&mut self, now: Instant) {
        let stream = self.stream.filter(|(_, last)| now < *last + QUIET);
        let since = stream.map_or(now, |(since, _)| since);
        self.stream = Some((since, now));
        if now < since + HELD_BACK_MAX {
            self.slow_down(now, QUIET);
        } else {
            self.window = 1;
        }
    }

    /// Begins anew: the target is there, or gone. What waits is read again.
    pub(super) fn start_over(&mut self) {
        self.waiting.clear();
        (self.reading, self.after, self.more) = (None, None, false);
        (self.not_before, self.retry) = (Instant::default(), RETRY_FIRST);
        self.pass = Progress::None;
        self.held_up = true;
    }

    /// Ends the batch if nothing of it is left; answers whether it did.
    pub(super) fn ends(&mut self, now: Instant) -> bool {
        if !self.served || self.reading.is_some() || !self.waiting.is_empty() || self.open > 0 {
            return false;
        }
        self.served = false;
        if self.sent && !self.held_up {
            self.window = (self.window * 2).min(WINDOW_MAX);
        }
        let wait = match (self.more, self.sent) {
            (true, true) => Duration::ZERO,
            (true, false) => SKIP_PAUSE,
            (false, _) => self.end_pass(),
        };
        self.not_before = self.not_before.max(now + wait);
        true
    }

    /// Ends the pass; answers when the next one begins.
    fn end_pass(&mut self) -> Duration {
        self.after = None;
        let (wait, retry) = match core::mem::take(&mut self.pass) {
            Progress::Removed => (Duration::ZERO, RETRY_FIRST),
            Progress::Sent => (RETRY_FIRST, RETRY_FIRST),
            Progress::None => (self.retry, (self.retry * 2).min(RETRY_LAST)),
        };
        self.retry = retry;
        wait
    }

    pub(super) fn check_invariants(&self) {
        assert!((1..=WINDOW_MAX).contains(&self.window));
        assert!(self.unacknowledged <= self.open);
        assert!(!(self.served && self.queued), "served and queued");
        assert!(self.due.is_none() || !self.served && !self.queued, "it waits for something else");
        assert!(self.served || self.reading.is_none() && self.waiting.is_empty());
        assert!(self.served || self.open == 0);
    }
}
