//! A whole Quorate cluster in one thread, in virtual time.
//!
//! The [`World`] owns nodes and clients of `quorate-core`, their disks and the connections between
//! them. Nothing happens except by its events, in the order of their times, and everything that is
//! left to chance follows from one seed: the same calls give the same run, natively and in a
//! browser.
//!
//! ```
//! use quorate_sim::{World, WorldConfig};
//!
//! let mut world = World::new(WorldConfig { nodes: 5, ..WorldConfig::default() });
//! let alice = world.add_client();
//! let put = world.put(alice, "cart", "milk");
//! assert!(world.finish(alice, put).is_ok());
//!
//! world.crash(0);
//! let get = world.get(alice, "cart");
//! let found = world.finish(alice, get).unwrap();
//! assert_eq!(found.texts(), ["milk"]);
//! ```

mod config;
mod detail;
mod disk;
mod network;
mod observation;
mod recent;
mod trace;

mod marks;
mod oracle;

pub mod gossip;

pub mod invariants;

mod result;
mod world;

pub mod sight;

pub mod scenario;

pub mod stories;

pub mod swarm;

pub mod shrink;

pub mod script;

pub use config::{Birth, FOUNDER, WorldConfig};
pub use disk::DiskTemper;
pub use marks::{Mark, Marks};
pub use network::{End, Place, Weather};
pub use observation::{Asked, Caller};
pub use result::{Ended, Finished};
pub use trace::LogFilter;
pub use world::{Passing, RuleId, World};
