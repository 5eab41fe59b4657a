//! Keys of one slot that are repaired together.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::moves::Moves;
use super::{Found, Lost};
use crate::anti_entropy::holder::{READS_AT_ONCE, RECORDS_MAX};
use crate::anti_entropy::surroundings::Surroundings;
use crate::anti_entropy::window::place;
use crate::causality::Record;
use crate::ids::{Epoch, Key, NodeId};
use crate::merkle::Forest;
use crate::message::{CallId, Difference};
use crate::ring::Slot;
use crate::tickets::Purpose;

/// A batch ends with the own record that reaches so many bytes.
const BYTES_MAX: u64 = 1024 * 1024;

/// Keys that differed, in the order of the ring, and what this node holds of them.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    slot: Slot,
    /// Invariant: no more than [`RECORDS_MAX`].
    keys: Vec<(Found, Record)>,
    /// The first key that is not being read.
    next: usize,
    /// Reads under way.
    open: usize,
    bytes: u64,
    /// This node's epoch before any of them was read.
    epoch: Epoch,
}

/// What follows from the answer to a batch.
pub(super) struct Answered {
    pub(super) moves: Moves,
    /// What is to be asked about once more.
    pub(super) left: Vec<Found>,
    /// Whether the peer says nothing of some keys: they have changed there.
    pub(super) leaves_out: bool,
}

impl Batch {
    /// The first ones of those that differed.
    pub(super) fn take(pairs: &mut VecDeque<Found>, epoch: Epoch) -> Batch {
        let slot = pairs.front().map_or(Slot(0), |first| first.slot);
        let mut keys = Vec::new();
        while keys.len() < RECORDS_MAX
            && let Some(found) = pairs.pop_front_if(|found| found.slot == slot)
        {
            keys.push((found, Record::new()));
        }
        keys.sort_by(|(one, _), (other, _)| place(&one.key).cmp(&place(&other.key)));
        keys.dedup_by(|(one, _), (other, _)| one.key == other.key);
        Batch { slot, keys, next: 0, open: 0, bytes: 0, epoch }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Reads as many as may be read at one time.
    pub(super) fn read_on(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        (peer, call): (NodeId, CallId),
    ) {
        while self.open < READS_AT_ONCE
            && self.bytes < BYTES_MAX
            && let Some((found, _)) = self.keys.get(self.next)
        {
            let purpose = Purpose::Asker { peer, call, item: self.next as u32 };
            around.read(purpose, &found.key);
            self.next += 1;
            self.open += 1;
        }
    }

    pub(super) fn on_read(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        step: (NodeId, CallId),
        item: u32,
        record: Record,
    ) {
        self.open -= 1;
        self.bytes += record.weight();
        if let Some((_, place)) = self.keys.get_mut(item as usize) {
            *place = record;
        }
        self.read_on(around, step);
    }

    /// Whether all that may be read is.
    pub(super) fn is_read(&self) -> bool {
        self.open == 0
    }

    /// Leaves out what has changed since it differed: a write is on its way. Answers what was not
    /// read.
    pub(super) fn keep_unchanged(&mut self, forest: &Forest) -> Vec<Found> {
        let left = self.keys.split_off(self.next);
        self.keys.retain(|(found, record)| {
            let unchanged = forest.state(&found.key, record) == found.mine;
            sane_or!(unchanged, RepairsWritesInFlight => true)
        });
        left.into_iter().map(|(found, _)| found).collect()
    }

    /// What the peer is asked.
    pub(super) fn differences(&self) -> Vec<Difference> {
        let difference = |(found, record): &(Found, Record)| Difference {
            key: found.key.clone(),
            outline: record.outline(),
            theirs: found.theirs,
        };
        self.keys.iter().map(difference).collect()
    }

    /// The peer has answered for the keys up to `until`.
    pub(super) fn answered(
        mut self,
        (epoch, records): (Epoch, Vec<(Key, Record)>),
        wants: &[Key],
        until: Option<&Key>,
    ) -> Result<Answered, Lost> {
        let mut left = Vec::new();
        if let Some(until) = until {
            let last = self.keys.iter().position(|(found, _)| found.key == *until);
            let answered = last.ok_or(Lost::Misbehaved)? + 1;
            left = self.keys.split_off(answered);
        }
        if !self.are_asked(records.iter().map(|(key, _)| key)) || !self.are_asked(wants.iter()) {
            return Err(Lost::Misbehaved);
        }
        let is_answered =
            |key: &Key| wants.contains(key) || records.iter().any(|(answered, _)| answered == key);
        let leaves_out = !self.keys.iter().all(|(found, _)| is_answered(&found.key));
        let wanted = self.keys.into_iter().filter(|(found, _)| wants.contains(&found.key));
        let gives: Vec<(Key, Record)> = wanted.map(|(found, record)| (found.key, record)).collect();
        sane_or!(
            let gives,
            TombstoneSkippedByExchange => gives.into_iter()
                .filter(|(_, record)| !crate::anti_entropy::wrong::is_deleted(record))
                .collect::<Vec<_>>()
        );
        let left = left.into_iter().map(|(found, _)| found).collect();
        let moves = Moves::new((epoch, records), (self.epoch, gives));
        Ok(Answered { moves, left, leaves_out })
    }

    /// Whether the keys are some of those of the batch, in its order, each once.
    fn are_asked<'a>(&self, mut keys: impl Iterator<Item = &'a Key>) -> bool {
        let mut asked = self.keys.iter();
        keys.all(|key| asked.any(|(found, _)| found.key == *key))
    }
}
