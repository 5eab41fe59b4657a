//! Which N, R and W go together: DESIGN.md §2.

use core::fmt;

/// A checked choice of N, R and W.
///
/// Invariant: 1 <= R <= N and 1 <= W <= N, and R + W is more than all that count, which is N unless
/// they are counted in one zone, unless weak quorums are allowed.
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
        Quorum::new_among(n, n, r, w, allow_weak)
    }

    /// The same where only `counted` of the N replicas count, and R and W are cut to as many: read
    /// and write sets must meet among those.
    ///
    /// # Errors
    /// As [`new`](Quorum::new); `Weak` names `counted` for N.
    pub fn new_among(
        n: u8,
        counted: u8,
        r: u8,
        w: u8,
        allow_weak: bool,
    ) -> Result<Quorum, QuorumError> {
        let range = 1..=n;
        if !range.contains(&r) || !range.contains(&w) {
            return Err(QuorumError::OutOfRange { n, r, w });
        }
        // Where R or W is cut to all that count, the other one is at least 1.
        if !allow_weak && u16::from(r) + u16::from(w) <= u16::from(counted) {
            return Err(QuorumError::Weak { n: counted, r, w });
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
    fn read_and_write_sets_must_meet_among_those_that_count() {
        for n in 1..=4_u8 {
            for counted in 1..=n {
                for (r, w) in (1..=n).flat_map(|r| (1..=n).map(move |w| (r, w))) {
                    let meet = r.min(counted) + w.min(counted) > counted;
                    let quorum = Quorum::new_among(n, counted, r, w, false);
                    assert_eq!(quorum.is_ok(), meet, "{counted} of N={n} R={r} W={w}");
                }
            }
        }
        let error = Quorum::new_among(3, 2, 1, 1, false).unwrap_err();
        assert_eq!(error, QuorumError::Weak { n: 2, r: 1, w: 1 });
        assert!(Quorum::new_among(3, 1, 4, 1, false).is_err(), "no key has so many replicas");
    }

    #[test]
    fn the_error_names_the_rule() {
        let error = Quorum::new(3, 1, 1, false).unwrap_err();
        assert_eq!(error, QuorumError::Weak { n: 3, r: 1, w: 1 });
        assert!(alloc::format!("{error}").contains("R + W > N"));
    }
}
