//! Comparisons of replicas.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::record::{actor_in, actor_out, record_in, record_out, seen_in, seen_out};
use super::{DecodeError, byte, malformed, wire};
use crate::causality::{Actor, Counter, HistoryOutline, Outline, Record};
use crate::ids::{Epoch, Key};
use crate::layout::LayoutVersion;
use crate::merkle::{Branch, Piece, StateHash};
use crate::message::{
    BranchChildren, BranchHash, CallId, Compare, Compared, Comparison, Difference, Question,
};
use crate::ring::Slot;
use crate::time::UnixMs;
use wire::compare::Question as Asked;
use wire::compared::Answer;

const HASH_BYTES: usize = 16;

pub(super) fn compare_out(compare: &Compare) -> wire::Compare {
    let question = match &compare.question {
        Question::Branches(branches) => {
            let branches = branches.iter().map(branch_out).collect();
            Asked::Branches(wire::Branches { branches })
        }
        Question::States { piece, after, until, states } => Asked::States(wire::States {
            slot: piece.slot.0,
            level: piece.branch.level.into(),
            index: piece.branch.index,
            after: key_out(after.as_ref()),
            until: key_out(until.as_ref()),
            states: states_out(states),
        }),
        Question::Records { slot, keys, bytes_max } => Asked::Records(wire::RecordsWanted {
            slot: slot.0,
            keys: keys.iter().map(difference_out).collect(),
            bytes_max: *bytes_max,
        }),
        Question::Rest { piece, after, bytes_max } => Asked::Rest(wire::RestWanted {
            slot: piece.slot.0,
            level: piece.branch.level.into(),
            index: piece.branch.index,
            after: key_out(after.as_ref()),
            bytes_max: *bytes_max,
        }),
    };
    wire::Compare {
        call: compare.call.0,
        layout_version: compare.layout_version.0,
        leaves: compare.leaves,
        question: Some(question),
    }
}

pub(super) fn compare_in(compare: wire::Compare) -> Result<Compare, DecodeError> {
    let question = match compare.question.ok_or(malformed("a comparison that asks nothing"))? {
        Asked::Branches(asked) => Question::Branches(all(asked.branches, branch_in)?),
        Asked::States(asked) => Question::States {
            piece: piece_in(asked.slot, asked.level, asked.index)?,
            after: asked.after.map(Key),
            until: asked.until.map(Key),
            states: all(asked.states, state_in)?,
        },
        Asked::Records(asked) => Question::Records {
            slot: Slot(asked.slot),
            keys: all(asked.keys, difference_in)?,
            bytes_max: asked.bytes_max,
        },
        Asked::Rest(asked) => Question::Rest {
            piece: piece_in(asked.slot, asked.level, asked.index)?,
            after: asked.after.map(Key),
            bytes_max: asked.bytes_max,
        },
    };
    Ok(Compare {
        call: CallId(compare.call),
        layout_version: LayoutVersion(compare.layout_version),
        leaves: compare.leaves,
        question,
    })
}

pub(super) fn compared_out(compared: &Compared) -> wire::Compared {
    let answer = match &compared.answer {
        Comparison::NotNow => None,
        Comparison::Branches { differ, busy } => Some(Answer::Branches(wire::BranchesDiffer {
            differ: differ.iter().map(children_out).collect(),
            busy: busy.iter().map(|slot| slot.0).collect(),
        })),
        Comparison::States { differ, until } => Some(Answer::States(wire::StatesDiffer {
            differ: states_out(differ),
            until: key_out(until.as_ref()),
        })),
        Comparison::Records { records, wants, until, epoch } => {
            Some(Answer::Records(wire::RecordsGiven {
                records: records.iter().map(key_record_out).collect(),
                wants: wants.iter().map(|key| key.0.clone()).collect(),
                until: key_out(until.as_ref()),
                epoch: epoch.0,
            }))
        }
    };
    wire::Compared { call: compared.call.0, answer }
}

pub(super) fn compared_in(compared: wire::Compared) -> Result<Compared, DecodeError> {
    let answer = match compared.answer {
        None => Comparison::NotNow,
        Some(Answer::Branches(answer)) => Comparison::Branches {
            differ: all(answer.differ, children_in)?,
            busy: answer.busy.into_iter().map(Slot).collect(),
        },
        Some(Answer::States(answer)) => Comparison::States {
            differ: all(answer.differ, state_in)?,
            until: answer.until.map(Key),
        },
        Some(Answer::Records(answer)) => Comparison::Records {
            records: all(answer.records, key_record_in)?,
            wants: answer.wants.into_iter().map(Key).collect(),
            until: answer.until.map(Key),
            epoch: Epoch(answer.epoch),
        },
    };
    Ok(Compared { call: CallId(compared.call), answer })
}

