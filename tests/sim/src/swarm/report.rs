//! What a run has to say.

use quorate_core::time::Duration;

use crate::invariants::Violation;
use crate::marks::Marks;

/// The end of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub trace: u64,
    /// Events taken.
    pub events: u64,
    /// Virtual time.
    pub simulated: Duration,
    /// How calls of clients ended.
    pub calls: Calls,
    /// How often rare states were met.
    pub marks: Marks,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The log, where one was asked for.
    pub log: Vec<String>,
}

/// How calls of clients ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Writes acknowledged.
    pub written: u64,
    /// Reads answered.
    pub read: u64,
    /// Writes that may have happened.
    pub unknown: u64,
    /// Calls that failed without effect.
    pub refused: u64,
    /// Calls whose clients died.
    pub orphaned: u64,
}
