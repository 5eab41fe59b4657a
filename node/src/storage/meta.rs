//! What a store says of itself, in the keyspace `meta`.
//!
//! ```text
//!   mark      the number and the wall time of the last commit: in each commit's own batch
//!   standing  what is known of losses
//!   past      the lives that have written before, and the one that writes
//!   peers     what the node remembers of other members: in a commit that is made anyway
//!   lives     of the nodes' lives that ended with a clean stop: from that stop to the next start
//!   trees     of all that is stored: from a clean stop to the next start
//! ```
//!
//! All keyspaces share one journal, which the engine reads in its order up to the first entry that
//! is not whole. So where the parts of a clean stop are found, nothing is lost that was written
//! before them.

use bytes::{Buf, BufMut, Bytes};
use fjall::Keyspace;
use quorate_core::codec;
use quorate_core::ids::{DurableMark, Incarnation, NodeId, Remembered};
use quorate_core::machine::{PastLife, PastLives, Standing};
use quorate_core::time::UnixMs;

pub(super) const MARK: &str = "mark";

pub(super) const STANDING: &str = "standing";

pub(super) const PAST: &str = "past";

pub(super) const PEERS: &str = "peers";

pub(super) const LIVES: &str = "lives";

pub(super) const TREES: &str = "trees";

/// Of each part but the trees, which have an envelope of their own.
const VERSION: u8 = 1;

const PAST_LIFE_BYTES: usize = 20;

/// Stands in the last number of a life that is accounted for. It was a time once, which any other
/// number still may be.
const ACCOUNTED: u64 = u64::MAX;

const PEER_BYTES: usize = 20;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// `None`: nothing was ever committed.
    pub(super) committed: Option<Committed>,
    pub(super) standing: Standing,
    /// `None`: nothing was ever committed.
    pub(super) past: Option<Past>,
    pub(super) peers: Vec<(NodeId, Remembered)>,
    /// `None`: there was no clean stop.
    pub(super) lives: Option<Vec<Incarnation>>,
    pub(super) trees: Option<Bytes>,
}

/// The last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) mark: DurableMark,
    pub(super) written: UnixMs,
}

/// Who has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// The life that wrote last.
    pub(super) life: Incarnation,
    /// Those before it.
    pub(super) before: PastLives,
}

impl Past {
    /// All lives, the one that wrote last with what it wrote last.
    pub(super) fn closed(mut self, last: Committed) -> PastLives {
        self.before.push(PastLife { life: self.life, mark: last.mark, is_accounted: false });
        self.before
    }
}

