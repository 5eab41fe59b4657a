//! What a session asks its peer.

use alloc::vec::Vec;

use super::batch::Batch;
use super::descent::Bulk;
use crate::anti_entropy::surroundings::Surroundings;
use crate::anti_entropy::window::Window;
use crate::ids::Key;
use crate::merkle::{Forest, Piece, StateHash};
use crate::message::{BranchHash, Question};

/// A page of records ends with the one that reaches so many bytes.
const PAGE_BYTES: u64 = 256 * 1024;

/// It is no shorter than this, however slow the rate.
const PAGE_BYTES_MIN: u64 = 4 * 1024;

/// A question, and what is needed to make sense of its answer.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// Which of these differ.
    Branches(Vec<Piece>),
    /// Whether these are what they were.
    Confirm(Vec<Bulk>),
    /// Which keys of a window differ.
    States { piece: Piece, window: Window, mine: Vec<(Key, StateHash)> },
    /// The records of keys that differ.
    Records(Batch),
    /// All records of a piece behind a key.
    Rest { piece: Piece, after: Option<Key> },
}

impl Ask {
    /// The question as it is sent.
    pub(super) fn question(&self, around: &Surroundings<'_, '_>, forest: &Forest) -> Question {
        let branch = |piece: Piece| BranchHash {
            slot: piece.slot,
            branch: piece.branch,
            hash: forest.hash(piece).unwrap_or_default(),
        };
        let bytes_max = (around.rate() / 4).clamp(PAGE_BYTES_MIN, PAGE_BYTES);
        match self {
            Ask::Branches(pieces) => {
                Question::Branches(pieces.iter().map(|piece| branch(*piece)).collect())
            }
            Ask::Confirm(bulks) => {
                Question::Branches(bulks.iter().map(|bulk| branch(bulk.piece)).collect())
            }
            Ask::States { piece, window, mine } => Question::States {
                piece: *piece,
                after: window.after.clone(),
                until: window.until.clone(),
                states: mine.clone(),
            },
            Ask::Records(batch) => {
                Question::Records { slot: batch.slot(), keys: batch.differences(), bytes_max }
            }
            Ask::Rest { piece, after } => {
                Question::Rest { piece: *piece, after: after.clone(), bytes_max }
            }
        }
    }
}
