//! Layouts off the wire: what is refused, what is equal.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutError, LayoutVersion, Member, REPLICATION_MAX};
use quorate_core::ring::{Position, Slot, SlotCount};

fn member(id: u64, label: &str, zone: &str, weight: u32) -> Member {
    Member { id: NodeId(id), label: label.into(), zone: zone.into(), weight }
}

fn three() -> Vec<Member> {
    vec![member(1, "a", "x", 1), member(2, "b", "y", 1), member(3, "c", "", 0)]
}

fn parts(replication: u8, members: Vec<Member>, owners: Vec<u16>) -> Result<Layout, LayoutError> {
    Layout::from_parts(LayoutVersion(5), replication, members, owners)
}

#[test]
fn sound_parts_make_a_layout() {
    let layout = parts(2, three(), vec![0, 1, 0, 1]).unwrap();
    assert_eq!(layout.version(), LayoutVersion(5));
    assert_eq!(layout.replication(), 2);
    assert_eq!(layout.slot_count(), SlotCount::new(4).unwrap());
    assert_eq!(layout.members(), three());
    assert_eq!(layout.owner(Slot(1)), NodeId(2));
    assert_eq!(layout.primaries(Slot(1)), [NodeId(2), NodeId(1)]);
    assert_eq!(layout.member(NodeId(3)), Some(&member(3, "c", "", 0)));
    assert_eq!(layout.member(NodeId(4)), None);
    assert_eq!(layout.slot_of(b"key"), Position::of(b"key").slot(layout.slot_count()));
    let load: Vec<(u32, u32)> = layout.load().iter().map(|l| (l.slots, l.replicas)).collect();
    assert_eq!(load, [(2, 4), (2, 4), (0, 0)]);
}

#[test]
fn a_cluster_smaller_than_n_has_fewer_primaries() {
    let layout = parts(3, three(), vec![1]).unwrap();
    assert_eq!(layout.primaries(Slot(0)), [NodeId(2)]);
    assert!(!layout.is_primary(Slot(0), NodeId(3)));
}

#[test]
fn damage_is_refused_with_its_numbers() {
    let descending = vec![member(2, "b", "", 1), member(1, "a", "", 1)];
    let twice = vec![member(1, "a", "", 1), member(1, "b", "", 1)];
    let crowd: Vec<Member> = (0..10_001).map(|id| member(id, "", "", 1)).collect();
    let too_many_replicas = REPLICATION_MAX + 1;
    let table = [
        (parts(1, vec![], vec![0]), LayoutError::NoMembers),
        (parts(1, crowd, vec![0]), LayoutError::TooManyMembers { members: 10_001 }),
        (parts(1, descending, vec![0]), LayoutError::MembersUnordered { id: NodeId(1) }),
        (parts(1, twice, vec![0]), LayoutError::MembersUnordered { id: NodeId(1) }),
        (parts(1, three(), vec![]), LayoutError::Slots { slots: 0 }),
        (parts(1, three(), vec![0; 3]), LayoutError::Slots { slots: 3 }),
        (parts(1, three(), vec![0; 131_072]), LayoutError::Slots { slots: 131_072 }),
        (parts(1, three(), vec![0, 3]), LayoutError::Owner { slot: Slot(1), owner: 3, members: 3 }),
        (parts(0, three(), vec![0]), LayoutError::Replication { replication: 0 }),
        (
            parts(too_many_replicas, three(), vec![0]),
            LayoutError::Replication { replication: too_many_replicas },
        ),
    ];
    for (refused, expected) in table {
        assert_eq!(refused.unwrap_err(), expected);
        assert!(!expected.to_string().is_empty());
    }
}

#[test]
fn equal_layouts_have_equal_hashes_and_every_difference_shows() {
    let base = parts(2, three(), vec![0, 1, 0, 1]).unwrap();
    let same = parts(2, three(), vec![0, 1, 0, 1]).unwrap();
    assert_eq!(base, same);
    assert_eq!(base.hash(), same.hash());

    let changed = |change: fn(&mut Vec<Member>)| {
        let mut members = three();
        change(&mut members);
        parts(2, members, vec![0, 1, 0, 1]).unwrap()
    };
    let others = [
        Layout::from_parts(LayoutVersion(6), 2, three(), vec![0, 1, 0, 1]).unwrap(),
        parts(1, three(), vec![0, 1, 0, 1]).unwrap(),
        parts(2, three(), vec![0, 1, 1, 0]).unwrap(),
        parts(2, three(), vec![0, 1]).unwrap(),
        changed(|members| members[2].id = NodeId(4)),
        changed(|members| members[0].label = "ax".into()),
        changed(|members| members[0].zone = "".into()),
        // The border between two texts is part of what is hashed.
        changed(|members| (members[0].label, members[0].zone) = ("".into(), "ax".into())),
        changed(|members| members[0].weight = 2),
        changed(|members| drop(members.pop())),
    ];
    for other in &others {
        assert_ne!(&base, other);
    }
    let hashes: BTreeSet<u128> = others.iter().chain([&base]).map(Layout::hash).collect();
    assert_eq!(hashes.len(), others.len() + 1);
}
