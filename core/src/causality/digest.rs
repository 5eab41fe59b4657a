//! A short name for all that a record says, so that equal replicas need not send it.

use md5::{Digest, Md5};

use super::{Actor, History, Payload, Record, Sibling, Write};
use crate::ids::RequestId;

/// MD5 of a record, its values represented by their checksums: equal records have equal digests,
/// and different ones differ but for chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordDigest(pub u128);

/// What an actor and its history count besides the payloads.
const HISTORY_WEIGHT: u64 = 64;

impl Record {
    /// The name of what the record says. It costs the length of the causal history, not that of
    /// the values.
    pub fn digest(&self) -> RecordDigest {
        let mut digest = Md5::new();
        self.describe(&mut |bytes| digest.update(bytes));
        RecordDigest(u128::from_be_bytes(digest.finalize().into()))
    }

    /// Gives `add` all that the record says, its values represented by their checksums, in an
    /// encoding that no two records share.
    pub(crate) fn describe(&self, add: &mut impl FnMut(&[u8])) {
        for (actor, history) in self.histories() {
            describe(actor, history, add);
        }
    }

    /// Whether the record says what it said when `digest` was taken: then a copy of it that was
    /// handed over may be removed.
    pub fn is_still(&self, digest: RecordDigest) -> bool {
        sane_or!(self.digest() == digest, HintRemovedThoughChanged => true)
    }

    /// About how many bytes the record takes, however it is stored.
    pub fn weight(&self) -> u64 {
        let payloads: u64 = self.siblings().map(|(_, sibling)| sibling.payload.len() as u64).sum();
        payloads + self.actors() as u64 * HISTORY_WEIGHT
    }
}

impl Write {
    /// The most by which it adds to the [`weight`](Record::weight) of a record: its payload, its
    /// actor, and those of its context that the record has not heard of.
    pub fn weight_max(&self) -> u64 {
        self.payload.len() as u64 + (self.context.len() as u64 + 1) * HISTORY_WEIGHT
    }
}

/// Every list is preceded by its length, so no two histories share an encoding. Few calls of `add`:
/// with one for each number they cost as much as the hash.
fn describe(actor: Actor, history: &History, add: &mut impl FnMut(&[u8])) {
    let Actor { node, incarnation, birth } = actor;
    let (seen, live) = (history.superseded(), history.live());
    let lengths = (seen.also().len() as u64) << 32 | live.len() as u64;
    add_numbers([node.0, incarnation.0.into(), birth.0], add);
    sane_or!(DigestNamesActors => return);
    add_numbers([lengths, seen.upto(), history.at().0], add);
    for counter in seen.also() {
        add_numbers([*counter], add);
    }
    for (counter, Sibling { payload, checksum, written, expires, request }) in live {
        let is_value = match payload {
            Payload::Value(_) => 1,
            Payload::Tombstone => 0,
        };
        let what = (payload.len() as u64) << 2 | u64::from(expires.is_some()) << 1 | is_value;
        let RequestId { client, sequence } = *request;
        add_numbers([counter.0, what, checksum.0, written.0, client, sequence], add);
        if let Some(expires) = expires {
            add_numbers([expires.0], add);
        }
    }
}

fn add_numbers<const COUNT: usize>(numbers: [u64; COUNT], add: &mut impl FnMut(&[u8])) {
    add(numbers.map(u64::to_be_bytes).as_flattened());
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::{Actor, Birth, Checksum, Counter, History, Payload, Record, Seen, Sibling};
    use crate::ids::{Incarnation, NodeId, RequestId};
    use crate::time::UnixMs;
    use bytes::Bytes;

    fn sibling() -> Sibling {
        let payload = Payload::Value(Bytes::from_static(b"value"));
        Sibling {
            checksum: Checksum::of(&payload),
            payload,
            written: UnixMs(5),
            expires: None,
            request: RequestId { client: 1, sequence: 2 },
        }
    }

    fn record(superseded: u64, at: u64, live: Vec<(Counter, Sibling)>) -> Record {
        let actor = Actor { node: NodeId(1), incarnation: Incarnation(2), birth: Birth(3) };
        let seen = Seen::from_parts(superseded, Vec::new()).unwrap();
        let history = History::from_parts(seen, UnixMs(at), live).unwrap();
        Record::from_histories([(actor, history)]).unwrap()
    }

    #[test]
    fn records_that_differ_in_anything_have_different_digests() {
        let live = |sibling| [(Counter(9), sibling)].into();
        let tombstone = Sibling {
            payload: Payload::Tombstone,
            checksum: Checksum::of(&Payload::Tombstone),
            ..sibling()
        };
        let other = Payload::Value(Bytes::from_static(b"other"));
        let records = [
            Record::new(),
            record(1, 5, live(sibling())),
            record(2, 5, live(sibling())),
            record(1, 6, live(sibling())),
            record(1, 5, [].into()),
            record(1, 5, [(Counter(8), sibling())].into()),
            record(1, 5, live(tombstone)),
            record(
                1,
                5,
                live(Sibling { checksum: Checksum::of(&other), payload: other, ..sibling() }),
            ),
            record(1, 5, live(Sibling { written: UnixMs(6), ..sibling() })),
            record(1, 5, live(Sibling { expires: Some(UnixMs(0)), ..sibling() })),
            record(1, 5, live(Sibling { request: RequestId::default(), ..sibling() })),
        ];
        for (index, one) in records.iter().enumerate() {
            for (other, two) in records.iter().enumerate() {
                assert_eq!(one.digest() == two.digest(), index == other, "{index} and {other}");
            }
        }
    }

    #[test]
    fn a_record_weighs_its_values_and_its_history() {
        assert_eq!(Record::new().weight(), 0);
        assert_eq!(record(1, 5, [(Counter(9), sibling())].into()).weight(), 64 + 5);
    }
}
