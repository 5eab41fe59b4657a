//! What is fixed when a cluster is born.

use std::fmt;

use quorate_core::layout::{PlanSettings, REPLICATION_MAX};
use quorate_core::node::Founding;
use quorate_core::quorum::{Quorum, QuorumError};
use quorate_core::ring::SlotCount;

use crate::storage::Settings;

/// What an operator may say about a new cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundingOptions {
    /// The layout is made once so many nodes have met.
    pub members: u16,
    /// N; 3, or the number of members if that is less, where it is `None`.
    pub replication: Option<u8>,
    /// Q.
    pub slots: u32,
    /// R; a majority of N where it is `None`.
    pub r: Option<u8>,
    /// W; a majority of N where it is `None`.
    pub w: Option<u8>,
    /// Whether only a key's own replicas count.
    pub strict: bool,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
}

/// Options that make no cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundingError {
    /// Q is no power of two, or too large.
    Slots(u32),
    /// More members than slots.
    TooFewSlots {
        /// Q.
        slots: u32,
        /// The members.
        members: u16,
    },
    /// N is out of range, or there are fewer members.
    Replication {
        /// N.
        replication: u8,
        /// The members.
        members: u16,
    },
    /// R and W break a rule.
    Quorum(QuorumError),
}

impl fmt::Display for FoundingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FoundingError::Slots(slots) => {
                write!(f, "--slots {slots} is no power of two from 1 to 65536")
            }
            FoundingError::TooFewSlots { slots, members } => write!(
                f,
                "--slots {slots} are too few for {members} nodes: take at least 32 for each node"
            ),
            FoundingError::Replication { replication, members } => write!(
                f,
                "--replication {replication} is impossible: it is from 1 to {REPLICATION_MAX}, and \
                 at most the number of nodes, {members}"
            ),
            FoundingError::Quorum(QuorumError::Weak { n, r, w }) => write!(
                f,
                "--r {r} --w {w} break the rule R + W > N with N={n}: raise one of them, or accept \
                 reads that miss acknowledged writes with --allow-weak"
            ),
            FoundingError::Quorum(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FoundingError {}

impl FoundingOptions {
    /// The settings of the cluster, and how its first layout is made.
    pub fn check(self) -> Result<(Settings, Founding), FoundingError> {
        let FoundingOptions { members, slots, strict, allow_weak, .. } = self;
        let slot_count = SlotCount::new(slots).ok_or(FoundingError::Slots(slots))?;
        if u32::from(members) > slots {
            return Err(FoundingError::TooFewSlots { slots, members });
        }
        let replication = self.replication.unwrap_or_else(|| members.min(3) as u8);
        let possible = (1..=REPLICATION_MAX).contains(&replication);
        if !possible || u16::from(replication) > members {
            return Err(FoundingError::Replication { replication, members });
        }
        let majority = replication / 2 + 1;
        let (r, w) = (self.r.unwrap_or(majority), self.w.unwrap_or(majority));
        Quorum::new(replication, r, w, allow_weak).map_err(FoundingError::Quorum)?;
        let plan = PlanSettings { slots: slot_count, replication };
        let (replication, slots) = (Some(replication), Some(slots));
        let settings = Settings { r, w, strict, allow_weak, replication, slots };
        Ok((settings, Founding { members: members.into(), plan }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: FoundingOptions = FoundingOptions {
        members: 3,
        replication: None,
        slots: 64,
        r: None,
        w: None,
        strict: false,
        allow_weak: false,
    };

    #[test]
    fn a_majority_of_three_replicas_is_the_default() {
        let (settings, founding) = THREE.check().unwrap();
        assert_eq!((settings.replication, settings.r, settings.w), (Some(3), 2, 2));
        assert_eq!((founding.members, founding.plan.slots.get()), (3, 64));
        let (alone, _) = FoundingOptions { members: 1, ..THREE }.check().unwrap();
        assert_eq!((alone.replication, alone.r, alone.w), (Some(1), 1, 1));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let error = |options: FoundingOptions| options.check().unwrap_err().to_string();
        assert!(error(FoundingOptions { slots: 63, ..THREE }).contains("--slots 63"));
        assert!(error(FoundingOptions { slots: 2, ..THREE }).contains("too few for 3 nodes"));
        let four = FoundingOptions { replication: Some(4), ..THREE };
        assert!(error(four).contains("--replication 4"));
        let weak = FoundingOptions { r: Some(1), w: Some(1), ..THREE };
        assert!(error(weak).contains("--allow-weak"), "{}", error(weak));
        assert!(FoundingOptions { allow_weak: true, ..weak }.check().is_ok());
    }
}
