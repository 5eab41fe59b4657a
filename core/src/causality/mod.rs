//! Versions: who wrote what, and who had been shown what when they wrote it (DESIGN.md §6).
//!
//! Dynamo §4.4 keeps a vector clock per value. One counter per server loses updates as soon as two
//! clients share a coordinator, so every value here also carries a [`Dot`], the name of the one
//! write that made it (a dotted version vector set). A [`Context`] is a set of dots that never
//! claims more than its holder was shown.
//!
//! ```text
//! Record                     what all replicas of a key agree on after merging
//!  +- Actor a  History       superseded: { 1 2 3 . 5 }   overwritten by someone who was shown them
//!  |                         live:       { 4: "x", 6: "y" }          what stands: the siblings
//!  +- Actor b  History       superseded: { 1 }    live: { }
//!
//! context of the record      a { 1 2 3 4 5 6 }   b { 1 }             all that a reader is shown
//! ```
//!
//! Invariant: no live counter is superseded. A merge is the union of what is superseded, and the
//! union of what is live less that; it is commutative, associative and idempotent.
//!
//! [`Held`] is a record together with the right of one node to go on minting dots in it; its
//! [`apply`](Held::apply) is all that storage ever does to a key.
//!
//! ```
//! use quorate_core::causality::{Context, Record};
//! use quorate_core::ids::Key;
//!
//! let key = Key::from("cart");
//! let shown = Record::new().context();
//! let token = shown.to_token(&key);
//! assert_eq!(Context::from_token(&key, &token), Ok(Context::new()));
//! ```

mod actor;
pub use actor::{Actor, Birth, Counter, Dot};

mod by_actor;
use by_actor::ByActor;

mod seen;
pub use seen::Seen;

mod context;
pub use context::Context;

mod token;
pub use token::TokenError;

mod sibling;
pub use sibling::{Checksum, Payload, Sibling};

mod history;
pub use history::History;

mod record;
pub use record::Record;

mod outline;
pub use outline::{HistoryOutline, Outline};

mod digest;
pub use digest::RecordDigest;

mod operation;
pub use operation::{Applied, ApplyRefusal, RecordOp, Write};

#[cfg(feature = "mutants")]
pub(crate) mod wrong;

mod held;
pub use held::{Held, Own};
