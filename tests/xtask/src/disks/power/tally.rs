//! What was counted over all rounds.

use std::time::Duration;

use crate::disks::ledger::{Counts, Reading};
use crate::disks::report::{mean_and_max, table};
use crate::disks::schedule::Deed;

/// What was counted over all rounds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    losses: Column,
    kills: Column,
    /// Of all rounds together.
    counts: Counts,
    /// What was wrong last, and with the last reading from every replica.
    last: Reading,
    end: Option<Reading>,
    aside_before: usize,
    aside_after: usize,
}

/// One kind of round.
#[derive(Debug, Default)]
struct Column {
    rounds: u64,
    acknowledged: u64,
    unknown: u64,
    refused: u64,
    /// Keys that were not as acknowledged for the first time.
    lost: u64,
    late: u64,
    wrong: u64,
    unread: u64,
    ready: Vec<Duration>,
    refilled: u64,
}

impl Tally {
    /// Adds a round. What `counts` and `reading` count goes on from round to round.
    pub(super) fn add(
        &mut self,
        deed: Deed,
        ready: Duration,
        counts: Counts,
        reading: Reading,
        refilled: u64,
    ) {
        let column = match deed {
            Deed::Loss => &mut self.losses,
            Deed::Kill => &mut self.kills,
        };
        column.rounds += 1;
        column.acknowledged += counts.acknowledged - self.counts.acknowledged;
        column.unknown += counts.unknown - self.counts.unknown;
        column.refused += counts.refused - self.counts.refused;
        column.lost += reading.lost.saturating_sub(self.last.lost);
        column.late += reading.late;
        column.wrong += reading.wrong.saturating_sub(self.last.wrong);
        column.unread += reading.unread.saturating_sub(self.last.unread);
        column.ready.push(ready);
        column.refilled += refilled;
        (self.counts, self.last) = (counts, reading);
    }

    /// Notes what was read from every replica after the last round.
    pub(super) fn end(&mut self, reading: &Reading) {
        self.end = Some(reading.clone());
    }

    /// Parts that were set aside on a disk before it was hit, and after it came back.
    pub(super) fn set_aside_before(&mut self, parts: usize) {
        self.aside_before += parts;
    }

    pub(super) fn set_aside_after(&mut self, parts: usize) {
        self.aside_after += parts;
    }

    /// Keys that were not as acknowledged in the last round.
    pub(super) fn last_faults(&self) -> u64 {
        self.last.faults()
    }

    /// Keys that were lost in some round, or at the end.
    pub(super) fn lost(&self) -> u64 {
        let end = self.end.as_ref().map_or(0, |end| end.lost);
        (self.losses.lost + self.kills.lost).max(end)
    }

    /// Keys that were not as acknowledged.
    pub(super) fn faults(&self) -> u64 {
        let columns = [&self.losses, &self.kills];
        let rounds: u64 =
            columns.iter().map(|column| column.lost + column.wrong + column.unread).sum();
        rounds.max(self.end.as_ref().map_or(0, Reading::faults))
    }

    pub(super) fn table(&self) -> String {
        let row = |name: &str, value: fn(&Column) -> String| {
            vec![name.to_owned(), value(&self.losses), value(&self.kills)]
        };
        let mut rows = vec![
            vec![String::new(), "power losses".to_owned(), "kills".to_owned()],
            row("rounds", |it| it.rounds.to_string()),
            row("writes acknowledged", |it| it.acknowledged.to_string()),
            row("writes refused", |it| it.refused.to_string()),
            row("writes unknown", |it| it.unknown.to_string()),
            row("keys lost", |it| it.lost.to_string()),
            row("keys late", |it| it.late.to_string()),
            row("keys wrong", |it| it.wrong.to_string()),
            row("keys unread", |it| it.unread.to_string()),
            row("seconds until ready, mean / max", |it| mean_and_max(&it.ready)),
            row("nodes that refilled", |it| it.refilled.to_string()),
        ];
        let all = |name: &str, value: u64| vec![name.to_owned(), value.to_string()];
        let aside = self.aside_after.saturating_sub(self.aside_before);
        rows.push(all("set aside in data directories", aside as u64));
        rows.push(all("superseded versions that still stand", self.last.superseded));
        if let Some(end) = &self.end {
            rows.push(all("at the end: keys", end.keys));
            rows.push(all("at the end: lost, wrong or unread", end.faults()));
            rows.push(all("at the end: stale replicas", end.stale.values().sum()));
        }
        let errors = self.counts.errors.iter().map(|(code, count)| format!("{code} {count}"));
        let errors: Vec<String> = errors.collect();
        let errors = if errors.is_empty() { "none".to_owned() } else { errors.join(", ") };
        table(&rows) + "errors of writes: " + &errors + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lost: u64) -> Reading {
        Reading { lost, ..Reading::default() }
    }

    #[test]
    fn a_key_that_stays_lost_is_counted_once_and_in_its_round() {
        let mut tally = Tally::default();
        let ready = Duration::from_secs(1);
        tally.add(Deed::Loss, ready, Counts::default(), reading(2), 0);
        tally.add(Deed::Kill, ready, Counts::default(), reading(2), 0);
        tally.add(Deed::Loss, ready, Counts::default(), reading(3), 0);
        assert_eq!((tally.losses.lost, tally.kills.lost), (3, 0));
        assert_eq!((tally.lost(), tally.faults()), (3, 3));
    }

    #[test]
    fn what_is_lost_at_the_end_alone_counts() {
        let mut tally = Tally::default();
        tally.end(&reading(1));
        assert_eq!((tally.lost(), tally.faults()), (1, 1));
    }
}
