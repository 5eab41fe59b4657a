//! The plan of a change: from a layout and the members that there shall be to the next layout.
//!
//! Each member owns its share of the slots by weight, and no more slots change their owner than
//! that demands: who has more than its share gives away what is above it, who has less receives
//! what is missing, and who left gives away everything. *Which* slots move, and to whom, is free:
//! [`moves`](super::moves) uses that to keep the loads even and the zones of neighbours apart.
//!
//! ```text
//!   A B C A B C A B C A B C      D joins: every owner gives one of its slots
//!   A B C D B C A D C A B D
//! ```
//!
//! A walk passes over nodes that it has met and takes new zones first, so the primaries of a slot
//! repeat a node or a zone only where there are fewer than N that own slots.
//! [`explain`](super::explain) tells where that is so.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::moves::Moves;
use super::plan::{PlanError, PlanSettings, check, quotas};
use super::search::Search;
use super::{Layout, LayoutVersion, Member, fair, without_slots, zone_numbers};
use crate::ids::NodeId;
use crate::ring::Ring;

/// The layout that follows `previous` once its members are `members`, with the same Q and N.
///
/// The order in which members are given does not matter. Who is not among them gives all slots
/// away, and so does who has weight 0. Each other member owns its share of the slots by weight, to
/// within one slot; of the shares that are equally exact, those are taken that move less. More
/// moves than shares demand there are only where members would else hold more than a twentieth, and
/// more than a slot's replicas, beyond what weights and zones demand: at most one for each member,
/// or, where no such plan was found (a few nodes, and a zone that has just come to hold a replica
/// of every slot), at most eight. Where ids, zones and weights are those of `previous`, nothing
/// moves.
///
/// # Errors
///
/// Where the members make no plan, as [`plan_first`](super::plan_first), and where `previous` has
/// the last version. `previous` is left as it was.
pub fn plan(previous: &Layout, mut members: Vec<Member>) -> Result<Layout, PlanError> {
    members.sort_by_key(|member| member.id);
    let settings =
        PlanSettings { slots: previous.slot_count(), replication: previous.replication() };
    check(settings, &members)?;
    let version = previous.version().0.checked_add(1).ok_or(PlanError::LastVersion)?;

    let owners = if have_same_shares(previous.members(), &members) {
        previous.owners().to_vec()
    } else {
        next_owners(previous, &members)
    };
    let layout = Layout::from_parts(LayoutVersion(version), settings.replication, members, owners);
    Ok(layout.expect("all that a layout checks was checked or made here"))
}

/// Whether two lists of members differ in no more than labels.
fn have_same_shares(some: &[Member], others: &[Member]) -> bool {
    let share = |member: &Member| (member.id, member.zone.clone(), member.weight);
    some.iter().map(share).eq(others.iter().map(share))
}

fn next_owners(previous: &Layout, members: &[Member]) -> Vec<u16> {
    let place = |id: NodeId| {
        let place = members.binary_search_by_key(&id, |member| member.id).ok()?;
        Some(place as u16)
    };
    let slots = || previous.slot_count().slots();
    let homes: Vec<Option<u16>> = slots().map(|slot| place(previous.owner(slot))).collect();
    let mut slots_of: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (slot, home) in homes.iter().enumerate() {
        if let Some(home) = *home {
            slots_of[usize::from(home)].push(slot);
        }
    }
    let mut held = without_slots(members);
    for load in previous.load() {
        if let Some(place) = place(load.id) {
            held[usize::from(place)] = load;
        }
    }

    let (replication, zones) = (previous.replication(), zone_numbers(members));
    let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
    let quotas = quotas(previous.slot_count().get(), &weights, &held);
    let ring = Ring::new(hand_over(&homes, &slots_of, &quotas), zones);
    let former = slots().flat_map(|slot| previous.primaries(slot).iter().map(|&id| place(id)));
    let search = Search::new(ring, replication, &weights).after(former);
    let fair = fair::fair_loads(replication, members, &quotas);
    Moves::new(search, homes, slots_of).choose(&fair, replication)
}

/// Owners with exactly these quotas, of which as few as possible differ from `homes`, the present
/// ones: what members have above their quotas is dealt out in turn to those who have less.
fn hand_over(homes: &[Option<u16>], slots_of: &[Vec<usize>], quotas: &[u32]) -> Vec<u16> {
    let mut owners: Vec<Option<u16>> = homes.to_vec();
    let mut receivers: VecDeque<(u16, usize)> = VecDeque::new();
    for (member, slots) in slots_of.iter().enumerate() {
        let quota = quotas[member] as usize;
        let surplus = slots.len().saturating_sub(quota);
        for turn in 0..surplus {
            owners[slots[turn * slots.len() / surplus]] = None;
        }
        if slots.len() < quota {
            receivers.push_back((member as u16, quota - slots.len()));
        }
    }
    let mut dealt = || {
        let (member, missing) = receivers.pop_front().expect("quotas add up to the slots");
        if missing > 1 {
            receivers.push_back((member, missing - 1));
        }
        member
    };
    owners.into_iter().map(|owner| owner.unwrap_or_else(&mut dealt)).collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::hand_over;

    #[test]
    fn only_what_is_above_a_quota_or_without_a_home_is_dealt_out() {
        let homes = [Some(0), Some(1), None, Some(0), Some(1), None, Some(0), Some(0)];
        let slots_of = [vec![0, 3, 6, 7], vec![1, 4], vec![], vec![]];
        let owners = |quotas: &[u32]| hand_over(&homes, &slots_of[..quotas.len()], quotas);
        assert_eq!(owners(&[2, 2, 3, 1]), [2, 1, 3, 0, 1, 2, 2, 0]);
        assert_eq!(owners(&[4, 4]), [0, 1, 1, 0, 1, 1, 0, 0]);
        assert_eq!(owners(&[0, 8]), [1; 8]);
    }
}
