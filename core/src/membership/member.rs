//! What is known of one member, and the clock that its heartbeat is.

use alloc::sync::Arc;

use crate::ids::{DurableMark, Incarnation, NodeId, Remembered};
use crate::message::MemberInfo;
use crate::time::{Duration, Instant, micros};

/// No heartbeat is as high: at one a second it is not reached in a million years.
pub(super) const HEARTBEAT_MAX: u64 = 1 << 48;

/// No mark is as high: at a million commits a second it is not reached in a hundred thousand years.
const MARK_MAX: DurableMark = DurableMark(1 << 62);

/// A heartbeat that others tell of rises by no more than this in an interval: clocks differ, and
/// two processes of one id leapfrog.
const RAISES_PER_INTERVAL: u64 = 4;

/// What is known may be behind by as many intervals as news take to come here.
const RAISES_SLACK: u64 = 64;

/// Rises after which a member's heartbeat is known well enough to tell what cannot be. Before
/// that, what is known may come from somebody who was out of touch for long.
const SETTLED_RISES: u8 = 16;

/// The usual interval is held to be at most so many times what is configured.
const INTERVAL_MAX: u32 = 10;

/// What is known of one member. Small, since every member keeps one of every other.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Equal to the one in `info`, near at hand.
    pub(super) id: NodeId,
    /// What the member says of itself; its heartbeat there is the first that was heard.
    pub(super) info: Arc<MemberInfo>,
    /// The highest heartbeat; 0 where none was heard.
    pub(super) heartbeat: u64,
    /// When that was first heard here.
    pub(super) rose: Instant,
    /// Smoothed time between two rises here, in microseconds.
    interval: u32,
    /// Smoothed distance of those times from their mean, in microseconds.
    deviation: u32,
    /// Equal to the one in `info`, near at hand.
    pub(super) incarnation: Incarnation,
    /// Rises since it was met, up to [`SETTLED_RISES`].
    rises: u8,
    /// What is remembered of its storage, in whatever life.
    pub(super) remembered: Remembered,
}

impl Entry {
    pub(super) fn new(info: Arc<MemberInfo>, now: Instant, interval: Duration) -> Entry {
        let interval = short(interval);
        Entry {
            id: info.id,
            heartbeat: info.heartbeat,
            incarnation: info.incarnation,
            remembered: Remembered::default(),
            info,
            rose: now,
            interval,
            deviation: interval / 2,
            rises: 0,
        }
    }

    /// All of it, with the heartbeat of today.
    pub(super) fn info(&self) -> MemberInfo {
        MemberInfo {
            heartbeat: self.heartbeat,
            remembered: self.remembered,
            ..(*self.info).clone()
        }
    }

    /// Somebody remembers a durable mark of it, of whatever life.
    pub(super) fn remember(&mut self, told: Remembered) {
        if told.mark > self.remembered.mark && told.mark < MARK_MAX {
            self.remembered = told;
        }
    }

    /// Whether a heartbeat that somebody else tells of can be, given when the last one was heard.
    pub(super) fn can_have_reached(
        &self,
        heartbeat: u64,
        now: Instant,
        configured: Duration,
    ) -> bool {
        let raises = heartbeat.saturating_sub(self.heartbeat);
        if raises <= RAISES_SLACK || self.rises < SETTLED_RISES {
            return true;
        }
        let intervals = silence(now, self.rose) / micros(configured).max(1);
        raises <= intervals.saturating_mul(RAISES_PER_INTERVAL).saturating_add(RAISES_SLACK)
    }

    /// Takes in a higher heartbeat of the same life, and learns the time between two.
    pub(super) fn rise(&mut self, heartbeat: u64, now: Instant, settings: (Duration, u32)) {
        debug_assert!(sane_or!(heartbeat > self.heartbeat, SameHeartbeatIsLife => true));
        let (configured, suspect_after) = settings;
        // A long absence is not usual, whatever it was: it counts as what is just not suspicious.
        let sample = silence(now, self.rose).min(self.patience(suspect_after));
        self.learn(u32::try_from(sample).unwrap_or(u32::MAX), short(configured));
        self.heartbeat = heartbeat;
        self.rose = now;
        self.rises = (self.rises + 1).min(SETTLED_RISES);
    }

    /// What is known may be far behind.
    pub(super) fn unsettle(&mut self) {
        self.rises = 0;
    }

    /// Whether its heartbeat stands still for suspiciously long, in a list that so many windows make
    /// up: as long as its usual interval is not known, its news may take as long as the windows.
    /// Silence before `grace` does not count.
    pub(super) fn is_overdue(
        &self,
        now: Instant,
        grace: Instant,
        (windows, suspect_after): (u32, u32),
    ) -> bool {
        let windows = if self.rises < SETTLED_RISES { windows } else { 1 };
        let patience = self.patience(suspect_after).saturating_mul(windows.into());
        silence(now, self.rose.max(grace)) > patience
    }

    /// Microseconds for which its heartbeat may stand still. `suspect_after` counts usual
    /// intervals; two mean deviations make an interval that few exceed.
    fn patience(&self, suspect_after: u32) -> u64 {
        let usual = u64::from(self.interval) + 2 * u64::from(self.deviation);
        usual.saturating_mul(suspect_after.into())
    }

    /// Mean and mean deviation as of a round-trip time (Jacobson, *Congestion Avoidance and
    /// Control*, 1988).
    fn learn(&mut self, sample: u32, configured: u32) {
        let most = configured.saturating_mul(INTERVAL_MAX);
        let error = sample.abs_diff(self.interval);
        let deviation = (self.deviation - self.deviation / 4).saturating_add(error / 4);
        let interval = (self.interval - self.interval / 8).saturating_add(sample / 8);
        self.deviation = deviation.clamp(configured / 8, most);
        self.interval = interval.clamp(configured, most);
    }
}

/// Microseconds from one moment to another. Every round computes them for each member, so they are
/// plain numbers: a [`Duration`] costs divisions.
fn silence(now: Instant, since: Instant) -> u64 {
    now.0.saturating_sub(since.0)
}

/// Microseconds in 32 bits: more than an hour.
fn short(time: Duration) -> u32 {
    u32::try_from(micros(time)).unwrap_or(u32::MAX)
}
