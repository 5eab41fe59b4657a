//! The trees of a node, and how they come to be: DESIGN.md §11.
//!
//! ```text
//!   ring      ├───────────────────────┬────────────────────────────────┤
//!             │ counted               ▲ cursor                         │
//!   changes   │ added                 │ ignored: the next page tells    │
//! ```
//!
//! When a node starts, its trees are counted from the storage, page by page. A page tells what is
//! stored after all those changes whose `Applied` came before it and after no other, so a change
//! at or before the cursor is added, and one behind it will be found there. A bunch of leaves that is
//! in doubt, since the storage failed to say what became of a change, is counted anew in the same
//! way.
//!
//! Trees that the former life had saved are there from the first moment, before any layout is known:
//! so they miss no change, and there is nothing to count.
//!
//! Invariant: where a bunch is neither behind the cursor nor in doubt, each of its leaves is the sum of
//! the states of all own copies in it, and its figures are those of all of them.

use alloc::collections::BTreeSet;

use crate::config::NodeConfig;
use crate::ids::Key;
use crate::machine::{Event, StateChange, StoreOp, StoreOutcome};
use crate::merkle::{Forest, Piece, SavedTrees, State, TreesMisfit};
use crate::ring::{Position, RingArc, Slot, SlotCount};
use crate::tickets::Purpose;
use crate::time::{Duration, Instant};
use crate::turn::Turn;

/// States that a page has at most. A client's write waits for a page that is being read.
const PAGE: usize = 256;

/// Bunches that are in doubt at one time; with more, everything is counted anew.
const DOUBTS_MAX: usize = 64;

/// The wait before a page is asked for again that could not be read.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// The wait while the storage has too much to do.
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// What a node holds of each slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trees {
    /// `None` as long as the number of slots is not known.
    forest: Option<Forest>,
    /// What is being counted.
    count: Option<Count>,
    /// Whether everything is to be counted, once the page under way is there.
    recount: bool,
    /// Bunches that are to be counted. Invariant: no more than [`DOUBTS_MAX`].
    doubtful: BTreeSet<Piece>,
    /// When the next page is to be asked for; `None`: one is under way, or nothing is to be done.
    due: Option<Instant>,
    /// What became of the trees that were saved, until it is told.
    saved: Option<Result<(), TreesMisfit>>,
}

/// A count under way.
#[derive(Clone, Debug)]
struct Count {
    /// The bunch; `None`: everything.
    bunch: Option<Piece>,
    arc: RingArc,
    /// The last key that is counted.
    cursor: Option<(Position, Key)>,
    /// Whether a page of it is under way.
    reading: bool,
    /// Whether it begins again, since there are doubts about what is counted.
    spoiled: bool,
}

impl Trees {
    /// Those that were saved, where they fit; else none, until a layout is known.
    pub(crate) fn new(config: &NodeConfig, saved: Option<SavedTrees>) -> Trees {
        let leaves = config.anti_entropy.leaves;
        let fitted = saved.map(|saved| saved.into_forest(config.tree_key(), leaves));
        let saved = fitted.as_ref().map(|fitted| fitted.as_ref().map(|_| ()).map_err(|why| *why));
        Trees { forest: fitted.and_then(Result::ok), saved, ..Trees::default() }
    }

    /// The number of slots is known: the count begins, unless it has, or there is nothing to count.
    pub(crate) fn on_layout(&mut self, now: Instant, config: &NodeConfig, slots: SlotCount) {
        if self.forest.as_ref().is_some_and(|forest| forest.slots() == slots) {
            return;
        }
        if self.forest.is_some() {
            self.saved = Some(Err(TreesMisfit::Slots));
        }
        let leaves = config.anti_entropy.leaves;
        self.forest = Some(Forest::new(config.tree_key(), slots, leaves));
        self.recount = true;
        self.doubtful.clear();
        if !self.is_reading() {
            self.due = Some(now);
        }
    }

    /// The trees, once everything is counted. Bunches of them may be in doubt.
    pub(crate) fn forest(&self) -> Option<&Forest> {
        let counts_all = self.count.as_ref().is_some_and(|count| count.bunch.is_none());
        self.forest.as_ref().filter(|_| !counts_all && !self.recount)
    }

    /// Whether a bunch of the slot is in doubt.
    pub(crate) fn doubts(&self, slot: Slot) -> bool {
        let counted = self.count.as_ref().and_then(|count| count.bunch);
        self.doubtful.iter().chain(&counted).any(|bunch| bunch.slot == slot)
    }

    /// Whether any bunch is in doubt.
    pub(crate) fn has_doubts(&self) -> bool {
        self.count.is_some() || self.recount || !self.doubtful.is_empty()
    }

