//! A run that a person makes: options and a list of actions with their times, all of it JSON.
//!
//! ```text
//!   Script { options, actions }            {"options":{"nodes":5},"actions":[{"at":2000,"do":"crash","node":1}]}
//!      |
//!      v
//!     Run --advance--> Happening ...       the same script gives the same run, and the same trace,
//!         --act------> noted in the script    on every platform
//! ```

mod action;
mod actions;
mod options;
mod plan;
mod recording;
mod run;

pub use action::{Action, PlannedMember, Refusal, Timed};
pub use options::{Options, RunOptions};
pub use plan::{Change, PlanView};
pub use recording::Recording;
pub use run::{Run, Script};
