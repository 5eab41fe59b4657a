//! Because of which call of a client something happens, where that is known.
//!
//! ```text
//!   call 7 --> GET c0 -> n1      the client's own number of the call
//!               n1 handles it: whatever it sends and asks of its storage is because of 7
//!                 --> storage --> answer        by the ticket of the question
//!                 --> READ n1 -> n2 --> RECORD  each frame carries its cause along
//!                 --> READ n1 -> n3             later, by a timer: by the number that n1 gave it
//! ```

use std::hash::{Hash, Hasher};

use quorate_core::machine::Ticket;
use quorate_core::message::{CallId, MergeReason, Message};

use crate::network::End;
use crate::recent::{Recent, Table};
use crate::trace::{Owner, owner};

/// Calls of nodes, and questions to storages, that are remembered.
const REMEMBERED: usize = 16_384;

/// What a frame carries along. It is no part of the run, so it adds nothing to a hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cause(Option<u64>);

impl Hash for Cause {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Debug)]
pub(super) struct Causes {
    /// The numbers of the calls of clients.
    numbers: Table<(usize, CallId), u64>,
    /// Why nodes made calls of their own.
    of_calls: Recent<(Owner, CallId), u64>,
    /// Why nodes asked their storage for something.
    of_tickets: Recent<(usize, Ticket), Cause>,
    /// Why happens what does right now.
    step: Cause,
    /// Why the last frame was sent.
    of_last_frame: Cause,
}

impl Default for Causes {
    fn default() -> Causes {
        Causes {
            numbers: Table::default(),
            of_calls: Recent::new(REMEMBERED),
            of_tickets: Recent::new(REMEMBERED),
            step: Cause::default(),
            of_last_frame: Cause::default(),
        }
    }
}

impl Causes {
    /// Gives a call its number: they count from 1.
    pub(super) fn call(&mut self, client: usize, call: CallId) -> u64 {
        let number = self.numbers.len() as u64 + 1;
        self.numbers.insert((client, call), number);
        number
    }

    pub(super) fn number(&self, client: usize, call: CallId) -> Option<u64> {
        self.numbers.get(&(client, call)).copied()
    }

    pub(super) fn begin_step(&mut self, cause: Cause) {
        self.step = cause;
    }

    pub(super) fn step(&self) -> Option<u64> {
        self.step.0
    }

    pub(super) fn of_last_frame(&self) -> Cause {
        self.of_last_frame
    }

    pub(super) fn store(&mut self, node: usize, ticket: Ticket) {
        self.of_tickets.insert((node, ticket), self.step);
    }

    pub(super) fn stored(&mut self, node: usize, ticket: Ticket) {
        self.step = self.of_tickets.get(&(node, ticket)).copied().unwrap_or_default();
    }

    /// A frame is sent; answers why.
    pub(super) fn sent(&mut self, from: End, to: End, message: &Message) -> Option<u64> {
        let cause = if serves_clients(message) { self.why(from, to, message) } else { None };
        self.of_last_frame = Cause(cause);
        cause
    }

    fn why(&mut self, from: End, to: End, message: &Message) -> Option<u64> {
        let (owner, call) = owner(from, to, message)?;
        match owner {
            Owner::Client(client) => self.number(client, call),
            Owner::Hand(_) | Owner::Repair(..) => self.step.0,
            Owner::Node(_) => {
                let known = self.of_calls.get(&(owner, call)).copied();
                if known.is_none()
                    && let Some(step) = self.step.0
                {
                    self.of_calls.insert((owner, call), step);
                }
                known.or(self.step.0)
            }
        }
    }
}

/// Whether a frame belongs to what clients ask for, and to no work in the background.
fn serves_clients(message: &Message) -> bool {
    match message {
        Message::Get(_)
        | Message::Put(_)
        | Message::Reply(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaRecord(_)
        | Message::ReplicaMerged(_) => true,
        Message::ReplicaMerge(merge) => match merge.reason {
            MergeReason::Write | MergeReason::Repair => true,
            MergeReason::Handoff | MergeReason::AntiEntropy => false,
        },
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
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::Collect(_)
        | Message::Collected(_)
        | Message::Gossip(_) => false,
    }
}
