//! How a session goes on, and why it ends.

/// Why a session ends before everything is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::anti_entropy) enum Lost {
    /// One of the two cannot go on at this time.
    Later,
    /// The peer says what nobody says who goes by the rules.
    Misbehaved,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::anti_entropy) enum Progress {
    UnderWay,
    Ended,
}
