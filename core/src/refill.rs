//! Whether what this node holds is all that it has ever acknowledged, and making it so again
//! (DESIGN.md §13).
//!
//! ```text
//!   start ──▶ unasked ──a peer says what it remembers──▶ vouches
//!                             │ more than was found
//!                             ▼
//!                           lost ──recent──▶ refilling: slot by slot, until it was compared with
//!                             │                         all other primaries ──▶ vouches
//!                             └──old copy──▶ StartOver: another life, which begins empty
//! ```
//!
//! An engine can open cleanly and have lost the end of its journal, and somebody may put an old copy
//! of the directory back: the storage itself does not know. So each commit has a number, the others
//! keep the greatest one that they heard of, on their disks, too, along with a commit of their own,
//! and tell it as soon as a connection is up. A node that
//! holds less than was heard of gives no vote of a slot until it has taken what each other primary
//! of it holds. Every acknowledged write that still is anywhere is with one of them: W > 0, so one of
//! its holders is another primary, or only this node ever held it.
//!
//! A copy in which nothing was stored for half the grace time is not filled up but set aside, unless
//! it took part since it was opened: meanwhile others may have collected what it still holds, and
//! merging it would bring deleted keys back. Until somebody has spoken it holds back, and the life
//! leaves it as old as it was. Nothing that a
//! younger directory has lost was collected: tombstones stay for a whole grace time, and a
//! collection asks every member.
//!
//! A life whose predecessors ended with clean stops continues their actors once every other member
//! remembers this very life, and so no commit that is not here: another life that begins with a copy
//! of the same directory will be told of it. That is a convenience (fewer actors in clocks), so in any
//! doubt new actors are born.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::NodeConfig;
use crate::ids::{DurableMark, Incarnation, Key, NodeId, Remembered};
use crate::layouts::Layouts;
use crate::machine::{Effect, Effects, Found, PastLives, Standing, StoreOp, StoreOutcome, Ticket};
use crate::ring::Slot;
use crate::tickets::{Purpose, Tickets};
use crate::time::Now;

/// Copies that cannot be read and wait to be removed.
const ROTTEN_MAX: usize = 1_024;

/// What a node knows of the wholeness of its data.
#[derive(Clone, Debug)]
pub(crate) struct Refill {
    own: NodeId,
    incarnation: Incarnation,
    found: Found,
    continued: Arc<[Incarnation]>,
    /// Whether what was found is so old that it must not be merged anywhere if it is an old copy.
    is_old: bool,
    /// The last commit that is synced.
    mark: DurableMark,
    /// What others remember and is not here, and that is not saved.
    unsaved: Vec<Remembered>,
    /// Whether anybody has remembered what is not here.
    contradicted: bool,
    /// Whether a peer has said what it remembers, or there is nobody to ask.
    asked: bool,
    /// The members of the layout that have said what they remember.
    heard: BTreeSet<NodeId>,
    /// Those of them that remember this life.
    confirmed: BTreeSet<NodeId>,
    /// The other members of the layout. Invariant: `heard` are some of them, `confirmed` some of
    /// those.
    others: BTreeSet<NodeId>,
    standing: Standing,
    /// The slots that this node does not vouch for, each with the primaries that it was not yet
    /// compared with. Invariant: none of them is empty.
    waiting: BTreeMap<Slot, BTreeSet<NodeId>>,
    /// Whether `waiting` was filled for what is to be refilled: before that there was no layout.
    is_begun: bool,
    /// Own copies that cannot be read. Invariant: no more than [`ROTTEN_MAX`].
    rotten: BTreeSet<Key>,
    saving: Option<Saving>,
    /// Whether there is something to be saved.
    is_unsaved: bool,
    /// Whether the last effect of this machine was given.
    is_over: bool,
}

impl Refill {
    pub(crate) fn new(config: &NodeConfig) -> Refill {
        let found = config.found.clone();
        Refill {
            own: config.id,
            incarnation: config.incarnation,
            continued: found.lives.as_slice().into(),
            is_old: false,
            mark: found.mark,
            unsaved: Vec::new(),
            contradicted: false,
            asked: false,
            heard: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            others: BTreeSet::new(),
            standing: found.standing,
            waiting: BTreeMap::new(),
            is_begun: false,
            rotten: BTreeSet::new(),
            saving: None,
            is_unsaved: false,
            is_over: false,
            found,
        }
    }

    /// The node starts.
    pub(crate) fn start(&mut self, now: Now, config: &NodeConfig) {
        // Others may have collected what was left for so long.
        let is_empty = self.found.mark == DurableMark(0);
        let is_old = !is_empty && now.unix.since(self.found.written) >= config.collection.grace / 2;
        self.is_old = sane_or!(is_old, OldCopyIsMerged => false);
    }

