//! What one may look at.

use quorate_core::causality::Record;
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Event as NodeEvent, HeldAs};
use quorate_core::membership::MemberView;
use quorate_core::message::{LayoutSpan, LayoutUpdate, MemberState};
use quorate_core::node::Node;
use quorate_core::time::{Duration, Instant};
use std::sync::Arc;

use super::World;
use crate::invariants::Violation;
use crate::marks::Marks;
use crate::oracle::Moment;
use crate::trace::{Log, LogFilter};

impl World {
    /// Members, slots and addresses; nodes are numbered in the order of the members.
    pub fn layout(&self) -> &Arc<LayoutUpdate> {
        &self.layout
    }

    /// What a node holds to be in force; `None` while it is down, or knows no layout.
    pub fn span(&self, node: usize) -> Option<LayoutSpan> {
        let span = self.node(node)?.view().layouts();
        (span.head.version.0 > 0).then_some(span)
    }

    /// The machine of a node; `None` while it is down.
    pub fn node(&self, node: usize) -> Option<&Node> {
        self.nodes[node].node.as_ref()
    }

    /// The number of a node.
    pub(crate) fn node_of(&self, id: NodeId) -> Option<usize> {
        self.index(id)
    }

    /// Whether a node is up and has a layout in force.
    pub fn knows_layout(&self, node: usize) -> bool {
        self.node(node).is_some_and(|node| node.view().layout().is_some())
    }

    /// Whether any node that is up has a layout in force.
    pub fn layout_is_known(&self) -> bool {
        (0..self.nodes.len()).any(|node| self.knows_layout(node))
    }

    /// The numbers of the primaries of a key, in the order of its preference list.
    pub fn primaries(&self, key: &str) -> Vec<usize> {
        let layout = &self.layout.layout;
        let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
        ids.filter_map(|id| self.index(*id)).collect()
    }

    /// The numbers of the fallbacks of a key, in the order of its preference list.
    pub fn fallbacks(&self, key: &str) -> Vec<usize> {
        let layout = &self.layout.layout;
        let list = layout.preference_list(layout.slot_of(key.as_bytes()));
        list.skip(layout.replication().into()).filter_map(|id| self.index(id)).collect()
    }

    /// What a node holds for a key.
    pub fn record(&self, node: usize, key: &str) -> Record {
        let key = Key::from(key.as_bytes().to_vec());
        self.disks[node].memory(&key).cloned().unwrap_or_default()
    }

    /// All keys that a node holds.
    pub fn keys(&self, node: usize) -> Vec<Key> {
        self.disks[node].keys().cloned().collect()
    }

    /// The own copies of a node.
    pub(crate) fn records_of(&self, node: usize) -> impl Iterator<Item = (&Key, &Record)> {
        let disk = &self.disks[node];
        disk.keys().filter_map(|key| Some((key, disk.memory(key)?)))
    }

    /// How many hints a node keeps for another.
    pub fn hints(&self, node: usize, target: usize) -> usize {
        self.disks[node].hints_for(self.nodes[target].id)
    }

    /// What a node keeps for others: whom it is for, the key and the record.
    pub(crate) fn hints_of(&self, node: usize) -> impl Iterator<Item = (NodeId, &Key, &Record)> {
        self.disks[node].hints().map(|(target, key, held)| (target, key, held.record()))
    }

    /// How many hints some nodes keep for each other.
    pub fn hints_within(&self, nodes: &[usize]) -> usize {
        let kept =
            |node: &usize| nodes.iter().map(|target| self.hints(*node, *target)).sum::<usize>();
        nodes.iter().map(kept).sum()
    }

    /// What a node holds another one for; `None` where it is down, or has never heard of it.
    pub fn member_state(&self, node: usize, member: usize) -> Option<MemberState> {
        self.member(node, member).map(|member| member.state)
    }

    /// All that a node knows of another one; `None` where it is down, or has never heard of it.
    pub fn member(&self, node: usize, member: usize) -> Option<MemberView> {
        let now = self.nodes[node].clock.read(self.now);
        let membership = self.nodes[node].node.as_ref()?.view().membership();
        membership.member(now, self.nodes[member].id)
    }

    /// What a node told people.
    pub fn events(&self, node: usize) -> &[NodeEvent] {
        &self.nodes[node].events
    }

