//! What a backup says of the directory that it was made of.

use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::message::LayoutUpdate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::storage::Settings;

/// Whose data a backup holds. Ids are 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The cluster.
    #[serde(serialize_with = "cluster_out", deserialize_with = "cluster_in")]
    pub cluster: ClusterId,
    /// The node whose directory it was.
    #[serde(serialize_with = "node_out", deserialize_with = "node_in")]
    pub node: NodeId,
    /// Its name for people; `None` where it was no member of the layout.
    pub label: Option<String>,
    /// When the backup was begun, in milliseconds since 1970.
    pub written_ms: u64,
    /// What the cluster was told to be.
    pub settings: Settings,
    /// The newest layout that the node knew; `None` where it knew none.
    pub layout: Option<LayoutOutline>,
}

/// Who was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutOutline {
    /// Counts the layouts of the cluster from 1.
    pub version: u64,
    /// N.
    pub replication: u8,
    /// Q.
    pub slots: u32,
    /// All members.
    pub members: Vec<MemberOutline>,
}

/// One of those who were there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberOutline {
    /// Who it is.
    #[serde(serialize_with = "node_out", deserialize_with = "node_in")]
    pub id: NodeId,
    /// Its name for people.
    pub label: String,
    /// Its failure domain.
    pub zone: String,
    /// Its capacity in relation to the others.
    pub weight: u32,
    /// Where it listened.
    pub address: String,
}

impl LayoutOutline {
    /// The outline of a layout.
    pub fn of(update: &LayoutUpdate) -> LayoutOutline {
        let LayoutUpdate { layout, .. } = update;
        let members = layout.members().iter().map(|member| MemberOutline {
            id: member.id,
            label: member.label.to_string(),
            zone: member.zone.to_string(),
            weight: member.weight,
            address: update.address(member.id).map(ToString::to_string).unwrap_or_default(),
        });
        LayoutOutline {
            version: layout.version().0,
            replication: layout.replication(),
            slots: layout.slot_count().get(),
            members: members.collect(),
        }
    }
}

fn cluster_out<S: Serializer>(cluster: &ClusterId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cluster)
}

fn node_out<S: Serializer>(node: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(node)
}

fn node_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// The ids of clusters are written as those of nodes are.
fn cluster_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClusterId, D::Error> {
    node_in(deserializer).map(|id| ClusterId(id.0))
}
