//! Looking for records that are dead, slot by slot, page by page.
//!
//! A node looks through the slots whose first primary it is, so each record has one collector.

use alloc::vec::Vec;

use crate::causality::Record;
use crate::config::NodeConfig;
use crate::ids::Key;
use crate::layout::Layout;
use crate::machine::{StoreOp, StoreOutcome};
use crate::merkle::{StateHash, TreeKey};
use crate::message::MergeReason;
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::time::{Duration, Instant, Now};
use crate::turn::Turn;

/// A page ends with the record that reaches so many bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// The wait between two pages that held something: what clients want comes first.
const PAGE_PAUSE: Duration = Duration::from_millis(50);

/// The wait while the storage has too much to do, or fails, or there is no room for what is found.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// The least time between two passes.
const PASS_PAUSE_MIN: Duration = Duration::from_millis(250);

/// So many times in a grace time everything is looked through, unless it takes longer.
const PASSES_PER_GRACE: u32 = 8;

/// Where a node is on its way through the slots whose first primary it is.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    tree_key: TreeKey,
    /// The slots that are left of this pass, the next one last.
    slots: Vec<Slot>,
    /// The last key of the next slot that was looked at.
    after: Option<Key>,
    /// When the next page is to be asked for; `None`: one is under way, or there is no layout.
    due: Option<Instant>,
    /// The number of the last page that was asked for, or that is of no use any more.
    page: u32,
}

impl Scan {
    pub(super) fn new(config: &NodeConfig) -> Scan {
        Scan { tree_key: config.tree_key(), slots: Vec::new(), after: None, due: None, page: 0 }
    }

    /// A layout is in force: a pass begins after a while.
    pub(super) fn on_layout(&mut self, now: Instant, grace: Duration) {
        self.slots.clear();
        self.after = None;
        // A page that was asked for under the former layout is of no use.
        self.page = self.page.wrapping_add(1);
        self.due = Some(now + pass_pause(grace));
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the time at which a page is to be asked for, where it has come.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|at| *at <= now).is_some()
    }

    /// Goes on after a while.
    pub(super) fn put_off(&mut self, now: Instant, grace: Duration) {
        self.due = Some(now + BUSY_PAUSE.min(pass_pause(grace)));
    }

    /// Asks for the next page.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>, layout: &Layout) {
        if turn.tickets.is_full_for(MergeReason::AntiEntropy) {
            return self.put_off(turn.now.instant, turn.config.collection.grace);
        }
        if self.slots.is_empty() {
            let own = turn.config.id;
            let slots = layout.slot_count().slots().rev();
            self.slots =
                slots.filter(|slot| layout.primaries(*slot).first() == Some(&own)).collect();
        }
        let Some(slot) = self.slots.last() else { return };
        let (arc, after) = (layout.slot_count().arc(*slot), self.after.clone());
        let op = StoreOp::ScanRecords { arc, after, bytes_max: PAGE_BYTES };
        self.page = self.page.wrapping_add(1);
        turn.tickets.store(Purpose::DeadScan { page: self.page }, *slot, op, turn.out);
    }

    /// A page is there: what of it has been dead for the grace time.
    pub(super) fn on_page(
        &mut self,
        now: Now,
        grace: Duration,
        (page, outcome): (u32, StoreOutcome),
    ) -> Vec<(Key, StateHash)> {
        if page != self.page {
            return Vec::new();
        }
        let StoreOutcome::RecordsScanned { records, more } = outcome else {
            self.put_off(now.instant, grace);
            return Vec::new();
        };
        let pause = if records.is_empty() { Duration::ZERO } else { PAGE_PAUSE };
        self.after = records.last().map(|(key, _)| key.clone()).filter(|_| more);
        if self.after.is_none() {
            self.slots.pop();
        }
        let pause = if self.slots.is_empty() { pass_pause(grace) } else { pause };
        self.due = Some(now.instant + pause);
        let dead = records.into_iter().filter(|(_, record)| is_dead(now, grace, record));
        dead.map(|(key, record)| (key.clone(), self.tree_key.state(&key, &record))).collect()
    }
}

fn is_dead(now: Now, grace: Duration, record: &Record) -> bool {
    let since = record.dead_since(now.unix);
    since.is_some_and(|since| sane_or!(since + grace <= now.unix, CollectsYoung => true))
}

fn pass_pause(grace: Duration) -> Duration {
    (grace / PASSES_PER_GRACE).max(PASS_PAUSE_MIN)
}

#[cfg(test)]
mod tests {
    use super::{PASS_PAUSE_MIN, pass_pause};
    use crate::time::Duration;

    #[test]
    fn passes_divide_the_grace_time_and_never_follow_each_other_at_once() {
        let (seconds, hours) =
            (Duration::from_secs, |hours: u64| Duration::from_secs(hours * 3_600));
        for (grace, pause) in
            [(Duration::ZERO, PASS_PAUSE_MIN), (seconds(8), seconds(1)), (hours(24), hours(3))]
        {
            assert_eq!(pass_pause(grace), pause);
        }
    }
}
