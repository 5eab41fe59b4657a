//! The layout: one numbered version of members, weights, zones and slot owners (DESIGN.md §9).
//!
//! A layout is a value: it is built once, checked, and shared from then on. Whoever holds the same
//! layout finds the same primaries for a key, node or client, without asking anyone.

mod search;

mod balance;
mod plan;

mod fair;
mod slot_set;

mod moves;
mod next;

mod explain;
mod limits;

pub use explain::{Amount, Explanation, NodeChange, Transfer, explain};
pub use limits::Limit;
pub use next::plan;
pub use plan::{PlanError, PlanSettings, plan_first};

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use md5::{Digest, Md5};

use crate::ids::{NodeId, Text};
use crate::ring::{Look, Position, Ring, Slot, SlotCount};

/// The most members that a layout can have.
pub const MEMBERS_MAX: usize = 10_000;

/// The greatest N: how many primaries a slot can have.
pub const REPLICATION_MAX: u8 = 16;

/// Counts the layouts of a cluster from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutVersion(pub u64);

impl fmt::Display for LayoutVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A node as the layout knows it. Addresses are no part of a layout: they change more often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Who it is.
    pub id: NodeId,
    /// Its name for people.
    pub label: Text,
    /// Its failure domain; the empty name is a zone like any other.
    pub zone: Text,
    /// Its capacity in relation to the other members; with 0 it owns nothing.
    pub weight: u32,
}

/// One version of who is there and who owns which slot.
///
/// Invariant: members are sorted by id and distinct; every owner is an index into them.
#[derive(Clone, Debug)]
pub struct Layout {
    version: LayoutVersion,
    replication: u8,
    slot_count: SlotCount,
    members: Vec<Member>,
    /// The owners of the slots and the zones of the members, as indexes.
    ring: Ring,
    /// The primaries of all slots, one slot after the other.
    primaries: Vec<NodeId>,
    /// Primaries per slot: N, or fewer where fewer members own slots.
    primaries_per_slot: usize,
    /// Invariant: the digest of the canonical encoding of all of the above.
    hash: u128,
}

/// What one member holds under a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLoad {
    /// The member.
    pub id: NodeId,
    /// Slots that it owns.
    pub slots: u32,
    /// Slots of which it is a primary: what it stores.
    pub replicas: u32,
}

impl MemberLoad {
    /// A member that owns no slot.
    fn nothing(id: NodeId) -> MemberLoad {
        MemberLoad { id, slots: 0, replicas: 0 }
    }
}

impl Layout {
    /// A layout of parts that are not trusted, as they come off the wire or from a disk.
    ///
    /// `owners` holds, for each slot, the index of its owner in `members`.
    #[cold]
    pub fn from_parts(
        version: LayoutVersion,
        replication: u8,
        members: Vec<Member>,
        owners: Vec<u16>,
    ) -> Result<Layout, LayoutError> {
        if members.is_empty() {
            return Err(LayoutError::NoMembers);
        }
        if members.len() > MEMBERS_MAX {
            return Err(LayoutError::TooManyMembers { members: members.len() });
        }
        if replication == 0 || replication > REPLICATION_MAX {
            return Err(LayoutError::Replication { replication });
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            return Err(LayoutError::MembersUnordered { id: pair[1].id });
        }
        let slot_count = u32::try_from(owners.len())
            .ok()
            .and_then(SlotCount::new)
            .ok_or(LayoutError::Slots { slots: owners.len() })?;
        let stranger = |&(_, owner): &(Slot, u16)| usize::from(owner) >= members.len();
        if let Some((slot, owner)) = slot_count.slots().zip(owners.iter().copied()).find(stranger) {
            return Err(LayoutError::Owner { slot, owner, members: members.len() });
        }

        let ring = Ring::new(owners, zone_numbers(&members));
        let primaries_per_slot = usize::from(replication).min(ring.owner_count());
        let mut primaries = vec![NodeId(0); primaries_per_slot * ring.slot_count()];
        ring.for_each_primaries(usize::from(replication), |slot, indexes, _| {
            let start = slot.index() * primaries_per_slot;
            for (place, &index) in primaries[start..].iter_mut().zip(indexes) {
                *place = members[usize::from(index)].id;
            }
        });
        let hash = canonical_hash(version, replication, &members, ring.owners());
        Ok(Layout {
            version,
            replication,
            slot_count,
            members,
            ring,
            primaries,
            primaries_per_slot,
            hash,
        })
    }

    /// Its number.
    pub fn version(&self) -> LayoutVersion {
        self.version
    }

    /// N: how many primaries a slot has, where there are as many members with slots.
    pub fn replication(&self) -> u8 {
        self.replication
    }

    /// Q: the number of slots.
    pub fn slot_count(&self) -> SlotCount {
        self.slot_count
    }

