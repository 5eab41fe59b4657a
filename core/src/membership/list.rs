//! The membership list: what is known of each member, in one row that ascends by id.
//!
//! Messages name members in the same order, so a message and the list are walked side by side: no
//! search for each of some thousand pulses, no node of a tree to load for each. A new member moves
//! those behind it, which is rare and a matter of microseconds.

use alloc::vec::Vec;

use super::member::Entry;
use crate::ids::NodeId;

/// What is known of each member.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// Invariant: ids ascend, each is there once.
    entries: Vec<Entry>,
}

impl List {
    pub(super) fn new(first: Entry) -> List {
        List { entries: Vec::from([first]) }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.find(id).is_ok()
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Entry> {
        self.find(id).ok().and_then(|place| self.entries.get(place))
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Entry> {
        self.find(id).ok().and_then(|place| self.entries.get_mut(place))
    }

    pub(super) fn at(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place)
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.entries.iter().map(|entry| entry.id)
    }

    /// Those at the places from `from` up to, not including, `to`.
    pub(super) fn part(&self, from: usize, to: usize) -> &[Entry] {
        self.entries.get(from..to).unwrap_or_default()
    }

    /// Those with ids from `first` to `last`, both included.
    pub(super) fn between(&self, first: NodeId, last: NodeId) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.id < first);
        let to = self.entries.partition_point(|entry| entry.id <= last);
        self.part(from, to)
    }

    /// Takes the place of what was known of the same member.
    pub(super) fn insert(&mut self, entry: Entry) {
        match self.find(entry.id) {
            Ok(place) => self.entries[place] = entry,
            Err(place) => self.entries.insert(place, entry),
        }
    }

    /// Takes a member off the list.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<Entry> {
        self.find(id).ok().map(|place| self.entries.remove(place))
    }

    /// Where a member is, or else where it would be.
    fn find(&self, id: NodeId) -> Result<usize, usize> {
        // The members of a layout come in order.
        if self.entries.last().is_none_or(|last| last.id < id) {
            return Err(self.entries.len());
        }
        self.entries.binary_search_by_key(&id, |entry| entry.id)
    }

    /// The same, quick where that is at `hint` or a little behind it.
    pub(super) fn find_from(&self, hint: usize, id: NodeId) -> Result<usize, usize> {
        let rest = self.part(hint, self.entries.len());
        match rest.first() {
            Some(entry) if entry.id == id => return Ok(hint),
            Some(entry) if entry.id < id => {}
            Some(_) | None => return self.find(id),
        }
        // Steps that double: what is near is found in few.
        let mut step = 1;
        while rest.get(step).is_some_and(|entry| entry.id < id) {
            step *= 2;
        }
        let (from, to) = (step / 2, rest.len().min(step + 1));
        let found = rest[from..to].binary_search_by_key(&id, |entry| entry.id);
        found.map(|place| hint + from + place).map_err(|place| hint + from + place)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.entries.is_sorted_by(|one, next| one.id < next.id), "ids ascend");
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::ids::{Incarnation, Text};
    use crate::message::MemberInfo;
    use crate::prng::Prng;
    use crate::time::{Duration, Instant};

    fn entry(id: u64, heartbeat: u64) -> Entry {
        let info = MemberInfo {
            id: NodeId(id),
            incarnation: Incarnation(1),
            heartbeat,
            label: Text::default(),
            zone: Text::default(),
            weight: 1,
            address: Text::default(),
            remembered: Default::default(),
        };
        Entry::new(Arc::new(info), Instant::default(), Duration::from_secs(1))
    }

    fn list(ids: impl IntoIterator<Item = u64>) -> List {
        let mut ids = ids.into_iter();
        let mut list = List::new(entry(ids.next().unwrap(), 1));
        ids.for_each(|id| list.insert(entry(id, 1)));
        list.check_invariants();
        list
    }

    #[test]
    fn members_that_come_in_any_order_stand_in_one() {
        let mut list = list([30, 10, 40, 20]);
        list.insert(entry(30, 7));
        list.check_invariants();
        let ids: Vec<u64> = list.ids().map(|id| id.0).collect();
        assert_eq!(ids, [10, 20, 30, 40]);
        assert_eq!(list.get(NodeId(30)).unwrap().heartbeat, 7, "the later one counts");
        let between = |first, last| -> Vec<u64> {
            list.between(NodeId(first), NodeId(last)).iter().map(|entry| entry.id.0).collect()
        };
        assert_eq!(between(10, 30), [10, 20, 30]);
        assert_eq!(between(11, 29), [20]);
        assert!(between(31, 39).is_empty() && between(40, 10).is_empty());
    }

    #[test]
    fn a_hint_changes_the_way_and_not_what_is_found() {
        let mut prng = Prng::new(1);
        for count in [1, 2, 3, 8, 100] {
            let list = list((0..count).map(|_| prng.below(150)));
            for hint in 0..list.len() + 2 {
                for id in (0..152).map(NodeId) {
                    assert_eq!(list.find_from(hint, id), list.find(id), "{id:?} from {hint}");
                }
            }
        }
    }
}
