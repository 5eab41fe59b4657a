//! The part that every member has in the collections of others, and of its own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::KEYS_MAX;
use crate::ids::{Key, NodeId};
use crate::machine::{Confirmed, Event, Peer, StoreOp, StoreOutcome};
use crate::merkle::StateHash;
use crate::message::{CallId, Collect, CollectAnswer, CollectStep, EpochOf, MergeReason};
use crate::tickets::Purpose;
use crate::turn::Turn;

/// Questions that are answered at one time.
const QUESTIONS_MAX: usize = 512;

/// The questions that wait for the storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Keeper {
    /// Invariant: no more than [`QUESTIONS_MAX`].
    asked: BTreeMap<(NodeId, CallId), Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    keys: Vec<Key>,
    /// Hints that were made since then are told of.
    since: Option<u64>,
    /// When the storage was asked.
    moment: u64,
}

impl Keeper {
    /// A step of the collection of `from`; `None`: the answer comes later, or none is wanted.
    pub(super) fn on_collect(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        Collect { call, layout_version, step }: Collect,
    ) -> Option<CollectAnswer> {
        let is_settled = !turn.layouts.is_changing();
        let of_one_layout = is_settled && layout_version == turn.layout_version();
        let is_member = turn.layout.is_some_and(|update| update.layout.member(from).is_some());
        if !of_one_layout || !is_member || !turn.refill.is_asked() {
            return Some(CollectAnswer::NotNow);
        }
        match step {
            CollectStep::Confirm { keys, since, floors } => {
                self.look(turn, (from, call), keys, since, &floors).err()
            }
            CollectStep::NewEpoch => Some(CollectAnswer::Begun(turn.epochs.begin())),
            CollectStep::Remove(records) => {
                remove(turn, records);
                None
            }
        }
    }

    /// The storage has looked.
    pub(super) fn on_confirmed(
        &mut self,
        turn: &Turn<'_>,
        question: (NodeId, CallId),
        outcome: StoreOutcome,
    ) -> Option<CollectAnswer> {
        let Asked { keys, since, moment } = self.asked.remove(&question)?;
        let StoreOutcome::Confirmed(held) = outcome else { return Some(CollectAnswer::NotNow) };
        let hints = turn.tickets.recent_hints();
        let settled = |(key, held): (&Key, Confirmed)| {
            let none_since = since.is_none_or(|since| hints.none_since(since, key));
            let unhinted = !held.hinted && none_since;
            held.state.filter(|_| sane_or!(unhinted, CollectsBesideHints => true))
        };
        let states: Vec<Option<StateHash>> = keys.iter().zip(held).map(settled).collect();
        Some(CollectAnswer::Confirmed { states, since: moment })
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.asked.len() <= QUESTIONS_MAX, "questions are bounded");
    }

    /// Looks at what is held of some keys; the error is the answer where that cannot be done.
    fn look(
        &mut self,
        turn: &mut Turn<'_>,
        question: (NodeId, CallId),
        keys: Vec<Key>,
        since: Option<u64>,
        floors: &[EpochOf],
    ) -> Result<(), CollectAnswer> {
        if self.asked.contains_key(&question) {
            // The frame came twice. One answer is enough.
            return Ok(());
        }
        if keys.len() > KEYS_MAX || since.is_some() == floors.is_empty() {
            turn.counters.misbehaved += 1;
            turn.out.observe(Event::Misbehaved(Peer::Node(question.0)));
            return Err(CollectAnswer::NotNow);
        }
        let crowded =
            self.asked.len() >= QUESTIONS_MAX || turn.tickets.is_full_for(MergeReason::AntiEntropy);
        // Hints of former lives that are not counted yet would be overlooked.
        if crowded || !turn.hints.are_counted() || !settle(turn, floors) {
            return Err(CollectAnswer::NotNow);
        }
        let (from, call) = question;
        let moment = turn.tickets.recent_hints().moment();
        // A target is listed once its first hint is stored, but this one may be asked for already.
        let targets: BTreeSet<NodeId> =
            turn.hints.targets().chain(turn.tickets.hint_targets()).collect();
        let hints = targets.into_iter().collect();
        sane_or!(let hints, CollectsBesideHints => Vec::new());
        let op = StoreOp::Confirm { keys: keys.clone(), hints };
        turn.tickets.store(Purpose::Confirm { from, call }, None, op, turn.out);
        self.asked.insert(question, Asked { keys, since, moment });
        Ok(())
    }
}

/// Keeps to the floors of a collection; false where a member lives another life than it did when
/// the collection began: what its former life has sent may still come.
fn settle(turn: &mut Turn<'_>, floors: &[EpochOf]) -> bool {
    if floors.is_empty() {
        return true;
    }
    let Some(layout) = turn.layout.map(|update| &update.layout) else { return false };
    let own = turn.config.id;
    let lives_on = |floor: &EpochOf| {
        if floor.node == own {
            return turn.epochs.has_reached(floor.epoch);
        }
        let life = turn.peers.life(floor.node).or_else(|| turn.membership.incarnation(floor.node));
        life == Some(floor.epoch.incarnation())
    };
    let all = layout.members().iter().all(|member| {
        let floor = floors.iter().find(|floor| floor.node == member.id);
        sane_or!(floor.is_some_and(lives_on), CollectsWithoutTheAbsent => floor.is_none_or(lives_on))
    });
    if all {
        let of_members = floors.iter().filter(|floor| layout.member(floor.node).is_some());
        of_members.for_each(|floor| turn.epochs.raise(*floor));
    }
    all
}

/// Removes what all agree on.
fn remove(turn: &mut Turn<'_>, records: Vec<(Key, StateHash)>) {
    for (key, state) in records.into_iter().take(KEYS_MAX) {
        if turn.tickets.is_full_for(MergeReason::AntiEntropy) {
            // It stays, comes back to the others, and is collected another time.
            return;
        }
        let slot = turn.slot_of(&key);
        turn.tickets.store(Purpose::Remove, slot, StoreOp::Remove { key, state }, turn.out);
    }
}