    /// All members, by ascending id.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of that id.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        let index = self.members.binary_search_by_key(&id, |member| member.id).ok()?;
        Some(&self.members[index])
    }

    /// Per slot, the index of its owner in [`Layout::members`].
    pub fn owners(&self) -> &[u16] {
        self.ring.owners()
    }

    /// The node that a slot is assigned to: the first of its preference list.
    ///
    /// # Panics
    ///
    /// Where the slot is none of this layout's, as all functions here that take a slot.
    pub fn owner(&self, slot: Slot) -> NodeId {
        self.members[usize::from(self.ring.owners()[slot.index()])].id
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &[u8]) -> Slot {
        Position::of(key).slot(self.slot_count)
    }

    /// The first N of the slot's preference list; fewer where fewer members own slots.
    pub fn primaries(&self, slot: Slot) -> &[NodeId] {
        let start = slot.index() * self.primaries_per_slot;
        &self.primaries[start..start + self.primaries_per_slot]
    }

    /// Those of the slot's primaries that are in a zone, in their order.
    pub fn primaries_in<'a>(
        &'a self,
        slot: Slot,
        zone: &'a str,
    ) -> impl Iterator<Item = NodeId> + 'a {
        self.primaries(slot).iter().copied().filter(move |id| self.is_in(*id, zone))
    }

    /// Whether a node is a member in that zone.
    pub fn is_in(&self, id: NodeId, zone: &str) -> bool {
        self.member(id).is_some_and(|member| *member.zone == *zone)
    }

    /// Every member with slots, once: the slot's primaries, then its fallbacks in order.
    pub fn preference_list(&self, slot: Slot) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.ring.preference_list(slot).map(|index| self.members[usize::from(index)].id)
    }

    /// The walk that makes the preference list of a slot: whom it meets at each slot that it looks
    /// at, and what becomes of each, for people. Members are indexes in [`Layout::members`].
    pub fn walk(&self, slot: Slot) -> impl Iterator<Item = Look> + '_ {
        let mut list = self.ring.preference_list(slot);
        core::iter::from_fn(move || list.look())
    }

    /// Whether a node is one of the slot's primaries.
    pub fn is_primary(&self, slot: Slot, id: NodeId) -> bool {
        self.primaries(slot).contains(&id)
    }

    /// MD5 of the canonical encoding, as a big-endian number: equal layouts have equal hashes, and
    /// of two layouts of one version, none settled, the greater hash wins.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// What each member holds, in the order of [`Layout::members`].
    pub fn load(&self) -> Vec<MemberLoad> {
        let mut loads = without_slots(&self.members);
        for &owner in self.ring.owners() {
            loads[usize::from(owner)].slots += 1;
        }
        for id in &self.primaries {
            let index = self.members.binary_search_by_key(id, |member| member.id);
            loads[index.expect("primaries are members")].replicas += 1;
        }
        loads
    }
}

/// Equal layouts hold the same parts; everything else follows from them.
impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        self.hash == other.hash
            && self.version == other.version
            && self.replication == other.replication
            && self.members == other.members
            && self.ring == other.ring
    }
}

impl Eq for Layout {}

/// The digest stands for all parts.
impl Hash for Layout {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// Members before any of them owns a slot.
fn without_slots(members: &[Member]) -> Vec<MemberLoad> {
    members.iter().map(|member| MemberLoad::nothing(member.id)).collect()
}

/// Per member, the number of its zone: zones are numbered by ascending name.
#[cold]
fn zone_numbers(members: &[Member]) -> Vec<u16> {
    let mut names: Vec<&str> = Vec::new();
    for member in members {
        if let Err(place) = names.binary_search(&&*member.zone) {
            names.insert(place, &member.zone);
        }
    }
    let number = |member: &Member| names.binary_search(&&*member.zone);
    members.iter().map(|member| number(member).expect("every zone was listed") as u16).collect()
}

#[cold]
fn canonical_hash(
    version: LayoutVersion,
    replication: u8,
    members: &[Member],
    owners: &[u16],
) -> u128 {
    // Every field is of fixed width or preceded by its length, so no two layouts share an encoding.
    let mut digest = Md5::new();
    digest.update(b"quorate layout 1");
    digest.update(version.0.to_be_bytes());
    digest.update([replication]);
    digest.update((members.len() as u32).to_be_bytes());
    for member in members {
        digest.update(member.id.0.to_be_bytes());
        for text in [&member.label, &member.zone] {
            digest.update((text.len() as u32).to_be_bytes());
            digest.update(text.as_bytes());
        }
        digest.update(member.weight.to_be_bytes());
    }
    digest.update((owners.len() as u32).to_be_bytes());
    for owner in owners {
        digest.update(owner.to_be_bytes());
    }
    u128::from_be_bytes(digest.finalize().into())
}

/// Parts that make no layout: whoever sent or stored them is at fault, and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A layout has at least one member.
    NoMembers,
    /// More than [`MEMBERS_MAX`].
    TooManyMembers {
        /// How many there are.
        members: usize,
    },
    /// Members must be sorted by id and distinct.
    MembersUnordered {
        /// The first member whose id is not greater than the one before it.
        id: NodeId,
    },
    /// The number of owners is no [`SlotCount`].
    Slots {
        /// How many there are.
        slots: usize,
    },
    /// An owner is no index of a member.
    Owner {
        /// The first slot with such an owner.
        slot: Slot,
        /// The index.
        owner: u16,
        /// How many members there are.
        members: usize,
    },
    /// N is 0 or more than [`REPLICATION_MAX`].
    Replication {
        /// The N that was given.
        replication: u8,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::NoMembers => {
                f.write_str("the layout has no members: it needs at least one")
            }
            LayoutError::TooManyMembers { members } => {
                write!(f, "the layout has {members} members: use at most {MEMBERS_MAX}")
            }
            LayoutError::MembersUnordered { id } => write!(
                f,
                "member {id} is listed twice or out of order: list each once, by ascending id"
            ),
            LayoutError::Slots { slots } => write!(
                f,
                "the layout has {slots} slots: use a power of two from 1 to {}",
                SlotCount::MAX
            ),
            LayoutError::Owner { slot, owner, members } => write!(
                f,
                "slot {slot} is owned by member {owner} of {members}: owners count from 0"
            ),
            LayoutError::Replication { replication } => write!(
                f,
                "the layout keeps {replication} replicas: choose from 1 to {REPLICATION_MAX}"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}