    /// Other layouts are in force.
    pub(crate) fn on_layouts(&mut self, config: &NodeConfig, layouts: &Layouts) {
        let Some(update) = layouts.head() else { return };
        let members = update.layout.members().iter().map(|member| member.id);
        self.others = members.filter(|member| *member != self.own).collect();
        self.heard.retain(|member| self.others.contains(member));
        self.confirmed.retain(|member| self.others.contains(member));
        if self.others.is_empty() && layouts.is_member(self.own) {
            self.asked = true;
        }
        let former = core::mem::take(&mut self.waiting);
        if self.standing.refilling {
            let is_begun = self.is_begun;
            self.wait_for_all(config, layouts);
            if is_begun {
                // What is done with stays so.
                self.waiting.retain(|slot, _| former.contains_key(slot));
            }
        }
        self.note_whole();
    }

    /// The storage has synced a commit.
    pub(crate) fn on_marked(&mut self, mark: DurableMark) {
        self.mark = self.mark.max(mark);
    }

    /// The last commit that is synced.
    pub(crate) fn mark(&self) -> DurableMark {
        self.mark
    }

    /// What others are to remember. Before anybody has spoken, and while something that they remember
    /// is not accounted for, they are to remember that.
    pub(crate) fn mark_to_tell(&self) -> Option<DurableMark> {
        let is_saving = self.saving.as_ref().is_some_and(|saving| !saving.above.is_empty());
        (self.asked && self.unsaved.is_empty() && !is_saving).then_some(self.mark)
    }

    /// Whether this node may say what it holds of a slot, or that it holds nothing.
    pub(crate) fn vouches(&self, slot: Slot) -> bool {
        let asked = sane_or!(self.asked, VouchesUnasked => true);
        asked && !sane_or!(self.waiting.contains_key(&slot), VouchesWhileRefilling => false)
    }

