//! What may happen to bytes on their way.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A change to bytes on their way.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Truncate(Index),
    Splice(Index, Index, Index),
    Remove(Index, Index),
    Insert(Index, Vec<u8>),
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        at().prop_map(Damage::Truncate),
        (at(), at(), at()).prop_map(|(from, to, into)| Damage::Splice(from, to, into)),
        (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

/// Carries out a change; what is spliced in comes from `other`.
pub(crate) fn damaged(mut bytes: Vec<u8>, other: &[u8], damage: &Damage) -> Vec<u8> {
    let range = |one: &Index, two: &Index, length: usize| {
        let (one, two) = (one.index(length + 1), two.index(length + 1));
        one.min(two)..one.max(two)
    };
    match damage {
        Damage::Flip(at, bits) if !bytes.is_empty() => *at.get_mut(&mut bytes) ^= bits,
        Damage::Set(at, byte) if !bytes.is_empty() => *at.get_mut(&mut bytes) = *byte,
        Damage::Flip(..) | Damage::Set(..) => {}
        Damage::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Damage::Splice(from, to, into) => {
            let spliced = other[range(from, to, other.len())].to_vec();
            let into = into.index(bytes.len() + 1);
            bytes.splice(into..into, spliced);
        }
        Damage::Remove(from, to) => {
            bytes.drain(range(from, to, bytes.len()));
        }
        Damage::Insert(at, more) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, more.iter().copied());
        }
    }
    bytes
}
