//! Everything that a node may tell an operator.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_core::ids::ClusterId;
use quorate_core::message::{
    MemberState, MemberStatus, PairStatus, RepairRefusal, RepairReply, StatusReply,
};
use quorate_core::ring::Slot;
use quorate_core::time::{Duration, UnixMs};

use crate::strategies::{call, incarnation, layout_version, node, nodes, number, small, text};

const REPAIR_REFUSALS: [RepairRefusal; 5] = [
    RepairRefusal::NoLayout,
    RepairRefusal::NoSuchSlot,
    RepairRefusal::NotAPrimary,
    RepairRefusal::Off,
    RepairRefusal::Unrecognized,
];

pub(crate) fn status() -> impl Strategy<Value = StatusReply> {
    let numbers = || vec((text(), number()), 0..20);
    let identity = (call(), number(), node(), text(), incarnation(), layout_version());
    let uptime = number().prop_map(Duration::from_millis);
    let pairs = (number().prop_map(UnixMs), vec(pair_status(), 0..20));
    let lists = (vec(member_status(), 0..20), numbers(), numbers(), pairs);
    (identity, uptime, text(), text(), number(), lists).prop_map(
        |(identity, uptime, software, storage, records, (members, counters, limits, pairs))| {
            let (now, comparisons) = pairs;
            let (call, cluster, node, label, incarnation, layout_version) = identity;
            StatusReply {
                call,
                cluster: ClusterId(cluster),
                node,
                label,
                incarnation,
                layout_version,
                uptime,
                software,
                storage,
                records,
                members,
                counters,
                limits,
                now,
                comparisons,
            }
        },
    )
}

fn pair_status() -> impl Strategy<Value = PairStatus> {
    let time = || option::of(number().prop_map(UnixMs));
    (small(), node(), time(), time()).prop_map(|(slot, peer, compared, equal)| PairStatus {
        slot: Slot(slot),
        peer,
        compared,
        equal,
    })
}

pub(crate) fn repair_reply() -> impl Strategy<Value = RepairReply> {
    let refusal = select(&REPAIR_REFUSALS).prop_map(Err);
    let result = prop_oneof![small().prop_map(Ok), refusal];
    (call(), number().prop_map(UnixMs), result).prop_map(|(call, now, result)| RepairReply {
        call,
        now,
        result,
    })
}

fn member_status() -> impl Strategy<Value = MemberStatus> {
    let state = select(&[MemberState::Up, MemberState::Suspected, MemberState::Down]);
    let life = (state, number(), number(), nodes(), number());
    let told = (node(), text(), text(), small(), text(), any::<bool>());
    (told, small(), small(), life, number(), number()).prop_map(
        |(told, slots, replicas, life, hints, hint_bytes)| {
            let (id, label, zone, weight, address, up) = told;
            let (state, heartbeat, age_ms, witnesses, down_ms) = life;
            MemberStatus {
                id,
                label,
                zone,
                weight,
                address,
                up,
                slots,
                replicas,
                state,
                heartbeat,
                heartbeat_age: Duration::from_millis(age_ms),
                witnesses,
                hints,
                hint_bytes,
                down: Duration::from_millis(down_ms),
            }
        },
    )
}
