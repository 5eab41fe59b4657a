//! What belongs to what: answers to the key that was asked for, frames to the call of a client.
//!
//! An answer names a call and no key, a coordinator's call names no client. So the log remembers
//! which call of whom was about which key, and, where one call of a client is followed, which
//! requests, coordinators' calls and dots came of it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::causality::{Dot, Payload, Record, RecordOp};
use quorate_core::ids::{Key, RequestId};
use quorate_core::machine::{Event, Ticket};
use quorate_core::message::{CallId, Comparison, Message};

use crate::network::End;
use crate::observation::{
    Applied, Asked, CallEnded, CallStarted, Caller, CallerGone, CallerThawed, Cancelled, Delivered,
    Destroyed, Observation, Removed, Sent, Synced, Told, key_in,
};
use crate::recent::Recent;

/// Calls that are remembered.
const REMEMBERED: usize = 16_384;

/// Who gave a call its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Client(usize),
    Hand(u64),
    Node(usize),
    /// The repairs that one node sends another; they have no numbers.
    Repair(usize, usize),
}

/// What the log remembers.
#[derive(Debug)]
pub(crate) struct Ties {
    keys: Recent<(Owner, CallId), Option<Key>>,
    /// What people see in place of a number that begins anywhere.
    numbers: Recent<(usize, CallId), u64>,
    /// The last of them, by node.
    last: BTreeMap<usize, u64>,
    /// Whose requests are named so.
    writers: BTreeMap<u64, usize>,
    followed: Option<Followed>,
}

/// A call of a client, and what came of it.
#[derive(Debug)]
struct Followed {
    client: usize,
    call: CallId,
    key: Option<Key>,
    request: Option<RequestId>,
    /// A delete without a context: its tombstone carries no request id.
    deletes_blindly: bool,
    /// Calls of nodes that serve it.
    calls: BTreeSet<(usize, CallId)>,
    dots: BTreeSet<Dot>,
    /// The node that is handling an input which belongs to it.
    step: Option<usize>,
    /// The node that asked its storage in such a step last, and what it asked.
    waits_for: Option<(usize, Ticket)>,
}

impl Ties {
    pub(crate) fn new(call: Option<(usize, u64)>) -> Ties {
        let followed = call.map(|(client, number)| Followed {
            client,
            call: CallId(number),
            key: None,
            request: None,
            deletes_blindly: false,
            calls: BTreeSet::new(),
            dots: BTreeSet::new(),
            step: None,
            waits_for: None,
        });
        Ties {
            keys: Recent::new(REMEMBERED),
            numbers: Recent::new(REMEMBERED),
            last: BTreeMap::new(),
            writers: BTreeMap::new(),
            followed,
        }
    }

    /// The key of a call.
    pub(super) fn key(&self, owner: Owner, call: CallId) -> Option<&Key> {
        self.keys.get(&(owner, call))?.as_ref()
    }

    /// What people call the call of a node; 0: one that was forgotten.
    pub(super) fn number(&self, node: usize, call: CallId) -> u64 {
        self.numbers.get(&(node, call)).copied().unwrap_or(0)
    }

    /// The client whose requests are named `client`.
    pub(super) fn writer(&self, client: u64) -> Option<usize> {
        self.writers.get(&client).copied()
    }

    /// Remembers what an observation ties together.
    pub(crate) fn learn(&mut self, seen: &Observation<'_>) {
        if let Observation::CallStarted(CallStarted { caller, call, key, .. }) = *seen {
            self.keys.insert((Owner::of(caller), call), Some(key.clone()));
        } else if let Observation::Sent(sent) = *seen {
            self.learn_frame(sent);
        }
    }

    fn learn_frame(&mut self, Sent { from, to, message }: Sent<'_>) {
        if let (End::Client(client, _), Message::Put(put)) = (from, message) {
            self.writers.insert(put.request.client, client);
        }
        let Some(key) = key_in(message) else { return };
        let Some((owner, call)) = owner(from, to, message) else { return };
        if let Owner::Node(node) = owner
            && !self.numbers.contains(&(node, call))
        {
            let last = self.last.entry(node).or_default();
            *last += 1;
            self.numbers.insert((node, call), *last);
        }
        self.keys.insert((owner, call), Some(key.clone()));
    }

