//! What metrics, status pages and tests may look at.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use crate::config::NodeConfig;
use crate::ids::{DurableMark, Incarnation, NodeId};
use crate::layout::{LayoutVersion, MemberLoad};
use crate::machine::{HintCount, Standing};
use crate::membership::{MemberView, Membership};
use crate::merkle::Forest;
use crate::message::{LayoutHistory, LayoutSpan, LayoutUpdate, Marks, MemberStatus, PairStatus};
use crate::ring::Slot;
use crate::time::{Now, millis};

/// A read-only look at a [`Node`].
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    pub(super) node: &'a Node,
}

impl<'a> NodeView<'a> {
    /// Identity and settings.
    pub fn config(&self) -> &'a NodeConfig {
        &self.node.config
    }

    /// The layout that reads go by and that clients are given: members, slots and addresses. `None`
    /// as long as the cluster has none.
    pub fn layout(&self) -> Option<&'a Arc<LayoutUpdate>> {
        self.node.layouts.read()
    }

    /// The newest layout. While it is not [`layout`](NodeView::layout), a change is under way.
    pub fn newest_layout(&self) -> Option<&'a Arc<LayoutUpdate>> {
        self.node.layouts.head()
    }

    /// The layouts in force, as this node knows them.
    pub fn layouts(&self) -> LayoutSpan {
        self.node.layouts.span()
    }

    /// The layouts in force, as this node would save them; `None` as long as there are none.
    pub fn history(&self) -> Option<LayoutHistory> {
        self.node.layouts.history()
    }

    /// How far this node is with the layouts in force.
    pub fn marks(&self) -> Marks {
        self.node.layouts.marks()
    }

    /// The members whose `mark` a change waits for, as far as this node knows: each gives a mark of
    /// the newest layout, such as `|marks| marks.sync`.
    pub fn lagging(&self, mark: fn(Marks) -> LayoutVersion) -> impl Iterator<Item = NodeId> + 'a {
        self.node.layouts.lagging(mark)
    }

    /// The slots that this node has yet to fill for a new layout, and whom each is still to be
    /// compared with.
    pub fn filling(&self) -> impl Iterator<Item = (Slot, &'a BTreeSet<NodeId>)> + use<'a> {
        self.node.transfer.waiting()
    }

    /// Whether a node is a primary of a slot in any layout in force.
    pub fn is_primary(&self, slot: Slot, node: NodeId) -> bool {
        self.node.layouts.is_primary(slot, node)
    }

    /// Slots that this node has yet to fill for a new layout.
    pub fn slots_to_fill(&self) -> usize {
        self.node.transfer.waiting().len()
    }

    /// Whether nothing is left here of slots that moved to other nodes.
    pub fn has_moved_away(&self) -> bool {
        self.node.leftovers.is_done()
    }

    /// Whether the node is connected to `node`, or is it.
    pub fn is_up(&self, node: NodeId) -> bool {
        node == self.node.config.id || self.node.peers.is_up(node)
    }

    /// Who is there, as gossip tells.
    pub fn membership(&self) -> &'a Membership {
        &self.node.membership
    }

    /// Requests that are not answered yet.
    pub fn requests_under_way(&self) -> usize {
        self.node.coordinator.under_way() + self.node.pass_on.len()
    }

    /// Those of them that this node coordinates. Bounded by `calls_max`.
    pub fn requests_coordinated(&self) -> usize {
        self.node.coordinator.under_way()
    }

    /// Those of them that this node handed to a primary. Bounded by `calls_max`.
    pub fn requests_passed_on(&self) -> usize {
        self.node.pass_on.len()
    }

    /// Operations that the storage has not answered. Bounded by `store_ops_max`.
    pub fn storage_operations_under_way(&self) -> usize {
        self.node.tickets.len()
    }

    /// The number and bytes of the hints for each target, by target; at the start those that former
    /// lives left are not counted yet.
    pub fn hints(&self) -> impl Iterator<Item = HintCount> {
        self.node.hints.all()
    }

    /// Everyone in the layout or heard of by gossip, as this node sees them at `now`.
    pub fn members(&self, now: Now) -> Vec<MemberStatus> {
        let newest = self.newest_layout();
        let loads = newest.map(|update| update.layout.load()).unwrap_or_default();
        let members = self.node.membership.members(now);
        members.map(|member| self.status(member, &loads)).collect()
    }

    /// Merkle trees of all that is stored of each slot; `None` while they are counted, or in doubt.
    pub fn trees(&self) -> Option<&'a Forest> {
        self.node.anti_entropy.forest()
    }

    /// What is known of losses.
    pub fn standing(&self) -> Standing {
        self.node.refill.standing()
    }

    /// Whether it takes no part in anything, since what it holds may be an old copy.
    pub fn holds_back(&self) -> bool {
        self.node.refill.holds_back()
    }

    /// Whether nothing keeps this node from saying what it holds of a slot, if it is a primary of it.
    pub fn vouches(&self, slot: Slot) -> bool {
        self.node.refill.vouches(slot) && !self.node.transfer.lacks(slot)
    }

    /// The number of the last synced commit that the machine heard of.
    pub fn durable_mark(&self) -> DurableMark {
        self.node.refill.mark()
    }

    /// The number that this node gives others to remember; `None` while they are to remember what they
    /// do: nobody has spoken yet, or something that was lost is not accounted for.
    pub fn mark_to_tell(&self) -> Option<DurableMark> {
        self.node.refill.mark_to_tell()
    }

    /// What this node remembers of another one's storage, and tells of its own.
    pub fn remembered_mark(&self, node: NodeId) -> DurableMark {
        self.node.membership.mark(node)
    }

    /// The lives whose actors the next life may continue, if this one ends with a clean stop.
    pub fn lives(&self) -> Vec<Incarnation> {
        self.node.refill.lives()
    }

    /// When each slot of this node was compared with each other primary of it.
    pub fn comparisons(&self) -> impl Iterator<Item = PairStatus> + use<'a> {
        self.node.anti_entropy.pairs()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let node = self.node;
        let conflicts = node.identity_conflicts + node.membership.conflicts();
        let hints = node.hints.total();
        let tables = [
            ("hints", hints.hints),
            ("hint_bytes", hints.bytes),
            ("hints_damaged", hints.damaged),
            // Targets for whom there may be hints that are not counted.
            ("hints_in_doubt", node.hints.doubts() as u64),
            ("requests_coordinated", self.requests_coordinated() as u64),
            ("requests_passed_on", self.requests_passed_on() as u64),
            ("request_bytes", node.gate.bytes() as u64),
            ("gossip_refused", node.membership.refused()),
            ("identity_conflicts", conflicts),
            ("members", node.membership.count() as u64),
            ("requests_under_way", self.requests_under_way() as u64),
            ("storage_operations_under_way", self.storage_operations_under_way() as u64),
            ("answers_kept", node.coordinator.answers_kept() as u64),
            ("records_collecting", node.collection.collecting() as u64),
            ("comparisons_under_way", node.anti_entropy.sessions() as u64),
            ("durable_mark", node.refill.mark().0),
            // Of which this node says nothing until it has looked at what the others hold.
            ("slots_refilling", node.refill.slots() as u64),
            // That other nodes hold by the newest layout, and this one shall.
            ("slots_to_fill", self.slots_to_fill() as u64),
            // That this node holds and other nodes shall.
            ("slots_moving_away", node.leftovers.slots() as u64),
            // 0 until a peer has said what it remembers of this node.
            ("vouches", u64::from(node.refill.is_asked())),
        ];
        node.counters.list().into_iter().chain(tables).collect()
    }

    /// All hints, where that is certain: those of former lives are counted, no failure has left a
    /// doubt, and the storage has nothing to do.
    pub fn hints_for_certain(&self) -> Option<HintCount> {
        let Node { hints, tickets, .. } = self.node;
        let certain = hints.are_counted() && hints.doubts() == 0 && tickets.len() == 0;
        certain.then(|| hints.total())
    }

    /// The limits, by name, how replicas are compared, and when what is dead is collected.
    pub fn limits(&self) -> Vec<(&'static str, u64)> {
        let settings = &self.node.config.anti_entropy;
        let anti_entropy = [
            ("anti_entropy_interval_ms", millis(settings.interval)),
            ("anti_entropy_recheck_ms", millis(settings.recheck)),
            ("anti_entropy_bytes_per_second", settings.bytes_per_second),
            ("anti_entropy_leaves", settings.leaves.get().into()),
        ];
        let collection = &self.node.config.collection;
        let collection =
            [("grace_ms", millis(collection.grace)), ("settle_ms", millis(collection.settle()))];
        let limits = self.node.config.limits.list().into_iter();
        limits.chain(anti_entropy).chain(collection).collect()
    }

    /// A member of the layout is a member of the membership, too, so this is about anybody.
    /// `loads` are those of the members of the layout, in their order.
    fn status(&self, member: MemberView, loads: &[MemberLoad]) -> MemberStatus {
        let id = member.info.id;
        let members = self.newest_layout().map_or(&[][..], |update| update.layout.members());
        let at = members.binary_search_by_key(&id, |member| member.id).ok();
        let planned = at.map(|at| &members[at]);
        let load = at.map(|at| loads[at]);
        let info = member.info;
        // What a layout says of a member holds until the next layout, whatever the member says.
        let (label, zone, weight) = match planned {
            Some(planned) => (planned.label.clone(), planned.zone.clone(), planned.weight),
            None => (info.label, info.zone, info.weight),
        };
        let hints = self.node.hints.of(id);
        MemberStatus {
            id,
            label,
            zone,
            weight,
            address: info.address,
            up: self.is_up(id),
            slots: load.map_or(0, |load| load.slots),
            replicas: load.map_or(0, |load| load.replicas),
            state: member.state,
            heartbeat: info.heartbeat,
            heartbeat_age: member.heartbeat_age,
            witnesses: member.witnesses,
            hints: hints.hints,
            hint_bytes: hints.bytes,
            down: member.down,
        }
    }
}
