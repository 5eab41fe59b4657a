//! What a client is told.

use std::time::Duration;

use bytes::Bytes;
use quorate_core::client::{ClientConfig, Coordinate, Routing};
use quorate_core::ids::{ClusterId, Text};
use quorate_core::message::QuorumChoice;

/// Settings of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// WebSocket URLs of nodes to begin with; one that answers is enough.
    pub seeds: Vec<String>,
    /// Time for a whole operation, retries included.
    pub timeout: Duration,
    /// Answers that end a read; 0: as the cluster is configured.
    pub r: u8,
    /// Acknowledgements that end a write; 0: as the cluster is configured.
    pub w: u8,
    /// Whether only a key's own replicas count; `None`: as the cluster is configured.
    pub strict: Option<bool>,
    /// The zone that the client is in, such as that of a node in the same rack or data centre: of the
    /// replicas of a key that it can ask it prefers those of this zone.
    pub zone: Option<String>,
    /// Whether R and W are counted in `zone` alone, which must be given, unless a call says otherwise
    /// ([`CallOptions::local`](super::CallOptions::local)): such a call waits for no other zone.
    ///
    /// A read then sees all that was acknowledged before by calls that were counted in the same zone.
    /// Other zones follow in the background, and their clients may read older values meanwhile.
    /// Where a key has fewer replicas in the zone than R or W, all of those are needed; where it has
    /// none, those of all zones are counted.
    ///
    /// # Errors
    /// `BAD_ZONE` of each call where there is no zone; `QUORUM_UNAVAILABLE` where too few nodes of
    /// the zone are up, however many there are in others.
    pub local: bool,
    /// Which nodes operations are sent to. [`Routing::Gateway`] is for clients that reach the
    /// cluster through a proxy only: one connection for all.
    pub routing: Routing,
    /// Who runs the quorum of a read. With [`Routing::Gateway`] a node does, whatever is said here.
    pub coordinate: Coordinate,
    /// Connections that are kept; where one more is needed, the one that was idle for longest
    /// goes.
    pub connections_max: usize,
    /// The cluster to join; `None`: whichever answers.
    pub cluster: Option<ClusterId>,
    /// The secret of the cluster, where it wants one.
    pub secret: Option<String>,
}

impl ClientOptions {
    /// The usual settings.
    pub fn to<S: Into<String>>(seeds: impl IntoIterator<Item = S>) -> ClientOptions {
        let usual = ClientConfig::default();
        ClientOptions {
            seeds: seeds.into_iter().map(Into::into).collect(),
            timeout: usual.timeout,
            r: 0,
            w: 0,
            strict: usual.strict,
            zone: None,
            local: usual.local,
            routing: usual.routing,
            coordinate: usual.coordinate,
            connections_max: usual.connections_max,
            cluster: None,
            secret: None,
        }
    }

    pub(super) fn credentials(&self) -> Bytes {
        Bytes::from(self.secret.clone().unwrap_or_default())
    }

    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig {
            seeds: self.seeds.iter().map(|seed| Text::from(seed.as_str())).collect(),
            timeout: self.timeout,
            quorum: QuorumChoice { r: self.r, w: self.w },
            strict: self.strict,
            zone: self.zone.as_deref().map(Text::from),
            local: self.local,
            routing: self.routing,
            coordinate: self.coordinate,
            connections_max: self.connections_max,
            cluster: self.cluster,
            credentials: self.credentials(),
            ..ClientConfig::default()
        }
    }
}
