//! The record that an observation carries, and whether it is worth a look.

use std::sync::Arc;

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::message::Message;

use super::Facts;
use crate::network::End;
use crate::observation::Observation;

/// Who stores the record that an observation brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Familiar {
    /// Whoever sends it, or stores it anew.
    Own,
    /// Another node.
    Other,
    /// Nobody, or there is no record.
    Nobody,
}

/// A record in a store or on its way.
#[derive(Clone, Copy)]
pub(crate) struct Carried<'a> {
    pub(crate) key: &'a Key,
    pub(crate) record: &'a Record,
    /// The node that stored or sent it.
    pub(crate) node: usize,
    /// Whether it is stored.
    pub(crate) stored: bool,
}

impl Facts {
    /// The record that an observation brings, unless it is empty, or a node stores it: then it was
    /// looked at when that node stored it.
    ///
    /// This is for properties of a record by itself that, where they hold once, hold for good:
    /// what was written, shown and truncated only grows.
    pub(crate) fn carried<'a>(&'a self, seen: &Observation<'a>) -> Option<Carried<'a>> {
        match self.familiar {
            Familiar::Own | Familiar::Other => None,
            Familiar::Nobody => self.record_of(seen),
        }
    }

    /// Whether the record that was observed last is sent as it is stored.
    pub(crate) fn is_sent_as_stored(&self) -> bool {
        self.familiar == Familiar::Own
    }

    /// Who stores a record, or stored it right before it was stored anew.
    pub(super) fn familiarity(&self, carried: Option<Carried<'_>>) -> Familiar {
        let Some(Carried { key, record, node, stored }) = carried else { return Familiar::Nobody };
        let Some(facts) = self.key(key) else { return Familiar::Nobody };
        let own = if stored { &self.before } else { &facts.memory[node] };
        if stored && Arc::ptr_eq(own, &facts.memory[node]) || own.record() == record {
            return Familiar::Own;
        }
        let mut others = facts.memory.iter().enumerate().filter(|(other, _)| *other != node);
        if others.any(|(_, held)| held.record() == record) {
            Familiar::Other
        } else {
            Familiar::Nobody
        }
    }

    pub(super) fn record_of<'a>(&'a self, seen: &Observation<'a>) -> Option<Carried<'a>> {
        let carried = match *seen {
            Observation::Applied { node, key, record, .. } => {
                Carried { key, record, node, stored: true }
            }
            Observation::Sent {
                from: End::Node(node),
                message: Message::ReplicaMerge(merge),
                ..
            } => Carried { key: &merge.key, record: &merge.record, node, stored: false },
            Observation::Sent {
                from: End::Node(node),
                to: End::Node(to),
                message: Message::ReplicaRecord(answer),
            } => {
                let key = self.reads.get(&(to, answer.call))?;
                Carried { key, record: answer.record.as_ref()?, node, stored: false }
            }
            Observation::CallStarted { .. }
            | Observation::CallEnded { .. }
            | Observation::Cancelled { .. }
            | Observation::CallerGone { .. }
            | Observation::Closed { .. }
            | Observation::CallerThawed { .. }
            | Observation::Sent { .. }
            | Observation::Delivered { .. }
            | Observation::Handed { .. }
            | Observation::Synced { .. }
            | Observation::Crashed { .. }
            | Observation::Started { .. }
            | Observation::Resumed { .. }
            | Observation::Destroyed { .. }
            | Observation::Told { .. }
            | Observation::Stepped { .. } => return None,
        };
        (!carried.record.is_empty()).then_some(carried)
    }
}
