//! What a frame is sent for, and so which of two waiting frames goes first.

use quorate_core::message::{MergeReason, Message};

/// The classes, most urgent first. Frames of one class keep their order; those of a more urgent
/// one overtake. Nothing in the protocol relies on an order between classes: answers name their
/// calls, records merge in any order, layouts and heartbeats are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Handshakes, membership, status: short, few, and never to starve.
    Control,
    /// What a client waits for, also between nodes.
    Client,
    /// Records for stale replicas, and what is dead: what is dropped is found again.
    Repair,
    /// Hints on their way home: what is dropped is sent again.
    Handoff,
}

/// What becomes of a connection on which a class has more to send than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It is cut: the other end does not read.
    Cut,
    /// The frame is dropped.
    Drop,
}

impl Class {
    pub(super) const ALL: [Class; 4] =
        [Class::Control, Class::Client, Class::Repair, Class::Handoff];

    pub(super) fn of(message: &Message) -> Class {
        match message {
            Message::Hello(_)
            | Message::Welcome(_)
            | Message::Reject(_)
            | Message::Unsupported(_)
            | Message::StatusRequest(_)
            | Message::StatusReply(_)
            | Message::RepairRequest(_)
            | Message::RepairReply(_)
            | Message::LayoutRequest(_)
            | Message::LayoutReply(_)
            | Message::Gossip(_) => Class::Control,
            Message::Get(_)
            | Message::Put(_)
            | Message::Reply(_)
            | Message::ReplicaRead(_)
            | Message::ReplicaRecord(_)
            | Message::ReplicaMerged(_) => Class::Client,
            Message::Compare(_)
            | Message::Compared(_)
            | Message::Collect(_)
            | Message::Collected(_) => Class::Repair,
            Message::ReplicaMerge(merge) => match merge.reason {
                MergeReason::Write => Class::Client,
                MergeReason::Repair | MergeReason::AntiEntropy => Class::Repair,
                MergeReason::Handoff => Class::Handoff,
            },
        }
    }

    /// Bytes that may wait, and what becomes of the frame that would exceed them. One frame may
    /// always wait, however long.
    pub(super) fn limit(self) -> (usize, Overflow) {
        match self {
            Class::Control => (CONTROL_BYTES_MAX, Overflow::Cut),
            Class::Client => (CLIENT_BYTES_MAX, Overflow::Cut),
            Class::Repair => (REPAIR_BYTES_MAX, Overflow::Drop),
            Class::Handoff => (HANDOFF_BYTES_MAX, Overflow::Drop),
        }
    }
}

/// A few of the longest: those that carry a whole layout.
pub(crate) const CONTROL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// As much as one turn of the driver may answer on one connection before it is written: 1,024 calls
/// in flight with values of 64 KiB each.
pub(crate) const CLIENT_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(crate) const REPAIR_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(crate) const HANDOFF_BYTES_MAX: usize = 4 * 1024 * 1024;
