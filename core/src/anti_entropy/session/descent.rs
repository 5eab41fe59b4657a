//! Down the trees, from the roots to what differs.

use alloc::vec::Vec;

use super::{Lost, QUEUE_MAX, Session, Standing};
use crate::anti_entropy::surroundings::Surroundings;
use crate::merkle::{Forest, Piece, WIDTH};
use crate::message::BranchChildren;
use crate::ring::Slot;

/// Where so many leaves below one branch differ, all of it is compared at once.
const LEAVES_MANY: usize = WIDTH / 2;

/// A piece of which this node holds nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bulk {
    pub(super) piece: Piece,
    /// Its hash at the peer.
    pub(super) theirs: u128,
}

impl Session {
    /// The peer says which of some branches differ.
    pub(super) fn on_branches(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        asked: &[Piece],
        differ: &[BranchChildren],
        busy: &[Slot],
    ) -> Result<(), Lost> {
        let forest = around.trees.forest().ok_or(Lost::Later)?;
        let children = match_up(forest, asked.iter().copied(), differ)?;
        let (now, interval) = (around.turn.now, around.turn.config.anti_entropy.interval);
        let mut equal = Vec::new();
        for (piece, children) in asked.iter().copied().zip(children) {
            let Some(standing) = self.slots.get_mut(&piece.slot) else { continue };
            if *standing == Standing::Asked {
                let doubts = around.trees.doubts(piece.slot);
                if doubts || busy.contains(&piece.slot) {
                    around.schedule.retry(now.instant, self.peer, piece.slot, interval);
                    self.slots.remove(&piece.slot);
                    continue;
                }
                if children.is_none() {
                    equal.push(piece.slot);
                    self.slots.remove(&piece.slot);
                    continue;
                }
                *standing = Standing::Differs;
            }
            let Some(children) = children else { continue };
            let is_bulk = forest.hash(piece) == Some(0);
            if is_bulk {
                let theirs = match children {
                    [leaf] => *leaf,
                    _ => forest.parent(children),
                };
                self.add_bulk(around, Bulk { piece, theirs });
            } else {
                self.descend(around, forest, piece, children);
            }
        }
        around.turn.counters.slots_equal += equal.len() as u64;
        around.schedule.on_compared(now, self.peer, &equal, true, interval);
        around.turn.on_compared(self.peer, &equal);
        Ok(())
    }

    /// The second look at pieces of which this node held nothing.
    pub(super) fn on_confirmed(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        asked: &[Bulk],
        differ: &[BranchChildren],
        busy: &[Slot],
    ) -> Result<(), Lost> {
        let forest = around.trees.forest().ok_or(Lost::Later)?;
        let children = match_up(forest, asked.iter().map(|bulk| bulk.piece), differ)?;
        for (bulk, children) in asked.iter().zip(children) {
            if busy.contains(&bulk.piece.slot) {
                self.leave(bulk.piece.slot);
                continue;
            }
            let Some(children) = children else { continue };
            let theirs = match children {
                [leaf] => *leaf,
                _ => forest.parent(children),
            };
            let still_nothing = forest.hash(bulk.piece) == Some(0);
            if still_nothing && theirs == bulk.theirs {
                self.rests.push_back((bulk.piece, None));
            } else {
                // Something is being written there: only what stays the same is given as a whole.
                self.descend(around, forest, bulk.piece, children);
            }
        }
        Ok(())
    }

    /// A piece differs: what is below it is sorted out.
    fn descend(
        &mut self,
        around: &Surroundings<'_, '_>,
        forest: &Forest,
        piece: Piece,
        children: &[u128],
    ) {
        if around.trees.doubts(piece.slot) {
            return self.leave(piece.slot);
        }
        let depth = forest.leaves().depth();
        if piece.branch.level == depth {
            return self.add_piece(piece);
        }
        let differing =
            piece.children().zip(children.iter().copied()).filter_map(|(child, theirs)| {
                let own = forest.hash(child).unwrap_or_default();
                (own != theirs).then_some((child, own, theirs))
            });
        let differing: Vec<(Piece, u128, u128)> = differing.collect();
        let above_leaves = piece.branch.level + 1 == depth;
        sane_or!(
            let differing,
            LastBucketSkipped =>
                differing.into_iter().filter(|(child, ..)| {
                    !above_leaves || child.branch.index as usize % WIDTH != WIDTH - 1
                }).collect::<Vec<_>>()
        );
        let held = differing.iter().filter(|(_, own, _)| *own != 0).count();
        if above_leaves && held >= LEAVES_MANY {
            return self.add_piece(piece);
        }
        for (child, own, theirs) in differing {
            if own == 0 {
                self.add_bulk(around, Bulk { piece: child, theirs });
            } else if above_leaves {
                self.add_piece(child);
            } else if self.stack.len() < QUEUE_MAX {
                self.stack.push(child);
            } else {
                self.leave(child.slot);
            }
        }
    }

    fn add_bulk(&mut self, around: &Surroundings<'_, '_>, bulk: Bulk) {
        if !around.takes(bulk.piece.slot) {
            return;
        }
        if self.bulks.len() < QUEUE_MAX {
            self.bulks.push(bulk);
        } else {
            self.leave(bulk.piece.slot);
        }
    }

    fn add_piece(&mut self, piece: Piece) {
        if self.pieces.len() < QUEUE_MAX {
            self.pieces.push_back((piece, None));
        } else {
            self.leave(piece.slot);
        }
    }

    /// A part of a slot waits for the next session.
    pub(super) fn leave(&mut self, slot: Slot) {
        if let Some(standing) = self.slots.get_mut(&slot) {
            *standing = Standing::Unfinished;
        }
    }
}

/// For each branch that was asked about the hashes of its children at the peer, where it differs.
fn match_up<'a>(
    forest: &Forest,
    asked: impl Iterator<Item = Piece>,
    differ: &'a [BranchChildren],
) -> Result<Vec<Option<&'a [u128]>>, Lost> {
    let mut differ = differ.iter().peekable();
    let mut matched = Vec::new();
    for piece in asked {
        let same =
            |found: &&BranchChildren| (found.slot, found.branch) == (piece.slot, piece.branch);
        let found = differ.next_if(same).map(|found| &found.children[..]);
        let is_leaf = piece.branch.level == forest.leaves().depth();
        let count = if is_leaf { 1 } else { WIDTH };
        if found.is_some_and(|children| children.len() != count) {
            return Err(Lost::Misbehaved);
        }
        matched.push(found);
    }
    if differ.next().is_some() {
        return Err(Lost::Misbehaved);
    }
    Ok(matched)
}
