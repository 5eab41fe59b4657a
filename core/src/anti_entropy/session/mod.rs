//! Comparing some slots with one peer, and making them equal.
//!
//! ```text
//!   roots ─▶ collect ──────────────▶ settle ──▶ repair ─┐
//!              ▲  branches, level     `recheck`  batches │
//!              │  by level; states    passes     of keys;│
//!              │  of what differs                the rest│
//!              └─────────────────────────────────────────┘
//! ```
//!
//! A difference is a key of which the two hold different states twice, the same ones each time,
//! with [`recheck`](crate::node::AntiEntropySettings::recheck) between: what changes meanwhile is a
//! write on its way. Where this node holds nothing of a branch it does not go into keys: the hash
//! of the whole branch must stay the same, then the peer gives all that is below it.
//!
//! A session that is lost loses nothing: what it has moved is stored, and the next one finds what
//! still differs.

mod ask;
mod batch;
mod descent;
mod end;
mod moves;
mod pages;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::holder::{BRANCHES_MAX, STATES_MAX};
use super::surroundings::Surroundings;
use super::weight;
use super::window::Window;
use crate::ids::{Epoch, Key, NodeId};
use crate::machine::{Peer, StoreOp, StoreOutcome};
use crate::merkle::{Piece, StateHash, WIDTH};
use crate::message::{CallId, Compare, Compared, Comparison, Message};
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::time::{Duration, Instant};
use ask::Ask;
use batch::Batch;
use descent::Bulk;
use end::Choice;
pub(super) use end::{Lost, Progress};
use moves::Moves;

/// Slots that a session compares at most.
pub(super) const SLOTS_MAX: usize = BRANCHES_MAX;

/// A session that makes no step for so long is lost.
const STEP_MAX: Duration = Duration::from_secs(10);

/// A session that takes longer leaves the rest to the next one, so that others have their turn.
const SESSION_MAX: Duration = Duration::from_secs(60);

/// The wait before a peer is asked again that cannot say.
const REFUSAL_PAUSE: Duration = Duration::from_millis(500);

/// A peer that cannot say so often in a row ends the session.
const REFUSALS_MAX: u32 = 20;

/// Branches that are asked about at one time below the roots.
const BRANCHES_AT_ONCE: usize = BRANCHES_MAX / WIDTH;

/// Branches, pieces or bulks that wait at one time; what is beyond waits for the next session.
const QUEUE_MAX: usize = 2 * BRANCHES_MAX * WIDTH;

/// Differences above which no more are looked for before these are repaired.
const PAIRS_MAX: usize = 8_192;

/// States that one answer may call different.
const DIFFERING_MAX: usize = 5 * STATES_MAX;

/// The comparison of some slots with one peer.
#[derive(Clone, Debug)]
pub(super) struct Session {
    peer: NodeId,
    /// Whether this node waits for all that the peer holds of any of the slots: then nothing is left
    /// out, and nothing waited for.
    refills: bool,
    begun: Instant,
    /// The slots that are neither equal nor left to the peer.
    slots: BTreeMap<Slot, Standing>,
    phase: Phase,
    step: Step,
    /// Whether an answer to the step is waited for.
    under_way: bool,
    /// Names the step in all answers.
    call: CallId,
    /// When the step is given up. Invariant: set while it is under way.
    deadline: Option<Instant>,
    /// When to go on. Invariant: not set while a step is under way.
    due: Option<Instant>,
    /// How often in a row the peer could not say.
    refusals: u32,
    /// Nothing is asked before.
    not_before: Instant,
    /// Branches that differ and are to be asked about.
    stack: Vec<Piece>,
    /// Pieces to be compared state by state, and the key behind which that goes on.
    pieces: VecDeque<(Piece, Option<Key>)>,
    /// Pieces of which this node holds nothing.
    bulks: Vec<Bulk>,
    /// Those whose second look is due.
    confirming: Vec<Bulk>,
    /// Those that are given as a whole, and the key behind which that goes on.
    rests: VecDeque<(Piece, Option<Key>)>,
    /// Keys that differed at the first look.
    pairs: VecDeque<Found>,
}

/// How far a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its root is asked about.
    Asked,
    /// It differs.
    Differs,
    /// It differs, and a part of it waits for the next session.
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Roots,
    Collect,
    Settle(Instant),
    Repair,
}

