//! What became of a case.

use std::time::Duration;

use anyhow::Error;

use super::case::Case;
use crate::disks::ledger::Reading;
use crate::disks::report::seconds;

/// What became of a case.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether the node came up again, or stayed up, on the disk.
    pub(super) opens: String,
    /// Parts of the data directory that the node set aside.
    pub(super) set_aside: usize,
    /// Losses that the node tells of itself; `None` where it tells nothing at all.
    pub(super) told: Option<u64>,
    /// Sums over all readings of the case.
    pub(super) lost: u64,
    pub(super) wrong: u64,
    pub(super) unread: u64,
    /// How long it took until the node held all that it should, or why it does not.
    pub(super) whole: Option<Result<Duration, String>>,
    /// Other faults.
    pub(super) faults: Vec<String>,
    pub(super) remarks: Vec<String>,
}

pub(super) fn heads() -> Vec<String> {
    [
        "case",
        "opens",
        "set aside",
        "losses told",
        "lost",
        "wrong",
        "unread",
        "whole again after s",
        "fault",
    ]
    .map(str::to_owned)
    .to_vec()
}

impl Outcome {
    /// Of a case that could not be made.
    pub(super) fn impossible(error: &Error) -> Outcome {
        let reason = format!("{error:#}").replace('\n', " ");
        Outcome { faults: vec![reason.clone()], remarks: vec![reason], ..Outcome::default() }
    }

    /// Adds what was read back with two answers.
    pub(super) fn add(&mut self, reading: &Reading) {
        self.lost += reading.lost;
        self.wrong += reading.wrong;
        self.unread += reading.unread;
        self.remarks.extend(reading.examples.iter().cloned());
    }

    /// Adds what was read from every replica: it also tells who was not whole.
    pub(super) fn add_everywhere(&mut self, reading: &Reading) {
        self.lost += reading.lost;
        self.wrong += reading.wrong;
        let stale: u64 = reading.stale.values().sum();
        let Some(Ok(_)) = self.whole else { return };
        if reading.unread + stale > 0 {
            self.whole = Some(Err(format!(
                "of {} keys {stale} replicas are stale, {} not answered for",
                reading.keys, reading.unread
            )));
            self.remarks.extend(reading.examples.iter().cloned());
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.lost + self.wrong + self.unread == 0
            && self.faults.is_empty()
            && matches!(self.whole, Some(Ok(_)))
    }

    pub(super) fn row(&self, case: Case) -> Vec<String> {
        let whole = match &self.whole {
            None => "-".to_owned(),
            Some(Ok(took)) => seconds(*took),
            Some(Err(why)) => format!("no: {why}"),
        };
        vec![
            case.name().to_owned(),
            self.opens.clone(),
            self.set_aside.to_string(),
            self.told.map_or("-".to_owned(), |told| told.to_string()),
            self.lost.to_string(),
            self.wrong.to_string(),
            self.unread.to_string(),
            whole,
            self.faults.join("; "),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Outcome {
        Outcome { whole: Some(Ok(Duration::from_secs(1))), ..Outcome::default() }
    }

    #[test]
    fn a_case_is_sound_only_where_nothing_is_lost_and_the_node_is_whole() {
        assert!(whole().is_sound());
        assert!(!Outcome::default().is_sound());
        assert!(!Outcome { lost: 1, ..whole() }.is_sound());
        assert!(!Outcome { faults: vec!["x".to_owned()], ..whole() }.is_sound());
        let mut stale = whole();
        let found = [("id".to_owned(), 3)];
        stale.add_everywhere(&Reading { stale: found.into(), ..Reading::default() });
        assert!(!stale.is_sound());
    }
}
