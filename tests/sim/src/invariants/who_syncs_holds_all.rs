//! A node that says that it has synced to a layout holds what was acknowledged before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_core::causality::Dot;
use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{LayoutId, LayoutSpan, LayoutUpdate, MergeReason, Message, Receipt};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Ending, Replaced, Sent, Started, Stepped};
use crate::oracle::{How, Op};

pub(crate) const PROPERTY: Property = Property {
    name: "who-syncs-holds-all",
    definition: "A node that says that it has synced to a layout holds synced, of the keys of \
                 which that makes it a primary anew, each write that one of its members acknowledged \
                 which knew no layout so new when it applied the write, and that a primary of each \
                 layout that it knew held then; also if that was acknowledged later. And an \
                 acknowledged strict write is on the disks of W primaries of the newest layout that its coordinator knew. Excused: copies that a fault \
                 destroyed, what truncation dropped or collection removed, and writes that were \
                 tried more than once; and where a fault took what a coordinator knew of \
                 layouts, writes that have W primaries of that one all the same, and those of \
                 which its own word is enough, W being 1.",
    source: "DESIGN.md §9 (the history rule)",
};

#[derive(Default)]
pub(crate) struct WhoSyncsHoldsAll {
    known: BTreeMap<LayoutId, Arc<LayoutUpdate>>,
    /// What each node holds to be in force.
    spans: BTreeMap<usize, LayoutSpan>,
    /// The layouts that the coordinator of each write knew.
    written: BTreeMap<Dot, Known>,
    /// The last write that each node applied of each key.
    last: BTreeMap<(usize, Key), Dot>,
    acknowledged: Vec<(Key, Dot)>,
    /// W of each of them.
    needed: BTreeMap<Dot, u8>,
    /// Those whose disks faults replaced.
    forgetful: BTreeSet<usize>,
    /// Who has said that it has synced to which layouts.
    synced: BTreeSet<(usize, LayoutId)>,
    /// The same, in their present lives.
    said: BTreeSet<(usize, LayoutId)>,
}

struct Known {
    by: NodeId,
    /// The oldest one in force and the newest, when it was applied.
    oldest: LayoutVersion,
    newest: LayoutVersion,
    /// The newest one when it was sent to others.
    sent: Option<LayoutVersion>,
}

impl Invariant for WhoSyncsHoldsAll {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.said.retain(|(of, _)| *of != node);
        Ok(())
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, .. }: Replaced) -> Verdict {
        self.forgetful.insert(node);
        Ok(())
    }

    fn on_applied(
        &mut self,
        scene: Scene<'_>,
        applied: crate::observation::Applied<'_>,
    ) -> Verdict {
        if let Some(minted) = scene.facts.minted() {
            let LayoutSpan { oldest, head, .. } =
                self.spans.get(&applied.node).copied().unwrap_or_default();
            let by = minted.dot.actor.node;
            let known = Known { by, oldest, newest: head.version, sent: None };
            self.written.entry(minted.dot).or_insert(known);
            self.last.insert((applied.node, applied.key.clone()), minted.dot);
        }
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, message, .. }: Sent<'_>) -> Verdict {
        let End::Node(node) = from else { return Ok(()) };
        if let Message::ReplicaMerge(merge) = message
            && merge.reason == MergeReason::Write
            && scene.facts.has_changed()
        {
            // Others that are in the record were sent before, if at all.
            let last = self.last.get(&(node, merge.key.clone()));
            if let Some(dot) = last.filter(|dot| merge.record.context().covers(**dot))
                && let Some(known) = self.written.get_mut(dot)
            {
                known.sent.get_or_insert(merge.layout_version);
            }
        }
        let Message::Gossip(gossip) = message else { return Ok(()) };
        let mut own = gossip.marks.iter();
        let own = own.find(|told| scene.facts.index(told.node) == Some(node));
        let Some(told) = own.filter(|told| told.marks.sync == told.head.version) else {
            return Ok(());
        };
        if !self.said.insert((node, told.head)) {
            return Ok(());
        }
        self.synced.insert((node, told.head));
        let mut writes = self.acknowledged.iter();
        writes.try_for_each(|(key, dot)| self.check(scene, (node, told.head), key, *dot))
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Written { dot: Some(dot), .. }, _)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        let Some(known) = self.written.get(dot) else { return Ok(()) };
        let is_once = receipt_of_one_try(ended.ending)
            .is_some_and(|receipt| receipt.coordinator == known.by && !op.again);
        if !is_once || !self.is_at_home(scene, &op.key, known, *dot) {
            return Ok(());
        }
        self.acknowledged.push((op.key.clone(), *dot));
        self.needed.insert(*dot, op.w);
        if !scene.facts.has_changed() {
            return Ok(());
        }
        let mut synced = self.synced.iter();
        synced.try_for_each(|said| self.check(scene, *said, &op.key, *dot))?;
        self.check_newest(scene, op, known, *dot)
    }

    fn on_stepped(&mut self, _: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        let span = view.layouts();
        let head = span.head;
        if self.spans.insert(node, span) != Some(span)
            && let Some(newest) = view.newest_layout()
        {
            self.known.entry(head).or_insert_with(|| newest.clone());
        }
        Ok(())
    }
}