    /// The time since the world began.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A key of which two of some nodes, which are primaries of it, hold different records.
    pub fn first_difference(&self, nodes: &[usize]) -> Option<String> {
        let layout = &self.layout.layout;
        let keys = nodes.iter().flat_map(|node| self.disks[*node].keys());
        keys.into_iter().find_map(|key| {
            let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
            let homes = ids.filter_map(|id| self.index(*id)).filter(|home| nodes.contains(home));
            let is_read = |home: &usize| !self.disks[*home].is_damaged(HeldAs::Own, key);
            let homes: Vec<usize> = homes.filter(is_read).collect();
            let held = |node: usize| self.disks[node].memory(key).filter(|held| !held.is_empty());
            let differs = |pair: &&[usize]| held(pair[0]) != held(pair[1]);
            let pair = homes.windows(2).find(differs)?;
            Some(format!("n{} and n{} hold different records of {key:?}", pair[0], pair[1]))
        })
    }

    /// How many records comparisons have moved to or from some nodes, which are up.
    pub fn records_moved(&self, nodes: &[usize]) -> u64 {
        let counters = nodes.iter().filter_map(|node| Some(self.node(*node)?.view().counters()));
        let moved = counters.flatten();
        let moved = moved.filter(|(name, _)| ["records_taken", "records_given"].contains(name));
        moved.map(|(_, count)| count).sum()
    }

    /// What a node has synced of a key.
    pub fn synced(&self, node: usize, key: &str) -> Record {
        let key = Key::from(key.as_bytes().to_vec());
        self.disks[node].synced(&key).cloned().unwrap_or_default()
    }

    /// The first property that did not hold.
    pub fn violation(&self) -> Option<&Violation> {
        self.oracle.violation()
    }

    /// The hash of everything that happened so far: equal for equal runs, on every platform.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Events taken so far.
    pub fn events_taken(&self) -> u64 {
        self.taken
    }

    /// Counts the ends of calls of clients and the deaths of clients: while it stays, no call that
    /// was open has ended or will never end.
    pub fn endings(&self) -> u64 {
        self.endings
    }

    /// How often rare states were met.
    pub fn marks(&self) -> &Marks {
        self.watch.marks()
    }

    /// Checks what must hold at rest. The nodes of `whole` must be up, undamaged and connected, and
    /// every key must have been compared, or read, since.
    pub fn check_at_rest(&mut self, whole: &[usize]) {
        let moment =
            Moment { now: self.now, wall: self.wall, layout: &self.layout, disks: &self.disks };
        self.oracle.at_rest(moment, whole);
    }

    /// Notes a violation that a run finds by itself.
    pub fn fail(&mut self, property: &'static str, text: &str) {
        self.oracle.fail(property, self.now, text);
    }

    /// From here on, keeps a log.
    pub fn keep_log(&mut self, filter: LogFilter) {
        let mut log = Log::new(filter);
        for slot in &self.nodes {
            if let Some(node) = &slot.node {
                log.name_life(slot.id, node.view().config().incarnation, slot.life);
            }
        }
        self.log = Some(log);
    }

    /// Writes a line into the log, if one is kept.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.note(self.now, line());
        }
    }

    /// The lines of the log so far.
    pub fn take_log(&mut self) -> Vec<String> {
        self.log.take().map(Log::into_lines).unwrap_or_default()
    }

    /// Nodes, those among them that are members of nothing.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Clients so far, those that are gone included.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// Whether a client has vanished.
    pub fn is_dead(&self, client: usize) -> bool {
        self.clients[client].dead
    }

    /// Whether a client stands still.
    pub fn is_frozen(&self, client: usize) -> bool {
        self.clients[client].frozen.is_some()
    }

    /// Whether a node that is up stands still.
    pub fn is_paused(&self, node: usize) -> bool {
        self.nodes[node].paused.is_some()
    }

    /// Whether a node has records that it cannot read.
    pub fn has_damaged_disk(&self, node: usize) -> bool {
        self.disks[node].has_damage()
    }

    /// Whether a node has hints that it cannot read.
    pub(crate) fn has_damaged_hints(&self, node: usize) -> bool {
        self.disks[node].has_damaged_hints()
    }

    /// The keys whose own copies a node cannot read.
    pub(crate) fn damaged(&self, node: usize) -> Vec<Key> {
        self.disks[node].damaged().cloned().collect()
    }

    /// How long the disk of a node needs for what it was given.
    pub fn disk_backlog(&self, node: usize) -> Duration {
        self.disks[node].backlog(self.now)
    }

    /// Whether the storage of a node takes no changes since a sync failed.
    pub fn has_poisoned_disk(&self, node: usize) -> bool {
        self.disks[node].is_poisoned()
    }
}
