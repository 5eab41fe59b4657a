//! Layouts with addresses: on the wire, and as one node's disk keeps those that are in force.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use super::{DecodeError, byte, change, malformed, seal, text, unseal, wire};
use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion, Member};
use crate::message::{LayoutHistory, LayoutUpdate, Marks};

const FORMER_VERSION: u8 = 1;
const VERSION: u8 = 2;

/// The bytes to store.
pub fn encode_layouts(history: &LayoutHistory) -> Vec<u8> {
    let marks = history.marks();
    let stored = wire::StoredLayouts {
        live: history.live().iter().map(|update| layout_out(update)).collect(),
        ack: marks.ack.0,
        sync: marks.sync.0,
        sync_ack: marks.sync_ack.0,
        past: history.past().iter().map(change::past_out).collect(),
    };
    seal(VERSION, stored.encoded_len(), |bytes| stored.encode_raw(bytes))
}

/// What was stored. Of the former format there is one layout, with which its node was done.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`encode_layouts`] once made.
pub fn decode_layouts(bytes: Bytes) -> Result<LayoutHistory, DecodeError> {
    if let Ok(body) = unseal(FORMER_VERSION, &bytes) {
        let update = wire::LayoutUpdate::decode(body).map_err(|_| malformed("a stored layout"))?;
        return Ok(LayoutHistory::settled(Arc::new(layout_in(update)?)));
    }
    let body = unseal(VERSION, &bytes)?;
    let stored = wire::StoredLayouts::decode(body).map_err(|_| malformed("stored layouts"))?;
    let marks = Marks {
        ack: LayoutVersion(stored.ack),
        sync: LayoutVersion(stored.sync),
        sync_ack: LayoutVersion(stored.sync_ack),
    };
    let past = stored.past.into_iter().map(change::past_in).collect::<Result<_, _>>()?;
    Ok(history_in(stored.live, marks)?.with_past(past))
}

/// Layouts that are in force at one time; there may be none.
pub(super) fn layouts_in(
    live: Vec<wire::LayoutUpdate>,
) -> Result<Vec<Arc<LayoutUpdate>>, DecodeError> {
    if live.is_empty() {
        return Ok(Vec::new());
    }
    Ok(history_in(live, Marks::default())?.live().to_vec())
}

fn history_in(live: Vec<wire::LayoutUpdate>, marks: Marks) -> Result<LayoutHistory, DecodeError> {
    let live = live.into_iter().map(|update| layout_in(update).map(Arc::new));
    let live = live.collect::<Result<_, _>>()?;
    LayoutHistory::new(live, marks).map_err(|_| malformed("the layouts break their own rules"))
}

pub(super) fn layout_out(update: &LayoutUpdate) -> wire::LayoutUpdate {
    let layout = &update.layout;
    let members = layout.members().iter().zip(&update.addresses).map(|(member, address)| {
        wire::Member { address: address.as_ref().into(), ..member_out(member) }
    });
    wire::LayoutUpdate {
        version: layout.version().0,
        replication: layout.replication().into(),
        members: members.collect(),
        owners: layout.owners().iter().map(|owner| u32::from(*owner)).collect(),
    }
}

#[cold]
pub(super) fn layout_in(update: wire::LayoutUpdate) -> Result<LayoutUpdate, DecodeError> {
    let mut members = Vec::with_capacity(update.members.len());
    let mut addresses = Vec::with_capacity(update.members.len());
    for member in update.members {
        addresses.push(text(member.address.clone()));
        members.push(member_in(member));
    }
    let owners = update.owners.into_iter().map(|owner| {
        u16::try_from(owner).map_err(|_| malformed("an owner is no index of a member"))
    });
    let layout = Layout::from_parts(
        LayoutVersion(update.version),
        byte(update.replication, "N is above 255")?,
        members,
        owners.collect::<Result<_, _>>()?,
    )
    .map_err(|_| malformed("the layout breaks its own rules"))?;
    Ok(LayoutUpdate { layout, addresses })
}

/// A member whose address is told elsewhere.
pub(super) fn member_out(member: &Member) -> wire::Member {
    wire::Member {
        id: member.id.0,
        label: member.label.as_ref().into(),
        zone: member.zone.as_ref().into(),
        weight: member.weight,
        address: String::new(),
    }
}

pub(super) fn member_in(member: wire::Member) -> Member {
    Member {
        id: NodeId(member.id),
        label: text(member.label),
        zone: text(member.zone),
        weight: member.weight,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn update(version: u64) -> Arc<LayoutUpdate> {
        let member = |id: u64, label: &str| Member {
            id: NodeId(id),
            label: label.into(),
            zone: "west".into(),
            weight: 2,
        };
        let members = vec![member(3, "a"), member(5, "b")];
        let owners = vec![0, 1, 1, 0];
        let layout = Layout::from_parts(LayoutVersion(version), 2, members, owners).unwrap();
        let addresses = vec!["ws://a:1".into(), "ws://b:1".into()];
        Arc::new(LayoutUpdate { layout, addresses })
    }

    fn history() -> LayoutHistory {
        let [sync_ack, sync, ack] = [8, 8, 9].map(LayoutVersion);
        LayoutHistory::new(vec![update(8), update(9)], Marks { ack, sync, sync_ack }).unwrap()
    }

    #[test]
    fn stored_layouts_are_read_as_they_were_written() {
        assert_eq!(decode_layouts(encode_layouts(&history()).into()), Ok(history()));
    }

    #[test]
    fn a_layout_that_the_former_version_stored_is_one_that_its_node_was_done_with() {
        let body = layout_out(&update(9));
        let bytes = seal(FORMER_VERSION, body.encoded_len(), |bytes| body.encode_raw(bytes));
        assert_eq!(decode_layouts(bytes.into()), Ok(LayoutHistory::settled(update(9))));
    }

    #[test]
    fn stored_layouts_that_are_damaged_do_not_decode() {
        let bytes = encode_layouts(&history());
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_layouts(flipped.into()).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode_layouts(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length}");
        }
    }

    #[test]
    fn layouts_of_another_format_do_not_decode() {
        let body = layout_out(&update(9));
        let bytes = seal(VERSION + 1, body.encoded_len(), |bytes| body.encode_raw(bytes));
        assert!(decode_layouts(bytes.into()).is_err());
    }
}
