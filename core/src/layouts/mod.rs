//! The layouts in force at this node, and when one takes the place of another (DESIGN.md §9).
//!
//! ```text
//!   v1 alone ──▶ v1, v2: writes reach W primaries of each; reads ask those of v1
//!                  │ all have `ack` v2: no write passes v2 by any more
//!                  │ who is new fills its slots from the primaries of v1 ──▶ its `sync` is v2
//!                  │ all have `sync` v2: reads ask the primaries of v2 ──▶ `sync_ack` is v2
//!                  │ all have `sync_ack` v2: nobody reads from v1 any more
//!                  ▼
//!                v2 alone
//! ```
//!
//! Why a read finds what was acknowledged before it. It goes by a version `r` that is in force at its
//! coordinator. Where `r` was in force at the coordinator of the write, too, the write has W
//! primaries of it. Else that one had dropped `r`, but that takes the word of the reader that it
//! reads from nothing so old. Or it had not heard of `r` yet: then the write had W primaries of the
//! version before, its coordinator said `ack` only when that write was over, and whoever is new in
//! `r` was filled after that from all of those primaries that are left.
//!
//! All members of the newest layout are waited for, and nobody else: to remove a dead node is to let
//! the others go on. Marks are told once they are saved, so no start takes one back.
//!
//! The rule is Garage's (its `LayoutHistory`, after a thesis by Mendes); marks are named as there.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion};
use crate::message::{
    LIVE_LAYOUTS_MAX, LayoutHistory, LayoutId, LayoutSpan, LayoutUpdate, Marks, MarksOf,
    PAST_LAYOUTS_MAX, PastLayout,
};
use crate::quorum::Replicas;
use crate::ring::Slot;
use crate::time::UnixMs;

/// Primaries of one key, of all layouts in force, that a write can have: the rest of the places are
/// for those who stand in for them.
const PRIMARIES_MAX: usize = Replicas::CAPACITY / 4 * 3;

/// The layouts in force, and how far everyone is with them.
#[derive(Clone, Debug)]
pub(crate) struct Layouts {
    own: NodeId,
    /// Invariant: as of a [`LayoutHistory`], but that there may be none yet.
    live: Vec<Arc<LayoutUpdate>>,
    /// How far this node is.
    marks: Marks,
    /// The same, as it is saved. Others are told of no more.
    saved: Marks,
    /// How far others are, as they say. Invariant: members of a layout that is in force.
    others: BTreeMap<NodeId, MarksOf>,
    /// The version that reads go by. Invariant: in force.
    read: LayoutVersion,
    /// How they came about, the oldest first. Invariant: at most [`PAST_LAYOUTS_MAX`].
    past: Vec<PastLayout>,
}

/// By which layouts an unanswered request goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The newest one when it began: a write reaches nothing newer.
    pub(crate) head: LayoutId,
    /// The one that reads went by.
    pub(crate) read: LayoutId,
}

/// Whether anything is under way that goes by former layouts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InUse {
    /// A write that does not reach the newest layout.
    pub(crate) writes: bool,
    /// A read that goes by another layout than reads do now.
    pub(crate) reads: bool,
}

/// What came of layouts that somebody told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// They are known, or older.
    Nothing,
    /// A newer one is in force.
    Newer,
    /// A newer one is in force, and one that was is not any more: another one of its number, or
    /// what follows that, took its place.
    Replaced(LayoutId),
}

/// What a look at the marks of all has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Own marks are to be saved.
    pub(crate) marked: bool,
    /// Reads go by another layout.
    pub(crate) read: bool,
    /// A layout is no longer in force.
    pub(crate) dropped: bool,
}

impl Layouts {
    pub(crate) fn new(own: NodeId, history: Option<&LayoutHistory>) -> Layouts {
        let (live, marks) = history.map_or((Vec::new(), Marks::default()), |history| {
            (history.live().to_vec(), history.marks())
        });
        let past = history.map_or(Vec::new(), |history| history.past().to_vec());
        let oldest = live.first().map_or(LayoutVersion(0), version);
        sane_or!(let marks, MarksForgottenAtStart => Marks::all(oldest));
        let read = oldest.max(marks.sync_ack);
        Layouts { own, live, marks, saved: marks, others: BTreeMap::new(), read, past }
    }

    /// The newest layout; `None`: the cluster has none yet.
    pub(crate) fn head(&self) -> Option<&Arc<LayoutUpdate>> {
        self.live.last()
    }

