//! Directories that a fault took back to older ones, until their nodes know or cannot know.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::ids::{DurableMark, Incarnation, Key, NodeId, Remembered};
use quorate_core::machine::PastLives;
use quorate_core::message::{Gossip, Message};
use quorate_core::time::{Duration, Instant};

use super::Facts;
use crate::disk::Disk;
use crate::network::End;
use crate::observation::{By, Delivered, Destroyed, Replaced, Started, Stepped};
use crate::oracle::Moment;

/// What another node says that it remembers of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// No more than that one has: any commit, or none.
    Known { any: bool },
    /// So many commits: some of them are lost.
    Lost(Remembered),
}

/// The life of a node.
#[derive(Clone)]
pub(super) struct Life {
    incarnation: Incarnation,
    /// What it found of former ones.
    past: PastLives,
}

impl Life {
    /// What the sender of a message says that it remembers of the node, which has heard of `marked`
    /// commits; `None` where the message does not say.
    fn remembered(&self, gossip: &Gossip, node: NodeId, marked: DurableMark) -> Option<Memory> {
        let pulses = gossip.pulses.iter().filter(|pulse| pulse.id == node);
        let infos = gossip.members.iter().filter(|info| info.id == node);
        let pulses = pulses.map(|pulse| pulse.remembered);
        let told: Vec<Remembered> = pulses.chain(infos.map(|info| info.remembered)).collect();
        let is_loss = |told: &&Remembered| {
            let past = self.past.mark_of(told.life);
            told.mark > if told.life == self.incarnation { marked.max(past) } else { past }
        };
        if let Some(lost) = told.iter().filter(is_loss).max_by_key(|told| told.mark) {
            return Some(Memory::Lost(*lost));
        }
        if ![Incarnation(0), self.incarnation].contains(&gossip.to) {
            // It was meant for a former life: who says that now may remember more.
            return None;
        }
        // Who asks for a part of the list says nothing of members that are not in it, and whoever
        // is not named in an answer is remembered as it said itself.
        let says_all = gossip.asks.is_none_or(|(first, last)| (first..=last).contains(&node));
        let any = told.iter().any(|told| told.mark > DurableMark(0));
        (says_all || !told.is_empty()).then_some(Memory::Known { any })
    }
}

impl Facts {
    pub(super) fn on_destroyed(&mut self, moment: Moment<'_>, destroyed: Destroyed<'_>) {
        let Destroyed { node, by, copy, key, before, after } = destroyed;
        if by == By::Fault && !after.is_empty() {
            self.old_copies.on_brought_back(node, key);
        }
        let number = self.number;
        let facts = self.key_mut(moment, key);
        facts.destroy((node, key, number), before, after, moment.disks);
        facts.set_copy(node, copy, moment.disks[node].copy(copy, key).cloned());
    }

    /// What the sender of a message to a node says that it remembers of it.
    pub(crate) fn remembered(
        &self,
        disks: &[Disk],
        node: usize,
        gossip: &Gossip,
    ) -> Option<Memory> {
        let life = self.lives.get(&node)?;
        life.remembered(gossip, self.nodes[node], disks[node].marked())
    }

    pub(super) fn on_started(&mut self, moment: Moment<'_>, started: Started<'_>) {
        let Started { node, life, found, .. } = started;
        self.lives.insert(node, Life { incarnation: life, past: found.past.clone() });
        self.revive(|copies, grace| copies.on_started(moment.now, grace, started));
    }

    pub(super) fn on_told_of_self(&mut self, moment: Moment<'_>, delivered: Delivered<'_>) {
        let Delivered { from: End::Node(from), to: End::Node(node), message, .. } = delivered
        else {
            return;
        };
        let Message::Gossip(gossip) = message else { return };
        if let Some(memory) = self.remembered(moment.disks, node, gossip) {
            let others = self.nodes.len().saturating_sub(1);
            self.revive(|copies, _| copies.on_told((from, node), others, memory));
        }
    }

