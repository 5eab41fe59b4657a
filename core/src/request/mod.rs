//! One get or one put over a preference list: DESIGN.md §7.
//!
//! Level 1 of a request. It names replicas by their index, never a node or a socket, so a
//! coordinator that is a node and a client that reads by itself run the same code over different
//! lists. It holds no time either: whoever embeds it says when patience or time is over.
//!
//! ```text
//!   start -> ask -> on_answer/on_ack, on_fail, on_patience_over, on_deadline
//!              ^         |
//!              +---------+-- wants_more / wants_stand_in: somebody else is asked
//!                        +-- end (once) -> leftovers -> covered, complete
//! ```

mod copies;
mod get;
mod put;

pub use copies::{Quota, Reach};
pub use get::{Get, GetEnd};
pub use put::{Put, PutEnd};

/// Too few replicas are within reach: nothing was sent, nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Replicas that must answer.
    pub needed: usize,
    /// Replicas within reach.
    pub reachable: usize,
}