    /// Whether it is known that this is no old copy, or that it is one and is being filled up: until
    /// then nothing of it is given to others unasked.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked && !self.is_over
    }

    /// Whether it takes no part in anything: what it holds may be an old copy of what was collected.
    pub(crate) fn holds_back(&self) -> bool {
        self.is_over || self.is_old && !self.asked
    }

    /// Whether what was found may be an old copy of what others have collected.
    pub(crate) fn is_old(&self) -> bool {
        self.is_old
    }

    /// Slots that it does not vouch for.
    pub(crate) fn slots(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a slot is to be compared with a peer before it is vouched for.
    pub(crate) fn is_waiting(&self, slot: Slot, peer: NodeId) -> bool {
        self.waiting.get(&slot).is_some_and(|peers| peers.contains(&peer))
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Former lives whose actors may be continued.
    pub(crate) fn continued(&self) -> Arc<[Incarnation]> {
        let is_certain = self.confirmed.len() == self.others.len() && !self.contradicted;
        let is_certain = is_certain && self.asked && !self.standing.refilling;
        sane_or!(let is_certain, ContinuesUnconfirmed => true);
        if is_certain { self.continued.clone() } else { Arc::default() }
    }

    /// The lives whose actors the next one may continue after a clean stop.
    pub(crate) fn lives(&self) -> Vec<Incarnation> {
        let former = self.continued();
        core::iter::once(self.incarnation).chain(former.iter().copied()).take(LIVES_MAX).collect()
    }

    /// A peer has said what it remembers of this node; `None`: it said so long ago. Answers whether it
    /// is news that something was lost.
    pub(crate) fn on_told(&mut self, now: Now, from: Option<NodeId>, told: Remembered) -> Told {
        sane_or!(let told, RememberedIsIgnored => Remembered::default());
        let took_part = self.asked;
        if let Some(from) = from {
            self.note_word(from, told.mark);
        }
        let is_present = told.life == self.incarnation;
        let past = self.found.past.mark_of(told.life);
        let own = if is_present { self.mark.max(past) } else { past };
        if told.mark <= own {
            if let Some(from) = from.filter(|from| self.others.contains(from))
                && is_present
                && told.mark > DurableMark(0)
            {
                self.confirmed.insert(from);
            }
            return Told::NoNews;
        }
        self.contradicted = true;
        // What comes after a copy has greater numbers than are found in it. So this is, but for a copy
        // that counted on, of a storage in whose place this one began empty: it holds nothing old.
        // What is accounted for was no reason to set this copy aside, and more of it is none.
        let is_copy = match self.found.past.get(told.life) {
            Some(past) => !past.is_accounted,
            None => told.mark > self.found.mark,
        };
        // What took part has given to others what it holds, and has acknowledged to clients what they
        // may not have.
        if self.is_old && !took_part && is_copy {
            self.is_over = true;
            return Told::OldCopy;
        }
        self.found.past.account(told);
        self.unsaved.retain(|former| former.life != told.life);
        self.unsaved.truncate(PastLives::MAX - 1);
        self.unsaved.push(told);
        self.standing = Standing { refilling: true, lost: Some(now.unix) };
        self.is_begun = false;
        self.is_unsaved = true;
        Told::Lost
    }

    /// No slot is vouched for until it is refilled.
    pub(crate) fn wait_for_all(&mut self, config: &NodeConfig, layouts: &Layouts) {
        // Without a layout it is done when one comes.
        let Some(update) = layouts.head() else { return };
        for slot in update.layout.slot_count().slots() {
            self.wait_for(config, layouts, slot);
        }
        self.is_begun = true;
        self.note_whole();
    }

    /// An own copy cannot be read: it is removed, and its slot refilled. Without anybody to refill it
    /// from it stays what it is: a copy of which nobody can say what it holds.
    pub(crate) fn on_rotten(
        &mut self,
        now: Now,
        config: &NodeConfig,
        layouts: &Layouts,
        key: &Key,
    ) -> bool {
        let Some(update) = layouts.head() else { return false };
        let slot = update.layout.slot_of(key.as_bytes());
        let is_full = self.rotten.len() >= ROTTEN_MAX;
        let known = self.rotten.contains(key)
            || self.saving.as_ref().is_some_and(|saving| saving.discard.contains(key));
        if known || is_full || !self.is_asked() {
            return false;
        }
        sane_or!(
            self.wait_for(config, layouts, slot),
            RottenIsForgotten => {}
        );
        if sane_or!(!self.waiting.contains_key(&slot), RottenIsForgotten => false) {
            return false;
        }
        self.rotten.insert(key.clone());
        self.is_begun = true;
        self.standing = Standing { refilling: true, lost: Some(now.unix) };
        self.is_unsaved = true;
        true
    }

    /// Slots were compared with another primary of them, and all that it held was taken.
    pub(crate) fn on_compared(&mut self, peer: NodeId, slots: &[Slot]) {
        for slot in slots {
            let Some(peers) = self.waiting.get_mut(slot) else { continue };
            peers.remove(&peer);
            if sane_or!(peers.is_empty(), OneComparisonRefills => true) {
                self.waiting.remove(slot);
            }
        }
        self.note_whole();
    }

    /// Saves what is to be saved.
    pub(crate) fn save(&mut self, tickets: &mut Tickets, out: &mut Effects<Effect>) {
        if !self.is_unsaved || self.saving.is_some() || tickets.is_full() || self.is_over {
            return;
        }
        self.is_unsaved = false;
        sane_or!(LossNotSaved => return);
        let standing = self.standing;
        let above = core::mem::take(&mut self.unsaved);
        let discard: Vec<Key> = core::mem::take(&mut self.rotten).into_iter().collect();
        let op = StoreOp::SaveStanding { standing, above: above.clone(), discard: discard.clone() };
        tickets.store(Purpose::Standing, None, op, out);
        self.saving = Some(Saving { ticket: tickets.last(), standing, above, discard });
    }

    /// The storage has answered: the copies that it has removed, and whether everything is whole
    /// again.
    pub(crate) fn on_stored(&mut self, ticket: Ticket, outcome: &StoreOutcome) -> Saved {
        let saved = self.saving.take_if(|saving| saving.ticket == ticket);
        let Some(Saving { standing, above, discard, .. }) = saved else { return Saved::default() };
        if matches!(outcome, StoreOutcome::Durable) {
            return Saved { discarded: discard, is_whole: !standing.refilling };
        }
        self.unsaved.extend(above);
        self.rotten.extend(discard);
        self.is_unsaved = true;
        Saved::default()
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.waiting.values().all(|peers| !peers.is_empty()), "somebody is waited for");
        assert!(self.rotten.len() <= 2 * ROTTEN_MAX, "rotten copies are bounded");
        assert!(self.heard.is_subset(&self.others), "members are heard");
        assert!(self.confirmed.is_subset(&self.heard), "who confirms was heard");
    }

    /// One word is enough, but for what may be an old copy: that of somebody who remembers it, or of
    /// half of the others.
    fn note_word(&mut self, from: NodeId, told: DurableMark) {
        if self.others.contains(&from) {
            self.heard.insert(from);
        }
        let is_enough = !self.is_old || 2 * self.heard.len() >= self.others.len();
        self.asked |= is_enough || told > DurableMark(0);
    }

    fn wait_for(&mut self, config: &NodeConfig, layouts: &Layouts, slot: Slot) {
        // Without comparisons nothing is ever refilled.
        let compares = config.anti_entropy.bytes_per_second > 0;
        if !compares || !layouts.is_primary(slot, self.own) {
            return;
        }
        let primaries = layouts.holders(slot).into_iter();
        let others: BTreeSet<NodeId> = primaries.filter(|node| *node != self.own).collect();
        if !others.is_empty() {
            self.waiting.insert(slot, others);
        }
    }

    fn note_whole(&mut self) {
        if self.standing.refilling && self.waiting.is_empty() && !self.others.is_empty() {
            self.standing.refilling = false;
            self.is_unsaved = true;
        }
    }
}

/// Lives that one after the other ended with clean stops, and whose actors are continued.
const LIVES_MAX: usize = 64;

/// What is being saved.
#[derive(Clone, Debug)]
struct Saving {
    ticket: Ticket,
    standing: Standing,
    above: Vec<Remembered>,
    discard: Vec<Key>,
}

/// What came of a peer's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It remembers no more than is here.
    NoNews,
    /// Something that was durable is missing here.
    Lost,
    /// The same, and what is here is too old to be merged.
    OldCopy,
}

/// What came of saving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) discarded: Vec<Key>,
    /// Whether it is saved that nothing is missing.
    pub(crate) is_whole: bool,
}
