//! The walk: the nodes met clockwise from a slot, each once, new zones first (Dynamo §4.3).
//!
//! Members and zones are plain indexes here; `layout` gives them their names.
//!
//! ```text
//!   slot          s   s+1  s+2  s+3  s+4
//!   owner / zone  A/x B/x  A/x  C/y  D/y        list of s:  A C | B D
//!                                                first of each zone | the others, in walking order
//! ```

use alloc::vec;
use alloc::vec::Vec;

use super::Slot;

/// Who owns each slot, and in which zone each member is.
///
/// Invariant: every owner is an index into `zones`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Per slot, the index of the member that owns it.
    owners: Vec<u16>,
    /// Per member, the number of its zone.
    zones: Vec<u16>,
    /// Zones with at least one owner: a walk that has met as many needs to look for no further.
    zone_count: usize,
    /// Members that own at least one slot: the length of every preference list.
    owner_count: usize,
}

impl Ring {
    /// A ring of `owners` (per slot a member) and `zones` (per member the number of its zone).
    ///
    /// # Panics
    ///
    /// Where an owner is no index into `zones`, or there are no slots.
    pub fn new(owners: Vec<u16>, zones: Vec<u16>) -> Ring {
        assert!(!owners.is_empty(), "a ring has slots");
        let zones_end = zones.iter().max().map_or(0, |&zone| usize::from(zone) + 1);
        let mut owns = vec![false; zones.len()];
        let mut zone_owns = vec![false; zones_end];
        for &owner in &owners {
            owns[usize::from(owner)] = true;
            zone_owns[usize::from(zones[usize::from(owner)])] = true;
        }
        Ring { zone_count: count_true(&zone_owns), owner_count: count_true(&owns), owners, zones }
    }

    /// Per slot, the index of the member that owns it.
    pub fn owners(&self) -> &[u16] {
        &self.owners
    }

    /// The number of slots, Q.
    pub fn slot_count(&self) -> usize {
        self.owners.len()
    }

    /// The number of members that own at least one slot.
    pub fn owner_count(&self) -> usize {
        self.owner_count
    }

    /// The whole preference list of a slot, as indexes of members.
    pub fn preference_list(&self, slot: Slot) -> PreferenceList<'_> {
        PreferenceList {
            ring: self,
            start: slot.index(),
            steps: 0,
            // Where there is one zone, whoever is met first brings it along.
            phase: if self.zone_count > 1 { Phase::NewZones } else { Phase::Others },
            listed: vec![false; self.zones.len()],
            left: self.owner_count,
            zones_met: vec![false; self.zones.iter().max().map_or(0, |&z| usize::from(z) + 1)],
            zones_left: self.zone_count,
        }
    }

    /// Hands the first `replication` members of every slot's preference list to `visit`, from the
    /// last slot to the first, together with the reach: how many slots the walk must look at.
    ///
    /// Costs O(Q × replication) whatever the zones: going backwards, the order in which members
    /// and zones are met changes by one move to the front per slot.
    pub(crate) fn for_each_primaries(
        &self,
        replication: usize,
        mut visit: impl FnMut(Slot, &[u16], usize),
    ) {
        let slots = self.slot_count();
        let zones_end = self.zones.iter().max().map_or(0, |&zone| usize::from(zone) + 1);
        let mut members = Recency::new(self.zones.len());
        let mut zones = Recency::new(zones_end);
        let mut first_of_zone = vec![0_u16; zones_end];
        let mut met_at = vec![0_usize; self.zones.len()];
        let zone_picks = replication.min(self.zone_count);
        let picks = replication.min(self.owner_count);
        let mut primaries = Vec::with_capacity(picks);
        // The first turn only learns what lies beyond the wrap.
        for at in (0..2 * slots).rev() {
            let slot = sane_or!(at, WrapSkipsSlot => at + at / slots) % slots;
            let owner = self.owners[slot];
            let zone = self.zones[usize::from(owner)];
            members.move_to_front(owner);
            zones.move_to_front(zone);
            first_of_zone[usize::from(zone)] = owner;
            met_at[usize::from(owner)] = at;
            if at >= slots {
                continue;
            }
            primaries.clear();
            primaries.extend(zones.iter().take(zone_picks).map(|z| first_of_zone[usize::from(z)]));
            for member in members.iter() {
                if primaries.len() == picks {
                    break;
                }
                if sane_or!(!primaries.contains(&member), PrimariesRepeat => true) {
                    primaries.push(member);
                }
            }
            let last = primaries.iter().map(|&member| met_at[usize::from(member)]).max();
            let reach = last.expect("the owner of the slot is a primary") - at + 1;
            visit(Slot(at as u32), &primaries, reach);
        }
    }

    /// Fills `primaries` with the first members of one slot's list, by walking; returns the reach.
    ///
    /// Invariant: there are no more primaries than owners.
    pub(crate) fn walk(&self, slot: usize, primaries: &mut [u16]) -> usize {
        let zone_picks = primaries.len().min(self.zone_count);
        // `primaries[..fresh]` each brought a zone of their own, the rest of those that are met
        // follow in walking order.
        let (mut fresh, mut met) = (0, 0);
        let (before, from_here) = self.owners.split_at(slot);
        for (steps, &owner) in from_here.iter().chain(before).enumerate() {
            // Few are met: to look at all of them costs less than to find out when to stop.
            if primaries[..met].iter().fold(false, |is_met, &p| is_met | (p == owner)) {
                continue;
            }
            let zone = self.zones[usize::from(owner)];
            let is_fresh = fresh < zone_picks
                && primaries[..fresh].iter().all(|&p| self.zones[usize::from(p)] != zone);
            if !is_fresh && met == primaries.len() {
                continue;
            }
            let place = if is_fresh { fresh } else { met };
            fresh += usize::from(is_fresh);
            met = primaries.len().min(met + 1);
            // Those behind the place move on, and the last one out.
            let mut moving = owner;
            for primary in &mut primaries[place..met] {
                core::mem::swap(primary, &mut moving);
            }
            if fresh == zone_picks && met == primaries.len() {
                return steps + 1;
            }
        }
        self.slot_count()
    }

    /// The number of slots, clockwise, from one to another.
    pub(crate) fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slot_count() - from }
    }

    /// Lets two slots change their owners: quotas stay what they are.
    pub(crate) fn swap_owners(&mut self, one: usize, other: usize) {
        self.owners.swap(one, other);
    }

    /// Gives up everything but the owners.
    pub(crate) fn into_owners(self) -> Vec<u16> {
        self.owners
    }
}

