//! `tests/vectors/positions.json`, `preference_lists.json`, `layout_changes.json` and
//! `large_layouts.json`, shared with TypeScript.
//!
//! Compared by default; `QUORATE_BLESS=1` writes them anew. The layouts come from [`plan_first`]
//! and [`plan`], so a plan that changes shows here, too.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::{env, fs};

use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutVersion, Member, PlanSettings, plan, plan_first};
use quorate_core::ring::{Position, SlotCount};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct PositionVector {
    key_hex: String,
    position_hex: String,
    slot_64: u32,
    slot_1024: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LayoutVector {
    name: String,
    version: u64,
    replication: u8,
    members: Vec<MemberVector>,
    owners: Vec<u16>,
    hash_hex: String,
    keys: Vec<ListVector>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MemberVector {
    id: String,
    label: String,
    zone: String,
    weight: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ListVector {
    key_hex: String,
    slot: u32,
    list: Vec<String>,
}

/// The layouts of one cluster, each planned from the one before; too large to be written out.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LargeVector {
    slots: u32,
    replication: u8,
    nodes_per_zone: u64,
    /// Of each layout, its members, numbered from the first to before the last.
    members: Vec<(u64, u64)>,
    hashes_hex: Vec<String>,
}

#[test]
fn positions_are_those_of_the_vectors() {
    let vectors: Vec<PositionVector> = keys().iter().map(|key| position_vector(key)).collect();
    bless_or_compare("positions.json", &vectors);
    for vector in read::<PositionVector>("positions.json") {
        assert_eq!(position_vector(&from_hex(&vector.key_hex)), vector);
    }
}

#[test]
fn preference_lists_are_those_of_the_vectors() {
    let vectors: Vec<LayoutVector> =
        layouts().iter().map(|(name, layout)| layout_vector(name, layout, &keys())).collect();
    bless_or_compare("preference_lists.json", &vectors);
    for vector in read::<LayoutVector>("preference_lists.json") {
        let layout = layout_of(&vector);
        let keys: Vec<Vec<u8>> = vector.keys.iter().map(|key| from_hex(&key.key_hex)).collect();
        assert_eq!(layout_vector(&vector.name, &layout, &keys), vector);
    }
}

#[test]
fn changes_are_those_of_the_vectors() {
    let vectors: Vec<LayoutVector> =
        changes().iter().map(|(name, layout)| layout_vector(name, layout, &[])).collect();
    bless_or_compare("layout_changes.json", &vectors);
    for pair in read::<LayoutVector>("layout_changes.json").windows(2) {
        let next = plan(&layout_of(&pair[0]), layout_of(&pair[1]).members().to_vec()).unwrap();
        assert_eq!(layout_vector(&pair[1].name, &next, &[]), pair[1]);
    }
}

#[test]
fn large_layouts_have_the_hashes_of_the_vectors() {
    // A thousand nodes in five zones; one more, in a sixth; the first zone is lost.
    let members = vec![(0, 1000), (0, 1001), (200, 1001)];
    let mut vector = LargeVector {
        slots: 65_536,
        replication: 3,
        nodes_per_zone: 200,
        members,
        hashes_hex: vec![],
    };
    let slots = SlotCount::new(vector.slots).unwrap();
    let settings = PlanSettings { slots, replication: vector.replication };
    let mut previous: Option<Layout> = None;
    for &(first, end) in &vector.members {
        let members = (first..end).map(|n| numbered(n, vector.nodes_per_zone)).collect();
        let layout = match &previous {
            Some(previous) => plan(previous, members).unwrap(),
            None => plan_first(settings, members).unwrap(),
        };
        vector.hashes_hex.push(format!("{:032x}", layout.hash()));
        previous = Some(layout);
    }
    bless_or_compare("large_layouts.json", &[vector]);
}

fn numbered(number: u64, nodes_per_zone: u64) -> Member {
    Member {
        id: NodeId((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        label: number.to_string().into(),
        zone: (number / nodes_per_zone).to_string().into(),
        weight: 1,
    }
}

fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = vec![
        vec![0x00],
        vec![0x00, 0x00],
        vec![0xff],
        b" ".to_vec(),
        b"a".to_vec(),
        b"abc".to_vec(),
        b"message digest".to_vec(),
        b"cart:42".to_vec(),
        "schl\u{fc}ssel/\u{20ac}".as_bytes().to_vec(),
        "\u{9375}\u{1f511}".as_bytes().to_vec(),
        vec![0xc3, 0x28],
        vec![b'k'; 55],
        vec![b'k'; 56],
        vec![b'k'; 64],
        (0..1024_u32).map(|byte| byte as u8).collect(),
    ];
    keys.extend((0..25).map(|number| format!("key-{number}").into_bytes()));
    keys
}

fn layouts() -> Vec<(&'static str, Layout)> {
    let plan = |slots, replication, members: &[(&str, &str, u32)]| {
        let slots = SlotCount::new(slots).unwrap();
        plan_first(PlanSettings { slots, replication }, named(members)).unwrap()
    };
    let one = [("solo", "", 1)];
    let three = [("a", "", 1), ("b", "", 1), ("c", "", 1)];
    let racks = [
        ("a", "rack-1", 1),
        ("b", "rack-2", 1),
        ("c", "rack-3", 1),
        ("d", "rack-1", 1),
        ("e", "rack-2", 1),
        ("f", "rack-3", 1),
    ];
    let mixed = [
        ("a", "north", 4),
        ("b", "north", 2),
        ("c", "south", 3),
        ("d", "south", 1),
        ("e", "", 1),
        ("idle", "south", 0),
        ("n\u{fc}rnberg", "s\u{fc}d", 2),
    ];
    let unplanned = Layout::from_parts(
        LayoutVersion(u64::MAX),
        3,
        named(&mixed),
        vec![0, 0, 0, 1, 1, 0, 2, 2, 3, 2, 6, 6, 4, 0, 0, 6],
    );
    vec![
        ("one node", plan(8, 3, &one)),
        ("three nodes", plan(64, 3, &three)),
        ("six nodes in three zones", plan(64, 3, &racks)),
        ("weights and zones", plan(128, 3, &mixed)),
        ("five replicas, fewer zones", plan(64, 5, &racks)),
        ("as no plan would make it", unplanned.unwrap()),
    ]
}

/// Label, zone and weight of a member.
type Lettered<'a> = (&'a str, &'a str, u32);

/// The layouts of one cluster, each planned from the one before.
fn changes() -> Vec<(&'static str, Layout)> {
    let founded = [("a", "x", 1), ("b", "y", 1), ("c", "z", 1)];
    let steps: [(&str, &[Lettered<'_>]); 7] = [
        ("d joins", &[("a", "x", 1), ("b", "y", 1), ("c", "z", 1), ("d", "x", 1)]),
        ("b leaves", &[("a", "x", 1), ("c", "z", 1), ("d", "x", 1)]),
        (
            "e and f join, c weighs twice",
            &[("a", "x", 1), ("c", "z", 2), ("d", "x", 1), ("e", "y", 1), ("f", "z", 1)],
        ),
        (
            "f moves to another zone",
            &[("a", "x", 1), ("c", "z", 2), ("d", "x", 1), ("e", "y", 1), ("f", "y", 1)],
        ),
        (
            "b returns",
            &[
                ("a", "x", 1),
                ("b", "y", 1),
                ("c", "z", 2),
                ("d", "x", 1),
                ("e", "y", 1),
                ("f", "y", 1),
            ],
        ),
        ("zone y is lost", &[("a", "x", 1), ("c", "z", 2), ("d", "x", 1)]),
        ("a hands everything over", &[("a", "x", 0), ("c", "z", 2), ("d", "x", 1)]),
    ];
    let slots = SlotCount::new(64).unwrap();
    let settings = PlanSettings { slots, replication: 3 };
    let mut layouts = vec![("founded", plan_first(settings, lettered(&founded)).unwrap())];
    for (name, members) in steps {
        let (_, previous) = layouts.last().unwrap();
        layouts.push((name, plan(previous, lettered(members)).unwrap()));
    }
    layouts
}

/// Members whose ids come from their labels, and are in another order.
fn lettered(members: &[Lettered<'_>]) -> Vec<Member> {
    let id = |label: &str| u64::from(label.as_bytes()[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let member = |&(label, zone, weight): &Lettered<'_>| Member {
        id: NodeId(id(label)),
        label: label.into(),
        zone: zone.into(),
        weight,
    };
    members.iter().map(member).collect()
}

fn named(members: &[(&str, &str, u32)]) -> Vec<Member> {
    let id = |place: usize| NodeId((place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut members: Vec<Member> = members
        .iter()
        .enumerate()
        .map(|(place, &(label, zone, weight))| Member {
            id: id(place),
            label: label.into(),
            zone: zone.into(),
            weight,
        })
        .collect();
    members.sort_by_key(|member| member.id);
    members
}

fn position_vector(key: &[u8]) -> PositionVector {
    let position = Position::of(key);
    let slot = |count| position.slot(SlotCount::new(count).unwrap()).0;
    PositionVector {
        key_hex: to_hex(key),
        position_hex: position.to_string(),
        slot_64: slot(64),
        slot_1024: slot(1024),
    }
}

fn layout_vector(name: &str, layout: &Layout, keys: &[Vec<u8>]) -> LayoutVector {
    let member = |member: &Member| MemberVector {
        id: member.id.to_string(),
        label: member.label.to_string(),
        zone: member.zone.to_string(),
        weight: member.weight,
    };
    let list = |key: &Vec<u8>| {
        let slot = layout.slot_of(key);
        let list = layout.preference_list(slot).map(|id| id.to_string()).collect();
        ListVector { key_hex: to_hex(key), slot: slot.0, list }
    };
    LayoutVector {
        name: name.to_owned(),
        version: layout.version().0,
        replication: layout.replication(),
        members: layout.members().iter().map(member).collect(),
        owners: layout.owners().to_vec(),
        hash_hex: format!("{:032x}", layout.hash()),
        keys: keys.iter().map(list).collect(),
    }
}

fn layout_of(vector: &LayoutVector) -> Layout {
    let member = |member: &MemberVector| Member {
        id: member.id.parse().unwrap(),
        label: member.label.as_str().into(),
        zone: member.zone.as_str().into(),
        weight: member.weight,
    };
    let members = vector.members.iter().map(member).collect();
    let version = LayoutVersion(vector.version);
    Layout::from_parts(version, vector.replication, members, vector.owners.clone()).unwrap()
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file)
}

fn read<V: for<'de> Deserialize<'de>>(file: &str) -> Vec<V> {
    let text = fs::read_to_string(path(file)).expect("write it with QUORATE_BLESS=1");
    serde_json::from_str(&text).unwrap()
}

/// One vector per line, so that a difference shows which one it is.
fn bless_or_compare<V: Serialize>(file: &str, vectors: &[V]) {
    let lines: Vec<String> = vectors.iter().map(|v| serde_json::to_string(v).unwrap()).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    if env::var_os("QUORATE_BLESS").is_some() {
        fs::create_dir_all(path("")).unwrap();
        fs::write(path(file), text).unwrap();
        return;
    }
    let stored = fs::read_to_string(path(file)).expect("write it with QUORATE_BLESS=1");
    assert!(
        stored == text,
        "{file} differs: QUORATE_BLESS=1 writes it anew, then look at the diff"
    );
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