/// A part that is there and cannot be read.
#[derive(Debug)]
pub(super) enum MetaError {
    /// The engine says why.
    Engine(fjall::Error),
    /// The part of this name does not decode.
    Damaged(&'static str),
}

impl Meta {
    /// Parts of a clean stop, and what is about other nodes, are as good as none where they do not
    /// decode; without the others nothing can be said of the store.
    pub(super) fn read(meta: &Keyspace) -> Result<Meta, MetaError> {
        let get = |name: &str| {
            let value = meta.get(name).map_err(MetaError::Engine)?;
            Ok(value.map(Bytes::from))
        };
        let committed =
            get(MARK)?.map(|bytes| decode_committed(&bytes).ok_or(MetaError::Damaged(MARK)));
        let standing =
            get(STANDING)?.map(|bytes| decode_standing(&bytes).ok_or(MetaError::Damaged(STANDING)));
        let past = get(PAST)?.map(|bytes| decode_past(&bytes).ok_or(MetaError::Damaged(PAST)));
        let peers = get(PEERS)?.map(|bytes| {
            decode_peers(&bytes).unwrap_or_else(|| {
                tracing::warn!("what this node remembers of the others cannot be read");
                Vec::new()
            })
        });
        let lives = get(LIVES)?.map(|bytes| {
            decode_lives(&bytes).unwrap_or_else(|| {
                tracing::warn!("the lives that a clean stop has saved cannot be read");
                Vec::new()
            })
        });
        Ok(Meta {
            committed: committed.transpose()?,
            standing: standing.transpose()?.unwrap_or_default(),
            past: past.transpose()?,
            peers: peers.unwrap_or_default(),
            lives,
            trees: get(TREES)?,
        })
    }
}

pub(super) fn encode_committed(committed: &Committed) -> Vec<u8> {
    codec::seal(VERSION, 2 * size_of::<u64>(), |bytes| {
        bytes.put_u64(committed.mark.0);
        bytes.put_u64(committed.written.0);
    })
}

fn decode_committed(bytes: &Bytes) -> Option<Committed> {
    let mut body = codec::unseal(VERSION, bytes).ok()?;
    let mark = DurableMark(body.try_get_u64().ok()?);
    let written = UnixMs(body.try_get_u64().ok()?);
    body.is_empty().then_some(Committed { mark, written })
}

/// Whether data is missing, and, where some was ever lost, when that was found.
pub(super) fn encode_standing(standing: &Standing) -> Vec<u8> {
    let Standing { refilling, lost } = *standing;
    codec::seal(VERSION, 1 + size_of::<u64>(), |bytes| {
        bytes.put_u8(u8::from(refilling));
        lost.into_iter().for_each(|lost| bytes.put_u64(lost.0));
    })
}

fn decode_standing(bytes: &Bytes) -> Option<Standing> {
    let mut body = codec::unseal(VERSION, bytes).ok()?;
    let refilling = match body.try_get_u8().ok()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let lost = match body.is_empty() {
        true => None,
        false => Some(UnixMs(body.try_get_u64().ok()?)),
    };
    body.is_empty().then_some(Standing { refilling, lost })
}

pub(super) fn encode_past(past: &Past) -> Vec<u8> {
    codec::seal(VERSION, size_of::<u32>() + PastLives::MAX * PAST_LIFE_BYTES, |bytes| {
        bytes.put_u32(past.life.0);
        for PastLife { life, mark, is_accounted } in past.before.iter() {
            bytes.put_u32(life.0);
            bytes.put_u64(mark.0);
            bytes.put_u64(if *is_accounted { ACCOUNTED } else { 0 });
        }
    })
}

fn decode_past(bytes: &Bytes) -> Option<Past> {
    let mut body = codec::unseal(VERSION, bytes).ok()?;
    let life = Incarnation(body.try_get_u32().ok()?);
    let mut before = PastLives::default();
    while !body.is_empty() {
        let life = Incarnation(body.try_get_u32().ok()?);
        let mark = DurableMark(body.try_get_u64().ok()?);
        let is_accounted = body.try_get_u64().ok()? == ACCOUNTED;
        before.push(PastLife { life, mark, is_accounted });
    }
    Some(Past { life, before })
}

pub(super) fn encode_peers(peers: &[(NodeId, Remembered)]) -> Vec<u8> {
    codec::seal(VERSION, peers.len() * PEER_BYTES, |bytes| {
        for (id, Remembered { mark, life }) in peers {
            bytes.put_u64(id.0);
            bytes.put_u64(mark.0);
            bytes.put_u32(life.0);
        }
    })
}

fn decode_peers(bytes: &Bytes) -> Option<Vec<(NodeId, Remembered)>> {
    let mut body = codec::unseal(VERSION, bytes).ok()?;
    let mut peers = Vec::with_capacity(body.len() / PEER_BYTES);
    while !body.is_empty() {
        let id = NodeId(body.try_get_u64().ok()?);
        let mark = DurableMark(body.try_get_u64().ok()?);
        let life = Incarnation(body.try_get_u32().ok()?);
        peers.push((id, Remembered { mark, life }));
    }
    Some(peers)
}

pub(super) fn encode_lives(lives: &[Incarnation]) -> Vec<u8> {
    codec::seal(VERSION, size_of_val(lives), |bytes| {
        lives.iter().for_each(|life| bytes.put_u32(life.0));
    })
}

fn decode_lives(bytes: &Bytes) -> Option<Vec<Incarnation>> {
    let body = codec::unseal(VERSION, bytes).ok()?;
    let (lives, rest) = body.as_chunks();
    rest.is_empty()
        .then(|| lives.iter().map(|life| Incarnation(u32::from_be_bytes(*life))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_read_as_it_was_written_and_no_piece_of_it_is() {
        let committed = Committed { mark: DurableMark(300), written: UnixMs(u64::MAX) };
        let standings = [(false, None), (true, Some(UnixMs(0))), (false, Some(UnixMs(7)))]
            .map(|(refilling, lost)| Standing { refilling, lost });
        let lives = [vec![], vec![Incarnation(1)], vec![Incarnation(u32::MAX), Incarnation(2)]];

        let bytes = Bytes::from(encode_committed(&committed));
        assert_eq!(decode_committed(&bytes), Some(committed));
        assert_eq!(decode_committed(&bytes.slice(..bytes.len() - 1)), None);
        for standing in standings {
            let bytes = Bytes::from(encode_standing(&standing));
            assert_eq!(decode_standing(&bytes), Some(standing));
            assert_eq!(decode_standing(&bytes.slice(1..)), None);
            assert_eq!(decode_committed(&bytes), None, "one part is not another");
        }
        for count in [0, 1, 64] {
            let mut before = PastLives::default();
            for number in 0..count {
                let (life, mark) = (Incarnation(number), DurableMark(number.into()));
                before.push(PastLife { life, mark, is_accounted: number % 2 == 0 });
            }
            let past = Past { life: Incarnation(9), before };
            let bytes = Bytes::from(encode_past(&past));
            assert_eq!(decode_past(&bytes), Some(past));
            assert_eq!(decode_past(&bytes.slice(..bytes.len() - 1)), None);
        }
        for count in [0, 1, 1_000] {
            let peer = |number: u64| {
                let (mark, life) = (DurableMark(u64::MAX - number), Incarnation(7));
                (NodeId(number), Remembered { mark, life })
            };
            let peers: Vec<_> = (0..count).map(peer).collect();
            let bytes = Bytes::from(encode_peers(&peers));
            assert_eq!(decode_peers(&bytes), Some(peers));
            assert_eq!(decode_peers(&bytes.slice(..bytes.len() - 1)), None);
        }
        for lives in lives {
            let bytes = Bytes::from(encode_lives(&lives));
            assert_eq!(decode_lives(&bytes), Some(lives));
        }
    }
}