fn count_true(flags: &[bool]) -> usize {
    flags.iter().filter(|&&flag| flag).count()
}

/// The preference list of one slot, lazily: every member with slots, once, as an index.
///
/// Two walks: the first yields the first member of each zone, the second all others.
#[derive(Clone, Debug)]
pub struct PreferenceList<'a> {
    ring: &'a Ring,
    /// Where the walks begin.
    start: usize,
    /// Slots that the running walk has looked at.
    steps: usize,
    phase: Phase,
    /// Per member, whether it was yielded.
    listed: Vec<bool>,
    /// Members still to be yielded.
    left: usize,
    /// Per zone, whether a member of it was yielded.
    zones_met: Vec<bool>,
    /// Zones still to be met.
    zones_left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NewZones,
    Others,
}

/// What a walk makes of one slot that it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The slot.
    pub slot: Slot,
    /// Whose it is, as an index of a member.
    pub member: u16,
    /// What becomes of the member.
    pub fate: Fate,
}

/// What becomes of the owner of a slot that a walk looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the next of the list.
    Listed,
    /// It is on the list already.
    ListedBefore,
    /// It has to wait until every zone has a node on the list: its own has one.
    ZoneListed,
}

impl PreferenceList<'_> {
    /// Walks on by one slot; `None` where nobody is left to be listed.
    pub fn look(&mut self) -> Option<Look> {
        if self.left == 0 {
            return None;
        }
        if self.phase == Phase::NewZones && self.zones_left == 0 {
            self.phase = Phase::Others;
            self.steps = 0;
        }
        assert!(self.steps < self.ring.slot_count(), "one turn meets all who are left");
        let slot = (self.start + self.steps) % self.ring.slot_count();
        let member = self.ring.owners[slot];
        let zone = usize::from(self.ring.zones[usize::from(member)]);
        self.steps += 1;
        let passed_over = match self.phase {
            Phase::NewZones => self.zones_met[zone],
            Phase::Others => self.listed[usize::from(member)],
        };
        let fate = if !passed_over {
            if !self.zones_met[zone] {
                self.zones_met[zone] = true;
                self.zones_left -= 1;
            }
            self.listed[usize::from(member)] = true;
            self.left -= 1;
            Fate::Listed
        } else if self.listed[usize::from(member)] {
            Fate::ListedBefore
        } else {
            Fate::ZoneListed
        };
        Some(Look { slot: Slot(slot as u32), member, fate })
    }
}

