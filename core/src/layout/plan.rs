//! The first plan of a cluster: from weights and zones to the owner of every slot.
//!
//! Pure, deterministic and in integers, so every node that plans from the same members gets the
//! same layout. The circle is cut into blocks of N slots (some of N + 1), and the members' quotas
//! are laid as runs across the blocks:
//!
//! ```text
//!            block 0   block 1   block 2   block 3
//!   offset 0    A         A         A         B      runs go to the right,
//!   offset 1    B         B         C         C      row by row; a run no longer
//!   offset 2    C         D         D         D      than a row meets itself in no block
//!   on the ring: A B C · A B D · A C D · B C D
//! ```
//!
//! So N consecutive slots have N owners, and runs of one zone lie together, so they have as many
//! zones as can be. Where a zone or a node has more than its Nth part that cannot be, and longer
//! blocks may spread the others better: of several lengths, the one with the shortest walks is
//! taken. [`balance`] then mixes the order and evens out what rounding left.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use super::{
    Layout, LayoutVersion, MEMBERS_MAX, Member, MemberLoad, REPLICATION_MAX, balance,
    without_slots, zone_numbers,
};
use crate::ids::NodeId;
use crate::ring::{Ring, SlotCount};

/// What is fixed for a cluster before its first layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanSettings {
    /// Q: the number of slots.
    pub slots: SlotCount,
    /// N: how many primaries each slot has.
    pub replication: u8,
}

impl Default for PlanSettings {
    fn default() -> PlanSettings {
        PlanSettings { slots: SlotCount::DEFAULT, replication: 3 }
    }
}

/// The layout of a new cluster, version 1. The order in which members are given does not matter.
///
/// Each member owns its share of the slots by weight, to within one slot.
pub fn plan_first(settings: PlanSettings, mut members: Vec<Member>) -> Result<Layout, PlanError> {
    members.sort_by_key(|member| member.id);
    check(settings, &members)?;

    let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
    let quotas = quotas(settings.slots.get(), &weights, &without_slots(&members));
    let zones = zone_numbers(&members);
    let ring = spread(settings, &quotas, &zones);
    let owners = balance::balance(ring, settings.replication, &weights);
    let layout = Layout::from_parts(LayoutVersion(1), settings.replication, members, owners);
    Ok(layout.expect("all that a layout checks was checked or made here"))
}

/// Whether these members can have a layout; they are sorted by id.
pub(super) fn check(settings: PlanSettings, members: &[Member]) -> Result<(), PlanError> {
    if members.is_empty() {
        return Err(PlanError::NoMembers);
    }
    if members.len() > MEMBERS_MAX {
        return Err(PlanError::TooManyMembers { members: members.len() });
    }
    if let Some(pair) = members.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(PlanError::DuplicateId { id: pair[0].id });
    }
    if settings.replication == 0 || settings.replication > REPLICATION_MAX {
        return Err(PlanError::Replication { replication: settings.replication });
    }
    let weighted = members.iter().filter(|member| member.weight > 0).count();
    if weighted == 0 {
        return Err(PlanError::NoWeight { members: members.len() });
    }
    if weighted > settings.slots.get() as usize {
        return Err(PlanError::TooFewSlots { slots: settings.slots.get(), members: weighted });
    }
    Ok(())
}

/// Slots per member by the largest-remainder method (Hamilton's).
///
/// Of equal remainders those are rounded up that keep a slot by it which they hold, then those
/// that hold fewer replicas, then lower ids.
pub(super) fn quotas(slots: u32, weights: &[u32], held: &[MemberLoad]) -> Vec<u32> {
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let share = |weight: u32| u128::from(slots) * u128::from(weight);
    let mut quotas: Vec<u32> = weights.iter().map(|&w| (share(w) / total) as u32).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&index| {
        let keeps = held[index].slots > quotas[index];
        (Reverse((share(weights[index]) % total, keeps)), held[index].replicas)
    });
    let given: u32 = quotas.iter().sum();
    for &index in &by_remainder[..(slots - given) as usize] {
        quotas[index] += 1;
    }
    quotas
}

