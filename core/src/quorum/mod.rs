//! Counting, and nothing else: who answered, and whether that is enough.
//!
//! Level 0 of a request. It knows indexes into a preference list, no node, no message, no time.

mod replicas;
mod rule;
mod tally;

pub use replicas::Replicas;
pub use rule::{Quorum, QuorumError};
pub use tally::{Tally, Verdict};