    /// Whether something belongs to the call that is followed, if one is; remembers what this ties
    /// to it.
    pub(super) fn follow(&mut self, seen: &Observation<'_>) -> bool {
        let Some(followed) = &mut self.followed else { return true };
        match *seen {
            Observation::CallStarted(CallStarted { caller, call, key, asked, .. }) => {
                let is = followed.is(caller, call);
                if is {
                    followed.key = Some(key.clone());
                    followed.deletes_blindly = match asked {
                        Asked::Delete { context } => context.is_empty(),
                        Asked::Get | Asked::Session { .. } | Asked::Put { .. } => false,
                    };
                }
                is
            }
            Observation::CallEnded(CallEnded { caller, call, .. }) => followed.is(caller, call),
            Observation::Cancelled(Cancelled { client, call }) => {
                followed.is(Caller::Client(client), call)
            }
            Observation::CallerGone(CallerGone { client })
            | Observation::CallerThawed(CallerThawed { client, .. }) => client == followed.client,
            Observation::Sent(Sent { from, to, message }) => {
                followed.frame(from, to, message, true)
            }
            Observation::Delivered(Delivered { from, to, message, .. }) => {
                let is = followed.frame(from, to, message, false);
                followed.step = match to {
                    End::Node(node) if is => Some(node),
                    End::Node(_) | End::Client(..) => None,
                };
                is
            }
            Observation::Handed(_) => {
                followed.step = None;
                false
            }
            Observation::Applied(Applied { key, op, applied, record, .. }) => {
                followed.applied(key, op, applied.and_then(|applied| applied.dot), record)
            }
            Observation::Synced(Synced { record, .. }) => followed.is_in(record),
            Observation::Removed(Removed { record, .. }) => followed.is_in(record),
            Observation::Destroyed(Destroyed { before, .. }) => followed.is_in(before),
            Observation::Told(Told { node, event }) => match event.key() {
                Some(key) => followed.key.as_ref() == Some(key),
                None if matches!(event, Event::PassedOn { .. } | Event::Overloaded { .. }) => {
                    followed.step == Some(node)
                }
                None => matches!(event, Event::StorageFailed(_)),
            },
            Observation::Crashed(_)
            | Observation::Stopped(_)
            | Observation::Started(_)
            | Observation::Replaced(_)
            | Observation::Resumed(_) => true,
            Observation::Closed(_) | Observation::Stepped(_) => false,
        }
    }

    /// Whether the call that is followed began; if none is, whatever there is has.
    pub(super) fn has_begun(&self) -> bool {
        self.followed.as_ref().is_none_or(|followed| followed.key.is_some())
    }

    /// What comes next has nothing to do with the last input.
    /// A node learns what its storage answers: what it does then may go on with what is followed.
    pub(super) fn learned(&mut self, node: usize, ticket: Ticket) {
        if let Some(followed) = &mut self.followed
            && followed.waits_for.take_if(|waits_for| *waits_for == (node, ticket)).is_some()
        {
            followed.step = Some(node);
        }
    }

    pub(super) fn on_stepped(&mut self) {
        if let Some(followed) = &mut self.followed {
            followed.step = None;
        }
    }

    /// Whether a frame belongs to the call that is followed, if one is.
    pub(super) fn follows_frame(&mut self, from: End, to: End, message: &Message) -> bool {
        self.followed.as_mut().is_none_or(|followed| followed.frame(from, to, message, false))
    }

    /// Whether what a storage answers belongs to the call that is followed, if one is.
    pub(super) fn follows_answer(&mut self, node: usize, ticket: Ticket) -> bool {
        let Some(followed) = &mut self.followed else { return true };
        let is = followed.step == Some(node);
        if is {
            followed.waits_for = Some((node, ticket));
        }
        is
    }

    /// Whether what happens to a client belongs to the call that is followed, if one is.
    pub(super) fn follows_client(&self, client: usize) -> bool {
        self.followed.as_ref().is_none_or(|followed| followed.client == client)
    }
}

impl Followed {
    fn is(&self, caller: Caller, call: CallId) -> bool {
        caller == Caller::Client(self.client) && call == self.call
    }

    /// Whether a record carries, as a sibling, what the call wrote.
    fn is_in(&self, record: &Record) -> bool {
        !self.dots.is_empty() && record.siblings().any(|(dot, _)| self.dots.contains(&dot))
    }

