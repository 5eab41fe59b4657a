//! Suspicions: whose heartbeat stands still, and who says so.

use alloc::vec;
use alloc::vec::Vec;

use super::{Change, Membership};
use crate::ids::NodeId;
use crate::message::MemberState;
use crate::time::{Instant, Now};

/// So many witnesses of one heartbeat are kept: enough for a verdict, and one more.
pub(super) const WITNESSES_KEPT: usize = 3;

/// A doubt about the present heartbeat of one member.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    /// Who has seen no higher heartbeat for too long; distinct, at least one, never the suspect.
    pub(super) witnesses: Vec<NodeId>,
    /// When there were enough witnesses.
    pub(super) down: Option<Instant>,
    /// Whether people were told of the suspicion or of what came of it.
    told: bool,
    /// Whether people were told that the member stays down.
    told_stays_down: bool,
}

impl Doubt {
    pub(super) fn state(&self) -> MemberState {
        if self.down.is_some() { MemberState::Down } else { MemberState::Suspected }
    }

    pub(super) fn check_invariants(&self, suspect: NodeId) {
        let count = self.witnesses.len();
        assert!((1..=WITNESSES_KEPT).contains(&count), "{count} witnesses");
        assert!(!self.witnesses.contains(&suspect), "nobody is a witness of itself");
    }
}

impl Membership {
    /// Makes this node a witness against everyone whose heartbeat stands still for too long.
    pub(super) fn suspect_overdue(&mut self, now: Now, changes: &mut Vec<Change>) {
        let (own, suspect_after) = (self.own, self.settings.suspect_after);
        let windows = self.members.len().div_ceil(self.settings.window.max(1));
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        let overdue = self.members.iter().filter(|entry| {
            entry.is_overdue(now.instant, self.grace, (windows, suspect_after)) && entry.id != own
        });
        let overdue: Vec<NodeId> = overdue.map(|entry| entry.id).collect();
        for suspect in overdue {
            let doubt = self.doubts.get(&suspect);
            if doubt.is_some_and(|doubt| doubt.witnesses.contains(&own) || doubt.is_full()) {
                continue;
            }
            self.add_witness(now, suspect, own, changes);
        }
    }

    /// Takes in that `witness` doubts the present heartbeat of `suspect`, which is a member.
    pub(super) fn add_witness(
        &mut self,
        now: Now,
        suspect: NodeId,
        witness: NodeId,
        changes: &mut Vec<Change>,
    ) {
        let is_valid = witness != suspect && suspect != self.own;
        if !is_valid || !self.members.contains(witness) {
            return;
        }
        let needed = self.witnesses_needed();
        let doubt = self.doubts.entry(suspect).or_insert_with(|| Doubt {
            witnesses: vec![],
            down: None,
            told: false,
            told_stays_down: false,
        });
        let is_known = doubt.witnesses.contains(&witness);
        if doubt.is_full() || sane_or!(is_known, WitnessCountsTwice => false) {
            return;
        }
        doubt.witnesses.push(witness);
        doubt.witnesses.sort_unstable();
        if witness == self.own {
            doubt.told = true;
            changes.push(Change::Suspected(suspect));
        }
        if doubt.down.is_none() && doubt.witnesses.len() >= needed {
            doubt.down = Some(now.instant);
            doubt.told = true;
            let witnesses = doubt.witnesses.clone();
            changes.push(Change::Down { node: suspect, witnesses });
        }
        self.hot.insert(suspect, self.members.len());
    }

    /// A higher heartbeat of `id` is there: all doubts about the former one are over.
    pub(super) fn clear_doubt(&mut self, id: NodeId, changes: &mut Vec<Change>) {
        let Some(doubt) = self.doubts.remove(&id) else { return };
        self.hot.insert(id, self.members.len());
        if doubt.told {
            changes.push(Change::Up(id));
        }
    }

    pub(super) fn tell_who_stays_down(&mut self, now: Now, changes: &mut Vec<Change>) {
        for (node, doubt) in &mut self.doubts {
            let Some(since) = doubt.down else { continue };
            let down = now.instant.since(since);
            if down >= self.settings.stays_down && !doubt.told_stays_down {
                doubt.told_stays_down = true;
                changes.push(Change::StaysDown { node: *node, down });
            }
        }
    }

    /// Witnesses that make a member down: two, or the only one that there can be.
    fn witnesses_needed(&self) -> usize {
        if sane_or!(self.members.len() <= 2, OneWitness => true) { 1 } else { 2 }
    }
}

impl Doubt {
    fn is_full(&self) -> bool {
        self.witnesses.len() >= WITNESSES_KEPT
    }
}
