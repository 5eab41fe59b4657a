//! A node and the layouts in force: they spread by gossip, and each takes the place of the one
//! before once all members are through with it (DESIGN.md §9).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use crate::founding;
use crate::layout::{LayoutVersion, Member, plan};
use crate::layouts::{Layouts, Learned};
use crate::machine::{Effect, Effects, Event, StoreOutcome, Ticket};
use crate::message::{ChangeRefusal, Gossip, LayoutId, LayoutUpdate};
use crate::time::Now;

impl Node {
    /// Puts the layout in force that follows the newest one once its members are these. It is
    /// planned here, the same on every node; data moves in the background.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub fn change_layout(
        &mut self,
        now: Now,
        planned_from: LayoutVersion,
        members: Vec<Member>,
        out: &mut Effects<Effect>,
    ) -> Result<LayoutVersion, ChangeRefusal> {
        let head = self.layouts.head().ok_or(ChangeRefusal::NoLayout)?;
        let newest = head.layout.version();
        if planned_from != newest {
            return Err(ChangeRefusal::Outdated { newest });
        }
        if self.refill.holds_back() || !self.refill.is_asked() {
            return Err(ChangeRefusal::NotReady);
        }
        if !self.layouts.has_room() {
            return Err(ChangeRefusal::TooMany { oldest: self.layouts.span().oldest });
        }
        let layout = plan(&head.layout, members).map_err(ChangeRefusal::Plan)?;
        let address = |member: &Member| {
            let told = self.membership.address(member.id).or_else(|| head.address(member.id));
            told.cloned().ok_or(ChangeRefusal::Unknown { node: member.id })
        };
        let addresses = layout.members().iter().map(address).collect::<Result<_, _>>()?;
        let update = Arc::new(LayoutUpdate { layout, addresses });
        if !founding::can_serve(&self.config, &update) {
            return Err(ChangeRefusal::Quorum { replication: update.layout.replication() });
        }
        let version = update.layout.version();
        let mut live = self.layouts.updates().to_vec();
        live.push(update);
        self.learn(now, &live, out);
        Ok(version)
    }

    /// What somebody tells of layouts.
    pub(super) fn on_told_of_layouts(
        &mut self,
        now: Now,
        gossip: &mut Gossip,
        out: &mut Effects<Effect>,
    ) {
        let told = core::mem::take(&mut gossip.layouts);
        if told.iter().all(|update| founding::can_serve(&self.config, update)) {
            self.learn(now, &told, out);
        }
        if let Some(staging) = &gossip.staging {
            self.stage.learn(now.instant, staging);
        }
        let before = self.layouts.span();
        self.layouts.on_told(&gossip.span, &gossip.marks);
        if self.layouts.span() != before {
            self.on_own_layouts(now);
        }
        self.advance(now, out);
    }

    /// What gossip says of layouts, to somebody who holds those of `span` to be in force.
    pub(super) fn tell_of_layouts(&self, gossip: &mut Gossip, told: Option<&Gossip>) {
        gossip.span = self.layouts.span();
        gossip.staging = self.stage.told();
        let is_theirs_changing = told.is_some_and(|told| told.span.is_changing());
        if gossip.span.is_changing() || is_theirs_changing {
            gossip.marks = self.layouts.known_marks();
        }
        if let Some(told) = told {
            gossip.layouts = self.layouts.news_for(&told.span).unwrap_or_default();
        }
    }

    /// The storage holds the layouts, or could not take them.
    pub(super) fn on_layouts_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: &StoreOutcome,
        out: &mut Effects<Effect>,
    ) {
        let Some(saved) = self.keeping.on_stored(ticket, outcome) else { return };
        if self.layouts.head().is_none() {
            self.layouts = Layouts::new(self.config.id, Some(&saved));
            self.put_in_force(now, out);
        }
        self.layouts.on_saved(saved.marks());
        self.advance(now, out);
    }

    /// Takes the steps of a change that can be taken.
    pub(super) fn advance(&mut self, now: Now, out: &mut Effects<Effect>) {
        if self.layouts.head().is_none() {
            return;
        }
        let own = self.config.id;
        if self.layouts.all_write_to_head() && self.transfer.begin(own, &self.layouts) {
            let lacks = self.transfer.waiting().len() > 0;
            if lacks {
                // What was compared before some writes were told of says too little.
                self.anti_entropy.begin_anew(now, &self.config);
            }
        }
        let in_use = self.coordinator.in_use(self.layouts.begun());
        let is_filled = self.transfer.is_done(&self.layouts);
        let advance = self.layouts.advance(in_use, is_filled);
        if advance.read {
            let read = self.layouts.span().read;
            out.observe(Event::LayoutSynced(read));
        }
        if advance.read || advance.dropped {
            self.on_own_layouts(now);
        }
        let forest = self.anti_entropy.forest();
        if self.leftovers.look(own, &self.layouts, forest) {
            self.compare_pairs(now);
        }
        if advance.marked || self.layouts.is_unsaved() {
            self.keep_layouts(now, out);
        }
    }

    /// Layouts that are newer than those in force take their place.
    fn learn(&mut self, now: Now, told: &[Arc<LayoutUpdate>], out: &mut Effects<Effect>) {
        let former = self.layouts.updates().to_vec();
        match self.layouts.learn(told) {
            Learned::Nothing => return,
            Learned::Newer => {}
            Learned::Replaced(lost) => {
                self.transfer.begin_anew();
                // It was a member of what is lost alone: nobody has removed it.
                self.stage.has_joined &= self.layouts.knows(self.config.id);
                out.observe(Event::LayoutReplaced(lost.version));
            }
        }
        self.layouts.remember(now.unix, &former);
        self.put_in_force(now, out);
        self.keeping.note_unsaved();
        self.keep_layouts(now, out);
    }

    fn put_in_force(&mut self, now: Now, out: &mut Effects<Effect>) {
        out.observe(Event::LayoutChanged(self.layouts.head_version()));
        for update in self.layouts.updates() {
            self.membership.introduce_layout(now, update);
        }
        self.peers.admit_all(now, &self.membership);
        self.on_own_layouts(now);
    }

    /// The parts that work with slots and members begin anew.
    pub(super) fn on_own_layouts(&mut self, now: Now) {
        let layouts = &self.layouts;
        let Some(head) = layouts.head() else { return };
        self.stage.on_head(LayoutId::of(head));
        self.transfer.on_layouts(self.config.id, layouts);
        self.refill.on_layouts(&self.config, layouts);
        self.collection.on_layout(now, &self.config);
        self.epochs.retain(|node| layouts.knows(node));
        self.leftovers.on_layouts();
        self.anti_entropy.on_layout(now, &self.config, head.layout.slot_count());
        self.compare_pairs(now);
    }

    /// Which slots are to be compared with whom has changed.
    fn compare_pairs(&mut self, now: Now) {
        let waiting = (&self.transfer, &self.leftovers);
        self.anti_entropy.on_pairs(now, &self.config, &self.layouts, waiting);
    }

    pub(super) fn keep_layouts(&mut self, now: Now, out: &mut Effects<Effect>) {
        let storage = (&mut self.tickets, &mut *out);
        self.keeping.on_round(now, &self.config, &self.layouts, &self.membership, storage);
        sane_or!(LayoutToldUnsaved => self.hurry(now, out));
        sane_or!(MarksToldUnsaved => self.layouts.on_saved(self.layouts.marks()));
    }

    #[cfg(feature = "mutants")]
    fn hurry(&mut self, now: Now, out: &mut Effects<Effect>) {
        if let Some(saving) = self.keeping.saving().filter(|_| self.layouts.head().is_none()) {
            self.layouts = Layouts::new(self.config.id, Some(&saving));
            self.put_in_force(now, out);
        }
    }

    /// Members have new addresses.
    pub(super) fn readdress(&mut self) {
        let membership = &self.membership;
        if self.layouts.readdress(|update| founding::readdressed(update, membership)) {
            self.keeping.note_unsaved();
        }
    }
}