    fn applied(&mut self, key: &Key, op: &RecordOp, dot: Option<Dot>, record: &Record) -> bool {
        let RecordOp::Write(write) = op else { return self.is_in(record) };
        let unnamed = write.request == RequestId::default()
            && write.payload == Payload::Tombstone
            && self.deletes_blindly
            && !self.calls.is_empty()
            && self.key.as_ref() == Some(key);
        let is = unnamed || Some(write.request) == self.request;
        if is {
            self.dots.extend(dot);
        }
        is || self.is_in(record)
    }

    fn frame(&mut self, from: End, to: End, message: &Message, sent: bool) -> bool {
        let Some((owner, call)) = owner(from, to, message) else { return false };
        let known = match owner {
            Owner::Client(client) => client == self.client && call == self.call,
            Owner::Node(node) => self.calls.contains(&(node, call)),
            Owner::Hand(_) | Owner::Repair(..) => false,
        };
        let in_step = sent && self.step.is_some_and(|node| from.is_node(node));
        let is = match message {
            Message::Put(put) => {
                if known {
                    self.request = Some(put.request);
                }
                known || Some(put.request) == self.request
            }
            Message::Get(_) | Message::ReplicaRead(_) => known || in_step,
            Message::ReplicaMerge(merge) => known || self.is_in(&merge.record),
            Message::Compared(compared) => match &compared.answer {
                Comparison::Records { records, .. } => {
                    records.iter().any(|(_, record)| self.is_in(record))
                }
                Comparison::NotNow | Comparison::Branches { .. } | Comparison::States { .. } => {
                    false
                }
            },
            Message::Reply(_) | Message::ReplicaRecord(_) | Message::ReplicaMerged(_) => known,
            Message::Hello(_)
            | Message::Welcome(_)
            | Message::Reject(_)
            | Message::Unsupported(_)
            | Message::Compare(_)
            | Message::StatusRequest(_)
            | Message::StatusReply(_)
            | Message::RepairRequest(_)
            | Message::RepairReply(_)
            | Message::LayoutRequest(_)
            | Message::LayoutReply(_)
            | Message::Collect(_)
            | Message::Collected(_)
            | Message::Gossip(_) => false,
        };
        if let (true, Owner::Node(node)) = (is, owner) {
            self.calls.insert((node, call));
        }
        is
    }
}

impl Owner {
    pub(super) fn of(caller: Caller) -> Owner {
        match caller {
            Caller::Client(client) => Owner::Client(client),
            Caller::Hand(hand) => Owner::Hand(hand),
        }
    }

    fn at(end: End) -> Owner {
        match end {
            End::Node(node) => Owner::Node(node),
            End::Client(client, _) => Owner::Client(client),
        }
    }
}

/// The call that a frame is about, and who gave it its number.
pub(crate) fn owner(from: End, to: End, message: &Message) -> Option<(Owner, CallId)> {
    let (asker, other, call) = match message {
        Message::Get(get) => (from, to, get.head.call),
        Message::Put(put) => (from, to, put.head.call),
        Message::ReplicaRead(read) => (from, to, read.call),
        Message::ReplicaMerge(merge) => (from, to, merge.call),
        Message::Compare(compare) => (from, to, compare.call),
        Message::StatusRequest(request) => (from, to, request.call),
        Message::RepairRequest(request) => (from, to, request.call),
        Message::Reply(reply) => (to, from, reply.call),
        Message::ReplicaRecord(answer) => (to, from, answer.call),
        Message::ReplicaMerged(answer) => (to, from, answer.call),
        Message::Compared(compared) => (to, from, compared.call),
        Message::StatusReply(status) => (to, from, status.call),
        Message::RepairReply(reply) => (to, from, reply.call),
        Message::LayoutRequest(request) => (from, to, request.call),
        Message::LayoutReply(reply) => (to, from, reply.call),
        Message::Collect(collect) => (from, to, collect.call),
        Message::Collected(collected) => (to, from, collected.call),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Gossip(_) => return None,
    };
    Some(match (asker, other, call) {
        (End::Node(asker), End::Node(other), CallId(0)) => (Owner::Repair(asker, other), call),
        (asker, _, call) => (Owner::at(asker), call),
    })
}