impl WhoSyncsHoldsAll {
    /// Whether a primary of each layout that was in force at its coordinator holds a write, and not
    /// only somebody in its place.
    fn is_at_home(&self, scene: Scene<'_>, key: &Key, known: &Known, dot: Dot) -> bool {
        let Some(facts) = scene.facts.key(key) else { return false };
        let in_force = known.oldest..=known.newest;
        let layouts = self.known.iter().filter(|(id, _)| in_force.contains(&id.version));
        let layouts: Vec<(&LayoutId, &Arc<LayoutUpdate>)> = layouts.collect();
        let holds = |home: &usize| facts.held_durably(key, scene.disks, *home, dot);
        let is_held_by =
            |(_, update): &(_, &Arc<LayoutUpdate>)| homes(scene, update, key).iter().any(holds);
        let mut versions = layouts.chunk_by(|(one, _), (next, _)| one.version == next.version);
        !layouts.is_empty() && versions.all(|rivals| rivals.iter().any(is_held_by))
    }

    /// A node that has synced to a layout holds an acknowledged write from before it.
    fn check(
        &self,
        scene: Scene<'_>,
        (node, head): (usize, LayoutId),
        key: &Key,
        dot: Dot,
    ) -> Verdict {
        let (Some(update), Some(known), Some(facts)) =
            (self.known.get(&head), self.written.get(&dot), scene.facts.key(key))
        else {
            return Ok(());
        };
        let is_primary = |update: &LayoutUpdate| homes(scene, update, key).contains(&node);
        let is_older = known.newest < head.version && update.layout.member(known.by).is_some();
        // Who was to take the write itself is one of those of whom W are enough.
        let in_force = known.oldest..=known.newest;
        let mut former = self.known.iter().filter(|(id, _)| in_force.contains(&id.version));
        let is_new = is_primary(update) && !former.any(|(_, former)| is_primary(former));
        let is_excused = facts.destroyed.contains_key(&dot)
            || scene.disks[node].has_damage()
            || facts.held_durably(key, scene.disks, node, dot);
        if !is_older || !is_new || is_excused {
            return Ok(());
        }
        let by = scene.facts.index(known.by);
        if by.is_some_and(|by| self.forgetful.contains(&by)) {
            let holds = |home: &&usize| facts.held_durably(key, scene.disks, **home, dot);
            let needed = usize::from(self.needed.get(&dot).copied().unwrap_or(1));
            if needed == 1 || homes(scene, update, key).iter().filter(holds).count() >= needed {
                return Ok(());
            }
        }
        let text = format!(
            "n{node} has said that it has synced to {}, but lacks {}, which was acknowledged by \
             {} when that one knew {}",
            head.version,
            scene.facts.name(dot),
            known.by,
            known.newest,
        );
        Err(Violation::new(text).at(node).of(key))
    }

    /// A strict write is with W primaries of the newest layout that its coordinator wrote to.
    fn check_newest(&self, scene: Scene<'_>, op: &Op, known: &Known, dot: Dot) -> Verdict {
        let update = self.known.iter().rfind(|(id, _)| Some(id.version) == known.sent);
        let (Some((id, update)), true) = (update, op.strict) else { return Ok(()) };
        let is_single = self.known.keys().filter(|other| other.version == id.version).count() == 1;
        let Some(facts) = scene.facts.key(&op.key).filter(|_| is_single) else { return Ok(()) };
        let primaries = homes(scene, update, &op.key);
        let holds = |node: &&usize| facts.held_durably(&op.key, scene.disks, **node, dot);
        let count = primaries.iter().filter(holds).count();
        if count >= usize::from(op.w).min(primaries.len()) {
            return Ok(());
        }
        let text = format!(
            "{op} was acknowledged as {} by {} with {} of {primaries:?}, the primaries of layout \
             {}, to which it writes",
            scene.facts.name(dot),
            known.by,
            count,
            id.version,
        );
        Err(Violation::new(text).of(&op.key))
    }
}

/// The primaries of a key by a layout.
fn homes(scene: Scene<'_>, LayoutUpdate { layout, .. }: &LayoutUpdate, key: &Key) -> Vec<usize> {
    let primaries = layout.primaries(layout.slot_of(key.as_bytes())).iter();
    primaries.filter_map(|id| scene.facts.index(*id)).collect()
}

fn receipt_of_one_try<'a>(ending: Ending<'a>) -> Option<&'a Receipt> {
    match ending {
        Ending::Client(Ok(done)) => done.receipt.as_ref().filter(|_| done.attempts == 1),
        Ending::Client(Err(_)) => None,
        Ending::Hand(reply) => reply.receipt.as_ref(),
    }
}
