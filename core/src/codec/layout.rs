//! Layouts with addresses: on the wire, and as one node's disk keeps the newest one.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use super::{DecodeError, byte, malformed, seal, text, unseal, wire};
use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion, Member};
use crate::message::LayoutUpdate;

const VERSION: u8 = 1;

/// The bytes to store.
pub fn encode_layout(update: &LayoutUpdate) -> Vec<u8> {
    let update = layout_out(update);
    seal(VERSION, update.encoded_len(), |bytes| update.encode_raw(bytes))
}

/// What was stored.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`encode_layout`] once made.
pub fn decode_layout(bytes: Bytes) -> Result<LayoutUpdate, DecodeError> {
    let body = unseal(VERSION, &bytes)?;
    let update = wire::LayoutUpdate::decode(body).map_err(|_| malformed("a stored layout"))?;
    layout_in(update)
}

pub(super) fn layout_out(update: &LayoutUpdate) -> wire::LayoutUpdate {
    let layout = &update.layout;
    let members =
        layout.members().iter().zip(&update.addresses).map(|(member, address)| wire::Member {
            id: member.id.0,
            label: member.label.as_ref().into(),
            zone: member.zone.as_ref().into(),
            weight: member.weight,
            address: address.as_ref().into(),
        });
    wire::LayoutUpdate {
        version: layout.version().0,
        replication: layout.replication().into(),
        members: members.collect(),
        owners: layout.owners().iter().map(|owner| u32::from(*owner)).collect(),
    }
}

pub(super) fn layout_in(update: wire::LayoutUpdate) -> Result<LayoutUpdate, DecodeError> {
    let mut members = Vec::with_capacity(update.members.len());
    let mut addresses = Vec::with_capacity(update.members.len());
    for member in update.members {
        members.push(Member {
            id: NodeId(member.id),
            label: text(member.label),
            zone: text(member.zone),
            weight: member.weight,
        });
        addresses.push(text(member.address));
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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn update() -> LayoutUpdate {
        let member = |id: u64, label: &str| Member {
            id: NodeId(id),
            label: label.into(),
            zone: "west".into(),
            weight: 2,
        };
        let members = vec![member(3, "a"), member(5, "b")];
        let layout = Layout::from_parts(LayoutVersion(9), 2, members, vec![0, 1, 1, 0]).unwrap();
        LayoutUpdate { layout, addresses: vec!["ws://a:1".into(), "ws://b:1".into()] }
    }

    #[test]
    fn a_stored_layout_is_read_as_it_was_written() {
        assert_eq!(decode_layout(encode_layout(&update()).into()), Ok(update()));
    }

    #[test]
    fn a_stored_layout_that_is_damaged_does_not_decode() {
        let bytes = encode_layout(&update());
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_layout(flipped.into()).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode_layout(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length}");
        }
    }

    #[test]
    fn a_layout_of_another_format_does_not_decode() {
        let body = layout_out(&update());
        let bytes = seal(VERSION + 1, body.encoded_len(), |bytes| body.encode_raw(bytes));
        assert!(decode_layout(bytes.into()).is_err());
    }
}
