//! What trees are told of each record, and what they know of many.

use super::hash::StateHash;
use crate::causality::Record;
use crate::ids::Key;

/// The state of one record on one node, and what it takes to bring the record to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Its name.
    pub hash: StateHash,
    /// Its [`transfer_bytes`]; 0 where nothing is held.
    pub bytes: u64,
}

impl State {
    /// That of a key of which nothing is held.
    pub const NOTHING: State = State { hash: StateHash(0), bytes: 0 };
}

/// How much is held of a part of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Figures {
    /// Own copies.
    pub records: u64,
    /// The sum of their [`transfer_bytes`].
    pub bytes: u64,
}

impl Figures {
    /// A record went from one state to another. While a part is in doubt a change may take away more
    /// than was added: both numbers go round, as the sums of hashes do.
    pub(super) fn change(&mut self, before: State, after: State) {
        let is_held = |state: State| u64::from(state.bytes > 0);
        self.records = self.records.wrapping_add(is_held(after)).wrapping_sub(is_held(before));
        self.bytes = self.bytes.wrapping_add(after.bytes).wrapping_sub(before.bytes);
    }

    /// The figures of two parts together.
    pub(super) fn and(self, other: Figures) -> Figures {
        Figures {
            records: self.records.wrapping_add(other.records),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }
}

/// What a record takes among others besides its key and what follows.
const RECORD_BYTES: u64 = 8;

/// What the history of an actor takes without what stands in it.
const HISTORY_BYTES: u64 = 32;

/// What a sibling takes besides its payload.
const SIBLING_BYTES: u64 = 35;

/// How many bytes a frame carries for a record and its key where it gives many of them to a node
/// that lacks them, within 2 % where the value is of 100 bytes or more and stands alone. Numbers
/// count with their usual lengths, so equal records count alike on all nodes. What is said besides,
/// to find out what is lacking and to answer, is not in it. 0 for an empty record.
pub fn transfer_bytes(key: &Key, record: &Record) -> u64 {
    if record.is_empty() {
        return 0;
    }
    let mut bytes = RECORD_BYTES + key.as_bytes().len() as u64;
    for (_, history) in record.histories() {
        bytes += HISTORY_BYTES;
        for (_, sibling) in history.live() {
            bytes += SIBLING_BYTES + sibling.payload.len() as u64;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;
    use crate::causality::{Actor, Birth, Checksum, Counter, History, Payload, Seen, Sibling};
    use crate::ids::{Epoch, Incarnation, NodeId, RequestId};
    use crate::message::{CallId, Compared, Comparison, Message};
    use crate::time::UnixMs;

    const AT: UnixMs = UnixMs(1_750_000_000_000);

    /// The record of a value that has overwritten others, or none; the numbers of small and of great
    /// clusters, young and old ones.
    fn record(value_bytes: usize, overwritten: u64, number: u64) -> Record {
        let payload = Payload::Value(Bytes::from(vec![7; value_bytes]));
        let sibling = Sibling {
            checksum: Checksum::of(&payload),
            payload,
            written: AT,
            expires: None,
            request: RequestId { client: u64::MAX / 3, sequence: number },
        };
        let node = NodeId(u64::MAX / 5);
        let actor = Actor { node, incarnation: Incarnation(3), birth: Birth(number) };
        let seen = Seen::from_parts(overwritten, Vec::new()).unwrap();
        let live = vec![(Counter(overwritten + 1), sibling)];
        let history = History::from_parts(seen, AT, live).unwrap();
        Record::from_histories([(actor, history)]).unwrap()
    }

    /// Bytes of a frame that gives so many records.
    fn frame(count: usize, key: &Key, record: &Record) -> u64 {
        let records = vec![(key.clone(), record.clone()); count];
        let epoch = Epoch(1);
        let answer = Comparison::Records { records, wants: Vec::new(), until: None, epoch };
        let mut out = Vec::new();
        crate::codec::encode(&Message::Compared(Compared { call: CallId(9), answer }), &mut out);
        out.len() as u64
    }

    #[test]
    fn a_record_counts_what_a_frame_that_gives_many_carries_for_it() {
        for key_bytes in [1, 16, 60] {
            let key = Key::from(vec![b'k'; key_bytes]);
            for value_bytes in [100, 200, 1_000, 10_000, 100_000] {
                for (overwritten, number) in [(0, 500), (1, 20_000), (50, 100_000), (0, 100)] {
                    let record = record(value_bytes, overwritten, number);
                    let carried = (frame(40, &key, &record) - frame(20, &key, &record)) / 20;
                    let counted = transfer_bytes(&key, &record);
                    let off = counted.abs_diff(carried);
                    assert!(
                        off * 100 <= carried * 2,
                        "{key_bytes} {value_bytes} {overwritten} {number}: {counted}, {carried}"
                    );
                }
            }
        }
        assert_eq!(transfer_bytes(&Key::from("a"), &Record::new()), 0);
    }
}