#[derive(Clone, Debug)]
enum Step {
    /// What comes next is to be chosen.
    Free,
    /// The own states in a window.
    Scan(Piece, Window),
    /// A question.
    Ask(Ask),
    /// The own records of a batch.
    Read(Batch),
    /// Records on their way, in both directions.
    Move(Moves),
}

/// A key that differed.
#[derive(Clone, Debug)]
struct Found {
    slot: Slot,
    key: Key,
    mine: StateHash,
    theirs: StateHash,
}

impl Session {
    pub(super) fn new(now: Instant, peer: NodeId, slots: Vec<Slot>, refills: bool) -> Session {
        Session {
            peer,
            refills,
            begun: now,
            slots: slots.into_iter().map(|slot| (slot, Standing::Asked)).collect(),
            phase: Phase::Roots,
            step: Step::Free,
            under_way: false,
            call: CallId(0),
            deadline: None,
            due: None,
            refusals: 0,
            not_before: now,
            stack: Vec::new(),
            pieces: VecDeque::new(),
            bulks: Vec::new(),
            confirming: Vec::new(),
            rests: VecDeque::new(),
            pairs: VecDeque::new(),
        }
    }

    /// When the session wants to go on, or to be given up.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.deadline).min()
    }

    /// Whether a slot is in it.
    pub(super) fn holds(&self, slot: Slot) -> bool {
        self.slots.contains_key(&slot)
    }

    /// Leaves a slot to the peer, which asks about it at the same time; false where this node has
    /// an answer about it already.
    pub(super) fn cede(&mut self, slot: Slot) -> bool {
        let asked = self.slots.get(&slot) == Some(&Standing::Asked);
        asked && self.slots.remove(&slot).is_some()
    }

    /// The slots that are not equal, and whether each is done with.
    pub(super) fn slots(&self) -> impl Iterator<Item = (Slot, bool)> {
        self.slots.iter().map(|(slot, standing)| (*slot, *standing == Standing::Differs))
    }

    /// Time has passed.
    pub(super) fn on_wake(&mut self, around: &mut Surroundings<'_, '_>) -> Result<Progress, Lost> {
        let now = around.turn.now.instant;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Lost::Later);
        }
        if self.due.is_some_and(|due| due > now) {
            return Ok(Progress::UnderWay);
        }
        self.go_on(around)
    }

    /// Does what can be done.
    pub(super) fn go_on(&mut self, around: &mut Surroundings<'_, '_>) -> Result<Progress, Lost> {
        self.due = None;
        while !self.under_way {
            let now = around.turn.now.instant;
            let held = around.holds_until().into_iter().chain([self.not_before]).max();
            if let Some(until) = held.filter(|until| *until > now) {
                self.due = Some(until);
                break;
            }
            if let Step::Free = self.step {
                match self.choose(around) {
                    Choice::Step(step) => self.step = step,
                    Choice::Wait(until) => {
                        self.due = Some(until);
                        break;
                    }
                    Choice::End => return Ok(Progress::Ended),
                }
            }
            self.begin(around)?;
        }
        Ok(Progress::UnderWay)
    }

    /// The peer has answered.
    pub(super) fn on_compared(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        Compared { call, answer }: Compared,
    ) -> Result<Progress, Lost> {
        let asking = matches!(self.step, Step::Ask(_)) && self.under_way && self.call == call;
        if !asking {
            return Ok(Progress::UnderWay);
        }
        around.spend(weight::of_answer(&answer));
        let Step::Ask(ask) = self.end_step() else { return Err(Lost::Later) };
        if answer == Comparison::NotNow {
            self.refusals += 1;
            if self.phase == Phase::Roots || self.refusals > REFUSALS_MAX {
                return Err(Lost::Later);
            }
            self.not_before = around.turn.now.instant + REFUSAL_PAUSE;
            self.step = Step::Ask(ask);
            return self.go_on(around);
        }
        self.refusals = 0;
        match (ask, answer) {
            (Ask::Branches(asked), Comparison::Branches { differ, busy }) => {
                self.on_branches(around, &asked, &differ, &busy)?;
            }
            (Ask::Confirm(asked), Comparison::Branches { differ, busy }) => {
                self.on_confirmed(around, &asked, &differ, &busy)?;
            }
            (Ask::States { piece, window, mine }, Comparison::States { differ, until }) => {
                self.on_states(around, piece, &window, &mine, differ, until)?;
            }
            (Ask::Records(batch), Comparison::Records { records, wants, until, epoch }) => {
                let (slot, refills) = (batch.slot(), self.refills);
                let mut answer = batch.answered((epoch, records), &wants, until.as_ref())?;
                if !around.takes(slot) {
                    answer.moves.take_nothing();
                }
                if refills && answer.leaves_out {
                    self.leave(slot);
                }
                let left = answer.left.into_iter().rev();
                left.for_each(|found| self.pairs.push_front(found));
                self.step = Step::Move(answer.moves);
            }
            (Ask::Rest { piece, after }, Comparison::Records { records, until, epoch, .. }) => {
                self.on_rest(around, (piece, after), (epoch, records), until)?;
            }
            (
                Ask::Branches(_)
                | Ask::Confirm(_)
                | Ask::States { .. }
                | Ask::Records(_)
                | Ask::Rest { .. },
                _,
            ) => return Err(Lost::Misbehaved),
        }
        self.go_on(around)
    }

    /// The own storage has answered.
    pub(super) fn on_stored(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        (call, item): (CallId, u32),
        outcome: StoreOutcome,
    ) -> Result<Progress, Lost> {
        if self.call != call || !self.under_way {
            return Ok(Progress::UnderWay);
        }
        if matches!(outcome, StoreOutcome::Failed(_)) {
            return Err(Lost::Later);
        }
        self.deadline = Some(around.turn.now.instant + STEP_MAX);
        match (&mut self.step, outcome) {
            (Step::Scan(piece, window), StoreOutcome::StatesScanned { states, more }) => {
                let until = states.last().map(|(key, _)| key.clone()).filter(|_| more);
                let window = Window { until, ..window.clone() };
                let mine = states.into_iter().map(|(key, state)| (key, state.hash)).collect();
                let ask = Ask::States { piece: *piece, window, mine };
                self.end_step();
                self.step = Step::Ask(ask);
            }
            (Step::Read(batch), StoreOutcome::Read { record }) => {
                batch.on_read(around, (self.peer, call), item, record.unwrap_or_default());
                if !batch.is_read() {
                    return Ok(Progress::UnderWay);
                }
                self.on_batch_read(around)?;
            }
            (Step::Move(moves), outcome) => {
                let damaged = moves.on_stored(around, self.peer, item, &outcome);
                let is_done = moves.is_done();
                damaged.filter(|_| self.refills).into_iter().for_each(|slot| self.leave(slot));
                if !is_done {
                    return Ok(Progress::UnderWay);
                }
                self.end_step();
            }
            (Step::Free | Step::Scan(..) | Step::Ask(_) | Step::Read(_), _) => {
                return Ok(Progress::UnderWay);
            }
        }
        self.go_on(around)
    }

    /// The peer has stored a record that it was given, or could not. `None`: it was not given one
    /// under that call.
    pub(super) fn on_merged(
        &mut self,
        around: &mut Surroundings<'_, '_>,
        call: CallId,
        durable: bool,
    ) -> Option<Result<Progress, Lost>> {
        let Step::Move(moves) = &mut self.step else { return None };
        let key = moves.on_merged(call)?;
        if !durable {
            return Some(Err(Lost::Later));
        }
        self.deadline = Some(around.turn.now.instant + STEP_MAX);
        moves.on_given(around, self.peer, key);
        if moves.is_cut_off() && self.refills {
            return Some(Err(Lost::Later));
        }
        if !moves.is_done() {
            return Some(Ok(Progress::UnderWay));
        }
        self.end_step();
        Some(self.go_on(around))
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.under_way, self.deadline.is_some(), "what is under way has its deadline");
        assert_ne!(self.under_way, self.due.is_some(), "a session waits for one thing");
        assert!(self.slots.len() <= SLOTS_MAX);
        assert!(self.stack.len() <= QUEUE_MAX, "branches are bounded");
        assert!(self.pieces.len() <= QUEUE_MAX, "pieces are bounded");
        assert!(self.bulks.len() + self.confirming.len() <= 2 * QUEUE_MAX, "bulks are bounded");
        assert!(self.rests.len() <= 2 * QUEUE_MAX, "rests are bounded");
        assert!(self.pairs.len() <= PAIRS_MAX + DIFFERING_MAX, "pairs are bounded");
    }

    /// The step that comes next.
    fn choose(&mut self, around: &mut Surroundings<'_, '_>) -> Choice {
        let now = around.turn.now.instant;
        if now.since(self.begun) > SESSION_MAX {
            self.leave_rest();
        }
        loop {
            match self.phase {
                Phase::Roots => {
                    self.phase = Phase::Collect;
                    let roots = self.slots.keys().map(|slot| Piece::whole(*slot)).collect();
                    return Choice::Step(Step::Ask(Ask::Branches(roots)));
                }
                Phase::Collect => {
                    if let Some(step) = self.look_further(around) {
                        return Choice::Step(step);
                    }
                    if self.pairs.is_empty() && self.bulks.is_empty() {
                        return Choice::End;
                    }
                    let recheck = around.turn.config.anti_entropy.recheck;
                    let recheck = if self.refills { Duration::ZERO } else { recheck };
                    self.phase =
                        Phase::Settle(sane_or!(now + recheck, RepairsWritesInFlight => now));
                }
                Phase::Settle(until) if until > now => return Choice::Wait(until),
                Phase::Settle(_) => {
                    self.confirming = core::mem::take(&mut self.bulks);
                    self.phase = Phase::Repair;
                }
                Phase::Repair => {
                    if let Some(step) = self.repair(around.turn.epochs.current()) {
                        return Choice::Step(step);
                    }
                    self.phase = Phase::Collect;
                }
            }
        }
    }

    /// What is to be looked at for the first time.
    fn look_further(&mut self, around: &mut Surroundings<'_, '_>) -> Option<Step> {
        if self.pairs.len() > PAIRS_MAX {
            return None;
        }
        while let Some((piece, after)) = self.pieces.pop_front() {
            let arc = around.trees.forest().and_then(|forest| forest.arc_of(piece));
            if let Some(arc) = arc {
                return Some(Step::Scan(piece, Window { arc, after, until: None }));
            }
        }
        if self.bulks.len() > BRANCHES_MAX || self.stack.is_empty() {
            return None;
        }
        let from = self.stack.len().saturating_sub(BRANCHES_AT_ONCE);
        let mut branches = self.stack.split_off(from);
        branches.sort_unstable();
        Some(Step::Ask(Ask::Branches(branches)))
    }

    /// What differed at the first look and is to be repaired.
    fn repair(&mut self, epoch: Epoch) -> Option<Step> {
        if !self.confirming.is_empty() {
            let from = self.confirming.len().saturating_sub(BRANCHES_MAX);
            return Some(Step::Ask(Ask::Confirm(self.confirming.split_off(from))));
        }
        if let Some((piece, after)) = self.rests.pop_front() {
            return Some(Step::Ask(Ask::Rest { piece, after }));
        }
        (!self.pairs.is_empty()).then(|| Step::Read(Batch::take(&mut self.pairs, epoch)))
    }

    fn begin(&mut self, around: &mut Surroundings<'_, '_>) -> Result<(), Lost> {
        self.under_way = true;
        self.call = around.next_call();
        self.deadline = Some(around.turn.now.instant + STEP_MAX);
        let (peer, call) = (self.peer, self.call);
        match &mut self.step {
            Step::Free => {}
            Step::Scan(_, window) => {
                let (arc, after) = (window.arc, window.after.clone());
                let op = StoreOp::ScanStates { arc, after, count_max: STATES_MAX };
                let purpose = Purpose::Asker { peer, call, item: 0 };
                around.turn.tickets.store(purpose, None, op, around.turn.out);
            }
            Step::Ask(ask) => {
                let forest = around.trees.forest().ok_or(Lost::Later)?;
                let question = ask.question(around, forest);
                around.spend(weight::of_question(&question));
                let (layout_version, leaves) =
                    (around.turn.layouts.head_version(), forest.leaves().get());
                let compare = Compare { call, layout_version, leaves, question };
                around.turn.out.send(Peer::Node(peer), Message::Compare(compare));
            }
            Step::Read(batch) => batch.read_on(around, (peer, call)),
            Step::Move(moves) => {
                if !moves.begin(around, (peer, call)) && self.refills {
                    return Err(Lost::Later);
                }
                if moves.is_done() {
                    self.end_step();
                }
            }
        }
        Ok(())
    }

    fn end_step(&mut self) -> Step {
        self.under_way = false;
        self.deadline = None;
        core::mem::replace(&mut self.step, Step::Free)
    }
}