    /// The layout that reads go by, and that clients are given.
    pub(crate) fn read(&self) -> Option<&Arc<LayoutUpdate>> {
        self.live.iter().find(|update| version(update) == self.read)
    }

    /// All that are in force, the oldest first.
    pub(crate) fn live(&self) -> impl DoubleEndedIterator<Item = &Layout> + Clone {
        self.live.iter().map(|update| &update.layout)
    }

    /// The same, with the addresses of members.
    pub(crate) fn updates(&self) -> &[Arc<LayoutUpdate>] {
        &self.live
    }

    /// Whether a change is under way.
    pub(crate) fn is_changing(&self) -> bool {
        self.live.len() > 1
    }

    /// The version of the newest; 0 where there is none.
    pub(crate) fn head_version(&self) -> LayoutVersion {
        self.head().map_or(LayoutVersion(0), version)
    }

    /// How far this node is.
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// Whether a node is a primary of a slot in any layout in force.
    pub(crate) fn is_primary(&self, slot: Slot, node: NodeId) -> bool {
        self.live().any(|layout| layout.is_primary(slot, node))
    }

    /// The primaries of a slot in any layout in force that are members of the newest: those who are
    /// to hold what is written, and are not given up.
    pub(crate) fn holders(&self, slot: Slot) -> Vec<NodeId> {
        let mut holders: Vec<NodeId> = Vec::new();
        for node in self.live().flat_map(|layout| layout.primaries(slot)) {
            if !holders.contains(node) && self.is_member(*node) {
                holders.push(*node);
            }
        }
        holders
    }

