//! What two replicas ask each other to find out where they differ (DESIGN.md §11).
//!
//! ```text
//!  asker                                         holder
//!    hashes of roots  ------------------------->
//!                     <-------------------------   children of the roots that differ
//!    ... level by level, down to the leaves ...
//!    keys and states of a piece  -------------->
//!                     <-------------------------   keys whose state differs
//!    ... a while later, what still differs ...
//!    outlines and the holder's states  -------->
//!                     <-------------------------   records that the asker lacks, keys that it has more of
//!    records  (a merge each)  ----------------->
//!
//!    where the asker holds nothing:
//!    "the rest"  ------------------------------>
//!                     <-------------------------   all records of a piece, page by page
//! ```
//!
//! The holder remembers nothing between two questions.

use alloc::vec::Vec;

use super::CallId;
use crate::causality::{Outline, Record};
use crate::ids::{Epoch, Key};
use crate::layout::LayoutVersion;
use crate::merkle::{Branch, Piece, StateHash};
use crate::ring::Slot;

/// A question about what another replica holds.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Compare {
    /// The asker's call.
    pub call: CallId,
    /// The asker's layout: only nodes of one layout compare.
    pub layout_version: LayoutVersion,
    /// Leaves of the asker's trees: only nodes with equal trees compare.
    pub leaves: u32,
    /// What is asked.
    pub question: Question,
}

/// What is asked of another replica.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Question {
    /// The hashes of these branches; asks for the children of those that differ.
    Branches(Vec<BranchHash>),
    /// The states of all that the asker holds in a window of a piece.
    States {
        /// The piece.
        piece: Piece,
        /// The window begins behind this key, in the order of the ring; `None`: with the piece.
        after: Option<Key>,
        /// It ends with this key; `None`: with the piece.
        until: Option<Key>,
        /// What the asker holds there, in the order of the ring.
        states: Vec<(Key, StateHash)>,
    },
    /// Asks for what the asker lacks of these keys of one slot.
    Records {
        /// The slot.
        slot: Slot,
        /// The keys, in the order of the ring.
        keys: Vec<Difference>,
        /// The answer ends with the record that reaches so many bytes.
        bytes_max: u64,
    },
    /// Asks for everything in a piece, of which the asker holds nothing behind a key.
    Rest {
        /// The piece.
        piece: Piece,
        /// Begins behind this key; `None`: with the piece.
        after: Option<Key>,
        /// The answer ends with the record that reaches so many bytes.
        bytes_max: u64,
    },
}

/// A key of which two replicas hold different things.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    /// The key.
    pub key: Key,
    /// What the asker holds; nothing where it holds nothing.
    pub outline: Outline,
    /// The state at the holder when the difference was found. A holder whose state is another one
    /// by then passes over the key: a write is on its way.
    pub theirs: StateHash,
}

/// The hash of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BranchHash {
    /// The slot.
    pub slot: Slot,
    /// The branch of its tree.
    pub branch: Branch,
    /// Its hash.
    pub hash: u128,
}

/// A branch that differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BranchChildren {
    /// The slot.
    pub slot: Slot,
    /// The branch of its tree.
    pub branch: Branch,
    /// The hashes of its children at the holder; where it is a leaf, its own hash alone.
    pub children: Vec<u128>,
}

/// The answer to a [`Compare`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Compared {
    /// The asker's call.
    pub call: CallId,
    /// What the holder says.
    pub answer: Comparison,
}

/// What a holder says.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Comparison {
    /// It cannot say: another layout, other trees, trees under construction, a storage that fails
    /// or has too much to do. The asker comes back later.
    NotNow,
    /// To [`Question::Branches`].
    Branches {
        /// Those that differ, in the order of the question.
        differ: Vec<BranchChildren>,
        /// Slots that the holder is comparing or refilling itself; they are not compared meanwhile.
        busy: Vec<Slot>,
    },
    /// To [`Question::States`].
    States {
        /// Keys whose states differ, with their state at the holder (0 where it holds nothing), in
        /// the order of the ring.
        differ: Vec<(Key, StateHash)>,
        /// How far the holder compared; `None`: as far as it was asked.
        until: Option<Key>,
    },
    /// To [`Question::Records`] and [`Question::Rest`].
    Records {
        /// What the asker lacks, in the order of the question or of the ring.
        records: Vec<(Key, Record)>,
        /// Keys of which the asker has more than the holder.
        wants: Vec<Key>,
        /// How far the holder got; `None`: all is answered.
        until: Option<Key>,
        /// The holder's epoch before it read them: what was read too long ago is not merged (see
        /// [`Collect`](super::Collect)).
        epoch: Epoch,
    },
}
