//! The file that names a cluster: who belongs to it and what was fixed when it was born.
//!
//! Every node of a cluster is started with the same file, so all of them plan the same layout.
//!
//! ```toml
//! cluster = "3f0c2a9d5e7b1846"
//! slots = 1024
//! replication = 3
//! r = 2
//! w = 2
//!
//! [[members]]
//! id = "0b8e6a54d3f1c297"
//! label = "a"
//! zone = ""
//! weight = 1
//! address = "ws://127.0.0.1:7101"
//! ```

mod member;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::ids::{ClusterId, Incarnation, NodeId, Text};
use quorate_core::layout::{Layout, Member, PlanError, PlanSettings, plan_first};
use quorate_core::limits::{HELLO_BYTES_MAX, Limits};
use quorate_core::message::LayoutUpdate;
use quorate_core::node::NodeConfig;
use quorate_core::quorum::{Quorum, QuorumError};
use quorate_core::ring::SlotCount;
use serde::{Deserialize, Serialize};

pub use self::member::{ClusterMember, MemberArgument};

/// Longest shared secret: it travels in a HELLO together with other things.
const SECRET_BYTES_MAX: usize = HELLO_BYTES_MAX / 4;

/// The contents of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    /// 16 hexadecimal digits, random.
    pub cluster: String,
    /// Q: a power of two, fixed for ever.
    #[serde(default = "default_slots")]
    pub slots: u32,
    /// N: primaries of each slot.
    #[serde(default = "default_replication")]
    pub replication: u8,
    /// Answers that end a read; a majority of N unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r: Option<u8>,
    /// Acknowledgements that end a write; a majority of N unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub w: Option<u8>,
    /// Whether R + W <= N is accepted.
    #[serde(default)]
    pub allow_weak: bool,
    /// What nodes and clients must show, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The nodes.
    pub members: Vec<ClusterMember>,
}

fn default_slots() -> u32 {
    SlotCount::DEFAULT.get()
}

fn default_replication() -> u8 {
    PlanSettings::default().replication
}

/// What is fixed when a cluster is born.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Q.
    pub slots: u32,
    /// N.
    pub replication: u8,
    /// R; a majority of N where it is `None`.
    pub r: Option<u8>,
    /// W; a majority of N where it is `None`.
    pub w: Option<u8>,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
}

/// A cluster file that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClusterError {
    /// It cannot be read.
    Read {
        /// Its path.
        path: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// It is no TOML, or has other fields.
    Syntax(toml::de::Error),
    /// A field has a value that cannot be.
    Field {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// Two members share a label.
    DuplicateLabel(String),
    /// No layout can be made of it.
    Plan(PlanError),
    /// R and W break a rule.
    Quorum(QuorumError),
    /// There is no member of this name.
    NoSuchMember {
        /// The label that was asked for.
        label: String,
        /// Those that there are.
        labels: Vec<String>,
    },
    /// The operating system has no entropy.
    Entropy(getrandom::Error),
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterError::Read { path, error } => write!(
                f,
                "the cluster file {path} cannot be read: {error}; make one with `quorate cluster new`"
            ),
            ClusterError::Syntax(error) => write!(f, "the cluster file is wrong: {error}"),
            ClusterError::Field { field, value, wanted } => {
                write!(f, "the cluster file is wrong: {field} = {value:?}, but it must be {wanted}")
            }
            ClusterError::DuplicateLabel(label) => {
                write!(f, "two members have the label {label:?}: give each its own")
            }
            ClusterError::Plan(error) => write!(f, "the cluster file makes no layout: {error}"),
            ClusterError::Quorum(error) => error.fmt(f),
            ClusterError::NoSuchMember { label, labels } => write!(
                f,
                "the cluster has no member {label:?}; its members are: {}",
                labels.join(", ")
            ),
            ClusterError::Entropy(error) => write!(f, "no random numbers: {error}"),
        }
    }
}

impl std::error::Error for ClusterError {}

