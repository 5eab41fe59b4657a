//! What an engine holds: the node's own copies, and beside them its hints.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::Held;
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::HeldAs;
use quorate_core::ring::{Position, RingArc};

/// The copies of one node, shared where they are equal.
///
/// Invariant: no target without hints is listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Copies {
    own: BTreeMap<Key, Arc<Held>>,
    /// Invariant: the keys of `own`, in the order of the ring.
    ring: BTreeSet<(Position, Key)>,
    hints: BTreeMap<NodeId, BTreeMap<Key, Arc<Held>>>,
}

impl Copies {
    pub(super) fn get(&self, copy: HeldAs, key: &Key) -> Option<&Arc<Held>> {
        match copy {
            HeldAs::Own => self.own.get(key),
            HeldAs::Hint { target } => self.hints.get(&target)?.get(key),
        }
    }

    /// Stores a copy; `None` removes it.
    pub(super) fn set(&mut self, copy: HeldAs, key: Key, held: Option<Arc<Held>>) {
        match (copy, held) {
            (HeldAs::Own, Some(held)) => {
                if self.own.insert(key.clone(), held).is_none() {
                    self.ring.insert(place(key));
                }
            }
            (HeldAs::Own, None) => {
                self.own.remove(&key);
                self.ring.remove(&place(key));
            }
            (HeldAs::Hint { target }, Some(held)) => {
                self.hints.entry(target).or_default().insert(key, held);
            }
            (HeldAs::Hint { target }, None) => {
                let Some(hints) = self.hints.get_mut(&target) else { return };
                hints.remove(&key);
                if hints.is_empty() {
                    self.hints.remove(&target);
                }
            }
        }
    }

    /// The keys of the own copies.
    pub(super) fn own_keys(&self) -> impl Iterator<Item = &Key> {
        self.own.keys()
    }

    /// The own copies in an arc, behind a key, in the order of the ring.
    pub(super) fn own_in(
        &self,
        arc: RingArc,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (&Key, &Held)> {
        let first = (arc.first, Key(Bytes::new()));
        let after = after.map(|key| place(key.clone())).filter(|after| *after >= first);
        let start = after.map_or(Bound::Included(first), Bound::Excluded);
        let behind = self.ring.range((start, Bound::Unbounded));
        let within = behind.take_while(move |(position, _)| *position <= arc.last);
        within.map(|(_, key)| (key, &*self.own[key]))
    }

    /// All hints, by target and key.
    pub(super) fn hints(&self) -> impl Iterator<Item = (NodeId, &Key, &Arc<Held>)> {
        let of = |(target, hints): (&NodeId, _)| (*target, hints);
        self.hints.iter().map(of).flat_map(|(target, hints): (NodeId, &BTreeMap<Key, _>)| {
            hints.iter().map(move |(key, held)| (target, key, held))
        })
    }

    /// The hints for one target, by key.
    pub(super) fn hints_for(&self, target: NodeId) -> impl Iterator<Item = (&Key, &Arc<Held>)> {
        self.hints.get(&target).into_iter().flatten()
    }

    /// The targets whose hints have this key.
    pub(super) fn targets_of<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = NodeId> + 'a {
        let has = |(_, hints): &(&NodeId, &BTreeMap<Key, _>)| hints.contains_key(key);
        self.hints.iter().filter(has).map(|(target, _)| *target)
    }

    /// All copies, the own ones first.
    pub(super) fn into_all(self) -> impl Iterator<Item = (HeldAs, Key, Arc<Held>)> {
        let own = self.own.into_iter().map(|(key, held)| (HeldAs::Own, key, held));
        let hints = self.hints.into_iter().flat_map(|(target, hints)| {
            hints.into_iter().map(move |(key, held)| (HeldAs::Hint { target }, key, held))
        });
        own.chain(hints)
    }
}

fn place(key: Key) -> (Position, Key) {
    (Position::of(key.as_bytes()), key)
}
