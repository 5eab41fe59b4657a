//! Everything that happens in a world, as one number, and as a log where somebody wants to read it.

mod hasher;
mod lines;
mod log;
mod ties;
mod words;

use std::hash::{Hash, Hasher};

use quorate_core::time::Instant;

pub(crate) use hasher::TraceHasher;
pub(crate) use lines::frame;
pub(crate) use log::Log;
pub use log::LogFilter;
pub(crate) use ties::{Owner, Ties, owner};
pub(crate) use words::{Lives, Words};

/// The rolling hash of all events.
pub(crate) struct Trace {
    hasher: TraceHasher,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Trace {
        let mut hasher = TraceHasher::default();
        seed.hash(&mut hasher);
        Trace { hasher }
    }

    /// Takes in an event.
    pub(crate) fn event(&mut self, now: Instant, event: &impl Hash) {
        now.hash(&mut self.hasher);
        event.hash(&mut self.hasher);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
