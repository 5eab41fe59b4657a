//! Statistics and the ring as plain data: the cold path, where an object is worth its price.

use quorate_core::client::ClientView;
use quorate_core::layout::Layout;
use quorate_core::message::LayoutUpdate;
use quorate_core::ring::Position;
use serde::Serialize;

/// The ring as the client knows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ring<'view> {
    version: u64,
    replication: u8,
    members: Vec<Member<'view>>,
    /// For each slot the index of its owner in `members`.
    owners: &'view [u16],
}

#[derive(Serialize)]
struct Member<'view> {
    id: String,
    label: &'view str,
    zone: &'view str,
    weight: u32,
    address: &'view str,
}

/// What the client did so far.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    calls: u64,
    direct: u64,
    passed_on: u64,
    retries: u64,
    /// Ids of the nodes that it is connected to.
    connected: Vec<String>,
}

impl<'view> Ring<'view> {
    pub(super) fn of(update: &'view LayoutUpdate) -> Ring<'view> {
        let layout = &update.layout;
        let members = layout.members().iter().zip(&update.addresses);
        Ring {
            version: layout.version().0,
            replication: layout.replication(),
            members: members
                .map(|(member, address)| Member {
                    id: member.id.to_string(),
                    label: &member.label,
                    zone: &member.zone,
                    weight: member.weight,
                    address,
                })
                .collect(),
            owners: layout.owners(),
        }
    }
}

impl Stats {
    pub(super) fn of(view: &ClientView<'_>) -> Stats {
        let stats = view.stats();
        Stats {
            calls: stats.calls,
            direct: stats.direct,
            passed_on: stats.passed_on,
            retries: stats.retries,
            connected: view.links().map(|node| node.to_string()).collect(),
        }
    }
}

/// Where `key` lives: position (16 bytes, big-endian), slot (u32), then for each node of its
/// preference list the index among the members (u16); numbers little-endian.
pub(super) fn locate(layout: &Layout, key: &[u8]) -> Vec<u8> {
    let slot = layout.slot_of(key);
    let mut bytes = Position::of(key).to_be_bytes().to_vec();
    bytes.extend(slot.0.to_le_bytes());
    for id in layout.preference_list(slot) {
        let index = layout.members().binary_search_by_key(&id, |member| member.id);
        let index = index.expect("a preference list names members");
        bytes.extend(u16::try_from(index).expect("owners are u16, too").to_le_bytes());
    }
    bytes
}
