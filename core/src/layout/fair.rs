//! The fair loads: the replicas that each member would hold if loads followed weights as far as
//! distinct nodes and zones allow.
//!
//! Water filling: one rate, replicas per unit of weight, rises until all replicas are held. What
//! it cannot pass are the ends that the preference lists set:
//!
//! ```text
//!   a member          at most one replica of each slot
//!   a zone, zones ≥ N at most one replica of each slot: no slot has two primaries in it
//!   a zone, zones ≤ N at least one replica of each slot: every slot has a primary in it
//! ```

use alloc::vec;
use alloc::vec::Vec;

use super::{Member, zone_numbers};

/// Digits of a rate behind the point, in bits.
const POINT: u32 = 32;

/// Per member, its fair load in thousandths of a replica, where members own as many slots as
/// `owned` says; who owns none holds none.
pub(super) fn fair_loads(replication: u8, members: &[Member], owned: &[u32]) -> Vec<u64> {
    let zones = zone_numbers(members);
    let weight = |(member, &owned): (&Member, &u32)| if owned > 0 { member.weight } else { 0 };
    let weights: Vec<u128> = members.iter().zip(owned).map(weight).map(u128::from).collect();
    let mut zone_weights = vec![0_u128; members.len()];
    for (&zone, &weight) in zones.iter().zip(&weights) {
        zone_weights[usize::from(zone)] += weight;
    }
    let replication = usize::from(replication);
    let zone_count = zone_weights.iter().filter(|&&weight| weight > 0).count();
    let owner_count = weights.iter().filter(|&&weight| weight > 0).count();
    let all_slots = owned.iter().map(|&owned| u128::from(owned)).sum::<u128>() << POINT;
    let wanted = all_slots * replication.min(owner_count) as u128;

    let load = |mut rate: u128, member: usize| {
        let one_per_slot = all_slots / zone_weights[usize::from(zones[member])].max(1);
        if zone_count >= replication {
            rate = rate.min(one_per_slot);
        }
        if zone_count <= replication {
            rate = rate.max(one_per_slot);
        }
        (rate * weights[member]).min(all_slots)
    };
    let held = |rate: u128| (0..members.len()).map(|member| load(rate, member)).sum::<u128>();

    // At the upper end even the least weight holds a replica of every slot.
    let (mut low, mut high) = (0, all_slots);
    while low < high {
        let middle = (low + high) / 2;
        if held(middle) >= wanted { high = middle } else { low = middle + 1 }
    }
    (0..members.len()).map(|member| ((load(high, member) * 1000) >> POINT) as u64).collect()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::fair_loads;
    use crate::ids::NodeId;
    use crate::layout::Member;

    /// N, weight and zone of each member, and its load.
    type Case<'a> = (u8, &'a [(u32, u8)], &'a [u64]);

    #[test]
    fn loads_follow_weights_up_to_the_ends() {
        let table: [Case<'_>; 9] = [
            (3, &[(1, 0), (1, 0), (1, 0), (1, 0)], &[75, 75, 75, 75]),
            (3, &[(1, 0), (1, 0), (1, 0), (1, 0), (2, 0)], &[50, 50, 50, 50, 100]),
            // More than an Nth cannot be had: the others share what is left.
            (3, &[(10, 0), (1, 0), (1, 0), (1, 0), (1, 0)], &[100, 50, 50, 50, 50]),
            (3, &[(1, 0), (7, 1)], &[100, 100]),
            (3, &[(1, 0), (0, 1), (1, 2)], &[100, 0, 100]),
            // As many zones as replicas: one replica in each.
            (3, &[(1, 0), (1, 1), (1, 2), (1, 2)], &[100, 100, 50, 50]),
            // More zones: the large one has no more than one replica of a slot.
            (2, &[(3, 0), (3, 0), (1, 1), (1, 2)], &[50, 50, 50, 50]),
            (2, &[(1, 0), (1, 0), (1, 1), (1, 2)], &[50, 50, 50, 50]),
            // Fewer zones: the small one has no less.
            (3, &[(1, 0), (1, 1), (1, 1), (1, 1), (1, 1)], &[100, 50, 50, 50, 50]),
        ];
        for (replication, members, expected) in table {
            let member = |(id, &(weight, zone)): (u64, &(u32, u8))| Member {
                id: NodeId(id),
                label: "".into(),
                zone: format!("{zone}").into(),
                weight,
            };
            let members: Vec<Member> = (0..).zip(members).map(member).collect();
            let mut owned: Vec<u32> =
                members.iter().map(|member| u32::from(member.weight > 0)).collect();
            owned[0] += 100 - owned.iter().sum::<u32>();
            for (fair, expected) in fair_loads(replication, &members, &owned).iter().zip(expected) {
                assert!(fair.abs_diff(expected * 1000) <= 1, "{members:?}: {fair}");
            }
        }
    }
}
