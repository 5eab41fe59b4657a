//! Examples of how members agree that what is dead may go.

use quorate_core::ids::{Epoch, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::merkle::StateHash;
use quorate_core::message::{
    CallId, Collect, CollectAnswer, CollectStep, Collected, EpochOf, Message,
};

use crate::examples::GREAT;

const STATE: StateHash = StateHash(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

const NOBODY: EpochOf = EpochOf { node: NodeId(0), epoch: Epoch(0) };

const SOMEBODY: EpochOf = EpochOf { node: NodeId(GREAT), epoch: Epoch(u64::MAX) };

pub(crate) fn collections(add: &mut impl FnMut(&str, Message)) {
    questions(add);
    answers(add);
}

fn questions(add: &mut impl FnMut(&str, Message)) {
    let least = |step| {
        let (call, layout_version) = (CallId(0), LayoutVersion(0));
        Message::Collect(Collect { call, layout_version, step })
    };
    let full = |step| {
        let (call, layout_version) = (CallId(300), LayoutVersion(GREAT));
        Message::Collect(Collect { call, layout_version, step })
    };
    let confirm = |keys, since, floors| CollectStep::Confirm { keys, since, floors };
    add("collect, a look, minimal", least(confirm(Vec::new(), None, Vec::new())));
    let zeros = confirm(vec![Key::from(vec![])], Some(0), vec![NOBODY]);
    add("collect, a look, present zeros", least(zeros));
    let keys = vec![Key::from("cart"), Key::from("list")];
    add("collect, the first look", full(confirm(keys.clone(), None, Vec::new())));
    let second = confirm(keys, Some(GREAT), vec![SOMEBODY, EpochOf { epoch: Epoch(1), ..NOBODY }]);
    add("collect, the second look", full(second));

    add("collect, a new epoch, minimal", least(CollectStep::NewEpoch));
    add("collect, a new epoch", full(CollectStep::NewEpoch));

    add("collect, a removal, minimal", least(CollectStep::Remove(Vec::new())));
    let zeros = vec![(Key::from(vec![]), StateHash(0))];
    add("collect, a removal, present zeros", least(CollectStep::Remove(zeros)));
    let dead = vec![(Key::from("cart"), STATE), (Key::from("list"), StateHash(u128::MAX))];
    add("collect, a removal, full", full(CollectStep::Remove(dead)));
}

fn answers(add: &mut impl FnMut(&str, Message)) {
    let least = |answer| Message::Collected(Collected { call: CallId(0), answer });
    let full = |answer| Message::Collected(Collected { call: CallId(300), answer });
    add("collected: not now, minimal", least(CollectAnswer::NotNow));
    add("collected: not now", full(CollectAnswer::NotNow));

    let confirmed = |states, since| CollectAnswer::Confirmed { states, since };
    add("collected, what is held, minimal", least(confirmed(Vec::new(), 0)));
    add("collected, what is held: nothing", least(confirmed(vec![Some(StateHash(0))], 0)));
    let states = vec![Some(STATE), None, Some(StateHash(0)), Some(StateHash(u128::MAX))];
    add("collected, what is held, full", full(confirmed(states, GREAT)));

    add("collected, an epoch, minimal", least(CollectAnswer::Begun(NOBODY)));
    add("collected, an epoch, full", full(CollectAnswer::Begun(SOMEBODY)));
}
