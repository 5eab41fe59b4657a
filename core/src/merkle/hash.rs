//! The keyed hashes that trees are made of: BLAKE3, 128 bits of it.

use alloc::vec::Vec;

use blake3::Hasher;

use super::state::{State, transfer_bytes};
use crate::causality::Record;
use crate::ids::{ClusterId, Key};

/// Names the state of one record on one node: a sum of these is a leaf.
///
/// 0 is the state of a key that was never stored, and a record has it but for chance never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateHash(pub u128);

/// What most keys and records with one or two siblings say.
const USUAL_BYTES: usize = 256;

/// The key of all hashes of a cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TreeKey([u8; 32]);

impl TreeKey {
    /// The key of a cluster whose members show each other `credentials`.
    pub fn derive(cluster: ClusterId, credentials: &[u8]) -> TreeKey {
        let mut hasher = Hasher::new_derive_key("quorate 2026 merkle trees");
        hasher.update(&cluster.0.to_be_bytes());
        hasher.update(credentials);
        TreeKey(hasher.finalize().into())
    }

    /// The state of a key: two are equal where two replicas hold the same record, and differ
    /// otherwise but for chance. Costs the length of the key and of the causal history, not that of
    /// the values: these are represented by their checksums.
    pub fn state(&self, key: &Key, record: &Record) -> StateHash {
        if record.is_empty() {
            return StateHash(0);
        }
        let mut said = Vec::with_capacity(USUAL_BYTES);
        said.extend_from_slice(&(key.as_bytes().len() as u64).to_be_bytes());
        said.extend_from_slice(key.as_bytes());
        record.describe(&mut |bytes| said.extend_from_slice(bytes));
        StateHash(self.hash(&said))
    }

    /// The hash of an inner node; 0 where nothing is below it.
    pub(super) fn inner(&self, children: &[u128]) -> u128 {
        if children.iter().all(|child| *child == 0) {
            return 0;
        }
        let said: Vec<u8> = children.iter().flat_map(|child| child.to_be_bytes()).collect();
        self.hash(&said)
    }

    /// Tells this key from others, and says nothing about it.
    pub(super) fn mark(&self) -> u128 {
        self.hash(b"the mark of this key")
    }

    /// The same with what the record takes on its way to another node.
    pub fn sized_state(&self, key: &Key, record: &Record) -> State {
        State { hash: self.state(key, record), bytes: transfer_bytes(key, record) }
    }

    /// One call for all of it: many short updates of a hasher cost a quarter more.
    fn hash(&self, said: &[u8]) -> u128 {
        let mut half = [0; 16];
        half.copy_from_slice(&blake3::keyed_hash(&self.0, said).as_bytes()[..16]);
        u128::from_be_bytes(half)
    }
}

impl core::fmt::Debug for TreeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TreeKey(..)")
    }
}