/// The ring on which walks are shortest, of those with blocks of N, 2N, 4N, .. slots.
fn spread(settings: PlanSettings, quotas: &[u32], zones: &[u16]) -> Ring {
    let slots = settings.slots.get() as usize;
    let replication = usize::from(settings.replication);
    let lengths =
        core::iter::successors(Some(replication), |length| Some(length * 2).filter(|&l| l < slots));
    let candidates = lengths.map(|length| {
        let ring = Ring::new(lay_runs(slots, length, quotas, zones), zones.to_vec());
        let mut reaches = 0;
        ring.for_each_primaries(replication, |_, _, reach| reaches += reach);
        (reaches, ring)
    });
    let best = candidates.min_by_key(|&(reaches, _)| reaches);
    best.expect("a block of N slots is always a candidate").1
}

/// The owner of each slot: the members' quotas as runs across the blocks, zone by zone.
fn lay_runs(slots: usize, block_length: usize, quotas: &[u32], zones: &[u16]) -> Vec<u16> {
    let mut zone_quotas = vec![0_u32; zones.len()];
    for (&zone, &quota) in zones.iter().zip(quotas) {
        zone_quotas[usize::from(zone)] += quota;
    }
    // The largest first: a run as long as a row must begin where the row does.
    let mut order: Vec<usize> = (0..quotas.len()).collect();
    order.sort_by_key(|&member| {
        let zone = zones[member];
        Reverse((zone_quotas[usize::from(zone)], zone, quotas[member]))
    });
    let runs = order
        .into_iter()
        .flat_map(|member| core::iter::repeat_n(member as u16, quotas[member] as usize));

    let blocks = (slots / block_length).max(1);
    let (length, longer) = (slots / blocks, slots % blocks);
    let start = |block: usize| block * length + block.min(longer);
    let rows = (0..=length).flat_map(|offset| {
        let row = if offset < length { blocks } else { longer };
        (0..row).map(move |block| start(block) + offset)
    });

    let mut owners = vec![0_u16; slots];
    for (slot, member) in rows.zip(runs) {
        owners[slot] = member;
    }
    owners
}

/// Why there is no plan: the request is at fault, and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanError {
    /// A cluster has at least one member.
    NoMembers,
    /// More than [`MEMBERS_MAX`].
    TooManyMembers {
        /// How many there are.
        members: usize,
    },
    /// Two members have the same id.
    DuplicateId {
        /// The id.
        id: NodeId,
    },
    /// All members have weight 0.
    NoWeight {
        /// How many there are.
        members: usize,
    },
    /// Fewer slots than members that should own some.
    TooFewSlots {
        /// Q.
        slots: u32,
        /// Members with a weight above 0.
        members: usize,
    },
    /// N is 0 or more than [`REPLICATION_MAX`].
    Replication {
        /// The N that was given.
        replication: u8,
    },
    /// The layout to go on from has the last of all versions.
    LastVersion,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::NoMembers => f.write_str("there are no members: add at least one"),
            PlanError::TooManyMembers { members } => {
                write!(f, "there are {members} members: use at most {MEMBERS_MAX}")
            }
            PlanError::DuplicateId { id } => write!(
                f,
                "two members have the id {id}: give each its own data directory, which makes its id"
            ),
            PlanError::NoWeight { members } => {
                write!(f, "all {members} members have weight 0: give at least one a weight above 0")
            }
            PlanError::TooFewSlots { slots, members } => write!(
                f,
                "{members} members cannot share {slots} slots: choose at least {} slots, \
                 better 32 for each member",
                members.next_power_of_two()
            ),
            PlanError::Replication { replication } => write!(
                f,
                "the replication factor is {replication}: choose from 1 to {REPLICATION_MAX}"
            ),
            PlanError::LastVersion => {
                f.write_str("the layout has the last version: the cluster must be founded anew")
            }
        }
    }
}

impl core::error::Error for PlanError {}
