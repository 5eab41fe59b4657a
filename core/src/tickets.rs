//! Storage operations under way, what each answer is for, and what they do to hints.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::causality::RecordDigest;
use crate::config::NodeConfig;
use crate::hints::HintRoom;
use crate::ids::{Key, NodeId};
use crate::incoming::Asker;
use crate::machine::{Effect, Effects, HeldAs, Peer, StoreOp, Ticket};
use crate::message::{CallId, MergeReason, ReadKind};
use crate::prng::Prng;
use crate::recent_hints::RecentHints;
use crate::ring::Slot;

/// Who waits for an operation of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call that this node coordinates; as a fallback it keeps what is written as a hint.
    Call { call: CallId, hint_for: Option<HintRoom> },
    /// A read for the coordinator on another node, under its call, which has a record of the given
    /// digest.
    /// As a primary it answers only for a slot that it vouches for.
    Read { from: Peer, call: CallId, digest: Option<RecordDigest>, as_primary: Option<Slot> },
    /// A read of the own copy for a client that asks the primaries of a slot itself.
    Copy { asker: Asker, read: ReadKind, slot: Slot },
    /// A merge for the coordinator on another node, under its call.
    Merge { from: Peer, call: CallId },
    /// A repair of this node's own record.
    Repair,
    /// A hint, for the coordinator on another node, under its call.
    Hint { from: Peer, call: CallId, room: HintRoom },
    /// Hints of the given target that are to be handed over.
    Handoff { target: NodeId, call: CallId },
    /// The count of all hints.
    HintCount,
    /// A page of what the trees are made of.
    Trees,
    /// A step of the comparison with a peer, under its call; the item says which of its operations.
    Asker { peer: NodeId, call: CallId, item: u32 },
    /// A question of another replica, under its call; the item says which of its operations.
    Holder { asker: NodeId, call: CallId, item: u32 },
    /// A page of what this node looks through for records that are dead, and its number.
    DeadScan { page: u32 },
    /// A question of a collector: what is held of some keys.
    Confirm { from: NodeId, call: CallId },
    /// The removal of an own copy that all agree on.
    Remove,
    /// A page of what is to be removed of a slot that moved away, and its number.
    Leftovers { page: u32 },
    /// The removal of an own copy of a slot that moved away.
    Leftover,
    /// The layouts in force.
    Layouts,
    /// What is known of losses.
    Standing,
}

/// An operation under way.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Who waits for it.
    pub(crate) purpose: Purpose,
    /// The key of the own copy that it reads or changes, and nothing else, if it does.
    pub(crate) own: Option<Key>,
    /// Whether it changes that copy.
    pub(crate) changes: bool,
}

/// The operations under way. A late answer dies by its ticket.
#[derive(Clone, Debug)]
pub(crate) struct Tickets {
    /// Operations above which nothing more is begun.
    limit: usize,
    /// The last ticket that was given.
    last: u64,
    /// What each open ticket is for.
    open: BTreeMap<Ticket, Open>,
    /// Bytes that are kept free for hints, by target. Invariant: the sums over what is open.
    rooms: BTreeMap<NodeId, u64>,
    /// While hints are counted: the targets whose hints may have changed meanwhile.
    disturbed: Option<BTreeSet<NodeId>>,
    /// For which keys hints were made of late.
    recent_hints: RecentHints,
}

impl Purpose {
    /// The room that is kept for the hint that it makes.
    fn room(self) -> Option<HintRoom> {
        match self {
            Purpose::Call { hint_for, .. } => hint_for,
            Purpose::Hint { room, .. } => Some(room),
            Purpose::Read { .. }
            | Purpose::Copy { .. }
            | Purpose::Merge { .. }
            | Purpose::Repair
            | Purpose::Handoff { .. }
            | Purpose::HintCount
            | Purpose::Trees
            | Purpose::Asker { .. }
            | Purpose::Holder { .. }
            | Purpose::DeadScan { .. }
            | Purpose::Confirm { .. }
            | Purpose::Remove
            | Purpose::Leftovers { .. }
            | Purpose::Leftover
            | Purpose::Layouts
            | Purpose::Standing => None,
        }
    }

    /// The target whose hints it may change.
    fn disturbs(self) -> Option<NodeId> {
        if let Purpose::Handoff { target, .. } = self {
            return Some(target);
        }
        self.room().map(|room| room.target)
    }
}

impl Tickets {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Tickets {
        Tickets {
            limit: config.limits.store_ops_max,
            last: 0,
            open: BTreeMap::new(),
            rooms: BTreeMap::new(),
            disturbed: None,
            recent_hints: RecentHints::new(Prng::stream(seed, "recent hints").next_u64()),
        }
    }

