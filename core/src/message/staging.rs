//! What is staged for the layout that follows the newest one (DESIGN.md §9).
//!
//! Every node tells every other, so any of them can be asked. A commit uses up what is staged, and
//! what is staged elsewhere meanwhile falls away with the layout that it was staged for.

use alloc::vec::Vec;

use super::LayoutId;
use crate::ids::NodeId;
use crate::layout::{Layout, Member};
use crate::time::UnixMs;

/// The most nodes that something is staged for at one time.
pub const STAGED_MAX: usize = 256;

/// What a node is to be in the next layout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// What it is in the newest one: nothing is staged for it any more.
    AsItIs,
    /// No member. What it still holds of slots is given up, so a living node is to have weight 0
    /// before.
    Gone,
    /// A member with this label, zone and weight.
    Member(Member),
}

/// What one node is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StagedChange {
    /// The node.
    pub node: NodeId,
    /// What it is to be.
    pub target: Target,
    /// When it was said. Of two targets of one node the later one holds.
    pub at: UnixMs,
    /// Nobody has to look at it: it is committed once nothing was staged for a while.
    pub auto: bool,
}

/// What is staged for the next layout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Staging {
    /// The newest layout: what is staged changes that one.
    pub base: LayoutId,
    /// Ascending by node, each once.
    pub changes: Vec<StagedChange>,
}

impl Staging {
    /// The members of the next layout: those of the newest one, with what is staged.
    pub fn members(&self, newest: &Layout) -> Vec<Member> {
        let staged = |id| {
            let at = self.changes.binary_search_by_key(&id, |change| change.node).ok()?;
            Some(&self.changes[at].target).filter(|target| **target != Target::AsItIs)
        };
        let kept = newest.members().iter().filter(|member| staged(member.id).is_none()).cloned();
        let changed = self.changes.iter().filter_map(|change| match &change.target {
            Target::Member(member) => Some(member.clone()),
            Target::AsItIs | Target::Gone => None,
        });
        let mut members: Vec<Member> = kept.chain(changed).collect();
        members.sort_by_key(|member| member.id);
        members
    }

    /// Nodes that are to be something else than they are.
    pub fn effective(&self) -> impl Iterator<Item = &StagedChange> {
        self.changes.iter().filter(|change| change.target != Target::AsItIs)
    }
}