/// Room is made once: a vector that grows takes three times the memory while the first one stands,
/// and the guard grants less.
pub(super) fn all<From, To>(
    from: Vec<From>,
    mut to: impl FnMut(From) -> Result<To, DecodeError>,
) -> Result<Vec<To>, DecodeError> {
    let mut all = Vec::with_capacity(from.len());
    for part in from {
        all.push(to(part)?);
    }
    Ok(all)
}

fn key_out(key: Option<&Key>) -> Option<Bytes> {
    key.map(|key| key.0.clone())
}

/// Nothing held is nothing sent.
pub(super) fn hash_out(hash: u128) -> Bytes {
    if hash == 0 { Bytes::new() } else { Bytes::copy_from_slice(&hash.to_be_bytes()) }
}

pub(super) fn hash_in(bytes: &[u8]) -> Result<u128, DecodeError> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let bytes = bytes.try_into().map_err(|_| malformed("a hash is not 16 bytes long"))?;
    Ok(u128::from_be_bytes(bytes))
}

fn branch_out(branch: &BranchHash) -> wire::BranchHash {
    let BranchHash { slot, branch: Branch { level, index }, hash } = *branch;
    wire::BranchHash { slot: slot.0, level: level.into(), index, hash: hash_out(hash) }
}

fn branch_in(branch: wire::BranchHash) -> Result<BranchHash, DecodeError> {
    let Piece { slot, branch: below } = piece_in(branch.slot, branch.level, branch.index)?;
    Ok(BranchHash { slot, branch: below, hash: hash_in(&branch.hash)? })
}

fn piece_in(slot: u32, level: u32, index: u32) -> Result<Piece, DecodeError> {
    let level = byte(level, "a branch on a level that no tree has")?;
    Ok(Piece { slot: Slot(slot), branch: Branch { level, index } })
}

fn children_out(branch: &BranchChildren) -> wire::BranchChildren {
    let mut children = BytesMut::with_capacity(branch.children.len() * HASH_BYTES);
    branch.children.iter().for_each(|hash| children.put_u128(*hash));
    wire::BranchChildren {
        slot: branch.slot.0,
        level: branch.branch.level.into(),
        index: branch.branch.index,
        children: children.freeze(),
    }
}

fn children_in(branch: wire::BranchChildren) -> Result<BranchChildren, DecodeError> {
    let Piece { slot, branch: above } = piece_in(branch.slot, branch.level, branch.index)?;
    let children = branch.children.chunks(HASH_BYTES).map(hash_in);
    Ok(BranchChildren { slot, branch: above, children: children.collect::<Result<_, _>>()? })
}

pub(super) fn states_out(states: &[(Key, StateHash)]) -> Vec<wire::KeyState> {
    let state = |(key, state): &(Key, StateHash)| wire::KeyState {
        key: key.0.clone(),
        state: hash_out(state.0),
    };
    states.iter().map(state).collect()
}

pub(super) fn state_in(state: wire::KeyState) -> Result<(Key, StateHash), DecodeError> {
    Ok((Key(state.key), StateHash(hash_in(&state.state)?)))
}

fn difference_out(difference: &Difference) -> wire::KeyOutline {
    let history = |(actor, history): (Actor, &HistoryOutline)| wire::HistoryOutline {
        actor: Some(actor_out(actor)),
        superseded: Some(seen_out(&history.superseded)),
        at_ms: history.at.0,
        live: history.live.iter().map(|counter| counter.0).collect(),
    };
    wire::KeyOutline {
        key: difference.key.0.clone(),
        histories: difference.outline.histories().map(history).collect(),
        state: hash_out(difference.theirs.0),
    }
}

fn difference_in(difference: wire::KeyOutline) -> Result<Difference, DecodeError> {
    let history = |history: wire::HistoryOutline| {
        let actor = actor_in(history.actor.ok_or(malformed("a history without an actor"))?);
        let superseded = seen_in(history.superseded)?;
        let live = history.live.into_iter().map(Counter).collect();
        Ok((actor, HistoryOutline { superseded, at: UnixMs(history.at_ms), live }))
    };
    let histories = all(difference.histories, history)?;
    // Taking many in any other order costs quadratic time.
    let ascending = histories.is_sorted_by(|(one, _), (next, _)| one < next);
    let known = if ascending { Outline::from_histories(histories) } else { None };
    let known = known.ok_or(malformed("the histories of an outline are not ascending"))?;
    let theirs = StateHash(hash_in(&difference.state)?);
    Ok(Difference { key: Key(difference.key), outline: known, theirs })
}

fn key_record_out((key, record): &(Key, Record)) -> wire::KeyRecord {
    wire::KeyRecord { key: key.0.clone(), record: Some(record_out(record)) }
}

fn key_record_in(given: wire::KeyRecord) -> Result<(Key, Record), DecodeError> {
    let record = record_in(given.record.ok_or(malformed("a record is missing"))?)?;
    Ok((Key(given.key), record))
}
