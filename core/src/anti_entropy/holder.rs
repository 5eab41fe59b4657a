//! Answering what other replicas ask about what is held here.
//!
//! Invariant: nothing is remembered between two questions, and a peer has one under way at most.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::surroundings::Surroundings;
use super::window::{Window, differing};
use crate::causality::Record;
use crate::ids::{Epoch, Key, NodeId};
use crate::machine::{Event, Peer, StoreOp, StoreOutcome};
use crate::merkle::{Branch, Forest, Piece, State, StateHash};
use crate::message::{
    BranchChildren, BranchHash, CallId, Compare, Compared, Comparison, Difference, Message,
    Question,
};
use crate::ring::{RingArc, Slot};
use crate::tickets::Purpose;

/// Branches that a question names at most.
pub(super) const BRANCHES_MAX: usize = 512;

/// States that a question names at most.
pub(super) const STATES_MAX: usize = 512;

/// Keys whose records a question asks for at most.
pub(super) const RECORDS_MAX: usize = 128;

/// Questions that are answered at one time.
const QUESTIONS_MAX: usize = 16;

/// States that are compared for one answer.
const COMPARED_MAX: usize = 4 * STATES_MAX;

/// An answer ends with the record that reaches so many bytes, whatever was asked for.
const BYTES_MAX: u64 = 1024 * 1024;

/// Records that are read at one time.
pub(super) const READS_AT_ONCE: usize = 16;

/// The questions that wait for the storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Holder {
    /// Invariant: no more than [`QUESTIONS_MAX`].
    tasks: BTreeMap<NodeId, Task>,
}

#[derive(Clone, Debug)]
struct Task {
    call: CallId,
    work: Work,
}

#[derive(Clone, Debug)]
enum Work {
    States { window: Window, states: Vec<(Key, StateHash)> },
    Records(Records),
    Rest { epoch: Epoch },
}

#[derive(Clone, Debug)]
struct Records {
    keys: Vec<Difference>,
    /// What is held of each key, as far as it is read.
    read: Vec<Record>,
    /// The first key that is not being read.
    next: usize,
    /// Reads under way.
    open: usize,
    bytes: u64,
    bytes_max: u64,
    epoch: Epoch,
}

/// Why a question gets no answer.
enum NoAnswer {
    /// Not at this time. Two nodes with the same newest layout may still differ in the older ones
    /// that they hold to be in force, and so in the slots that they hold in common.
    NotNow,
    /// Nobody who goes by the rules asks that.
    Misbehaved,
}

impl Holder {
    /// Begins with a question, or says that it cannot be answered at this time. `busy` says whether
    /// a slot is not to be compared, given the hash of its root at the asker and here.
    pub(super) fn on_compare(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        from: NodeId,
        Compare { call, layout_version, leaves, question }: Compare,
        busy: impl FnMut(&mut Surroundings<'_, '_>, Slot, u128, u128) -> bool,
    ) {
        let trees = around.trees;
        let settings = &around.turn.config.anti_entropy;
        let comparable = leaves == settings.leaves.get()
            && settings.bytes_per_second > 0
            && around.turn.refill.is_asked();
        let begun = match trees.forest() {
            Some(forest) if comparable => self.begin(around, forest, (from, call), question, busy),
            Some(_) | None => Err(NoAnswer::NotNow),
        };
        match begun {
            Ok(()) => {}
            // Of another layout the two may cut the circle otherwise.
            Err(NoAnswer::Misbehaved) if layout_version == around.turn.layouts.head_version() => {
                around.turn.counters.misbehaved += 1;
                around.turn.out.observe(Event::Misbehaved(Peer::Node(from)));
                answer(around, from, call, Comparison::NotNow);
            }
            Err(NoAnswer::NotNow | NoAnswer::Misbehaved) => {
                answer(around, from, call, Comparison::NotNow);
            }
        }
    }

    /// The storage has answered for the question of a peer.
    pub(super) fn on_stored(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        (from, call, item): (NodeId, CallId, u32),
        outcome: StoreOutcome,
    ) {
        let Some(task) = self.tasks.get_mut(&from).filter(|task| task.call == call) else { return };
        let comparison = match (&mut task.work, outcome) {
            (
                Work::States { window, states },
                StoreOutcome::StatesScanned { states: ours, more },
            ) => states_answer(window, states, ours, more),
            (Work::Records(records), StoreOutcome::Read { record }) => {
                records.on_read(item, record.unwrap_or_default());
                records.read_on(around, from, call);
                if records.open > 0 {
                    return;
                }
                records.answer(around.trees.forest())
            }
            (Work::Rest { epoch }, StoreOutcome::RecordsScanned { records, more }) => {
                rest_answer(records, more, *epoch)
            }
            (Work::States { .. } | Work::Records(_) | Work::Rest { .. }, _) => Comparison::NotNow,
        };
        self.tasks.remove(&from);
        answer(around, from, call, comparison);
    }

