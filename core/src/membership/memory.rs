//! What is remembered of the storages of others, beyond the own life (DESIGN.md §13).
//!
//! Where all nodes were down, nobody is left who heard of anything. So the storage keeps what its node
//! remembers. It does so along with a commit that it makes anyway: each commit has a number, which
//! others remember, so two idle nodes would have each other commit for ever.
//!
//! A directory that was left so long ago that it may be an old copy is no witness. Where all nodes were
//! down for so long, or all were taken back to old copies, each would be told of commits that it does
//! not have, and set all that it has aside: nobody would be left to fill it up.

use alloc::vec::Vec;

use super::Membership;
use crate::ids::{DurableMark, NodeId, Remembered};
use crate::layout::Layout;

/// What the storage has found, or was given last.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Invariant: ids ascend, each is there once.
    peers: Vec<(NodeId, Remembered)>,
}

impl Memory {
    fn new(found: &[(NodeId, Remembered)]) -> Memory {
        let mut peers = found.to_vec();
        peers.sort_by_key(|(id, _)| *id);
        peers.dedup_by_key(|(id, _)| *id);
        Memory { peers }
    }

    /// What is remembered of a member.
    pub(super) fn of(&self, id: NodeId) -> Remembered {
        let place = self.peers.binary_search_by_key(&id, |(id, _)| *id);
        let known = place.ok().and_then(|place| self.peers.get(place));
        known.map(|(_, remembered)| *remembered).unwrap_or_default()
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.peers.is_sorted_by(|one, next| one.0 < next.0), "ids ascend");
    }
}

impl Membership {
    /// What the former life remembered, in a directory that is no old copy. Called before anybody is
    /// introduced.
    pub(crate) fn recall(&mut self, found: &[(NodeId, Remembered)]) {
        self.memory = Memory::new(found);
    }

    /// What the storage is to keep: what is remembered of the other members of a layout. `None`: it
    /// was given that already.
    pub(crate) fn take_news(&mut self, layout: &Layout) -> Option<Vec<(NodeId, Remembered)>> {
        sane_or!(MarksNotSaved => return None);
        let others = layout.members().iter().map(|member| member.id).filter(|id| *id != self.own);
        let remembered = others.map(|id| {
            let known = self.members.get(id).map(|entry| entry.remembered);
            (id, known.unwrap_or_else(|| self.memory.of(id)))
        });
        let peers: Vec<(NodeId, Remembered)> =
            remembered.filter(|(_, remembered)| remembered.mark > DurableMark(0)).collect();
        if peers == self.memory.peers {
            return None;
        }
        self.memory.peers.clone_from(&peers);
        Some(peers)
    }
}
