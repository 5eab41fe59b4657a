//! What in a directory cannot be used, and why.

use std::fmt;

use quorate_core::ids::{Key, NodeId};

/// What was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The node's own copy.
    Record,
    /// A hint; `None` where it cannot be told for whom.
    Hint {
        /// Whom it is for.
        target: Option<NodeId>,
    },
}

/// Something that is stored, and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// What it was.
    pub part: Part,
    /// Its key; `None` where that cannot be told.
    pub key: Option<Key>,
    /// Why it cannot be used.
    pub reason: String,
}

/// Keys that are named; more are only counted.
const NAMED_MAX: usize = 1_000;

/// All that was found damaged, the first of it by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DamagedList {
    named: Vec<Damaged>,
    count: u64,
}

impl DamagedList {
    pub(super) fn push(&mut self, damaged: Damaged) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(damaged);
        }
    }

    /// How many there are. A stretch that cannot be read counts once.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first ones.
    pub fn named(&self) -> &[Damaged] {
        &self.named
    }

    /// How many more there are.
    pub fn unnamed(&self) -> u64 {
        self.count - self.named.len() as u64
    }
}

/// One line, safe for a terminal whatever the key is.
impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damaged { part, key, reason } = self;
        match part {
            Part::Record => write!(f, "record")?,
            Part::Hint { target: Some(target) } => write!(f, "hint for {target}")?,
            Part::Hint { target: None } => write!(f, "hint")?,
        }
        if let Some(key) = key {
            write!(f, " \"{}\"", key.as_bytes().escape_ascii())?;
        }
        write!(f, ": {}", reason.escape_debug())
    }
}
