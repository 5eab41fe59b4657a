//! What a ledger is asked, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One line of standard input.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "order", rename_all = "lowercase")]
pub(crate) enum Order {
    /// All writers begin to write, each with a rest of up to `rest_ms` after each write. Answered
    /// at once with [`Counts`].
    Write { rest_ms: u64 },
    /// All writers stop. Answered with [`Counts`] when the last write under way has ended.
    Pause,
    /// So many new keys are written, as fast as it goes. Answered with the [`Counts`] of these.
    /// With `w`, and by primaries alone where `strict`.
    Put { keys: u64, w: u8, strict: bool },
    /// Every key, or one of every `of`, is read with so many answers. Answered with a [`Reading`].
    ///
    /// [`Reading`]: crate::reading::Reading
    Read { r: u8, strict: bool, of: u64, patience_ms: u64, late_ms: u64 },
}

/// How writes ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) acknowledged: u64,
    /// Nothing happened.
    pub(crate) refused: u64,
    /// They may have happened.
    pub(crate) unknown: u64,
    /// What errors of both kinds are called.
    pub(crate) errors: BTreeMap<String, u64>,
}
