//! How a node comes into a cluster: it founds one, or learns from a seed which one it joins.
//!
//! ```text
//!   Founding::check ----+
//!   join(seeds) --------+--> Settings --adopt--> data directory
//!   former_self(seeds) --+                             |
//!   Directory::open ----+                             |
//!                                  Profile::config <--+--> NodeConfig
//! ```

mod former;

mod founding;

mod join;

mod knock;

mod profile;

pub use self::former::{Place, former_self};
pub use self::founding::{FoundingError, FoundingOptions};
pub use self::join::{JoinError, join, nobody_there, same_cluster};
pub(crate) use self::knock::{Door, KnockError, NO_LAYOUT_WANTED};
pub use self::profile::{Origin, Profile, ProfileError};
