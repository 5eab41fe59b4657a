//! Which layouts were in force, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::layout::{Layout, LayoutVersion};
use quorate_core::machine::HeldAs;
use quorate_core::message::{LayoutId, LayoutSpan, LayoutUpdate};
use quorate_core::node::NodeView;
use quorate_core::time::Instant;

use super::Facts;
use super::in_force::Stretch;
use crate::disk::Disk;
use crate::observation::Removed;
use crate::oracle::{Moment, unknown_to};

/// All layouts that were ever in force, and those that each node holds to be in force.
#[derive(Default)]
pub(super) struct Layouts {
    known: BTreeMap<LayoutId, Arc<LayoutUpdate>>,
    /// By node. That of a node which is down is what it knew last.
    spans: BTreeMap<usize, LayoutSpan>,
    /// The same, layout by layout.
    live: BTreeMap<usize, Vec<LayoutId>>,
    /// All that each node ever held to be in force, in the order of time.
    stretches: BTreeMap<usize, Vec<Stretch>>,
    /// The number of the last observation before the step that is under way, or was last.
    pub(super) step: u64,
}

impl Layouts {
    /// What a node ever held to be in force, in the order of time.
    pub(super) fn stretches(&self, node: usize) -> &[Stretch] {
        self.stretches.get(&node).map_or(&[], Vec::as_slice)
    }

    fn turn(&mut self, node: usize, now: (u64, Instant), span: LayoutSpan, live: Vec<LayoutId>) {
        let stretches = self.stretches.entry(node).or_default();
        if let Some(last) = stretches.last_mut() {
            last.ended = Some(now);
        }
        stretches.push(Stretch { span, live: live.clone(), ended: None });
        self.spans.insert(node, span);
        self.live.insert(node, live);
    }
}

impl Facts {
    /// Whether the layout has changed, or was about to.
    pub(crate) fn has_changed(&self) -> bool {
        self.layouts.known.len() > 1
    }

    /// What each node holds to be in force, or did when it was up.
    pub(crate) fn spans(&self) -> &BTreeMap<usize, LayoutSpan> {
        &self.layouts.spans
    }

    /// The primaries of a key by the layout that reads go by.
    pub(crate) fn homes(&self, key: &Key) -> Vec<usize> {
        let spans = || self.layouts.spans.iter();
        let read = spans().map(|(_, span)| span.read).max().unwrap_or_default();
        // Of two of one number that counts by which somebody reads.
        let mut readers = spans().filter(|(_, span)| span.read == read);
        let id = readers.find_map(|(node, _)| {
            self.layouts.live.get(node)?.iter().find(|id| id.version == read)
        });
        id.and_then(|id| self.primaries_in(*id, key)).unwrap_or_else(|| {
            self.key(key).map(|facts| facts.primaries.clone()).unwrap_or_default()
        })
    }

    /// The primaries of a key by each layout that any node holds to be in force.
    pub(crate) fn lists(&self, key: &Key) -> Vec<Vec<usize>> {
        if !self.has_changed() {
            return self.key(key).map(|facts| facts.primaries.clone()).into_iter().collect();
        }
        let spans = || self.layouts.spans.values();
        let oldest = spans().map(|span| span.oldest).min().unwrap_or_default();
        let newest = spans().map(|span| span.head.version).max().unwrap_or_default();
        let ids = self.layouts.known.keys();
        let ids = ids.filter(|id| (oldest..=newest).contains(&id.version));
        ids.filter_map(|id| self.primaries_in(*id, key)).collect()
    }

    /// The primaries of a key by the newest layout that a node knows.
    pub(crate) fn new_homes(&self, node: usize, key: &Key) -> Option<Vec<usize>> {
        let head = self.layouts.spans.get(&node)?.head;
        self.has_changed().then(|| self.primaries_in(head, key))?
    }

    /// Whether a node is a primary of a key by any layout that it holds to be in force.
    pub(crate) fn is_home(&self, node: usize, key: &Key) -> bool {
        let Some(live) = self.layouts.live.get(&node) else { return true };
        live.iter().any(|id| self.primaries_in(*id, key).is_none_or(|list| list.contains(&node)))
    }

    /// Whether a node may have removed a key for no other reason than that it moved away: it is a
    /// primary of it in no layout that it holds to be in force.
    pub(crate) fn may_move_away(&self, node: usize, key: &Key) -> bool {
        self.has_changed() && !self.is_home(node, key)
    }

    /// Whether a node is no member of the newest layout that `by` knows: what it has is given up.
    pub(crate) fn is_given_up(&self, by: usize, node: usize) -> bool {
        self.newest(by).is_some_and(|layout| layout.member(self.nodes[node]).is_none())
    }

