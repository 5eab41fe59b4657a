//! Which N, R and W go together: DESIGN.md §2.

use core::fmt;

/// A checked choice of N, R and W.
///
/// Invariant: 1 <= R <= N and 1 <= W <= N, and R + W > N unless weak quorums are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    n: u8,
    r: u8,
    w: u8,
}

/// A choice of N, R and W that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumError {
    /// R or W is 0 or larger than N.
    OutOfRange {
        /// Replicas.
        n: u8,
        /// Answers that end a read.
        r: u8,
        /// Acknowledgements that end a write.
        w: u8,
    },
    /// R + W <= N, so a read can miss a write that was acknowledged before it.
    Weak {
        /// Replicas.
        n: u8,
        /// Answers that end a read.
        r: u8,
        /// Acknowledgements that end a write.
        w: u8,
    },
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuorumError::OutOfRange { n, r, w } => {
                write!(f, "R={r} W={w} cannot be met with N={n}: use 1 to {n} for each")
            }
            QuorumError::Weak { n, r, w } => write!(
                f,
                "R={r} W={w} breaks the rule R + W > N with N={n}: raise R or W, or found the \
                 cluster with --allow-weak to accept reads that miss acknowledged writes"
            ),
        }
    }
}

impl core::error::Error for QuorumError {}

impl Quorum {
    /// Checks a choice.
    ///
    /// # Errors
    /// `OutOfRange`, or `Weak` unless `allow_weak`.
    pub fn new(n: u8, r: u8, w: u8, allow_weak: bool) -> Result<Quorum, QuorumError> {
        let range = 1..=n;
        if !range.contains(&r) || !range.contains(&w) {
            return Err(QuorumError::OutOfRange { n, r, w });
        }
        if !allow_weak && u16::from(r) + u16::from(w) <= u16::from(n) {
            return Err(QuorumError::Weak { n, r, w });
        }
        Ok(Quorum { n, r, w })
    }

    /// Replicas of a key.
    pub fn n(self) -> u8 {
        self.n
    }

    /// Answers that end a read.
    pub fn r(self) -> u8 {
        self.r
    }

    /// Durable acknowledgements that end a write.
    pub fn w(self) -> u8 {
        self.w
    }
}

#[cfg(test)]
mod tests {
    use super::{Quorum, QuorumError};

    #[test]
    fn every_choice_is_accepted_exactly_where_read_and_write_sets_must_meet() {
        for n in 1..=5_u8 {
            for r in 0..=6 {
                for w in 0..=6 {
                    let in_range = (1..=n).contains(&r) && (1..=n).contains(&w);
                    let strict = Quorum::new(n, r, w, false);
                    assert_eq!(strict.is_ok(), in_range && r + w > n, "N={n} R={r} W={w}");
                    assert_eq!(Quorum::new(n, r, w, true).is_ok(), in_range);
                }
            }
        }
    }

    #[test]
    fn the_error_names_the_rule() {
        let error = Quorum::new(3, 1, 1, false).unwrap_err();
        assert_eq!(error, QuorumError::Weak { n: 3, r: 1, w: 1 });
        assert!(alloc::format!("{error}").contains("R + W > N"));
    }
}
