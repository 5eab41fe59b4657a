//! What an operator says about one node, and what comes of it.

use std::fmt;

use bytes::Bytes;
use quorate_core::ids::{ClusterId, Incarnation, NodeId, Text};
use quorate_core::limits::{HELLO_BYTES_MAX, Limits};
use quorate_core::message::LayoutHistory;
use quorate_core::node::{
    AntiEntropySettings, ChangeSettings, CollectionSettings, Fanout, Founding, GossipSettings,
    NodeConfig,
};

use crate::socket::Address;
use crate::storage::{Identity, Settings};

/// Longest shared secret: it travels in a HELLO together with other things.
const SECRET_BYTES_MAX: usize = HELLO_BYTES_MAX / 4;

/// Longest label, zone or address: every member tells them to every other.
const TEXT_BYTES_MAX: usize = 256;

/// What an operator says about one node.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name for people; derived from the address where it is `None`.
    pub label: Option<String>,
    /// Its failure domain.
    pub zone: String,
    /// Its capacity in relation to the other members.
    pub weight: u32,
    /// `ws://HOST:PORT`, as the other nodes and the clients reach it.
    pub address: String,
    /// Where to look for the others.
    pub seeds: Vec<String>,
    /// What nodes and clients must show, if anything.
    pub secret: Option<String>,
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
    /// Bounds on what it accepts and keeps.
    pub limits: Limits,
}

/// What a node is in its cluster.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its id.
    pub node: NodeId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// What holds there.
    pub settings: Settings,
    /// The layouts in force, as it knows them.
    pub layouts: Option<LayoutHistory>,
    /// Set where it is to make the first layout.
    pub founding: Option<Founding>,
}

impl Origin {
    /// The node and its cluster.
    pub fn identity(&self) -> Identity {
        Identity { cluster: self.cluster, node: self.node }
    }
}

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// An address is none; the text says which and why.
    Address(String),
    /// Something is longer than it may be.
    TooLong {
        /// What.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::Address(text) => f.write_str(text),
            ProfileError::TooLong { what, bytes, max } => {
                write!(f, "the {what} is {bytes} bytes long; {max} are allowed")
            }
        }
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// Checks what does not depend on the cluster.
    pub fn check(&self) -> Result<(), ProfileError> {
        for address in self.seeds.iter().chain([&self.address]) {
            let checked = address.parse::<Address>();
            checked.map_err(|error| ProfileError::Address(error.to_string()))?;
        }
        let texts = [
            ("label", self.label.as_deref().unwrap_or(""), TEXT_BYTES_MAX),
            ("zone", &self.zone, TEXT_BYTES_MAX),
            ("address", &self.address, TEXT_BYTES_MAX),
            ("secret", self.secret.as_deref().unwrap_or(""), SECRET_BYTES_MAX),
        ];
        let long = texts.into_iter().find(|(_, text, max)| text.len() > *max);
        long.map_or(Ok(()), |(what, text, max)| {
            Err(ProfileError::TooLong { what, bytes: text.len(), max })
        })
    }

    /// Its name for people.
    pub fn label(&self) -> Text {
        let derived = self.address.strip_prefix("ws://").unwrap_or(&self.address);
        Text::from(self.label.as_deref().unwrap_or(derived.trim_end_matches('/')))
    }

    /// The seeds without its own address: a node that asks itself learns nothing.
    pub fn other_seeds(&self) -> Vec<String> {
        self.seeds.iter().filter(|seed| **seed != self.address).cloned().collect()
    }

    /// What must be shown to nodes and clients.
    pub fn credentials(&self) -> Bytes {
        Bytes::from(self.secret.clone().unwrap_or_default())
    }

    /// What the node's machine is told. Begins a new life of its data.
    pub fn config(&self, origin: Origin) -> Result<NodeConfig, getrandom::Error> {
        let Origin { node, cluster, settings, layouts, founding } = origin;
        Ok(NodeConfig {
            cluster,
            id: node,
            incarnation: Incarnation(getrandom::u32()?),
            label: self.label(),
            zone: self.zone.as_str().into(),
            weight: self.weight,
            address: self.address.as_str().into(),
            seeds: self.other_seeds().iter().map(|seed| seed.as_str().into()).collect(),
            founding: founding.filter(|_| layouts.is_none()),
            layouts,
            trees: None,
            found: Default::default(),
            r: settings.r,
            w: settings.w,
            strict: settings.strict,
            allow_weak: settings.allow_weak,
            fanout: self.fanout,
            gossip: self.gossip,
            anti_entropy: self.anti_entropy,
            collection: self.collection,
            changes: self.changes,
            credentials: self.credentials(),
            limits: self.limits.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            label: None,
            zone: String::new(),
            weight: 1,
            address: "ws://10.0.0.1:7101".into(),
            seeds: vec!["ws://10.0.0.1:7101".into(), "ws://10.0.0.2:7101".into()],
            secret: None,
            fanout: Fanout::All,
            gossip: GossipSettings::default(),
            anti_entropy: AntiEntropySettings::default(),
            collection: CollectionSettings::default(),
            changes: ChangeSettings::default(),
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_node_without_a_name_is_called_by_its_address() {
        assert_eq!(&*profile().label(), "10.0.0.1:7101");
        assert_eq!(&*Profile { label: Some("a".into()), ..profile() }.label(), "a");
    }

    #[test]
    fn a_node_is_no_seed_of_its_own() {
        assert_eq!(profile().other_seeds(), ["ws://10.0.0.2:7101"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |profile: Profile| profile.check().unwrap_err().to_string();
        let seeds = vec!["10.0.0.2:7101".to_owned()];
        assert!(error(Profile { seeds, ..profile() }).contains("ws://HOST:PORT"));
        let secret = Some("x".repeat(SECRET_BYTES_MAX + 1));
        assert!(error(Profile { secret, ..profile() }).contains("secret is 1025 bytes"));
        assert_eq!(profile().check(), Ok(()));
    }
}