impl ClusterFile {
    /// A new cluster with random ids.
    pub fn new(
        settings: ClusterSettings,
        members: Vec<MemberArgument>,
    ) -> Result<ClusterFile, ClusterError> {
        let ClusterSettings { slots, replication, r, w, allow_weak } = settings;
        let member = |argument: MemberArgument| {
            let id = NodeId(getrandom::u64()?).to_string();
            let MemberArgument { label, zone, address } = argument;
            Ok(ClusterMember { id, label, zone, weight: 1, address })
        };
        let members: Result<_, getrandom::Error> = members.into_iter().map(member).collect();
        let file = ClusterFile {
            cluster: ClusterId(getrandom::u64().map_err(ClusterError::Entropy)?).to_string(),
            slots,
            replication,
            r,
            w,
            allow_weak,
            secret: None,
            members: members.map_err(ClusterError::Entropy)?,
        };
        file.check()?;
        Ok(file)
    }

    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<ClusterFile, ClusterError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ClusterError::Read { path: path.display().to_string(), error })?;
        ClusterFile::parse(&text)
    }

    /// Checks the text of a file.
    pub fn parse(text: &str) -> Result<ClusterFile, ClusterError> {
        let file: ClusterFile = toml::from_str(text).map_err(ClusterError::Syntax)?;
        file.check()?;
        Ok(file)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings and numbers, tables last: TOML can say it")
    }

    /// The id of the cluster.
    pub fn cluster_id(&self) -> Result<ClusterId, ClusterError> {
        // The two ids have one notation.
        let id: Result<NodeId, _> = self.cluster.parse();
        id.map(|id| ClusterId(id.0)).map_err(|_| ClusterError::Field {
            field: "cluster",
            value: self.cluster.clone(),
            wanted: "16 hexadecimal digits",
        })
    }

    /// The first layout, the same for everyone who reads this file.
    pub fn layout(&self) -> Result<LayoutUpdate, ClusterError> {
        let slots = SlotCount::new(self.slots).ok_or_else(|| ClusterError::Field {
            field: "slots",
            value: self.slots.to_string(),
            wanted: "a power of two from 1 to 65536",
        })?;
        let mut labels = BTreeSet::new();
        let duplicate = self.members.iter().find(|member| !labels.insert(&member.label));
        if let Some(duplicate) = duplicate {
            return Err(ClusterError::DuplicateLabel(duplicate.label.clone()));
        }
        let members: Result<Vec<Member>, _> =
            self.members.iter().map(ClusterMember::checked).collect();
        let settings = PlanSettings { slots, replication: self.replication };
        let layout = plan_first(settings, members?).map_err(ClusterError::Plan)?;
        let addresses = addresses(&layout, &self.members);
        Ok(LayoutUpdate { layout, addresses })
    }

    /// What the node named `label` is to be told. Draws its incarnation.
    pub fn node_config(&self, label: &str) -> Result<NodeConfig, ClusterError> {
        let member = self.member(label)?.checked()?;
        let (r, w) = self.quorum();
        Ok(NodeConfig {
            cluster: self.cluster_id()?,
            id: member.id,
            incarnation: Incarnation(getrandom::u32().map_err(ClusterError::Entropy)?),
            layout: Arc::new(self.layout()?),
            r,
            w,
            allow_weak: self.allow_weak,
            credentials: self.credentials()?,
            limits: Limits::default(),
        })
    }

    /// The member of a label.
    pub fn member(&self, label: &str) -> Result<&ClusterMember, ClusterError> {
        let found = self.members.iter().find(|member| member.label == label);
        found.ok_or_else(|| ClusterError::NoSuchMember {
            label: label.to_owned(),
            labels: self.members.iter().map(|member| member.label.clone()).collect(),
        })
    }

    fn check(&self) -> Result<(), ClusterError> {
        self.layout()?;
        self.cluster_id()?;
        self.credentials()?;
        let (r, w) = self.quorum();
        Quorum::new(self.replication, r, w, self.allow_weak).map_err(ClusterError::Quorum)?;
        Ok(())
    }

    /// R and W, by default a majority of N.
    fn quorum(&self) -> (u8, u8) {
        let majority = self.replication / 2 + 1;
        (self.r.unwrap_or(majority), self.w.unwrap_or(majority))
    }

    fn credentials(&self) -> Result<Bytes, ClusterError> {
        let secret = self.secret.clone().unwrap_or_default();
        if secret.len() > SECRET_BYTES_MAX {
            return Err(ClusterError::Field {
                field: "secret",
                value: format!("{} bytes", secret.len()),
                wanted: "at most 1024 bytes long",
            });
        }
        Ok(Bytes::from(secret))
    }
}

/// The addresses in the order of the layout's members.
fn addresses(layout: &Layout, members: &[ClusterMember]) -> Vec<Text> {
    let address = |label: &Text| {
        let member = members.iter().find(|member| *member.label == **label);
        Text::from(member.map_or("", |member| &member.address))
    };
    layout.members().iter().map(|member| address(&member.label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_cluster(members: &[&str]) -> Result<ClusterFile, ClusterError> {
        let settings =
            ClusterSettings { slots: 64, replication: 3, r: None, w: None, allow_weak: false };
        let members = members.iter().map(|member| member.parse().unwrap()).collect();
        ClusterFile::new(settings, members)
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let file = new_cluster(&["a=ws://127.0.0.1:7101", "b=ws://127.0.0.1:7102@west"]).unwrap();
        let read = ClusterFile::parse(&file.to_toml()).unwrap();
        assert_eq!(file, read);
        assert_eq!(read.layout().unwrap(), file.layout().unwrap());
        let config = read.node_config("b").unwrap();
        assert_eq!((config.r, config.w), (2, 2));
        let address = config.layout.address(config.id).map(|address| &**address);
        assert_eq!(address, Some("ws://127.0.0.1:7102"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let file = new_cluster(&["a=ws://127.0.0.1:7101"]).unwrap().to_toml();
        let wrong = |from: &str, to: &str| {
            assert!(file.contains(from), "{file}");
            ClusterFile::parse(&file.replace(from, to)).unwrap_err().to_string()
        };
        assert!(wrong("slots = 64", "slots = 63").contains("power of two"));
        assert!(wrong("slots = 64", "slot = 64").contains("slot"));
        assert!(wrong("ws://127.0.0.1:7101", "127.0.0.1:7101").contains("ws://HOST:PORT"));
        assert!(wrong("cluster = \"", "cluster = \"x").contains("16 hexadecimal digits"));
        assert!(wrong("allow_weak = false", "r = 1\nw = 1").contains("allow_weak"));
        let twice = new_cluster(&["a=ws://127.0.0.1:1", "a=ws://127.0.0.1:2"]);
        assert!(matches!(twice, Err(ClusterError::DuplicateLabel(_))));
    }
}
