//! What members ask each other before a record that is dead goes for good (DESIGN.md §12).
//!
//! ```text
//!  collector                                     every member
//!    what do you hold of these keys?  ---------->
//!                     <-------------------------   states of own copies; no hints
//!    begin a new epoch  ------------------------>
//!                     <-------------------------   its number
//!    ... a long while ...
//!    nothing older than those epochs is merged;
//!    what do you hold of these keys?  ---------->
//!                     <-------------------------   the same states; no hints meanwhile
//!    remove them  ------------------------------>
//! ```

use alloc::vec::Vec;

use super::CallId;
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::merkle::StateHash;

/// Asks a member for its part in a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collect {
    /// The collector's call.
    pub call: CallId,
    /// The collector's layout: only nodes of one layout collect.
    pub layout_version: LayoutVersion,
    /// What is asked.
    pub step: CollectStep,
}

/// One step of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CollectStep {
    /// What does the member hold of these keys?
    Confirm {
        /// The keys.
        keys: Vec<Key>,
        /// What the member answered the first time; `None`: this is the first time.
        since: Option<u64>,
        /// From here on, what members took before these epochs is not merged.
        floors: Vec<EpochOf>,
    },
    /// Begins a new epoch.
    NewEpoch,
    /// Removes own copies, each unless its state is another one. It has no answer.
    Remove(Vec<(Key, StateHash)>),
}

/// An epoch of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EpochOf {
    /// The member.
    pub node: NodeId,
    /// The epoch.
    pub epoch: Epoch,
}

/// The answer to a [`Collect`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collected {
    /// The collector's call.
    pub call: CallId,
    /// What the member says.
    pub answer: CollectAnswer,
}

/// What a member says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CollectAnswer {
    /// It cannot say: another layout, another life than was meant, a storage that fails or has too
    /// much to do, hints that are not counted.
    NotNow,
    /// To [`CollectStep::Confirm`]. What it tells is synced.
    Confirmed {
        /// For each key, in the order of the question, the state of the own copy, 0 where there is
        /// none. `None`: there is a hint, or was one since the member was asked first, or nobody
        /// can say what there is.
        states: Vec<Option<StateHash>>,
        /// Names the moment of the answer for the next question.
        since: u64,
    },
    /// To [`CollectStep::NewEpoch`].
    Begun(EpochOf),
}
