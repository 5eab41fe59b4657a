//! What a node is told when it starts.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::ids::{ClusterId, Incarnation, NodeId, Text};
use crate::layout::PlanSettings;
use crate::limits::Limits;
use crate::machine::Found;
use crate::merkle::{LeafCount, SavedTrees, TreeKey};
use crate::message::{Failure, FailureCode, LayoutHistory, QuorumChoice, Strictness};
use crate::quorum::{Quorum, QuorumError};
use crate::time::Duration;

/// The identity and settings of one node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster that it belongs to.
    pub cluster: ClusterId,
    /// Its own id; a member of the layout, unless it came after that was made.
    pub id: NodeId,
    /// This life of its data, drawn at random.
    pub incarnation: Incarnation,
    /// Its name for people.
    pub label: Text,
    /// Its failure domain.
    pub zone: Text,
    /// Its capacity in relation to the other members.
    pub weight: u32,
    /// The WebSocket URL where the others and the clients reach it.
    pub address: Text,
    /// Where to look for the others, for ever. Its own address may be among them.
    pub seeds: Vec<Text>,
    /// The layouts in force, as it knows them; `None`: it has never seen one.
    pub layouts: Option<LayoutHistory>,
    /// The trees of all that its storage holds, as its former life saved them when it stopped, or
    /// `None`: they are counted. The machine takes them out.
    pub trees: Option<SavedTrees>,
    /// What its storage holds.
    pub found: Found,
    /// Set where this node is to make the first layout of a new cluster.
    pub founding: Option<Founding>,
    /// Answers that end a read which does not say otherwise.
    pub r: u8,
    /// Acknowledgements that end a write which does not say otherwise.
    pub w: u8,
    /// Whether only a key's own replicas count, where a request does not say otherwise.
    pub strict: bool,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// Whom a read asks.
    pub fanout: Fanout,
    /// How members tell each other that they are alive.
    pub gossip: GossipSettings,
    /// How replicas are compared.
    pub anti_entropy: AntiEntropySettings,
    /// When what was deleted goes for good.
    pub collection: CollectionSettings,
    /// Which changes of the layout it makes by itself.
    pub changes: ChangeSettings,
    /// What nodes and clients must show; empty: nothing.
    pub credentials: Bytes,
    /// Bounds on what it accepts and keeps.
    pub limits: Limits,
}

/// Which changes of the layout a node makes by itself (DESIGN.md §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeSettings {
    /// It becomes a member once it has met the cluster: once in its life, so that whoever removes it
    /// is not contradicted.
    pub join: bool,
    /// Once it is a member of weight 0 and nobody needs anything that it holds, it becomes none.
    pub leave: bool,
    /// What nobody has to look at is committed when nothing was staged for so long.
    pub quiet: Duration,
}

impl Default for ChangeSettings {
    fn default() -> ChangeSettings {
        ChangeSettings { join: false, leave: false, quiet: Duration::from_secs(10) }
    }
}

/// What the first layout of a cluster is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Founding {
    /// It is made once so many members, this node included, have met.
    pub members: usize,
    /// Q and N.
    pub plan: PlanSettings,
}

/// Whom a read asks at first (DESIGN.md §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fanout {
    /// All primaries: a slow one is not waited for, and all are compared.
    #[default]
    All,
    /// R of them, and one more after the hedge delay: less work, and less is compared.
    Quorum,
}

/// How members tell each other that they are alive (DESIGN.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GossipSettings {
    /// Time between two rounds, in each of which a member raises its heartbeat.
    pub interval: Duration,
    /// Members that are asked in a round.
    pub fanout: usize,
    /// A member is suspected when its heartbeat has not risen for so many times its usual interval.
    pub suspect_after: u32,
    /// Members that one message speaks of at most, besides those that changed of late.
    ///
    /// Of a longer list, each message tells a part: bytes shrink with the window, and heartbeats
    /// arrive less often, so that deaths and new lives are known later. The default is as long as
    /// messages of some kilobytes allow, since a late verdict costs requests, and bytes that are
    /// few next to those of the data cost little. `cargo xtask gossip --window` measures others.
    pub window: usize,
    /// After so long a time people are told that a member stays down.
    pub stays_down: Duration,
}

