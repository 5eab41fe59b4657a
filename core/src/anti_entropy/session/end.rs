//! How a session goes on, and why it ends.

use super::{Session, Standing, Step};
use crate::time::Instant;

/// Why a session ends before everything is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::anti_entropy) enum Lost {
    /// One of the two cannot go on at this time.
    Later,
    /// The peer says what nobody says who goes by the rules.
    Misbehaved,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::anti_entropy) enum Progress {
    UnderWay,
    Ended,
}

/// What comes next.
pub(super) enum Choice {
    Step(Step),
    Wait(Instant),
    End,
}

impl Session {
    /// What is not looked at, or not given, waits for the next session.
    pub(super) fn leave_rest(&mut self) {
        let bulks = self.bulks.drain(..).chain(self.confirming.drain(..)).map(|bulk| bulk.piece);
        let keyed = self.pieces.drain(..).chain(self.rests.drain(..)).map(|(piece, _)| piece);
        for piece in self.stack.drain(..).chain(bulks).chain(keyed) {
            if let Some(standing) = self.slots.get_mut(&piece.slot) {
                *standing = Standing::Unfinished;
            }
        }
    }
}
