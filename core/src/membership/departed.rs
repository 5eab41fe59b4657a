//! Those who are gone for good: no longer members of any layout, and silent for long.
//!
//! They are known no more, or operators would be shown them for ever. Others forget them at other
//! moments, so what they say of the last heartbeat is no news here; only a greater one is, or the
//! node itself, which is told what it was and goes on above that.

use alloc::vec::Vec;

use super::Membership;
use super::exchange::Answer;
use crate::ids::NodeId;
use crate::time::Now;

/// Of more than so many the first ones are no longer told from those that were never met.
const DEPARTED_MAX: usize = 1_000;

impl Membership {
    /// Forgets those whom this node itself suspects, for as long as a member has to be down until
    /// people are told that it stays so, and whom nobody `needs`.
    pub fn forget(&mut self, now: Now, needs: &dyn Fn(NodeId) -> bool) -> Vec<NodeId> {
        let silent = self.settings.stays_down;
        let gone = self.doubts.iter().filter(|(id, doubt)| {
            let entry = self.members.get(**id);
            let is_silent = entry.is_none_or(|entry| now.instant.since(entry.rose) >= silent);
            is_silent && doubt.witnesses.contains(&self.own) && !needs(**id)
        });
        let gone: Vec<NodeId> = gone.map(|(id, _)| *id).collect();
        for id in &gone {
            self.doubts.remove(id);
            if let Some(entry) = self.members.remove(*id) {
                self.departed.insert(*id, entry);
            }
        }
        while self.departed.len() > DEPARTED_MAX {
            self.departed.pop_first();
        }
        gone
    }

    /// Whether a word of such a heartbeat is about somebody who departed. One that lives on is
    /// forgotten as departed; one that speaks itself is told how far it came.
    pub(super) fn is_departed(
        &mut self,
        from: NodeId,
        (id, heartbeat): (NodeId, u64),
        answer: &mut Answer,
    ) -> bool {
        let Some(departed) = self.departed.get(&id) else { return false };
        if heartbeat > departed.heartbeat {
            self.departed.remove(&id);
            return false;
        }
        if from == id {
            answer.pulses.extend(self.pulse(departed));
        }
        true
    }
}
