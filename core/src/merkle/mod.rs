//! Merkle trees: what a node holds of each slot, in a few numbers (DESIGN.md §11).
//!
//! ```text
//!   slot        ├──────────────────────────────────────────────────┤
//!   leaves      │ 0 │ 1 │ 2 │ ... │ 15 │ 16 │ ...            │ 255 │   equal arcs
//!   leaf hash     sum, mod 2^128, of the keyed hashes of its records
//!   inner node   hash of its 16 children                    0 where all are 0
//!   root         one number for all that is held of the slot
//!   bunch         16 leaves     how many records it holds, and how many bytes they take
//! ```
//!
//! A write subtracts the hash of what was there and adds that of what is there after it, so it
//! costs the same however many records there are. Slots never change their bounds, so a new layout
//! rehashes nothing.
//!
//! A bunch is the leaves below one inner node of the lowest level: it is what is counted anew as one,
//! and has figures for all of them, since those of each leaf would take as much as its sum.
//!
//! Two nodes that hold the same have equal roots. The hash is keyed with what only members of the
//! cluster know: a client cannot choose records whose sums hide each other.

mod forest;
mod hash;
mod saved;
mod state;
mod tree;

pub use forest::{Forest, Piece};
pub use hash::{StateHash, TreeKey};
pub use saved::{SAVED_BYTES_MAX, SavedTrees, TreesDamaged, TreesMisfit};
pub use state::{Figures, State, transfer_bytes};
pub use tree::{Branch, LeafCount, SlotTree, WIDTH};

#[cfg(test)]
mod tests;