impl Default for GossipSettings {
    fn default() -> GossipSettings {
        GossipSettings {
            interval: Duration::from_secs(1),
            fanout: 3,
            suspect_after: 5,
            window: 1_000,
            stays_down: Duration::from_secs(600),
        }
    }
}

/// How replicas are compared in the background (DESIGN.md §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AntiEntropySettings {
    /// Leaves of the tree of each slot; the same at all nodes of a cluster.
    pub leaves: LeafCount,
    /// A slot is compared with the same replica again after so long a time, at the earliest.
    pub interval: Duration,
    /// What differs is looked at again after so long a time: a write on its way is no difference.
    pub recheck: Duration,
    /// Bytes of records that a node takes and gives in a second, at most; less while clients have
    /// requests under way. 0: nothing is compared.
    pub bytes_per_second: u64,
}

impl Default for AntiEntropySettings {
    fn default() -> AntiEntropySettings {
        AntiEntropySettings {
            leaves: LeafCount::DEFAULT,
            interval: Duration::from_secs(30),
            recheck: Duration::from_secs(1),
            bytes_per_second: 32 * 1024 * 1024,
        }
    }
}

/// When records that are dead, of nothing but tombstones and values whose time is over, go for good
/// (DESIGN.md §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionSettings {
    /// A record is left alone until it has been dead for so long, by the wall clock. The context of
    /// a read is of use for as long.
    pub grace: Duration,
}

/// What is on its way is given so much time before it is of no use, if the grace time is not short.
const SETTLE: Duration = Duration::from_secs(600);

impl CollectionSettings {
    /// The time between the two looks of a collection. What was read before the first one and
    /// arrives after the second one is not merged.
    pub fn settle(&self) -> Duration {
        SETTLE.min(self.grace / 2)
    }
}

impl Default for CollectionSettings {
    fn default() -> CollectionSettings {
        CollectionSettings { grace: Duration::from_secs(24 * 60 * 60) }
    }
}

/// A configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The defaults for R and W.
    Quorum(QuorumError),
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
            ConfigError::Replication { n, max } => {
                write!(f, "N={n} replicas are more than the {max} that can be counted")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl NodeConfig {
    /// The key of the trees that this node keeps: its storage needs it.
    pub fn tree_key(&self) -> TreeKey {
        TreeKey::derive(self.cluster, &self.credentials)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let planned = self.founding.map(|founding| founding.plan.replication);
        let held = self.layouts.as_ref().map(|history| history.head().layout.replication());
        let Some(n) = held.or(planned) else { return Ok(()) };
        let max = crate::quorum::Replicas::CAPACITY;
        if usize::from(n) > max {
            return Err(ConfigError::Replication { n, max });
        }
        Quorum::new(n, self.r, self.w, self.allow_weak).map_err(ConfigError::Quorum)?;
        Ok(())
    }

    /// Whether only primaries count for a request.
    pub(crate) fn is_strict(&self, strictness: Strictness) -> bool {
        match strictness {
            Strictness::Configured => self.strict,
            Strictness::Strict => true,
            Strictness::Sloppy => false,
        }
    }

    /// The quorum that a request asks for, defaults filled in, where so many of the N replicas count.
    pub(crate) fn quorum(
        &self,
        n: u8,
        counted: u8,
        choice: QuorumChoice,
    ) -> Result<Quorum, Failure> {
        let or = |asked: u8, default: u8| if asked == 0 { default } else { asked };
        let (r, w) = (or(choice.r, self.r), or(choice.w, self.w));
        Quorum::new_among(n, counted, r, w, self.allow_weak).map_err(|error| {
            let (code, n) = match error {
                QuorumError::OutOfRange { n, .. } => (FailureCode::BadQuorum, n),
                QuorumError::Weak { n, .. } => (FailureCode::WeakQuorum, n),
            };
            let sum = u64::from(r) + u64::from(w);
            Failure::refused(code).limit(n.into(), sum)
        })
    }
}
