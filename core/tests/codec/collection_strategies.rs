//! Every step of a collection, and every answer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use quorate_core::merkle::StateHash;
use quorate_core::message::{Collect, CollectAnswer, CollectStep, Collected, EpochOf};

use crate::exchange_strategies::{hash, states};
use crate::strategies::{call, epoch, key, layout_version, node, number};

pub(crate) fn collect() -> impl Strategy<Value = Collect> {
    let step = prop_oneof![
        (vec(key(), 0..20), option::of(number()), vec(epoch_of(), 0..10))
            .prop_map(|(keys, since, floors)| CollectStep::Confirm { keys, since, floors }),
        Just(CollectStep::NewEpoch),
        states().prop_map(CollectStep::Remove),
    ];
    (call(), layout_version(), step).prop_map(|(call, layout_version, step)| Collect {
        call,
        layout_version,
        step,
    })
}

pub(crate) fn collected() -> impl Strategy<Value = Collected> {
    let states = vec(option::of(hash().prop_map(StateHash)), 0..30);
    let answer = prop_oneof![
        Just(CollectAnswer::NotNow),
        (states, number()).prop_map(|(states, since)| CollectAnswer::Confirmed { states, since }),
        epoch_of().prop_map(CollectAnswer::Begun),
    ];
    (call(), answer).prop_map(|(call, answer)| Collected { call, answer })
}

fn epoch_of() -> impl Strategy<Value = EpochOf> {
    (node(), epoch()).prop_map(|(node, epoch)| EpochOf { node, epoch })
}
