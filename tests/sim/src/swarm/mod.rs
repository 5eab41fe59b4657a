//! Random runs: a plan drawn from a seed, carried out in a world under the eyes of the oracle.

mod collection;
mod comparisons;
mod draw;
mod expiry;
mod layouts;
mod plan;
mod report;
mod run;
mod words;

pub use plan::{Act, Ailment, FaultClass, Kind, Loses, Outcast, Plan, Shown, Step};
pub use report::{Calls, Report};
pub use run::{run, run_watched};
