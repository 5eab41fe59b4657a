//! The record that an observation carries, and whether it is worth a look.

use std::sync::Arc;

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;
use quorate_core::message::{Message, ReplicaState};

use super::{Facts, Task};
use crate::network::End;
use crate::observation::{Applied, Observation, Sent};

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
    /// Which of its copies, where it is stored.
    pub(crate) copy: HeldAs,
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
        let Some(Carried { key, record, node, copy, stored }) = carried else {
            return Familiar::Nobody;
        };
        let Some(facts) = self.key(key) else { return Familiar::Nobody };
        if stored {
            let now = facts.copy(node, copy);
            let same = now.is_some_and(|now| Arc::ptr_eq(&self.before, now));
            if same || self.before.record() == record {
                return Familiar::Own;
            }
        } else if facts.copies_at(node).any(|held| held.record() == record) {
            return Familiar::Own;
        }
        let nodes = 0..facts.memory.len();
        let mut others = nodes.filter(|other| *other != node).flat_map(|at| facts.copies_at(at));
        if others.any(|held| held.record() == record) { Familiar::Other } else { Familiar::Nobody }
    }

    pub(super) fn record_of<'a>(&'a self, seen: &Observation<'a>) -> Option<Carried<'a>> {
        let carried = if let Observation::Applied(Applied { node, copy, key, record, .. }) = *seen {
            Some(Carried { key, record, node, copy, stored: true })
        } else if let Observation::Sent(sent) = *seen {
            self.record_in(sent)
        } else {
            None
        };
        carried.filter(|carried| !carried.record.is_empty())
    }

    /// The record in a frame of a node.
    fn record_in<'a>(&'a self, Sent { from, to, message }: Sent<'a>) -> Option<Carried<'a>> {
        let End::Node(node) = from else { return None };
        let (key, record) = if let Message::ReplicaMerge(merge) = message {
            (&merge.key, &merge.record)
        } else if let (Message::ReplicaRecord(answer), End::Node(to)) = (message, to) {
            let Task::Read { key, .. } = self.task(node, to, answer.call)? else { return None };
            let ReplicaState::Record(record) = &answer.state else { return None };
            (key, record)
        } else {
            return None;
        };
        Some(Carried { key, record, node, copy: HeldAs::Own, stored: false })
    }
}
