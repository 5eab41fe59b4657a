//! Collection of records that are dead.

use alloc::vec::Vec;

use super::exchange::{all, hash_in, hash_out, state_in, states_out};
use super::{DecodeError, malformed, wire};
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::merkle::StateHash;
use crate::message::{CallId, Collect, CollectAnswer, CollectStep, Collected, EpochOf};
use wire::collect::Step;
use wire::collected::Answer;

pub(super) fn collect_out(collect: &Collect) -> wire::Collect {
    let step = match &collect.step {
        CollectStep::Confirm { keys, since, floors } => Step::Confirm(wire::ConfirmDead {
            keys: keys.iter().map(|key| key.0.clone()).collect(),
            since: *since,
            floors: floors.iter().map(epoch_out).collect(),
        }),
        CollectStep::NewEpoch => Step::NewEpoch(wire::NewEpoch {}),
        CollectStep::Remove(records) => {
            Step::Remove(wire::RemoveDead { records: states_out(records) })
        }
    };
    let (call, layout_version) = (collect.call.0, collect.layout_version.0);
    wire::Collect { call, layout_version, step: Some(step) }
}

pub(super) fn collect_in(collect: wire::Collect) -> Result<Collect, DecodeError> {
    let step = match collect.step.ok_or(malformed("a collection without a step"))? {
        Step::Confirm(asked) => CollectStep::Confirm {
            keys: asked.keys.into_iter().map(Key).collect(),
            since: asked.since,
            floors: asked.floors.into_iter().map(epoch_in).collect(),
        },
        Step::NewEpoch(wire::NewEpoch {}) => CollectStep::NewEpoch,
        Step::Remove(asked) => CollectStep::Remove(all(asked.records, state_in)?),
    };
    let (call, layout_version) = (CallId(collect.call), LayoutVersion(collect.layout_version));
    Ok(Collect { call, layout_version, step })
}

pub(super) fn collected_out(collected: &Collected) -> wire::Collected {
    let answer = match &collected.answer {
        CollectAnswer::NotNow => None,
        CollectAnswer::Confirmed { states, since } => {
            let held = states.iter().map(|state| wire::HeldState {
                state: hash_out(state.unwrap_or_default().0),
                unsettled: state.is_none(),
            });
            Some(Answer::Confirmed(wire::DeadConfirmed { held: held.collect(), since: *since }))
        }
        CollectAnswer::Begun(epoch) => Some(Answer::Epoch(epoch_out(epoch))),
    };
    wire::Collected { call: collected.call.0, answer }
}

pub(super) fn collected_in(collected: wire::Collected) -> Result<Collected, DecodeError> {
    let answer = match collected.answer {
        None => CollectAnswer::NotNow,
        Some(Answer::Confirmed(wire::DeadConfirmed { held, since })) => {
            let state = |held: wire::HeldState| {
                let state = hash_in(&held.state)?;
                Ok((!held.unsettled).then_some(StateHash(state)))
            };
            let states: Vec<Option<StateHash>> = all(held, state)?;
            CollectAnswer::Confirmed { states, since }
        }
        Some(Answer::Epoch(epoch)) => CollectAnswer::Begun(epoch_in(epoch)),
    };
    Ok(Collected { call: CallId(collected.call), answer })
}

fn epoch_out(EpochOf { node, epoch }: &EpochOf) -> wire::EpochOf {
    wire::EpochOf { node: node.0, epoch: epoch.0 }
}

fn epoch_in(of: wire::EpochOf) -> EpochOf {
    EpochOf { node: NodeId(of.node), epoch: Epoch(of.epoch) }
}
