//! What a client is told when it starts, and what a call may ask for.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::backoff;
use crate::ids::{ClusterId, Text};
use crate::limits::Limits;
use crate::message::{QuorumChoice, Strictness};
use crate::time::Duration;

/// Settings of one client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// WebSocket URLs of nodes to begin with; one that answers is enough.
    pub seeds: Vec<Text>,
    /// Time for a whole operation, retries included, unless the call says otherwise.
    pub timeout: Duration,
    /// R and W; zeros stand for the cluster's defaults.
    pub quorum: QuorumChoice,
    /// Whether only a key's own replicas count; `None`: as the cluster is configured.
    pub strict: Option<bool>,
    /// The zone that the client is in: of the primaries of a key that it can ask it prefers those of
    /// this zone. `None`: it is in none.
    pub zone: Option<Text>,
    /// Whether R and W are counted in the client's zone alone, unless the call says otherwise.
    ///
    /// They count primaries of the key in that zone, so many of them at most as there are, and, where
    /// the call is not strict, nodes of the zone that stand in for them. So a read sees all that was
    /// acknowledged before to those who count in the same zone; other zones follow in the
    /// background. Where the key has no primary in the zone, those of all zones are counted.
    pub local: bool,
    /// Which nodes operations are sent to.
    pub routing: Routing,
    /// Who runs the quorum of a read. With [`Routing::Gateway`] a node does, whatever is said here.
    pub coordinate: Coordinate,
    /// With [`Coordinate::Client`]: when one primary more than R is asked.
    pub hedge: Hedge,
    /// What becomes of calls while no node can be reached.
    pub offline: Offline,
    /// Calls that may wait while no node is connected; one more is refused.
    pub queue_max: usize,
    /// The longest pause before an address that failed is dialled again; pauses grow up to it. `None`:
    /// it is not dialled again.
    pub redial_max: Option<Duration>,
    /// Connections that are kept; where one more is needed, the one that was idle for longest
    /// goes.
    pub connections_max: usize,
    /// The cluster to join; `None`: whichever answers.
    pub cluster: Option<ClusterId>,
    /// The secret of the cluster; empty where it wants none.
    pub credentials: Bytes,
    /// Bounds on what is accepted and kept.
    pub limits: Limits,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            seeds: Vec::new(),
            timeout: Duration::from_secs(5),
            quorum: QuorumChoice::default(),
            strict: None,
            zone: None,
            local: false,
            routing: Routing::default(),
            coordinate: Coordinate::default(),
            hedge: Hedge::default(),
            offline: Offline::default(),
            queue_max: 1_000,
            redial_max: Some(backoff::LAST),
            connections_max: 64,
            cluster: None,
            credentials: Bytes::new(),
            limits: Limits::default(),
        }
    }
}

/// Which nodes a client sends its operations to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Routing {
    /// A primary of the key: the client connects to the members of the layout as it needs them.
    #[default]
    Direct,
    /// One node for all, which passes on what it does not coordinate: one connection, one hop more
    /// for most operations. It is the first seed that answers, and the next one where that is lost
    /// or falls silent; addresses that the layout names are not dialled. For clients that reach the
    /// cluster through a proxy only.
    Gateway,
}

/// Who runs the quorum of a read. Writes are coordinated by nodes, which alone mint dots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coordinate {
    /// A primary of the key, which also repairs replicas that it finds stale.
    #[default]
    Node,
    /// The client: it asks R primaries itself, one hop less, and one more where one takes longer
    /// than it usually does. It leaves the read to a primary where they do not agree, or are not
    /// within reach.
    Client,
}

/// When a client that coordinates a read asks one primary more than it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hedge {
    /// After the time within which those that it asked answer 19 of 20 times.
    #[default]
    Usual,
    /// After so long.
    After(Duration),
    /// Not at all: where one takes too long, a node reads.
    Never,
}

/// What becomes of calls while no node can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offline {
    /// They wait, until their deadlines.
    #[default]
    Queue,
    /// They end at once as unreachable.
    Fail,
}

/// What one call may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// Time for this call; `None`: the client's.
    pub timeout: Option<Duration>,
    /// R and W for this call; zeros: the client's.
    pub quorum: QuorumChoice,
    /// Whether the answer is to say who did what.
    pub receipt: bool,
    /// Whether only the key's own replicas count for this call; `None`: as for the client.
    pub strict: Option<bool>,
    /// Whether R and W are counted in the client's zone alone, which it must have; `None`: as for the
    /// client. A get with a context is answered by whoever holds what that covers, in any zone.
    pub local: Option<bool>,
    /// For a put of a value: time after which it reads as deleted, more than zero and at most
    /// [`TTL_MAX`](crate::limits::TTL_MAX); `None`: it never does. It runs from the moment at which
    /// the coordinator takes the write. A get or delete that has one is refused.
    pub ttl: Option<Duration>,
}

pub(super) fn strictness(strict: Option<bool>) -> Strictness {
    match strict {
        None => Strictness::Configured,
        Some(true) => Strictness::Strict,
        Some(false) => Strictness::Sloppy,
    }
}