    /// Whether the storage has more to do than it may. Asked before anything is begun: what is
    /// begun is stored, too.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= self.limit
    }

    /// The same for what is sent for a `reason`: what nobody waits for gives way first.
    pub(crate) fn is_full_for(&self, reason: MergeReason) -> bool {
        let room = match reason {
            MergeReason::Write => self.limit,
            MergeReason::Repair => self.limit / 4 * 3,
            MergeReason::Handoff | MergeReason::AntiEntropy => self.limit / 2,
        };
        self.open.len() >= room
    }

    /// Runs an operation.
    pub(crate) fn store(
        &mut self,
        purpose: Purpose,
        slot: impl Into<Option<Slot>>,
        op: StoreOp,
        out: &mut Effects<Effect>,
    ) {
        self.last += 1;
        let ticket = Ticket(self.last);
        let (own, changes) = match &op {
            StoreOp::Apply { key, copy: HeldAs::Own, .. } | StoreOp::Remove { key, .. } => {
                (Some(key.clone()), true)
            }
            StoreOp::Read { key, hints } => (hints.is_empty().then(|| key.clone()), false),
            StoreOp::Apply { copy: HeldAs::Hint { .. }, .. }
            | StoreOp::FindHints { .. }
            | StoreOp::RemoveHint { .. }
            | StoreOp::CountHints
            | StoreOp::ScanStates { .. }
            | StoreOp::ScanRecords { .. }
            | StoreOp::Confirm { .. }
            | StoreOp::SaveStanding { .. }
            | StoreOp::Remember(_)
            | StoreOp::SaveLayouts(_) => (None, false),
        };
        if let StoreOp::Apply { key, copy: HeldAs::Hint { .. }, .. } = &op {
            self.recent_hints.note(key);
        }
        if let Purpose::HintCount = purpose {
            self.disturbed =
                Some(self.open.values().filter_map(|open| open.purpose.disturbs()).collect());
        }
        if let Some(disturbed) = &mut self.disturbed {
            disturbed.extend(purpose.disturbs());
        }
        if let Some(HintRoom { target, bytes }) = purpose.room() {
            *self.rooms.entry(target).or_default() += bytes;
        }
        self.open.insert(ticket, Open { purpose, own, changes });
        out.push(Effect::Store { ticket, slot: slot.into(), op });
    }

    /// Runs an operation that has no answer.
    pub(crate) fn store_unanswered(&mut self, op: StoreOp, out: &mut Effects<Effect>) {
        self.last += 1;
        out.push(Effect::Store { ticket: Ticket(self.last), slot: None, op });
    }

    /// The ticket of the operation that was run last.
    pub(crate) fn last(&self) -> Ticket {
        Ticket(self.last)
    }

    /// What an answer is for; the ticket stays open where another answer follows.
    pub(crate) fn on_answer(&mut self, ticket: Ticket, more_follow: bool) -> Option<Open> {
        if more_follow {
            return self.open.get(&ticket).cloned();
        }
        let open = self.open.remove(&ticket)?;
        if let Some(HintRoom { target, bytes }) = open.purpose.room()
            && let Some(kept) = self.rooms.get_mut(&target)
        {
            *kept -= bytes;
            if *kept == 0 {
                self.rooms.remove(&target);
            }
        }
        Some(open)
    }

    /// For which keys hints were made of late.
    pub(crate) fn recent_hints(&self) -> &RecentHints {
        &self.recent_hints
    }

    /// Those for whom hints are being made.
    pub(crate) fn hint_targets(&self) -> impl Iterator<Item = NodeId> {
        self.rooms.keys().copied()
    }

    /// Bytes that are kept free for hints for `target`, and for all hints.
    pub(crate) fn rooms(&self, target: NodeId) -> (u64, u64) {
        (self.rooms.get(&target).copied().unwrap_or(0), self.rooms.values().sum())
    }

    /// Whether hints are being counted.
    pub(crate) fn is_counting(&self) -> bool {
        self.disturbed.is_some()
    }

    /// The count of hints has ended: the targets whose hints may have changed while it ran.
    pub(crate) fn end_count(&mut self) -> BTreeSet<NodeId> {
        self.disturbed.take().unwrap_or_default()
    }

    /// How many operations are under way.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn check_invariants(&self) {
        let mut rooms: BTreeMap<NodeId, u64> = BTreeMap::new();
        for HintRoom { target, bytes } in self.open.values().filter_map(|open| open.purpose.room())
        {
            *rooms.entry(target).or_default() += bytes;
        }
        rooms.retain(|_, bytes| *bytes > 0);
        assert_eq!(rooms, self.rooms, "room is kept for what is under way");
        self.recent_hints.check_invariants();
    }
}
