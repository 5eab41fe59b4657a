//! The first layout of a cluster, and keeping those that are in force.
//!
//! ```text
//!  nobody has a layout --- enough members met ---> plan ---> save ---> in force    (the founder)
//!  a newer one comes ----------------------------> in force ---> save
//!  own marks rise -------------------------------------------> save ---> told
//!  a member has a new address -------------------> in force ---> save
//! ```
//!
//! Invariant: the founder tells nobody of a layout that it could forget.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{Founding, NodeConfig};
use crate::layout::{Member, plan_first};
use crate::layouts::Layouts;
use crate::machine::{Effect, Effects, StoreOp, StoreOutcome, Ticket};
use crate::membership::{MemberView, Membership};
use crate::message::{LayoutHistory, LayoutUpdate, MemberState, PastLayout};
use crate::quorum::{Quorum, Replicas};
use crate::tickets::{Purpose, Tickets};
use crate::time::Now;

/// What is to be done for the layout of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    /// What is being saved.
    saving: Option<(Ticket, LayoutHistory)>,
    /// Whether the layouts in force differ from what was saved last.
    is_unsaved: bool,
}

impl Keeping {
    /// Another layout is in force than was saved.
    pub(crate) fn note_unsaved(&mut self) {
        sane_or!(LayoutNotSaved => return);
        self.is_unsaved = true;
    }

    /// What is being saved.
    #[cfg(feature = "mutants")]
    pub(crate) fn saving(&self) -> Option<LayoutHistory> {
        self.saving.as_ref().map(|(_, saving)| saving.clone())
    }

    /// Saves what is to be saved: the layouts in force, or one to begin with.
    pub(crate) fn on_round(
        &mut self,
        now: Now,
        config: &NodeConfig,
        layouts: &Layouts,
        membership: &Membership,
        (tickets, out): (&mut Tickets, &mut Effects<Effect>),
    ) {
        if self.saving.is_some() || tickets.is_full() {
            return;
        }
        let next = match layouts.history() {
            Some(history) => (self.is_unsaved || layouts.is_unsaved()).then_some(history),
            None => config.founding.and_then(|founding| found(now, founding, membership)),
        };
        let Some(next) = next else { return };
        self.is_unsaved = false;
        let op = StoreOp::SaveLayouts(next.clone());
        tickets.store(Purpose::Layouts, None, op, out);
        self.saving = Some((tickets.last(), next));
    }

    /// The storage answers; what it holds for good comes back.
    pub(crate) fn on_stored(
        &mut self,
        ticket: Ticket,
        outcome: &StoreOutcome,
    ) -> Option<LayoutHistory> {
        let (_, saved) = self.saving.take_if(|(saving, _)| *saving == ticket)?;
        let is_held = matches!(outcome, StoreOutcome::Durable);
        sane_or!(let is_held, FailedSaveHolds => true);
        if is_held {
            return Some(saved);
        }
        self.is_unsaved = true;
        None
    }
}

/// Whether this node can serve under a layout.
pub(crate) fn can_serve(config: &NodeConfig, update: &LayoutUpdate) -> bool {
    let n = update.layout.replication();
    usize::from(n) <= Replicas::CAPACITY
        && Quorum::new(n, config.r, config.w, config.allow_weak).is_ok()
}

/// The same layout with the addresses of today; `None` where nothing changed.
pub(crate) fn readdressed(
    update: &LayoutUpdate,
    membership: &Membership,
) -> Option<Arc<LayoutUpdate>> {
    let members = update.layout.members().iter().zip(&update.addresses);
    let addresses = members.map(|(member, known)| {
        // One that was not heard of has its address from this layout or an older one.
        let is_heard = membership.incarnation(member.id).is_some();
        let address = membership.address(member.id).filter(|_| is_heard);
        address.unwrap_or(known).clone()
    });
    let addresses: Vec<_> = addresses.collect();
    let is_same = addresses == update.addresses;
    (!is_same).then(|| Arc::new(LayoutUpdate { layout: update.layout.clone(), addresses }))
}

/// The first layout, once enough members have met.
fn found(now: Now, founding: Founding, membership: &Membership) -> Option<LayoutHistory> {
    let enough = founding.members;
    sane_or!(let enough, FoundsWithFewer => founding.members.saturating_sub(1));
    if membership.count() < enough {
        return None;
    }
    let is_there = |view: &MemberView| view.state != MemberState::Down && view.info.heartbeat > 0;
    let present: Vec<MemberView> = membership.members(now).filter(is_there).collect();
    if present.len() < enough {
        return None;
    }
    let members = present.iter().map(|view| Member {
        id: view.info.id,
        label: view.info.label.clone(),
        zone: view.info.zone.clone(),
        weight: view.info.weight,
    });
    // A plan that is not possible may become so when others join.
    let layout = plan_first(founding.plan, members.collect()).ok()?;
    let addresses = present.into_iter().map(|view| view.info.address).collect();
    let first = LayoutUpdate { layout, addresses };
    let past = PastLayout::between(now.unix, None, &first);
    Some(LayoutHistory::settled(Arc::new(first)).with_past(Vec::from([past])))
}
