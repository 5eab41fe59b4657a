//! A property that does not hold.

use std::fmt;

use quorate_core::ids::Key;
use quorate_core::time::Instant;

/// What a check answers.
pub(crate) type Verdict = Result<(), Box<Violation>>;

/// A property that does not hold: which, when, where, and how it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the property; the oracle fills it in.
    pub property: &'static str,
    /// When it showed; the oracle fills it in.
    pub at: Instant,
    /// The node where it showed, if it is a matter of one.
    pub node: Option<usize>,
    /// The key, if it is a matter of one.
    pub key: Option<Key>,
    /// How it shows, in a sentence with all that a reader needs.
    pub text: String,
}

impl Violation {
    /// A violation with its sentence.
    pub(crate) fn new(text: impl Into<String>) -> Box<Violation> {
        Box::new(Violation {
            property: "",
            at: Instant(0),
            node: None,
            key: None,
            text: text.into(),
        })
    }

    /// An assertion of a machine that failed.
    pub(crate) fn of_machine(text: String) -> Box<Violation> {
        Box::new(Violation { property: "machine-invariants", ..*Violation::new(text) })
    }

    /// The same, at a node.
    pub(crate) fn at(mut self: Box<Violation>, node: usize) -> Box<Violation> {
        self.node = Some(node);
        self
    }

    /// The same, of a key.
    pub(crate) fn of(mut self: Box<Violation>, key: &Key) -> Box<Violation> {
        self.key = Some(key.clone());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instant(us) = self.at;
        write!(f, "{} at {}.{:06} s", self.property, us / 1_000_000, us % 1_000_000)?;
        if let Some(node) = self.node {
            write!(f, ", n{node}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", key {:?}", String::from_utf8_lossy(key.as_bytes()))?;
        }
        write!(f, ": {}", self.text)
    }
}
