//! Nobody acknowledges a copy of what moved away.

use std::collections::BTreeSet;

use quorate_core::message::{CallId, Message, ReplicaMerged};

use crate::invariants::{Invariant, Property, REPAIR, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Delivered, Sent, Started};

pub(crate) const PROPERTY: Property = Property {
    name: "takes-what-is-its-own",
    definition: "A node that is asked to merge a record into its own copy of a key, of which it is a \
                 primary in no layout that it holds to be in force, does not acknowledge that, \
                 unless who asks knows of a newer layout.",
    source: "DESIGN.md §9 (the history rule)",
};

#[derive(Default)]
pub(crate) struct TakesWhatIsItsOwn {
    /// What is to be refused: by whom, to whom, which call.
    foreign: BTreeSet<(usize, usize, CallId)>,
    /// What may be acknowledged: a frame that comes again does not change that.
    own: BTreeSet<(usize, usize, CallId)>,
}

impl Invariant for TakesWhatIsItsOwn {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.foreign.retain(|(at, _, _)| *at != node);
        self.own.retain(|(at, _, _)| *at != node);
        Ok(())
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        let Delivered { from: End::Node(from), to: End::Node(node), message, .. } = delivered
        else {
            return Ok(());
        };
        let Message::ReplicaMerge(merge) = message else { return Ok(()) };
        if merge.call == REPAIR || !scene.facts.has_changed() {
            return Ok(());
        }
        let own = scene.facts.id(node);
        let is_own = merge.hint_for.is_none_or(|target| target == own);
        let span = scene.facts.spans().get(&node);
        let is_newer = span.is_none_or(|span| merge.layout_version > span.head.version);
        let asked = (node, from, merge.call);
        if !is_own || is_newer || scene.facts.is_home(node, &merge.key) {
            self.foreign.remove(&asked);
            self.own.insert(asked);
        } else if !self.own.contains(&asked) {
            self.foreign.insert(asked);
        }
        Ok(())
    }

    fn on_sent(&mut self, _: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(from), to: End::Node(to), message } = sent else {
            return Ok(());
        };
        let Message::ReplicaMerged(ReplicaMerged { call, durable }) = message else {
            return Ok(());
        };
        if self.foreign.remove(&(from, to, *call)) && *durable {
            let text = format!("n{from} acknowledges to n{to} a copy of what moved away");
            return Err(Violation::new(text).at(from));
        }
        Ok(())
    }
}