    /// A connection is gone, and with it who waits for an answer.
    pub(super) fn on_node_down(&mut self, node: NodeId) {
        self.tasks.remove(&node);
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.tasks.len() <= QUESTIONS_MAX, "questions are bounded");
    }

    fn begin(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        forest: &Forest,
        (from, call): (NodeId, CallId),
        question: Question,
        busy: impl FnMut(&mut Surroundings<'_, '_>, Slot, u128, u128) -> bool,
    ) -> Result<(), NoAnswer> {
        if let Question::Branches(branches) = question {
            let comparison = branches_answer(around, forest, from, &branches, busy)?;
            answer(around, from, call, comparison);
            return Ok(());
        }
        let crowded = self.tasks.len() >= QUESTIONS_MAX || self.tasks.contains_key(&from);
        if crowded || around.holds_until().is_some() {
            return Err(NoAnswer::NotNow);
        }
        let epoch = around.turn.epochs.current();
        let arc_of = |piece: Piece| {
            let arc = forest.arc_of(piece).ok_or(NoAnswer::Misbehaved)?;
            Some(arc).filter(|_| around.compares(from, piece.slot)).ok_or(NoAnswer::NotNow)
        };
        let (work, op) = match question {
            Question::Branches(_) => return Err(NoAnswer::NotNow),
            Question::States { piece, after, until, states } => {
                let window = Window { arc: arc_of(piece)?, after, until };
                let keys = states.iter().map(|(key, _)| key);
                if states.len() > STATES_MAX || !window.holds_in_order(keys) {
                    return Err(NoAnswer::Misbehaved);
                }
                let (arc, after) = (window.arc, window.after.clone());
                let op = StoreOp::ScanStates { arc, after, count_max: COMPARED_MAX };
                (Work::States { window, states }, Some(op))
            }
            Question::Records { slot, keys, bytes_max } => {
                let arc = arc_of(Piece::whole(slot))?;
                let records = Records::new(keys, arc, bytes_max, epoch)?;
                (Work::Records(records), None)
            }
            Question::Rest { piece, after, bytes_max } => {
                let bytes_max = bytes_max.min(BYTES_MAX) as usize;
                let op = StoreOp::ScanRecords { arc: arc_of(piece)?, after, bytes_max };
                (Work::Rest { epoch }, Some(op))
            }
        };
        let task = self.tasks.entry(from).insert_entry(Task { call, work }).into_mut();
        match (op, &mut task.work) {
            (Some(op), _) => {
                let purpose = Purpose::Holder { asker: from, call, item: 0 };
                around.turn.tickets.store(purpose, None, op, around.turn.out);
            }
            (None, Work::Records(records)) => records.read_on(around, from, call),
            (None, Work::States { .. } | Work::Rest { .. }) => {}
        }
        Ok(())
    }
}

impl Records {
    fn new(
        keys: Vec<Difference>,
        arc: RingArc,
        bytes_max: u64,
        epoch: Epoch,
    ) -> Result<Records, NoAnswer> {
        let window = Window { arc, after: None, until: None };
        let valid = !keys.is_empty()
            && keys.len() <= RECORDS_MAX
            && window.holds_in_order(keys.iter().map(|difference| &difference.key));
        if !valid {
            return Err(NoAnswer::Misbehaved);
        }
        let (read, bytes_max) = (vec![Record::new(); keys.len()], bytes_max.min(BYTES_MAX));
        Ok(Records { keys, read, next: 0, open: 0, bytes: 0, bytes_max, epoch })
    }

    /// Reads as many as may be read at one time.
    fn read_on(&mut self, around: &mut Surroundings<'_, '_>, from: NodeId, call: CallId) {
        while self.open < READS_AT_ONCE
            && let Some(difference) = self.keys.get(self.next)
            && (self.next == 0 || self.bytes < self.bytes_max)
        {
            let purpose = Purpose::Holder { asker: from, call, item: self.next as u32 };
            around.read(purpose, &difference.key);
            self.next += 1;
            self.open += 1;
        }
    }

    fn on_read(&mut self, item: u32, record: Record) {
        self.open -= 1;
        self.bytes += record.weight();
        if let Some(place) = self.read.get_mut(item as usize) {
            *place = record;
        }
    }

