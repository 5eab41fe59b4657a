//! What operators ask of a node to change the layout, and what nodes ask for themselves: to join as
//! they start, and to be let go once nothing is left on them (DESIGN.md §9).

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Node;
use crate::ids::NodeId;
use crate::layout::{LayoutVersion, Member};
use crate::machine::{Effect, Effects, Event, Peer};
use crate::merkle::{Figures, Forest};
use crate::message::{
    ChangeRefusal, LayoutAnswer, LayoutOrder, LayoutReply, LayoutReport, LayoutRequest,
    MemberState, Message, SlotFigures, SlotWaits, Staging, Target,
};
use crate::ring::Slot;
use crate::time::Now;

impl Node {
    pub(super) fn on_layout_request(
        &mut self,
        now: Now,
        from: Peer,
        request: LayoutRequest,
        out: &mut Effects<Effect>,
    ) {
        let LayoutRequest { call, order } = request;
        let result = self.carry_out(now, order, out).map_err(|refusal| refusal.to_string());
        out.send(from, Message::LayoutReply(LayoutReply { call, result }));
    }

    fn carry_out(
        &mut self,
        now: Now,
        order: LayoutOrder,
        out: &mut Effects<Effect>,
    ) -> Result<LayoutAnswer, ChangeRefusal> {
        match order {
            LayoutOrder::Show => Ok(LayoutAnswer::Report(self.layout_report())),
            LayoutOrder::Measure => Ok(LayoutAnswer::Figures(self.slot_figures())),
            LayoutOrder::History => Ok(LayoutAnswer::Past(self.layouts.past().to_vec())),
            LayoutOrder::Stage(targets) => self.stage(now, &targets).map(LayoutAnswer::Staged),
            LayoutOrder::Revert => {
                self.stage.revert(now);
                Ok(LayoutAnswer::Staged(self.stage.staging()))
            }
            LayoutOrder::Commit(staging) => {
                self.commit(now, &staging, out).map(LayoutAnswer::Committed)
            }
        }
    }

    /// Says what nodes are to be in the next layout.
    fn stage(&mut self, now: Now, targets: &[(NodeId, Target)]) -> Result<Staging, ChangeRefusal> {
        let head = self.layouts.head().ok_or(ChangeRefusal::NoLayout)?;
        let is_known =
            |node| head.layout.member(node).is_some() || self.membership.state(node).is_some();
        if let Some((node, _)) = targets.iter().find(|(node, _)| !is_known(*node)) {
            return Err(ChangeRefusal::Unknown { node: *node });
        }
        self.stage.stage(now, targets, false)?;
        Ok(self.stage.staging())
    }

    /// Puts in force what is staged, if it is what was looked at.
    fn commit(
        &mut self,
        now: Now,
        looked_at: &Staging,
        out: &mut Effects<Effect>,
    ) -> Result<LayoutVersion, ChangeRefusal> {
        let head = self.layouts.head().ok_or(ChangeRefusal::NoLayout)?;
        let newest = head.layout.version();
        let staging = self.stage.staging();
        if looked_at.base != staging.base {
            return Err(ChangeRefusal::Outdated { newest });
        }
        let members = staging.members(&head.layout);
        if members == head.layout.members() {
            return Err(ChangeRefusal::NothingStaged);
        }
        if looked_at.members(&head.layout) != members {
            return Err(ChangeRefusal::StagedMeanwhile);
        }
        self.change_layout(now, newest, members, out)
    }

    /// Stages what this node wants for itself, and commits what nobody has to look at.
    pub(super) fn change_by_itself(&mut self, now: Now, out: &mut Effects<Effect>) {
        let Some(head) = self.layouts.head() else { return };
        let (own, settings) = (self.config.id, self.config.changes);
        let member = head.layout.member(own);
        let wanted = match member {
            None if settings.join && !self.stage.has_joined && !self.refill.holds_back() => {
                let [label, zone] = [&self.config.label, &self.config.zone].map(Clone::clone);
                Some(Target::Member(Member { id: own, label, zone, weight: self.config.weight }))
            }
            Some(member) if settings.leave && member.weight == 0 && self.is_drained() => {
                Some(Target::Gone)
            }
            None | Some(_) => None,
        };
        self.stage.has_joined |= member.is_some();
        // What somebody else has said of it holds, until the next layout.
        if let Some(target) = wanted.filter(|_| !self.stage.speaks_of(own)) {
            // Where there is no room, there will be.
            let _ = self.stage.stage(now, &[(own, target)], true);
        }
        if self.stage.is_due(now.instant, settings.quiet) && self.is_to_commit() {
            let staging = self.stage.staging();
            if let Err(refusal) = self.commit(now, &staging, out) {
                self.stage.put_off(now.instant);
                out.observe(Event::ChangeRefused(refusal));
            }
        }
    }

    /// Whether this is the one member to commit what nobody looks at, and those that would join are
    /// there.
    fn is_to_commit(&self) -> bool {
        let is_up = |id: NodeId| self.membership.state(id) == Some(MemberState::Up);
        let members = self.layouts.head().map_or(&[][..], |head| head.layout.members());
        let first = members.iter().map(|member| member.id).find(|id| is_up(*id));
        let staging = self.stage.staging();
        let mut joining = staging.effective().filter_map(|change| match &change.target {
            Target::Member(member) => Some(member.id),
            Target::AsItIs | Target::Gone => None,
        });
        first == Some(self.config.id) && joining.all(is_up)
    }

    /// Whether nothing that anybody needs is here alone.
    fn is_drained(&self) -> bool {
        let hints = self.view().hints_for_certain();
        !self.layouts.is_changing()
            && self.leftovers.is_done()
            && hints.is_some_and(|hints| hints.hints == 0)
    }

    fn layout_report(&self) -> LayoutReport {
        let waits = |(slot, peers): (Slot, &BTreeSet<NodeId>)| SlotWaits {
            slot,
            peers: peers.iter().copied().collect(),
        };
        let clearing = self.leftovers.clearing();
        let clearing = clearing.map(|slot| SlotWaits { slot, peers: Vec::new() });
        LayoutReport {
            live: self.layouts.updates().to_vec(),
            read: self.layouts.span().read,
            marks: self.layouts.known_marks(),
            staging: self.stage.staging(),
            to_fill: self.transfer.waiting().map(waits).collect(),
            to_give: self.leftovers.waiting().map(waits).chain(clearing).collect(),
            hints: self.hints.total().hints,
        }
    }

    fn slot_figures(&self) -> Vec<SlotFigures> {
        let forest = self.anti_entropy.forest();
        let figures = forest.into_iter().flat_map(Forest::figures);
        let figures =
            figures.map(|(slot, Figures { records, bytes })| SlotFigures { slot, records, bytes });
        figures.collect()
    }
}
