//! Something that happened, as a page is told of it.

use quorate_core::machine::Event;
use quorate_core::message::{Change, Message};
use quorate_core::time::Instant;
use serde::Serialize;

use super::{Milliseconds, Outcome};
use crate::network::Place;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Milliseconds,
    /// The number of the call because of which it did, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. Nodes and clients go by their numbers, from 0, calls by theirs, from 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// A frame is given to the network: it has either `arrives` or `lost`.
    Frame {
        /// What kind of frame.
        frame: &'static str,
        /// The sender.
        from: Place,
        /// The receiver.
        to: Place,
        /// When it is to arrive.
        #[serde(skip_serializing_if = "Option::is_none")]
        arrives: Option<Milliseconds>,
        /// Why it does not.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost: Option<FrameLoss>,
        /// The key that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// What is in it, in the words of the log.
        note: String,
    },
    /// A frame that was to arrive now does not.
    Dropped {
        /// What kind of frame.
        frame: &'static str,
        /// The sender.
        from: Place,
        /// Whoever should have received it.
        to: Place,
        /// Why.
        lost: FrameLoss,
        /// The key that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// A call begins.
    Call {
        /// Its number.
        call: u64,
        /// Who calls.
        client: usize,
        /// What for.
        asks: Wish,
        /// The key.
        key: String,
        /// What is to be written.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// A call ends.
    Ended {
        /// Its number.
        call: u64,
        /// How.
        outcome: Box<Outcome>,
    },
    /// A storage took a change of a copy.
    Stored {
        /// Whose storage.
        node: usize,
        /// The key.
        key: String,
        /// The primary for which it is kept as a hint.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint_for: Option<usize>,
        /// What stands in it then; a tombstone is `None`.
        siblings: Vec<Option<String>>,
    },
    /// A storage let go of a copy.
    Removed {
        /// Whose storage.
        node: usize,
        /// The key.
        key: String,
        /// The primary for which it was kept as a hint.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint_for: Option<usize>,
    },
    /// Something befell a whole node.
    Node {
        /// Which.
        node: usize,
        /// What.
        what: WhatOfNode,
    },
    /// A node told people something.
    Told {
        /// Which.
        node: usize,
        /// The name of the event.
        name: String,
        /// What it says.
        text: String,
        /// The key that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Wish {
    /// A read.
    Get,
    /// A write.
    Put,
    /// A delete.
    Delete,
}

/// Why a frame never arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FrameLoss {
    /// Nothing gets through the link.
    Cut,
    /// The link loses some frames.
    Loss,
    /// The sender had no connection.
    Unconnected,
    /// The connection broke while it was under way.
    Disconnected,
    /// Whoever should have received it is gone.
    Nobody,
}

/// What befalls a whole node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WhatOfNode {
    /// It starts.
    Up,
    /// It ends.
    Down,
    /// It stands still.
    Paused,
    /// It goes on.
    Resumed,
    /// Its disk gave way to an empty one, or to an older copy of it.
    Wiped,
}

impl Happening {
    pub(super) fn set_arrival(&mut self, at: Option<Instant>) {
        if let What::Frame { arrives, .. } = &mut self.what {
            *arrives = at.map(Milliseconds);
        }
    }

    pub(super) fn set_loss(&mut self, why: FrameLoss) {
        if let What::Frame { lost, .. } = &mut self.what {
            *lost = Some(why);
        }
    }
}

pub(super) fn frame_name(message: &Message) -> &'static str {
    match message {
        Message::Hello(_) => "hello",
        Message::Welcome(_) => "welcome",
        Message::Reject(_) => "reject",
        Message::Unsupported(_) => "unsupported",
        Message::Get(_) => "get",
        Message::Put(put) => match put.change {
            Change::Value { .. } => "put",
            Change::Delete => "delete",
        },
        Message::Reply(_) => "reply",
        Message::ReplicaRead(_) => "replicaRead",
        Message::ReplicaRecord(_) => "replicaRecord",
        Message::ReplicaMerge(_) => "replicaMerge",
        Message::ReplicaMerged(_) => "replicaMerged",
        Message::StatusRequest(_) => "statusRequest",
        Message::StatusReply(_) => "statusReply",
        Message::RepairRequest(_) => "repairRequest",
        Message::RepairReply(_) => "repairReply",
        Message::LayoutRequest(_) => "layoutRequest",
        Message::LayoutReply(_) => "layoutReply",
        Message::Compare(_) => "compare",
        Message::Compared(_) => "compared",
        Message::Collect(_) => "collect",
        Message::Collected(_) => "collected",
        Message::Gossip(_) => "gossip",
    }
}

/// `memberSuspected` for `Event::MemberSuspected(..)`: core may add events, so they name themselves.
pub(super) fn event_name(event: &Event) -> String {
    let debug = format!("{event:?}");
    let name = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let (first, rest) = name.split_at(1.min(name.len()));
    first.to_ascii_lowercase() + rest
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::machine::Event;

    use super::event_name;

    #[test]
    fn events_name_themselves() {
        assert_eq!(event_name(&Event::Refilled), "refilled");
        assert_eq!(event_name(&Event::MemberSuspected(NodeId(3))), "memberSuspected");
        assert_eq!(event_name(&Event::PassedOn { to: NodeId(3) }), "passedOn");
    }
}