    /// Whether a node is a member of the newest layout.
    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.head().is_some_and(|update| update.layout.member(node).is_some())
    }

    /// Whether a node is a member of any layout in force.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.live().any(|layout| layout.member(node).is_some())
    }

    /// The members of all layouts in force and, as far as it is remembered, of those before them.
    pub(crate) fn ever_members(&self) -> BTreeSet<NodeId> {
        let left = self.past.iter().flat_map(|past| &past.left);
        let members = self.live().flat_map(|layout| layout.members()).chain(left);
        members.map(|member| member.id).collect()
    }

    /// Whether one more layout can come into force.
    pub(crate) fn has_room(&self) -> bool {
        let replication = self.head().map_or(1, |update| usize::from(update.layout.replication()));
        let most = LIVE_LAYOUTS_MAX.min(PRIMARIES_MAX / replication).max(2);
        self.live.len() < most
    }

    /// Whether the writes of a coordinator that writes to nothing newer than `version` can be taken:
    /// one that has said that it writes to a newer layout, and does not, has forgotten it.
    pub(crate) fn admits(&self, coordinator: NodeId, version: LayoutVersion) -> bool {
        sane_or!(ForgottenLayoutIsAdmitted => return true);
        let told = self.others.get(&coordinator);
        told.is_none_or(|told| version >= told.marks.ack)
    }

    /// By which layouts a request goes that begins now.
    pub(crate) fn begun(&self) -> Begun {
        let id = |update: Option<&Arc<LayoutUpdate>>| update.map(|update| LayoutId::of(update));
        let (head, read) = (id(self.head()), id(self.read()));
        Begun { head: head.unwrap_or_default(), read: read.unwrap_or_default() }
    }

    /// What others are told.
    pub(crate) fn span(&self) -> LayoutSpan {
        LayoutSpan {
            head: self.head().map(|update| LayoutId::of(update)).unwrap_or_default(),
            oldest: self.live.first().map_or(LayoutVersion(0), version),
            read: self.read,
        }
    }

    /// All that are in force, for somebody who does not know the newest; `None`: it does.
    pub(crate) fn news_for(&self, span: &LayoutSpan) -> Option<Vec<Arc<LayoutUpdate>>> {
        span.gives_way_to(&self.span()).then(|| self.live.clone())
    }

    /// How far members are, as far as is known.
    pub(crate) fn known_marks(&self) -> Vec<MarksOf> {
        let head = self.span().head;
        let own = MarksOf { node: self.own, head, marks: self.saved };
        let own = (head.version > LayoutVersion(0)).then_some(own);
        own.into_iter().chain(self.others.values().copied()).collect()
    }

    /// What is to be saved.
    pub(crate) fn history(&self) -> Option<LayoutHistory> {
        let history = LayoutHistory::new(self.live.clone(), self.marks).ok()?;
        Some(history.with_past(self.past.clone()))
    }

    /// How the layouts came about, the oldest first.
    pub(crate) fn past(&self) -> &[PastLayout] {
        &self.past
    }

    /// Others were in force before these: each that is new came about by the one that it follows.
    pub(crate) fn remember(&mut self, at: UnixMs, former: &[Arc<LayoutUpdate>]) {
        let mut previous = former.last();
        for update in &self.live {
            let id = LayoutId::of(update);
            if former.iter().all(|known| LayoutId::of(known) != id) {
                let previous = previous.map(|previous| &previous.layout);
                self.past.push(PastLayout::between(at, previous, update));
            }
            previous = Some(update);
        }
        let excess = self.past.len().saturating_sub(PAST_LAYOUTS_MAX);
        self.past.drain(..excess);
    }

    /// Own marks are saved.
    pub(crate) fn on_saved(&mut self, marks: Marks) {
        // What was replaced meanwhile took its marks with it.
        self.saved = self.saved.max(marks.min(self.marks));
    }

    /// Own marks differ from what is saved.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.saved != self.marks
    }

    /// Somebody holds these layouts to be in force.
    pub(crate) fn learn(&mut self, told: &[Arc<LayoutUpdate>]) -> Learned {
        let Some(newest) = told.last() else { return Learned::Nothing };
        let former = self.span();
        let head = LayoutId::of(newest);
        let oldest = told.first().map_or(head.version, version);
        let is_known = !former.gives_way_to(&LayoutSpan { head, oldest, read: oldest });
        sane_or!(let is_known, RivalsBothStand => version(newest) <= former.head.version);
        if is_known {
            return Learned::Nothing;
        }
        // What this node has dropped is over, whoever still holds it to be in force.
        let live = told.iter().filter(|update| version(update) >= former.oldest).cloned();
        let mut live: Vec<Arc<LayoutUpdate>> = live.collect();
        // And what it holds is where its own oldest one says, until it has gone on from there.
        if let ([base, _, ..], Some(own)) = (&mut live[..], self.live.first())
            && version(base) == version(own)
        {
            *base = own.clone();
        }
        let known = |update: &&Arc<LayoutUpdate>| {
            let id = LayoutId::of(update);
            self.live.iter().any(|own| LayoutId::of(own) == id)
        };
        let common = live.iter().rfind(known).map(version);
        let is_first = self.live.is_empty();
        let is_replaced = !is_first && common != Some(former.head.version) && {
            // Whoever has dropped it went on from it.
            former.head.version >= live.first().map_or(LayoutVersion(0), version)
        };
        let oldest = live.first().map_or(LayoutVersion(0), version);
        let head = version(newest);
        self.live = live;
        if is_first {
            // Of a single one everyone has said that it is done with it, this node included.
            self.marks = Marks::all(oldest);
            self.saved = Marks::default();
        } else {
            let kept = common.unwrap_or(oldest).max(oldest).min(head);
            self.marks = self.marks.at_most(kept).max(Marks::all(oldest));
            self.saved = self.saved.at_most(kept);
        }
        self.read = self.read.clamp(oldest, head).max(self.marks.sync_ack);
        if self.read().is_none() {
            self.read = oldest;
        }
        self.forget_strangers();
        if is_replaced { Learned::Replaced(former.head) } else { Learned::Newer }
    }

    /// Addresses have changed, and nothing else.
    pub(crate) fn readdress(
        &mut self,
        anew: impl Fn(&LayoutUpdate) -> Option<Arc<LayoutUpdate>>,
    ) -> bool {
        let mut changed = false;
        for update in &mut self.live {
            if let Some(readdressed) = anew(update) {
                *update = readdressed;
                changed = true;
            }
        }
        changed
    }

    /// Somebody tells how far members are, and which layouts it holds to be in force.
    pub(crate) fn on_told(&mut self, span: &LayoutSpan, marks: &[MarksOf]) {
        for told in marks {
            if told.node == self.own {
                // What a former life has said of itself holds: what it held is looked after elsewhere.
                if told.head == self.span().head {
                    self.marks = self.marks.max(told.marks.at_most(told.head.version));
                }
                continue;
            }
            // Of a layout that is not known here nobody can say what came before it; who made it may
            // have forgotten it since, and then goes on from an older one.
            if !self.knows(told.node) || !self.is_live(told.head) {
                continue;
            }
            let is_over = self.others.get(&told.node).is_some_and(|of| !self.is_live(of.head));
            let known = self.others.entry(told.node).or_insert(*told);
            if told.head > known.head || is_over {
                *known = *told;
            } else if told.head == known.head {
                known.marks = known.marks.max(told.marks);
            }
        }
        if span.head != self.span().head {
            return;
        }
        if self.live().any(|layout| layout.version() == span.read) {
            self.read = self.read.max(span.read);
        }
        self.drop_before(span.oldest);
    }

    /// Takes the next steps that the marks of all allow. `is_filled` says whether this node holds all
    /// that it must hold in the newest layout, and has found so since all write to that.
    pub(crate) fn advance(&mut self, in_use: InUse, is_filled: bool) -> Advance {
        let before = self.marks;
        let (former_read, former_count) = (self.read, self.live.len());
        let head = self.head_version();
        if sane_or!(!in_use.writes, AcksAtOnce => true) {
            self.marks.ack = head;
        }
        if sane_or!(is_filled, SyncsUnfilled => true) {
            self.marks.sync = head;
        }
        let synced = sane_or!(self.least(|marks| marks.sync), ReadsUnsynced => head);
        let read = self.live().map(Layout::version).rfind(|version| *version <= synced);
        self.read = self.read.max(read.unwrap_or(self.read));
        // Reads that began by a former layout are over before anybody drops it.
        if self.read == former_read && !in_use.reads {
            self.marks.sync_ack = self.marks.sync_ack.max(self.read);
        }
        let done = self.least(|marks| marks.sync_ack);
        sane_or!(let done, DropsEarly => self.read);
        self.drop_before(done);
        Advance {
            marked: self.marks != before,
            read: self.read != former_read,
            dropped: self.live.len() < former_count,
        }
    }

    /// Whether no write passes the newest layout by any more.
    pub(crate) fn all_write_to_head(&self) -> bool {
        let acked = self.least(|marks| marks.ack);
        sane_or!(acked >= self.head_version(), FillsBeforeAcks => true)
    }

    /// The members of the newest layout that a mark waits for.
    pub(crate) fn lagging(
        &self,
        mark: fn(Marks) -> LayoutVersion,
    ) -> impl Iterator<Item = NodeId> + '_ {
        let head = self.head_version();
        let members = self.head().into_iter().flat_map(|update| update.layout.members());
        members.map(|member| member.id).filter(move |id| self.mark_of(*id, mark) < head)
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.live.is_sorted_by(|one, next| version(one) < version(next)), "they ascend");
        assert!(self.past.len() <= PAST_LAYOUTS_MAX, "what is remembered of layouts is bounded");
        assert!(self.live.len() <= LIVE_LAYOUTS_MAX, "layouts in force are bounded");
        assert!(self.live.is_empty() || self.read().is_some(), "reads go by a layout in force");
        assert!(self.others.keys().all(|node| self.knows(*node)), "others are members");
    }

    /// The least of a mark among the members of the newest layout.
    fn least(&self, mark: fn(Marks) -> LayoutVersion) -> LayoutVersion {
        let members = self.head().into_iter().flat_map(|update| update.layout.members());
        members.map(|member| self.mark_of(member.id, mark)).min().unwrap_or_default()
    }

    fn mark_of(&self, node: NodeId, mark: fn(Marks) -> LayoutVersion) -> LayoutVersion {
        if node == self.own {
            return mark(self.saved);
        }
        let Some(told) = self.others.get(&node) else { return LayoutVersion(0) };
        let is_live = self.is_live(told.head);
        if is_live { mark(told.marks).min(told.head.version) } else { LayoutVersion(0) }
    }

    fn is_live(&self, id: LayoutId) -> bool {
        self.live.iter().any(|update| LayoutId::of(update) == id)
    }

    fn drop_before(&mut self, oldest: LayoutVersion) {
        let kept = self.live.iter().position(|update| version(update) >= oldest);
        let Some(former) = kept.filter(|former| *former > 0) else { return };
        self.live.drain(..former);
        let oldest = self.live.first().map_or(oldest, version);
        self.marks = self.marks.max(Marks::all(oldest));
        self.read = self.read.max(oldest);
        self.forget_strangers();
    }

    fn forget_strangers(&mut self) {
        let mut others = core::mem::take(&mut self.others);
        others.retain(|node, _| self.knows(*node));
        self.others = others;
    }
}

fn version(update: &Arc<LayoutUpdate>) -> LayoutVersion {
    update.layout.version()
}

#[cfg(test)]
pub(crate) mod tests;
