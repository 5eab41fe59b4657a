//! A map from actors, as one sorted vector.
//!
//! A record or a context rarely has more than three actors. A B-tree would take room for eleven,
//! and its code, once more for each kind of value, kilobytes of WebAssembly.

use alloc::vec::Vec;

use super::Actor;

/// Values by actor.
///
/// Invariant: strictly ascending by actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByActor<V> {
    entries: Vec<(Actor, V)>,
}

impl<V> Default for ByActor<V> {
    fn default() -> ByActor<V> {
        ByActor { entries: Vec::new() }
    }
}

impl<V: Default> ByActor<V> {
    /// `None` where the actors are not strictly ascending.
    pub(super) fn from_ascending(entries: Vec<(Actor, V)>) -> Option<ByActor<V>> {
        let is_ascending = entries.is_sorted_by(|(one, _), (next, _)| one < next);
        is_ascending.then_some(ByActor { entries })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Actor, &V)> {
        self.entries.iter().map(|(actor, value)| (*actor, value))
    }

    pub(super) fn get(&self, actor: Actor) -> Option<&V> {
        let index = self.find(actor).ok()?;
        Some(&self.entries[index].1)
    }

    /// The value of `actor`, made if it is not there.
    pub(super) fn or_default(&mut self, actor: Actor) -> &mut V {
        let index = match self.find(actor) {
            Ok(index) => index,
            Err(index) => {
                self.entries.insert(index, (actor, V::default()));
                index
            }
        };
        &mut self.entries[index].1
    }

    /// Lets `fold` take each value of `other` into the one of the same actor, made if it is not
    /// there; answers whether any call did. Takes linear time, however the actors interleave.
    pub(super) fn merge(
        &mut self,
        other: &ByActor<V>,
        mut fold: impl FnMut(&mut V, &V) -> bool,
    ) -> bool {
        let fresh = other.entries.iter().filter(|(actor, _)| self.find(*actor).is_err());
        let fresh: Vec<(Actor, V)> = fresh.map(|(actor, _)| (*actor, V::default())).collect();
        if !fresh.is_empty() {
            self.entries.extend(fresh);
            // Two ascending runs: the sort merges them.
            self.entries.sort_by_key(|(actor, _)| *actor);
        }
        let mut theirs = other.entries.iter().peekable();
        let mut changed = false;
        for (actor, value) in &mut self.entries {
            if let Some((_, other)) = theirs.next_if(|(other, _)| other == actor) {
                changed |= fold(value, other);
            }
        }
        changed
    }

    /// Adds a value; false, and no change, where the actor has one.
    pub(super) fn insert(&mut self, actor: Actor, value: V) -> bool {
        match self.find(actor) {
            Ok(_) => false,
            Err(index) => {
                self.entries.insert(index, (actor, value));
                true
            }
        }
    }

    pub(super) fn remove(&mut self, actor: Actor) {
        if let Ok(index) = self.find(actor) {
            self.entries.remove(index);
        }
    }

    /// The index of `actor`, or the one where it belongs.
    fn find(&self, actor: Actor) -> Result<usize, usize> {
        match self.entries.last() {
            // What comes in order, off the wire or from a disk, is appended.
            Some((last, _)) if *last < actor => Err(self.entries.len()),
            Some(_) | None => self.entries.binary_search_by_key(&actor, |(actor, _)| *actor),
        }
    }
}
