//! Answers of the storage: the trees learn of every change first, then whoever waits for it.

use super::Node;
use super::requests::Parts;
#[cfg(feature = "mutants")]
use crate::anti_entropy::wrong;
use crate::copies;
use crate::machine::{Effect, Effects, Event, StateChange, StoreError, StoreOutcome, Ticket};
use crate::replica;
use crate::tickets::{Open, Purpose};
use crate::time::Now;

impl Node {
    pub(super) fn on_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: StoreOutcome,
        out: &mut Effects<Effect>,
    ) {
        let more_follow = matches!(outcome, StoreOutcome::Applied { .. });
        let Some(open) = self.tickets.on_answer(ticket, more_follow) else { return };
        let Open { purpose, own, changes } = open;
        if let StoreOutcome::Failed(error) = outcome {
            self.counters.storage_failures += 1;
            out.observe(Event::StorageFailed(error));
        }
        if let (StoreOutcome::Failed(StoreError::Damaged), Some(key)) = (&outcome, &own) {
            self.on_rotten(now, key, out);
        }
        let (mut turn, parts) = self.turn(now, out);
        let Parts { coordinator, handoff, anti_entropy, collection, .. } = parts;
        let turn = &mut turn;
        if let Some(key) = own.as_ref().filter(|_| changes) {
            if let Some(change) = change(&outcome) {
                anti_entropy.on_change(key, change);
            }
            if let StoreOutcome::Applied { state: Some(state), .. } = &outcome {
                turn.on_own_change(state.position);
            }
            if matches!(outcome, StoreOutcome::Failed(_)) {
                anti_entropy.on_doubt(now, key);
            }
        }
        match purpose {
            Purpose::Call { call, hint_for } => {
                replica::on_hint_stored(turn, handoff, hint_for, &outcome);
                coordinator.on_stored(turn, call, outcome);
            }
            Purpose::Read { from, call, digest, as_primary } => {
                replica::on_read_done(turn, (from, call, digest, as_primary), outcome);
            }
            Purpose::Copy { asker, read, slot } => {
                let key = own.expect("it reads an own copy");
                copies::on_read_done(turn, (asker, read, slot, key), outcome);
            }
            Purpose::Merge { from, call } => replica::on_merge_done(turn, from, call, outcome),
            Purpose::Hint { from, call, room } => {
                replica::on_hint_done(turn, handoff, (from, call, room), outcome);
            }
            Purpose::Handoff { target, call } => {
                let before = turn.hints.of(target).hints;
                handoff.on_stored(turn, target, call, outcome);
                if before > 0 && turn.hints.of(target).hints == 0 {
                    anti_entropy.on_handed_over(turn, target);
                }
            }
            Purpose::HintCount => handoff.on_counted(turn, outcome),
            Purpose::Trees => anti_entropy.on_scanned(turn, &outcome),
            Purpose::Asker { peer, call, item } => {
                anti_entropy.on_asker_stored(turn, peer, (call, item), outcome);
            }
            Purpose::Holder { asker, call, item } => {
                anti_entropy.on_holder_stored(turn, (asker, call, item), outcome);
            }
            Purpose::Repair => {}
            Purpose::DeadScan { page } => collection.on_scanned(turn, page, outcome),
            Purpose::Confirm { from, call } => {
                collection.on_confirmed(turn, (from, call), outcome);
            }
            Purpose::Remove => {
                if let Some(key) = own {
                    collection.on_removed(turn, key, &outcome);
                }
            }
            Purpose::Leftovers { page } => turn.on_leftovers_scanned(page, outcome),
            Purpose::Leftover => {}
            Purpose::Layouts => self.on_layouts_stored(now, ticket, &outcome, out),
            Purpose::Standing => self.on_standing_stored(now, ticket, &outcome, out),
        }
    }
}

/// What became of the state of an own copy.
fn change(outcome: &StoreOutcome) -> Option<StateChange> {
    let (StoreOutcome::Applied { state, .. } | StoreOutcome::Removed { state }) = outcome else {
        return None;
    };
    sane_or!(*state, TreeForgetsDeletes => state.filter(|_| !wrong::is_delete(outcome)))
}