    pub(super) fn on_stepped(&mut self, now: Instant, Stepped { node, view }: Stepped<'_>) {
        self.old_copies.on_stepped(node, view.layout().is_some());
        self.on_layouts(now, node, view);
    }

    /// Whether a node has a directory that may show an older copy of a key, and does not know so yet.
    pub(crate) fn is_old_copy(&self, node: usize, key: &Key) -> bool {
        self.old_copies.holds(node, key)
    }

    /// Keys of which an older copy is there again, and nobody could know.
    fn revive(&mut self, find: impl FnOnce(&mut OldCopies, Duration) -> BTreeSet<Key>) {
        for key in find(&mut self.old_copies, self.grace) {
            if let Some(facts) = self.keys.get_mut(&key) {
                facts.revived = true;
            }
        }
    }
}

/// The old directories, by node.
#[derive(Default)]
pub(super) struct OldCopies {
    nodes: BTreeMap<usize, OldCopy>,
}

/// A directory that is older than the one which was there.
#[derive(Default)]
struct OldCopy {
    /// When its last commit was made.
    committed_at: Instant,
    /// Keys of which it has an older copy.
    keys: BTreeSet<Key>,
    /// Whether its node knows that it may be old, and holds it back.
    is_held_back: bool,
    /// Who has told its node that he remembers no commit at all.
    forgetful: BTreeSet<usize>,
    knows_layout: bool,
}

impl OldCopies {
    pub(super) fn on_replaced(&mut self, Replaced { node, by, committed_at }: Replaced) {
        match by {
            By::Fault => {
                self.nodes.insert(node, OldCopy { committed_at, ..OldCopy::default() });
            }
            By::Node => {
                self.nodes.remove(&node);
            }
        }
    }

    pub(super) fn on_brought_back(&mut self, node: usize, key: &Key) {
        if let Some(old) = self.nodes.get_mut(&node) {
            old.keys.insert(key.clone());
        }
    }

    /// A node starts. Answers the keys that come back because its clock says that an old directory
    /// is a young one.
    pub(super) fn on_started(
        &mut self,
        now: Instant,
        grace: Duration,
        started: Started<'_>,
    ) -> BTreeSet<Key> {
        let Started { node, found, wall, .. } = started;
        let Some(old) = self.nodes.get_mut(&node) else { return BTreeSet::new() };
        let is_old = now.since(old.committed_at) >= grace / 2;
        let seems_old = wall.since(found.written) >= grace / 2;
        old.is_held_back = seems_old && found.mark > DurableMark(0);
        old.knows_layout = false;
        old.forgetful.clear();
        if is_old && !seems_old { self.take(node) } else { BTreeSet::new() }
    }

    /// A node has handled an input.
    pub(super) fn on_stepped(&mut self, node: usize, knows_layout: bool) {
        if let Some(old) = self.nodes.get_mut(&node) {
            old.knows_layout |= knows_layout;
        }
    }

    /// A node is told what one of so many others remembers of it. Answers the keys that come back
    /// because that is no more than it has, and enough to take part.
    pub(super) fn on_told(
        &mut self,
        (from, node): (usize, usize),
        others: usize,
        memory: Memory,
    ) -> BTreeSet<Key> {
        let Some(old) = self.nodes.get_mut(&node) else { return BTreeSet::new() };
        match memory {
            Memory::Lost(_) => {
                self.take(node);
                return BTreeSet::new();
            }
            Memory::Known { any: true } => return self.take(node),
            Memory::Known { any: false } => old.forgetful.insert(from),
        };
        let is_enough = 2 * old.forgetful.len() >= others;
        let is_let_in = !old.is_held_back || !old.knows_layout || is_enough;
        if is_let_in { self.take(node) } else { BTreeSet::new() }
    }

    /// Whether a node has an older copy of a key and does not know so yet.
    pub(super) fn holds(&self, node: usize, key: &Key) -> bool {
        self.nodes.get(&node).is_some_and(|old| old.keys.contains(key))
    }

    fn take(&mut self, node: usize) -> BTreeSet<Key> {
        self.nodes.remove(&node).map(|old| old.keys).unwrap_or_default()
    }
}
