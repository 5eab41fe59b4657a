//! Layouts with addresses.

use alloc::vec::Vec;

use super::{DecodeError, byte, malformed, text, wire};
use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion, Member};
use crate::message::LayoutUpdate;

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
