//! What a node is told when it starts.

use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;

use crate::ids::{ClusterId, Incarnation, NodeId};
use crate::limits::Limits;
use crate::message::{Failure, FailureCode, LayoutUpdate, QuorumChoice};
use crate::quorum::{Quorum, QuorumError};

/// The identity and settings of one node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster that it belongs to.
    pub cluster: ClusterId,
    /// Its own id; a member of the layout.
    pub id: NodeId,
    /// This life of its data, drawn at random.
    pub incarnation: Incarnation,
    /// Members, slots and addresses.
    pub layout: Arc<LayoutUpdate>,
    /// Answers that end a read which does not say otherwise.
    pub r: u8,
    /// Acknowledgements that end a write which does not say otherwise.
    pub w: u8,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// What nodes and clients must show; empty: nothing.
    pub credentials: Bytes,
    /// Bounds on what it accepts and keeps.
    pub limits: Limits,
}

/// A configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The defaults for R and W.
    Quorum(QuorumError),
    /// The node is not in the layout.
    NotAMember {
        /// The id that is missing.
        id: NodeId,
    },
    /// The layout replicates more often than a set of replicas can count.
    Replication {
        /// N.
        n: u8,
        /// The most.
        max: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Quorum(error) => error.fmt(f),
            ConfigError::NotAMember { id } => {
                write!(f, "node {id} is not a member of the layout: add it, or use a listed id")
            }
            ConfigError::Replication { n, max } => {
                write!(f, "N={n} replicas are more than the {max} that can be counted")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl NodeConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let layout = &self.layout.layout;
        let n = layout.replication();
        let max = crate::quorum::Replicas::CAPACITY;
        if usize::from(n) > max {
            return Err(ConfigError::Replication { n, max });
        }
        Quorum::new(n, self.r, self.w, self.allow_weak).map_err(ConfigError::Quorum)?;
        layout.member(self.id).ok_or(ConfigError::NotAMember { id: self.id })?;
        Ok(())
    }

    /// The quorum that a request asks for, defaults filled in.
    pub(crate) fn quorum(&self, choice: QuorumChoice) -> Result<Quorum, Failure> {
        let or = |asked: u8, default: u8| if asked == 0 { default } else { asked };
        let (r, w) = (or(choice.r, self.r), or(choice.w, self.w));
        let n = self.layout.layout.replication();
        Quorum::new(n, r, w, self.allow_weak).map_err(|error| {
            let code = match error {
                QuorumError::OutOfRange { .. } => FailureCode::BadQuorum,
                QuorumError::Weak { .. } => FailureCode::WeakQuorum,
            };
            let sum = u64::from(r) + u64::from(w);
            Failure::refused(code).limit(n.into(), sum)
        })
    }
}
