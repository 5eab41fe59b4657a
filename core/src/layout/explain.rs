//! What a change of the layout means: for each node, for each pair of nodes that send and receive,
//! and what nodes and zones do not allow.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use super::limits::{Limit, limits};
use super::{Layout, MemberLoad, fair};
use crate::ids::NodeId;
use crate::ring::Slot;

/// What happens between two layouts of a cluster, and what the second one cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The members of either layout, by ascending id.
    pub nodes: Vec<NodeChange>,
    /// The replicas that are sent, by sender and receiver.
    pub transfers: Vec<Transfer>,
    /// Slots that change their owner.
    pub slots_moved: u32,
    /// Slots that must change their owner for members to own as many as they do: the sum of what
    /// each owns more than before.
    pub slots_moved_least: u32,
    /// What cannot be avoided with these members.
    pub limits: Vec<Limit>,
}

/// What changes for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeChange {
    /// What it holds under the first layout; nothing where it was no member.
    pub before: MemberLoad,
    /// What it holds under the second layout; nothing where it is no member.
    pub after: MemberLoad,
    /// The replicas that it would hold if loads followed weights as far as distinct nodes and
    /// zones allow, in thousandths.
    pub replicas_fair_thousandths: u64,
    /// Replicas of slots that it must fill.
    pub receives: Amount,
    /// Replicas of slots that it is the one to send.
    pub sends: Amount,
}

/// An amount of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Replicas of slots.
    pub replicas: u32,
    /// The bytes in them; [`u64::MAX`] stands for all that is more.
    pub bytes: u64,
}

/// What one node sends to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who sends.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
}

/// What happens between `previous` and `next`, two layouts of the same slots.
///
/// `slot_bytes` says how many bytes one replica of a slot is. Each new primary of a slot receives
/// one replica; it is sent by a former primary: one that gives the slot up and is still a member,
/// else one that keeps it, else one that left.
///
/// # Panics
///
/// Where the layouts have different numbers of slots.
pub fn explain(previous: &Layout, next: &Layout, slot_bytes: impl Fn(Slot) -> u64) -> Explanation {
    assert_eq!(previous.slot_count(), next.slot_count(), "slots never change their bounds");
    let transfers = transfers(previous, next, slot_bytes);
    let owners = previous.slot_count().slots().map(|slot| (previous.owner(slot), next.owner(slot)));
    let nodes = node_changes(previous, next, &transfers);
    let gained = |node: &NodeChange| node.after.slots.saturating_sub(node.before.slots);
    Explanation {
        slots_moved: owners.filter(|(before, after)| before != after).count() as u32,
        slots_moved_least: nodes.iter().map(gained).sum(),
        nodes,
        transfers,
        limits: limits(next),
    }
}

fn transfers(previous: &Layout, next: &Layout, slot_bytes: impl Fn(Slot) -> u64) -> Vec<Transfer> {
    let mut amounts: BTreeMap<(NodeId, NodeId), Amount> = BTreeMap::new();
    for slot in previous.slot_count().slots() {
        let (former, primaries) = (previous.primaries(slot), next.primaries(slot));
        let mut receivers = primaries.iter().filter(|id| !former.contains(id)).peekable();
        if receivers.peek().is_none() {
            continue;
        }
        let senders = senders(former, next, slot);
        let amount = Amount { replicas: 1, bytes: slot_bytes(slot) };
        for (&to, &from) in receivers.zip(senders.iter().cycle()) {
            amounts.entry((from, to)).or_default().add(amount);
        }
    }
    let transfer = |((from, to), amount)| Transfer { from, to, amount };
    amounts.into_iter().map(transfer).collect()
}

/// The former primaries of a slot that send it, in the order in which they take their turns.
fn senders(former: &[NodeId], next: &Layout, slot: Slot) -> Vec<NodeId> {
    let (mut senders, departed): (Vec<NodeId>, Vec<NodeId>) =
        former.iter().partition(|&&id| next.member(id).is_some());
    senders.sort_by_key(|&id| next.is_primary(slot, id));
    if senders.is_empty() { departed } else { senders }
}

fn node_changes(previous: &Layout, next: &Layout, transfers: &[Transfer]) -> Vec<NodeChange> {
    let [before, after] = [previous, next].map(|layout| {
        let loads = layout.load().into_iter();
        loads.map(|load| (load.id, load)).collect::<BTreeMap<NodeId, MemberLoad>>()
    });
    let owned: Vec<u32> = next.load().iter().map(|load| load.slots).collect();
    let fair = fair::fair_loads(next.replication(), next.members(), &owned);
    let fair: BTreeMap<NodeId, u64> =
        next.members().iter().map(|member| member.id).zip(fair).collect();
    let (mut receives, mut sends) = (BTreeMap::new(), BTreeMap::new());
    for transfer in transfers {
        receives.entry(transfer.to).or_insert_with(Amount::default).add(transfer.amount);
        sends.entry(transfer.from).or_insert_with(Amount::default).add(transfer.amount);
    }
    let ids: BTreeSet<NodeId> = before.keys().chain(after.keys()).copied().collect();
    let change = |id: NodeId| {
        let nothing = MemberLoad::nothing(id);
        NodeChange {
            before: before.get(&id).copied().unwrap_or(nothing),
            after: after.get(&id).copied().unwrap_or(nothing),
            replicas_fair_thousandths: fair.get(&id).copied().unwrap_or(0),
            receives: receives.get(&id).copied().unwrap_or_default(),
            sends: sends.get(&id).copied().unwrap_or_default(),
        }
    };
    ids.into_iter().map(change).collect()
}

impl Amount {
    fn add(&mut self, other: Amount) {
        self.replicas += other.replicas;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Explanation {
    /// All that is received, and so all that is sent.
    pub fn total(&self) -> Amount {
        let mut total = Amount::default();
        for transfer in &self.transfers {
            total.add(transfer.amount);
        }
        total
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas of slots, {} bytes", self.replicas, self.bytes)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (moved, least) = (self.slots_moved, self.slots_moved_least);
        write!(f, "{moved} slots change their owner ({least} must); to send: {}", self.total())
    }
}
