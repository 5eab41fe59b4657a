//! A data directory that no node runs on: what is in it, whether it is whole, and its backup.
//!
//! ```text
//!   Contents::open --> inventory    what there is, counted
//!                 +--> verify       what cannot be used
//!                 +--> export ----> backup::BackupWriter
//!   import <----------------------- backup::BackupReader
//! ```
//!
//! Invariant: what only looks makes and changes nothing: no node, no keyspace, and trees that a stop
//! saved are there for the next start. Journals that are not whole stay as they are, see
//! [`Contents::journals`]. An import goes the way of a node's own writes, and only merges.

mod shadow;

mod damage;

mod walk;

mod contents;

mod inventory;

mod verify;

mod export;

mod import;

pub use self::contents::Contents;
pub use self::damage::{Damaged, DamagedList, Part};
pub use self::export::{ExportError, Exported};
pub use self::import::{ImportError, Imported, Importer};
pub use self::inventory::{HintsFor, Inventory, SlotCounts};
pub use self::verify::Verified;