    /// The state of an own copy has changed.
    pub(crate) fn on_change(&mut self, key: &Key, change: StateChange) {
        let Some(forest) = &mut self.forest else { return };
        let is_behind_cursor = self.count.as_ref().is_some_and(|count| {
            let at = (change.position, key);
            let counted =
                count.cursor.as_ref().is_some_and(|(position, last)| at <= (*position, last));
            count.arc.contains(change.position) && !counted
        });
        if !sane_or!(is_behind_cursor, RebuildIgnoresCursor => false) {
            forest.change(change.position, change.before, change.after);
        }
    }

    /// The storage cannot say what became of a change of an own copy.
    pub(crate) fn on_doubt(&mut self, now: Instant, key: &Key) {
        let Some(forest) = &self.forest else { return };
        let position = Position::of(key.as_bytes());
        if let Some(count) = self.count.as_mut().filter(|count| count.arc.contains(position)) {
            let counted = count.cursor.as_ref().is_some_and(|(last, _)| position <= *last);
            if count.bunch.is_some() {
                count.spoiled = true;
            } else if counted || count.reading {
                self.doubtful.insert(forest.bunch_of(position));
            }
        } else if !self.recount {
            self.doubtful.insert(forest.bunch_of(position));
        }
        if self.doubtful.len() > DOUBTS_MAX {
            self.doubtful.clear();
            self.recount = true;
        }
        if self.has_doubts() && !self.is_reading() {
            self.due.get_or_insert(now + FAILURE_PAUSE);
        }
    }

    /// When a page is to be asked for.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.due
    }

    /// Asks for the page that is due, if one is.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        match self.saved.take() {
            Some(Ok(())) => {
                turn.counters.trees_kept += 1;
                turn.out.observe(Event::TreesKept);
            }
            Some(Err(why)) => turn.out.observe(Event::TreesUnfit(why)),
            None => {}
        }
        if self.due.take_if(|at| *at <= turn.now.instant).is_some() {
            self.go_on(turn);
        }
    }

    /// A page is there, or could not be read. Answers whether the last count has ended with it.
    pub(crate) fn on_scanned(&mut self, turn: &mut Turn<'_>, outcome: &StoreOutcome) -> bool {
        let (Some(count), Some(forest)) = (&mut self.count, &mut self.forest) else { return false };
        count.reading = false;
        let StoreOutcome::StatesScanned { states, more } = outcome else {
            self.due = Some(turn.now.instant + FAILURE_PAUSE);
            return false;
        };
        if !self.recount && !count.spoiled {
            for (key, state) in states {
                forest.change(Position::of(key.as_bytes()), State::NOTHING, *state);
            }
            if let Some((last, _)) = states.last() {
                count.cursor = Some((Position::of(last.as_bytes()), last.clone()));
            }
            if !more || states.is_empty() {
                self.count = None;
            }
        }
        self.go_on(turn);
        !self.has_doubts()
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        assert!(self.doubtful.len() <= DOUBTS_MAX, "doubts are bounded");
        let waits = self.forest.is_some() && self.has_doubts();
        assert_eq!(waits, self.due.is_some() || self.is_reading(), "what is to be counted is");
        assert!(self.due.is_none() || !self.is_reading(), "one page at a time");
    }

    fn is_reading(&self) -> bool {
        self.count.as_ref().is_some_and(|count| count.reading)
    }

    /// Asks for the next page of what is being counted, or is to be.
    fn go_on(&mut self, turn: &mut Turn<'_>) {
        let Some(forest) = &mut self.forest else { return };
        if core::mem::take(&mut self.recount) {
            turn.counters.trees_counted += 1;
            *forest = Forest::new(turn.config.tree_key(), forest.slots(), forest.leaves());
            self.doubtful.clear();
            self.count = Some(Count::new(None, RingArc::ALL));
        }
        let spoiled = self.count.take_if(|count| count.spoiled).and_then(|count| count.bunch);
        self.doubtful.extend(spoiled);
        if self.count.is_none()
            && let Some(bunch) = self.doubtful.pop_first()
        {
            forest.clear(bunch);
            let arc = forest.arc_of(bunch).unwrap_or(RingArc::ALL);
            self.count = Some(Count::new(Some(bunch), arc));
        }
        let Some(count) = &mut self.count else { return };
        if turn.tickets.is_full() {
            self.due = Some(turn.now.instant + BUSY_PAUSE);
            return;
        }
        count.reading = true;
        let after = count.cursor.as_ref().map(|(_, key)| key.clone());
        let op = StoreOp::ScanStates { arc: count.arc, after, count_max: PAGE };
        turn.tickets.store(Purpose::Trees, None, op, turn.out);
    }
}

impl Count {
    fn new(bunch: Option<Piece>, arc: RingArc) -> Count {
        Count { bunch, arc, cursor: None, reading: false, spoiled: false }
    }
}
