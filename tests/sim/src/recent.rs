//! A map that forgets: what is tied to things that pass by needs room for the last of them only.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash};

use crate::trace::TraceHasher;

/// A hash map. The order of its entries differs between platforms: nothing may follow from it.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<TraceHasher>>;

/// The last entries that were made.
///
/// Invariant: every key of `table` is in `order`, which has at most `most` entries.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    most: usize,
    table: Table<K, V>,
    /// Keys in the order in which they came; some may have left the table since.
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, V: Default> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Recent<K, V> {
        Recent { most, table: Table::default(), order: VecDeque::new() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.table.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.table.get_mut(key)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.table.contains_key(key)
    }

    /// The value of `key`, made if it is not there; the oldest key gives way.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V {
        if !self.table.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > self.most
                && let Some(oldest) = self.order.pop_front()
            {
                self.table.remove(&oldest);
            }
        }
        self.table.entry(key).or_default()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        *self.or_default(key) = value;
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.table.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn the_oldest_gives_way() {
        let mut recent = Recent::new(2);
        for number in 1..=3 {
            recent.insert(number, number * 10);
        }
        assert_eq!([1, 2, 3].map(|key| recent.get(&key).copied()), [None, Some(20), Some(30)]);
        assert_eq!(recent.remove(&3), Some(30));
        *recent.or_default(2) += 1;
        assert_eq!(recent.get(&2), Some(&21));
    }
}