impl Iterator for PreferenceList<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            let Look { member, fate, .. } = self.look()?;
            if fate == Fate::Listed {
                return Some(member);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PreferenceList<'_> {}

/// Indexes in the order in which they were last moved to the front; a doubly linked list.
struct Recency {
    /// Per index, the one behind it; the last entry is the list's head, and its own end.
    next: Vec<u16>,
    /// Per index, the one before it.
    previous: Vec<u16>,
    /// Per index, whether it is in the list.
    linked: Vec<bool>,
}

impl Recency {
    fn new(count: usize) -> Recency {
        let head = u16::try_from(count).expect("indexes are 16 bits wide");
        Recency {
            next: vec![head; count + 1],
            previous: vec![head; count + 1],
            linked: vec![false; count],
        }
    }

    fn move_to_front(&mut self, index: u16) {
        let head = self.linked.len();
        let at = usize::from(index);
        if self.linked[at] {
            let (before, behind) = (self.previous[at], self.next[at]);
            self.next[usize::from(before)] = behind;
            self.previous[usize::from(behind)] = before;
        }
        let first = self.next[head];
        self.next[at] = first;
        self.previous[at] = head as u16;
        self.previous[usize::from(first)] = index;
        self.next[head] = index;
        self.linked[at] = true;
    }

    fn iter(&self) -> impl Iterator<Item = u16> {
        let head = self.linked.len();
        let step = move |at: usize| Some(self.next[at]).filter(|&next| usize::from(next) != head);
        core::iter::successors(step(head), move |&at| step(usize::from(at)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Fate, Ring, Slot};

    #[test]
    fn a_walk_says_what_became_of_each_owner() {
        let looks = |owners: &[u16], zones: &[u16]| -> Vec<(u32, u16, Fate)> {
            let ring = Ring::new(owners.to_vec(), zones.to_vec());
            let mut list = ring.preference_list(Slot(1));
            core::iter::from_fn(|| list.look())
                .map(|look| (look.slot.0, look.member, look.fate))
                .collect()
        };
        use Fate::{Listed, ListedBefore, ZoneListed};
        let two_turns = [
            (1, 1, Listed),
            (2, 1, ListedBefore),
            (3, 0, ZoneListed),
            (0, 2, Listed),
            (1, 1, ListedBefore),
            (2, 1, ListedBefore),
            (3, 0, Listed),
        ];
        assert_eq!(looks(&[2, 1, 1, 0], &[0, 0, 1]), two_turns);
        let one_turn = [(1, 1, Listed), (2, 1, ListedBefore), (3, 0, Listed), (0, 2, Listed)];
        assert_eq!(looks(&[2, 1, 1, 0], &[0, 0, 0]), one_turn);
    }

    #[test]
    fn new_zones_come_first_and_the_rest_in_walking_order() {
        let ring = Ring::new(alloc::vec![0, 1, 0, 2, 3], alloc::vec![0, 0, 1, 1]);
        let list: Vec<u16> = ring.preference_list(Slot(0)).collect();
        assert_eq!(list, [0, 2, 1, 3]);
    }

    #[test]
    fn a_walk_wraps_around() {
        let ring = Ring::new(alloc::vec![0, 1, 2, 3], alloc::vec![0, 0, 0, 0]);
        let list: Vec<u16> = ring.preference_list(Slot(3)).collect();
        assert_eq!(list, [3, 0, 1, 2]);
    }

    #[test]
    fn sweep_and_walk_agree_with_the_list() {
        let owners = alloc::vec![4, 4, 0, 0, 1, 0, 1, 5, 2, 1, 3, 3, 0, 1, 5, 5];
        let ring = Ring::new(owners, alloc::vec![0, 0, 0, 1, 2, 1, 3]);
        for replication in 1..=7 {
            ring.for_each_primaries(replication, |slot, primaries, reach| {
                let list: Vec<u16> = ring.preference_list(slot).take(replication).collect();
                assert_eq!(primaries, list, "slot {slot}, N = {replication}");
                let mut walked = alloc::vec![0; primaries.len()];
                assert_eq!(ring.walk(slot.index(), &mut walked), reach);
                assert_eq!(walked, list, "slot {slot}, N = {replication}");
            });
        }
    }
}
