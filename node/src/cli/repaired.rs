//! How far one node is with the comparisons that it was asked for.

use std::collections::BTreeSet;

use quorate_core::ids::{Incarnation, NodeId};
use quorate_core::message::{MemberStatus, PairStatus, RepairRefusal, StatusReply};
use quorate_core::ring::Slot;
use quorate_core::time::UnixMs;

use super::args::AskOptions;
use super::overview::{Overview, counter};
use crate::cluster::Door;

/// One node that was asked.
pub(super) struct Asked {
    pub(super) label: String,
    pub(super) id: NodeId,
    pub(super) result: Result<Task, Refused>,
}

/// Why a node does nothing, or cannot say what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
}

/// What one node has to compare.
pub(super) struct Task {
    door: Door,
    slot: Option<Slot>,
    /// When the node was asked, by its own clock.
    asked: UnixMs,
    incarnation: Incarnation,
    /// Pairs that the node said to be due.
    due: u32,
    /// What it had counted before it was asked.
    before: Moved,
    last: StatusReply,
}

/// Counts of what comparisons moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) records_taken: u64,
    pub(super) records_given: u64,
    pub(super) bytes: u64,
}

impl Moved {
    fn of(status: &StatusReply) -> Moved {
        let count = |name: &str| counter(status, name).unwrap_or(0);
        Moved {
            records_taken: count("records_taken"),
            records_given: count("records_given") + count("records_handed_out"),
            bytes: count("anti_entropy_bytes"),
        }
    }

    fn since(self, before: Moved) -> Moved {
        Moved {
            records_taken: self.records_taken.saturating_sub(before.records_taken),
            records_given: self.records_given.saturating_sub(before.records_given),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

impl Asked {
    /// Asks a node for its comparisons.
    pub(super) async fn ask(
        member: &MemberStatus,
        slot: Option<Slot>,
        options: &AskOptions,
    ) -> Asked {
        let result = Task::begin(member, slot, options).await;
        let result = result.map_err(|reason| Refused { reason });
        Asked { label: member.label.to_string(), id: member.id, result }
    }

    /// Asks how far the node is. One that does not answer is asked no more.
    pub(super) async fn look(&mut self) {
        let Ok(task) = &mut self.result else { return };
        if task.missing().is_empty() {
            return;
        }
        if let Err(reason) = task.look().await {
            self.result = Err(Refused { reason });
        }
    }

    /// Pairs of a slot and another node that the node was to compare.
    pub(super) fn pairs(&self) -> u32 {
        self.result.as_ref().map_or(0, |task| task.due)
    }

    /// How many of them it has compared.
    pub(super) fn compared(&self) -> usize {
        let of = |task: &Task| task.pairs().filter(|pair| task.is_compared(pair)).count();
        self.result.as_ref().map_or(0, of)
    }

    /// How many of them were found to be equal.
    pub(super) fn equal(&self) -> usize {
        let equal = |task: &Task, pair: &PairStatus| pair.equal.is_some_and(|at| at >= task.asked);
        let of = |task: &Task| task.pairs().filter(|pair| equal(task, pair)).count();
        self.result.as_ref().map_or(0, of)
    }

    /// The pairs that it has not compared.
    pub(super) fn missing(&self) -> Vec<(Slot, NodeId)> {
        self.result.as_ref().map(Task::missing).unwrap_or_default()
    }

    pub(super) fn slots(&self) -> BTreeSet<Slot> {
        let of = |task: &Task| task.pairs().map(|pair| pair.slot).collect();
        self.result.as_ref().map(of).unwrap_or_default()
    }

    pub(super) fn peers(&self) -> BTreeSet<NodeId> {
        let of = |task: &Task| task.pairs().map(|pair| pair.peer).collect();
        self.result.as_ref().map(of).unwrap_or_default()
    }

    pub(super) fn moved(&self) -> Moved {
        let of = |task: &Task| Moved::of(&task.last).since(task.before);
        self.result.as_ref().map(of).unwrap_or_default()
    }

    /// Whether there is nothing to wait for.
    pub(super) fn is_done(&self) -> bool {
        self.missing().is_empty()
    }

    /// Whether it has compared everything.
    pub(super) fn is_complete(&self) -> bool {
        self.result.is_ok() && self.is_done()
    }

    /// Whether the node is connected to another one.
    pub(super) fn sees(&self, peer: NodeId) -> bool {
        let member = |task: &Task| {
            let mut members = task.last.members.iter();
            members.any(|member| member.id == peer && member.up)
        };
        self.result.as_ref().is_ok_and(member)
    }

    /// Whether all that it has not compared is with nodes that it is not connected to.
    pub(super) fn waits_for_absent(&self) -> bool {
        self.missing().iter().all(|(_, peer)| !self.sees(*peer))
    }
}

impl Task {
    async fn begin(
        member: &MemberStatus,
        slot: Option<Slot>,
        options: &AskOptions,
    ) -> Result<Task, String> {
        let mut door = Overview::knock(&member.address, options).await.map_err(in_words)?;
        if door.welcome.node != member.id {
            return Err(format!("node {} answers at its address", door.welcome.node));
        }
        let before = Moved::of(&door.status(false).await.map_err(in_words)?);
        let reply = door.repair(slot).await.map_err(in_words)?;
        let due = reply.result.map_err(|refusal| told(refusal).to_owned())?;
        let last = door.status(true).await.map_err(in_words)?;
        let incarnation = last.incarnation;
        Ok(Task { door, slot, asked: reply.now, incarnation, due, before, last })
    }

    async fn look(&mut self) -> Result<(), String> {
        self.last = self.door.status(true).await.map_err(in_words)?;
        if self.last.incarnation == self.incarnation {
            return Ok(());
        }
        Err("it was started again meanwhile, and has forgotten what it was asked for".into())
    }

    /// What it was asked to compare.
    fn pairs(&self) -> impl Iterator<Item = &PairStatus> {
        let slot = self.slot;
        let pairs = self.last.comparisons.iter();
        pairs.filter(move |pair| slot.is_none_or(|slot| slot == pair.slot))
    }

    fn is_compared(&self, pair: &PairStatus) -> bool {
        pair.compared.is_some_and(|at| at >= self.asked)
    }

    fn missing(&self) -> Vec<(Slot, NodeId)> {
        let missing = self.pairs().filter(|pair| !self.is_compared(pair));
        missing.map(|pair| (pair.slot, pair.peer)).collect()
    }
}

fn in_words(error: crate::cluster::KnockError) -> String {
    error.to_string()
}

fn told(refusal: RepairRefusal) -> &'static str {
    match refusal {
        RepairRefusal::NoLayout => "it knows no layout yet",
        RepairRefusal::NoSuchSlot => "its layout has no such slot",
        RepairRefusal::NotAPrimary => "it is no primary of the slot",
        RepairRefusal::Off => "it was started with --anti-entropy-rate 0, so it compares nothing",
        RepairRefusal::Unrecognized | _ => {
            "it refuses, for a reason that this version does not know"
        }
    }
}