    /// Whether a node that was removed keeps the slot of a key for good: a primary lacks something
    /// that lies there, which nobody takes from it.
    pub(crate) fn keeps_slot_of(&self, disks: &[Disk], node: usize, key: &Key) -> bool {
        let newest = self.newest(node).filter(|_| self.is_given_up(node, node));
        let Some(layout) = newest else { return false };
        let slot = layout.slot_of(key.as_bytes());
        let mut keys = disks[node].keys().filter(|key| layout.slot_of(key.as_bytes()) == slot);
        keys.any(|key| {
            let Some(kept) = disks[node].memory(key).map(Record::context) else { return false };
            let lacks = |home: usize| match disks[home].memory(key) {
                Some(held) => !unknown_to(held, &kept).is_empty(),
                None => kept.iter().next().is_some(),
            };
            layout.primaries(slot).iter().filter_map(|id| self.index(*id)).any(lacks)
        })
    }

    /// The newest layout that a node knows.
    fn newest(&self, node: usize) -> Option<&Layout> {
        let head = self.layouts.spans.get(&node)?.head;
        self.layouts.known.get(&head).map(|update| &update.layout)
    }

    /// A node has handled an input; what it wants done is still to be done.
    pub(crate) fn on_layouts(&mut self, now: Instant, node: usize, view: NodeView<'_>) {
        self.layouts.step = self.number;
        let span = view.layouts();
        if span.head.version == LayoutVersion(0) || self.layouts.spans.get(&node) == Some(&span) {
            return;
        }
        if let Some(history) = view.history() {
            self.learn((now, node), span, history.live());
        }
    }

    /// A node holds other layouts to be in force, or reads by another one.
    pub(crate) fn learn(
        &mut self,
        (now, node): (Instant, usize),
        span: LayoutSpan,
        live: &[Arc<LayoutUpdate>],
    ) {
        let live = live.iter().map(|update| (LayoutId::of(update), update.clone()));
        let live: Vec<(LayoutId, Arc<LayoutUpdate>)> = live.collect();
        let ids = live.iter().map(|(id, _)| *id).collect();
        self.layouts.turn(node, (self.number, now), span, ids);
        let count = self.layouts.known.len();
        self.layouts.known.extend(live);
        if self.layouts.known.len() == count {
            return;
        }
        for key in self.keys.keys().cloned().collect::<Vec<_>>() {
            let primaries = self.all_primaries(&key);
            if let Some(facts) = self.keys.get_mut(&key) {
                let new = primaries.into_iter().filter(|node| !facts.primaries.contains(node));
                facts.primaries.extend(new.collect::<Vec<_>>());
            }
        }
    }

    /// Those who were ever primaries of a key, those of the oldest layout first.
    pub(super) fn all_primaries(&self, key: &Key) -> Vec<usize> {
        let mut all = Vec::new();
        for id in self.layouts.known.keys() {
            let primaries = self.primaries_in(*id, key).unwrap_or_default();
            let new: Vec<usize> =
                primaries.into_iter().filter(|node| !all.contains(node)).collect();
            all.extend(new);
        }
        all
    }

    /// A copy was removed: collected, handed over, or it moved away.
    pub(super) fn on_removed(&mut self, moment: Moment<'_>, removed: Removed<'_>) {
        let Removed { node, copy, key, record } = removed;
        let home = match copy {
            HeldAs::Own => None,
            HeldAs::Hint { target } => self.index(target),
        };
        // What moved away is removed there, and held by others.
        let is_kept = self.may_move_away(node, key);
        let lists = match home {
            Some(_) => self.takers_of_hints(moment.layout, (node, key), moment.now),
            None => Vec::new(),
        };
        let facts = self.key_mut(moment, key);
        facts.set_copy(node, copy, None);
        match (copy, home) {
            (HeldAs::Own, _) if is_kept => facts.move_away(node, record),
            (HeldAs::Own, _) => facts.collect(record),
            (HeldAs::Hint { .. }, Some(home)) => {
                facts.hand_over((node, home), (key, record), &lists, moment.disks);
            }
            (HeldAs::Hint { .. }, None) => {}
        }
    }

    /// Whether a node is a member by a layout.
    pub(super) fn is_member_of(&self, id: LayoutId, node: usize) -> bool {
        let known = self.layouts.known.get(&id);
        known.is_some_and(|known| known.layout.member(self.id(node)).is_some())
    }

    pub(super) fn primaries_in(&self, id: LayoutId, key: &Key) -> Option<Vec<usize>> {
        let layout = &self.layouts.known.get(&id)?.layout;
        let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
        Some(ids.filter_map(|id| self.index(*id)).collect())
    }
}
