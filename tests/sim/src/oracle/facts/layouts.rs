//! Which layouts were in force, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::ids::Key;
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::HeldAs;
use quorate_core::message::{LayoutSpan, LayoutUpdate};
use quorate_core::node::NodeView;

use super::Facts;
use crate::observation::Removed;
use crate::oracle::Moment;

/// All layouts that were ever in force, and those that each node holds to be in force.
#[derive(Default)]
pub(super) struct Layouts {
    /// Of two with one version, the one that was met last.
    known: BTreeMap<LayoutVersion, Arc<LayoutUpdate>>,
    /// By node. That of a node which is down is what it knew last.
    spans: BTreeMap<usize, LayoutSpan>,
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
        let read = self.layouts.spans.values().map(|span| span.read).max().unwrap_or_default();
        self.primaries_in(read, key).unwrap_or_else(|| {
            self.key(key).map(|facts| facts.primaries.clone()).unwrap_or_default()
        })
    }

    /// The primaries of a key by each layout that any node holds to be in force.
    pub(crate) fn lists(&self, key: &Key) -> Vec<Vec<usize>> {
        let spans = || self.layouts.spans.values();
        let oldest = spans().map(|span| span.oldest).min().unwrap_or_default();
        let newest = spans().map(|span| span.head.version).max().unwrap_or_default();
        let versions = self.layouts.known.range(oldest..=newest.max(oldest));
        versions.filter_map(|(version, _)| self.primaries_in(*version, key)).collect()
    }

    /// Whether a node may have removed a key for no other reason than that it moved away: by some
    /// layout that is in force somewhere the node is no primary of it.
    pub(crate) fn may_move_away(&self, node: usize, key: &Key) -> bool {
        self.has_changed() && !self.lists(key).iter().all(|list| list.contains(&node))
    }

    /// A node has handled an input.
    pub(super) fn on_layouts(&mut self, node: usize, view: NodeView<'_>) {
        let span = view.layouts();
        if span.head.version == LayoutVersion(0) || self.layouts.spans.get(&node) == Some(&span) {
            return;
        }
        self.layouts.spans.insert(node, span);
        let Some(newest) = view.newest_layout() else { return };
        let known = self.layouts.known.get(&span.head.version);
        if known.is_some_and(|known| known.layout == newest.layout) {
            return;
        }
        self.layouts.known.insert(span.head.version, newest.clone());
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
        for version in self.layouts.known.keys() {
            let primaries = self.primaries_in(*version, key).unwrap_or_default();
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
        let facts = self.key_mut(moment, key);
        facts.set_copy(node, copy, None);
        match (copy, home) {
            (HeldAs::Own, _) if is_kept => {}
            (HeldAs::Own, _) => facts.collect(record),
            (HeldAs::Hint { .. }, Some(home)) => {
                facts.hand_over((node, home), key, record, moment.disks);
            }
            (HeldAs::Hint { .. }, None) => {}
        }
    }

    fn primaries_in(&self, version: LayoutVersion, key: &Key) -> Option<Vec<usize>> {
        let layout = &self.layouts.known.get(&version)?.layout;
        let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
        Some(ids.filter_map(|id| self.index(*id)).collect())
    }
}
