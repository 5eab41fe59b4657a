//! Answers that come page by page.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::ask::Ask;
use super::moves::Moves;
use super::{DIFFERING_MAX, Found, Lost, Session, Step};
use crate::anti_entropy::surroundings::Surroundings;
use crate::anti_entropy::window::Window;
use crate::causality::Record;
use crate::ids::{Epoch, Key};
use crate::merkle::{Piece, StateHash};

impl Session {
    /// The peer has compared the states of a window, or of a part of it.
    pub(super) fn on_states(
        &mut self,
        around: &Surroundings<'_, '_>,
        piece: Piece,
        window: &Window,
        mine: &[(Key, StateHash)],
        differ: Vec<(Key, StateHash)>,
        until: Option<Key>,
    ) -> Result<(), Lost> {
        let advances = until.as_ref().is_none_or(|until| window.contains(until));
        let compared = Window { until: until.or(window.until.clone()), ..window.clone() };
        let in_order = compared.holds_in_order(differ.iter().map(|(key, _)| key));
        if !advances || !in_order || differ.len() > DIFFERING_MAX {
            return Err(Lost::Misbehaved);
        }
        let mine: BTreeMap<&Key, StateHash> =
            mine.iter().map(|(key, state)| (key, *state)).collect();
        for (key, theirs) in differ {
            let mine = mine.get(&key).copied().unwrap_or_default();
            let is_wanted = mine != StateHash::default() || around.takes(piece.slot);
            if mine != theirs && is_wanted {
                self.pairs.push_back(Found { slot: piece.slot, key, mine, theirs });
            }
        }
        if let Some(after) = compared.until {
            self.pieces.push_front((piece, Some(after)));
        }
        Ok(())
    }

    /// A page of a piece of which this node holds nothing.
    pub(super) fn on_rest(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        (piece, after): (Piece, Option<Key>),
        (epoch, records): (Epoch, Vec<(Key, Record)>),
        until: Option<Key>,
    ) -> Result<(), Lost> {
        let arc = around.trees.forest().and_then(|forest| forest.arc_of(piece));
        let window = Window { arc: arc.ok_or(Lost::Later)?, after, until: until.clone() };
        let advances = until.as_ref().is_none_or(|until| window.contains(until));
        if !advances || !window.holds_in_order(records.iter().map(|(key, _)| key)) {
            return Err(Lost::Misbehaved);
        }
        if let Some(after) = until {
            self.rests.push_front((piece, Some(after)));
        }
        self.step =
            Step::Move(Moves::new((epoch, records), (around.turn.epochs.current(), Vec::new())));
        Ok(())
    }

    /// What this node holds of the keys of a batch is read.
    pub(super) fn on_batch_read(&mut self, around: &mut Surroundings<'_, '_>) -> Result<(), Lost> {
        let Step::Read(mut batch) = self.end_step() else { return Ok(()) };
        let forest = around.trees.forest().ok_or(Lost::Later)?;
        let (slot, count) = (batch.slot(), batch.len());
        let left = batch.keep_unchanged(forest);
        if self.refills && batch.len() + left.len() < count {
            self.leave(slot);
        }
        left.into_iter().rev().for_each(|found| self.pairs.push_front(found));
        if !batch.is_empty() {
            self.step = Step::Ask(Ask::Records(batch));
        }
        Ok(())
    }
}
