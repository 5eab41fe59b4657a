//! One member of a cluster file, and how the command line names it.

use std::str::FromStr;

use quorate_core::ids::NodeId;
use quorate_core::layout::Member;
use serde::{Deserialize, Serialize};

use super::ClusterError;
use crate::socket::Address;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterMember {
    /// 16 hexadecimal digits, random.
    pub id: String,
    /// Its name for people.
    pub label: String,
    /// Its failure domain.
    #[serde(default)]
    pub zone: String,
    /// Its capacity in relation to the other members.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// `ws://HOST:PORT`, as the other nodes and the clients reach it.
    pub address: String,
}

fn default_weight() -> u32 {
    1
}

impl ClusterMember {
    /// The member as the layout knows it.
    pub(super) fn checked(&self) -> Result<Member, ClusterError> {
        let wrong = |field, value: &str, wanted| ClusterError::Field {
            field,
            value: value.to_owned(),
            wanted,
        };
        let id: NodeId =
            self.id.parse().map_err(|_| wrong("id", &self.id, "16 hexadecimal digits"))?;
        if self.label.is_empty() {
            return Err(wrong("label", &self.label, "a name"));
        }
        self.parsed_address()?;
        let (label, zone) = (self.label.as_str().into(), self.zone.as_str().into());
        Ok(Member { id, label, zone, weight: self.weight })
    }

    pub(crate) fn parsed_address(&self) -> Result<Address, ClusterError> {
        self.address.parse().map_err(|_| ClusterError::Field {
            field: "address",
            value: self.address.clone(),
            wanted: "ws://HOST:PORT",
        })
    }
}

/// `LABEL=ws://HOST:PORT` or `LABEL=ws://HOST:PORT@ZONE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberArgument {
    /// Its name for people.
    pub label: String,
    /// Its failure domain; empty where none is given.
    pub zone: String,
    /// Its WebSocket URL.
    pub address: String,
}

impl FromStr for MemberArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<MemberArgument, String> {
        let (label, rest) = text
            .split_once('=')
            .ok_or("write LABEL=ws://HOST:PORT or LABEL=ws://HOST:PORT@ZONE")?;
        let (address, zone) = rest.split_once('@').unwrap_or((rest, ""));
        if label.is_empty() {
            return Err("the label before = is missing".into());
        }
        address.parse::<Address>().map_err(|error| error.to_string())?;
        Ok(MemberArgument { label: label.into(), zone: zone.into(), address: address.into() })
    }
}
