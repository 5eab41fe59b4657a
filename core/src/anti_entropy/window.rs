//! Pieces of the ring, key by key, in its order.

use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::ids::Key;
use crate::merkle::StateHash;
use crate::ring::{Position, RingArc};

/// The keys of an arc behind one key and up to another.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) arc: RingArc,
    pub(super) after: Option<Key>,
    pub(super) until: Option<Key>,
}

impl Window {
    pub(super) fn contains(&self, key: &Key) -> bool {
        let at = place(key);
        self.arc.contains(at.0)
            && self.after.as_ref().is_none_or(|after| at > place(after))
            && self.until.as_ref().is_none_or(|until| at <= place(until))
    }

    /// Whether all keys lie in it, each behind the one before.
    pub(super) fn holds_in_order<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> bool {
        let mut before = self.after.as_ref().map(place);
        let until = self.until.as_ref().map(place);
        for key in keys {
            let at = place(key);
            let fits = self.arc.contains(at.0)
                && before.is_none_or(|before| at > before)
                && until.is_none_or(|until| at <= until);
            if !fits {
                return false;
            }
            before = Some(at);
        }
        true
    }
}

/// Where a key comes in the order of the ring.
pub(super) fn place(key: &Key) -> (Position, &Key) {
    (Position::of(key.as_bytes()), key)
}

/// The keys of which two lists, both in the order of the ring, tell different states, with the
/// state that `theirs` tells.
pub(super) fn differing(
    ours: &[(Key, StateHash)],
    theirs: &[(Key, StateHash)],
) -> Vec<(Key, StateHash)> {
    let placed = |states: &[(Key, StateHash)]| -> Vec<(Position, Key, StateHash)> {
        let place =
            |(key, state): &(Key, StateHash)| (Position::of(key.as_bytes()), key.clone(), *state);
        states.iter().map(place).collect()
    };
    let (mut ours, mut theirs) =
        (placed(ours).into_iter().peekable(), placed(theirs).into_iter().peekable());
    let mut differing = Vec::new();
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => return differing,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(our), Some(their)) => (our.0, &our.1).cmp(&(their.0, &their.1)),
        };
        let our = ours.next_if(|_| order != Ordering::Greater);
        let their = theirs.next_if(|_| order != Ordering::Less);
        let known = (our.as_ref().map(|our| our.2), their.as_ref().map(|their| their.2));
        if known.0 != known.1
            && let Some((_, key, _)) = our.or(their)
        {
            differing.push((key, known.1.unwrap_or_default()));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Window, differing, place};
    use crate::ids::Key;
    use crate::merkle::StateHash;
    use crate::ring::RingArc;

    fn keys() -> Vec<Key> {
        let mut keys: Vec<Key> = (0..9_u8).map(|key| Key::from(Vec::from([key]))).collect();
        keys.sort_by(|one, other| place(one).cmp(&place(other)));
        keys
    }

    #[test]
    fn what_is_missing_or_other_on_either_side_differs() {
        let keys = keys();
        let states = |known: &[(usize, u128)]| -> Vec<(Key, StateHash)> {
            known.iter().map(|(key, state)| (keys[*key].clone(), StateHash(*state))).collect()
        };
        let ours = states(&[(0, 1), (1, 1), (2, 1), (5, 1)]);
        let theirs = states(&[(1, 1), (2, 2), (3, 3), (7, 4)]);
        let expected = states(&[(0, 0), (2, 2), (3, 3), (5, 0), (7, 4)]);
        assert_eq!(differing(&ours, &theirs), expected);
        assert_eq!(differing(&ours, &ours), []);
    }

    #[test]
    fn a_window_begins_behind_a_key_and_ends_with_one() {
        let keys = keys();
        let (after, until) = (Some(keys[2].clone()), Some(keys[5].clone()));
        let window = Window { arc: RingArc::ALL, after, until };
        let inside: Vec<usize> = (0..9).filter(|key| window.contains(&keys[*key])).collect();
        assert_eq!(inside, [3, 4, 5]);
        assert!(window.holds_in_order(keys[3..=5].iter()));
        assert!(!window.holds_in_order(keys[2..=5].iter()));
        assert!(!window.holds_in_order(keys[3..=6].iter()));
        assert!(!window.holds_in_order([&keys[4], &keys[3]].into_iter()));
        assert!(!window.holds_in_order([&keys[4], &keys[4]].into_iter()));
    }
}