    fn answer(&mut self, forest: Option<&Forest>) -> Comparison {
        let Some(forest) = forest else { return Comparison::NotNow };
        let (mut records, mut wants, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut answered = 0;
        for (difference, record) in self.keys.iter().zip(&mut self.read).take(self.next) {
            if answered > 0 && bytes >= self.bytes_max {
                break;
            }
            answered += 1;
            let Difference { key, outline, theirs } = difference;
            let changed = forest.state(key, record) != *theirs;
            if sane_or!(changed, RepairsWritesInFlight => false) {
                continue;
            }
            let asker_lacks = !outline.takes_nothing_from(record);
            let holder_lacks = !record.takes_nothing_from(outline);
            if holder_lacks {
                wants.push(key.clone());
            }
            // Where neither lacks anything, one of the two is damaged, or says other things of the
            // same writes.
            if asker_lacks || !holder_lacks {
                bytes += record.weight();
                records.push((key.clone(), core::mem::take(record)));
            }
        }
        let until = self.keys.get(answered).and(self.keys.get(answered.wrapping_sub(1)));
        let until = until.map(|difference| difference.key.clone());
        Comparison::Records { records, wants, until, epoch: self.epoch }
    }
}

fn branches_answer(
    around: &mut Surroundings<'_, '_>,
    forest: &Forest,
    from: NodeId,
    branches: &[BranchHash],
    mut is_busy: impl FnMut(&mut Surroundings<'_, '_>, Slot, u128, u128) -> bool,
) -> Result<Comparison, NoAnswer> {
    if branches.len() > BRANCHES_MAX {
        return Err(NoAnswer::Misbehaved);
    }
    let (mut differ, mut busy, mut equal) = (Vec::new(), Vec::new(), Vec::new());
    for BranchHash { slot, branch, hash } in branches.iter().copied() {
        let piece = Piece { slot, branch };
        let own = forest.hash(piece).ok_or(NoAnswer::Misbehaved)?;
        if !around.compares(from, slot) {
            return Err(NoAnswer::NotNow);
        }
        let is_root = branch == Branch::ROOT;
        if is_root && (around.trees.doubts(slot) || is_busy(around, slot, hash, own)) {
            busy.push(slot);
        } else if own != hash {
            let children = if branch.level == forest.leaves().depth() {
                vec![own]
            } else {
                piece.children().filter_map(|child| forest.hash(child)).collect()
            };
            differ.push(BranchChildren { slot, branch, children });
        } else if is_root {
            equal.push(slot);
        }
    }
    // A question may come late, or twice: what is being refilled waits for the answer to its own.
    equal.retain(|slot| !around.turn.is_waiting(*slot, from));
    let (now, interval) = (around.turn.now, around.turn.config.anti_entropy.interval);
    around.schedule.on_compared(now, from, &equal, true, interval);
    Ok(Comparison::Branches { differ, busy })
}

fn states_answer(
    window: &Window,
    theirs: &mut Vec<(Key, StateHash)>,
    ours: Vec<(Key, State)>,
    more: bool,
) -> Comparison {
    let last = ours.last().map(|(key, _)| key.clone());
    if more && last.is_none() {
        return Comparison::NotNow;
    }
    let ours = ours.into_iter().filter(|(key, _)| window.contains(key));
    let ours: Vec<_> = ours.map(|(key, state)| (key, state.hash)).collect();
    // There are more, and they may be in the window, too.
    let until =
        last.filter(|last| more && window.contains(last) && window.until != Some(last.clone()));
    let asked = core::mem::take(theirs);
    let compared = Window { until: until.clone(), ..window.clone() };
    let asked: Vec<_> = asked.into_iter().filter(|(key, _)| compared.contains(key)).collect();
    Comparison::States { differ: differing(&asked, &ours), until }
}

fn rest_answer(records: Vec<(Key, Record)>, more: bool, epoch: Epoch) -> Comparison {
    let until = records.last().map(|(key, _)| key.clone()).filter(|_| more);
    if more && until.is_none() {
        return Comparison::NotNow;
    }
    Comparison::Records { records, wants: Vec::new(), until, epoch }
}

fn answer(around: &mut Surroundings<'_, '_>, to: NodeId, call: CallId, answer: Comparison) {
    sane_or!(let answer, TombstoneSkippedByExchange => super::wrong::without_tombstones(answer));
    if let Comparison::Records { records, .. } = &answer {
        around.turn.counters.records_handed_out += records.len() as u64;
    }
    around.spend(super::weight::of_answer(&answer));
    around.turn.out.send(Peer::Node(to), Message::Compared(Compared { call, answer }));
}
