//! What a person does to the world, and when.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sight::Milliseconds;

/// What a person does to the world. Nodes and clients go by their numbers, from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Action {
    /// A client reads a key.
    Get {
        /// Who.
        client: usize,
        /// What.
        key: String,
    },
    /// A client writes a text.
    Put {
        /// Who.
        client: usize,
        /// Where.
        key: String,
        /// What.
        value: String,
        /// The number of the call whose context it carries; blind without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// A client deletes a key.
    Delete {
        /// Who.
        client: usize,
        /// What.
        key: String,
        /// The number of the call whose context it carries; without one, whatever a quorum holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Ends a node as by `kill -9`.
    Crash {
        /// Which.
        node: usize,
    },
    /// Asks a node to stop.
    Stop {
        /// Which.
        node: usize,
    },
    /// Starts a node that is down.
    Restart {
        /// Which.
        node: usize,
    },
    /// Empties the disk of a node that is down.
    Wipe {
        /// Whose.
        node: usize,
    },
    /// Lets a node stand still, its timers, too.
    Pause {
        /// Which.
        node: usize,
    },
    /// Lets a node go on.
    Resume {
        /// Which.
        node: usize,
    },
    /// Crashes the nodes of a zone that are up.
    CrashZone {
        /// Which.
        zone: String,
    },
    /// Starts the nodes of a zone that are down.
    RestartZone {
        /// Which.
        zone: String,
    },
    /// Cuts some nodes off from the others.
    Partition {
        /// The nodes.
        side: Vec<usize>,
    },
    /// Ends all cuts.
    Heal,
    /// Sets both directions between two nodes; what is not given is as usual.
    Link {
        /// One node.
        a: usize,
        /// The other one.
        b: usize,
        /// The least time that a frame travels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay: Option<Milliseconds>,
        /// Of a thousand frames, how many are lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss: Option<u32>,
    },
    /// The wall clock of a node jumps.
    Clock {
        /// Whose.
        node: usize,
        /// By so many milliseconds.
        by: i64,
    },
    /// An operator puts a layout in force.
    Layout {
        /// Its members.
        members: Vec<PlannedMember>,
        /// The node that the operator talks to; else the first that knows the newest layout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<usize>,
    },
}

/// A node that is to be a member of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMember {
    /// Which.
    pub node: usize,
    /// Its capacity in relation to the others.
    pub weight: u32,
}

/// An action, and when it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// When.
    pub at: Milliseconds,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// Why something cannot be done, in a sentence. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub(super) String);

impl Refusal {
    pub(super) fn new(why: impl Into<String>) -> Refusal {
        Refusal(why.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}
