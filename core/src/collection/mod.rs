//! Records that are dead go for good, and never come back (DESIGN.md §12).
//!
//! ```text
//!   the collector: the first primary             every member of the layout
//!     keys of records that are dead  ----------->  syncs, and tells what it holds of them
//!     begin a new epoch  ----------------------->  marks what it reads from here on
//!     ... what was read before comes to its end ...
//!     nothing older is merged; look again  ----->  tells what it holds, and of hints made meanwhile
//!     remove  ---------------------------------->  removes its copy, if it is still the same
//! ```
//!
//! A record is dead when nothing but tombstones and values whose time is over stands in it, and has
//! been for the grace time. It goes where, at both looks, all primaries hold just that record,
//! durably, and nobody holds a hint for the key, nor has held one between the looks.
//!
//! Why nothing brings back what the record superseded. An older copy would have to be stored, kept
//! in somebody's memory, or be on its way. At the first look none is stored: the primaries hold the
//! dead record, and there are no hints. Until the second look none is stored either: a merge leaves
//! the dead record as it is, and a hint would be noticed. So whatever is older was read before the
//! first look, that is before the epochs began, and from the second look on nobody merges or sends
//! what was read before. A member that lost its memory between the looks is found out by its life.
//! Whoever cannot be asked, for however long, holds up collection and nothing else.
//!
//! Only the age of a record goes by wall clocks: where they err, it is collected earlier or later.

mod keeper;
mod round;
mod scan;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::config::NodeConfig;
use crate::ids::{Key, NodeId};
use crate::layout::Layout;
use crate::machine::{Event, Peer, StoreOutcome};
use crate::merkle::StateHash;
use crate::message::{CallId, Collect, CollectAnswer, CollectStep, Collected, Message};
use crate::prng::Prng;
use crate::time::{Instant, Now};
use crate::turn::Turn;
use keeper::Keeper;
use round::{Next, Round};
use scan::Scan;

/// Records of one round: a client's write waits while the storage looks for all of them.
const KEYS_MAX: usize = 64;

/// Records that a node is collecting at one time.
const COLLECTING_MAX: usize = 131_072;

/// Collections: those that this node runs, and its part in those of others.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    scan: Scan,
    /// By the call of their present step.
    rounds: BTreeMap<CallId, Round>,
    /// When each of them goes on. Invariant: one entry for each round.
    due: BTreeSet<(Instant, CallId)>,
    /// The keys of all rounds. Invariant: no more than [`COLLECTING_MAX`].
    collecting: BTreeSet<Key>,
    /// This node's part in all of them.
    keeper: Keeper,
    /// The last call number that was given.
    last_call: CallId,
}

impl Collection {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Collection {
        Collection {
            scan: Scan::new(config),
            rounds: BTreeMap::new(),
            due: BTreeSet::new(),
            collecting: BTreeSet::new(),
            keeper: Keeper::default(),
            last_call: CallId::first(&mut Prng::stream(seed, "collections")),
        }
    }

    /// A layout is in force: what was agreed on under another one is void.
    pub(crate) fn on_layout(&mut self, now: Now, config: &NodeConfig) {
        self.rounds.clear();
        self.due.clear();
        self.collecting.clear();
        self.scan.on_layout(now.instant, config.collection.grace);
    }

    /// When something is to be done.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at).into_iter().chain(self.scan.next_wake()).min()
    }

    /// Something may be due.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        let Some(update) = turn.layout else { return };
        let now = turn.now.instant;
        let due = self.due.range(..=(now, CallId(u64::MAX)));
        for call in due.map(|(_, call)| *call).collect::<BTreeSet<_>>() {
            let Some(mut round) = self.take(call) else { continue };
            let members = members(&update.layout);
            sane_or!(let members, CollectsWithoutTheAbsent => present(turn, members));
            let next = round.on_due(now, members);
            self.go_on(turn, &update.layout, (call, round), next);
        }
        if !self.scan.take_due(now) {
            return;
        }
        // Whoever is away may hold what is older.
        let is_there = |node| turn.is_reachable(node) && !turn.is_held_for_down(node);
        let all_there = update.layout.members().iter().all(|member| is_there(member.id));
        let is_settled = !turn.layouts.is_changing();
        let has_room = is_settled && self.collecting.len() + KEYS_MAX <= COLLECTING_MAX;
        sane_or!(let all_there, CollectsWithoutTheAbsent => true);
        if all_there && has_room {
            self.scan.ask(turn, &update.layout);
        } else {
            self.scan.put_off(now, turn.config.collection.grace);
        }
    }

    /// A page of the own copies is there.
    pub(crate) fn on_scanned(&mut self, turn: &mut Turn<'_>, page: u32, outcome: StoreOutcome) {
        let Some(update) = turn.layout else { return };
        let grace = turn.config.collection.grace;
        let mut found = self.scan.on_page(turn.now, grace, (page, outcome));
        found.retain(|(key, _)| !self.collecting.contains(key));
        while !found.is_empty() && self.collecting.len() + KEYS_MAX <= COLLECTING_MAX {
            let rest = found.split_off(found.len().min(KEYS_MAX));
            self.begin(turn, &update.layout, found);
            found = rest;
        }
    }

    /// A step of a collection that another node runs.
    pub(crate) fn on_collect(&mut self, turn: &mut Turn<'_>, from: NodeId, collect: Collect) {
        let call = collect.call;
        if let Some(answer) = self.keeper.on_collect(turn, from, collect) {
            self.answer(turn, from, call, answer);
        }
    }

    /// The storage has looked at what is held of some keys.
    pub(crate) fn on_confirmed(
        &mut self,
        turn: &mut Turn<'_>,
        (from, call): (NodeId, CallId),
        outcome: StoreOutcome,
    ) {
        if let Some(answer) = self.keeper.on_confirmed(turn, (from, call), outcome) {
            self.answer(turn, from, call, answer);
        }
    }

    /// A member answers.
    pub(crate) fn on_collected(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        Collected { call, answer }: Collected,
    ) {
        let Some(update) = turn.layout else { return };
        let Some(mut round) = self.take(call) else { return };
        let settle = turn.config.collection.settle();
        let next = round.on_answer((turn.now.instant, settle), &update.layout, from, answer);
        self.go_on(turn, &update.layout, (call, round), next);
    }

    /// The storage was to remove an own copy.
    pub(crate) fn on_removed(&mut self, turn: &mut Turn<'_>, key: Key, outcome: &StoreOutcome) {
        if let StoreOutcome::Removed { state: Some(_) } = outcome {
            turn.counters.records_collected += 1;
            turn.out.observe(Event::Collected { key });
        }
    }

    /// Records that this node is collecting.
    pub(crate) fn collecting(&self) -> usize {
        self.collecting.len()
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        self.keeper.check_invariants();
        assert!(self.collecting.len() <= COLLECTING_MAX, "what is being collected is bounded");
        let keys: BTreeSet<&Key> = self.rounds.values().flat_map(Round::keys).collect();
        assert!(keys.into_iter().eq(&self.collecting), "each key is in one round");
        let due = self.rounds.iter().map(|(call, round)| (round.due(), *call));
        assert_eq!(due.collect::<BTreeSet<_>>(), self.due, "each round goes on some time");
    }

    fn begin(&mut self, turn: &mut Turn<'_>, layout: &Layout, dead: Vec<(Key, StateHash)>) {
        let members = members(layout);
        sane_or!(let members, CollectsWithoutTheAbsent => present(turn, members));
        let round = Round::new(turn.now.instant, dead, members);
        let call = self.next_call();
        self.go_on(turn, layout, (call, round), Next::Ask);
    }

    /// Puts a round, whose step was `call`, where it belongs.
    fn go_on(
        &mut self,
        turn: &mut Turn<'_>,
        layout: &Layout,
        (call, round): (CallId, Round),
        next: Next,
    ) {
        match next {
            Next::Wait => self.put(call, round),
            Next::Ask => {
                let call = self.next_call();
                let questions = round.questions();
                self.put(call, round);
                for (node, step) in questions {
                    self.ask(turn, node, call, step);
                }
            }
            Next::Remove(dead) => {
                let call = self.next_call();
                for node in members(layout) {
                    self.ask(turn, node, call, CollectStep::Remove(dead.clone()));
                }
            }
            Next::GiveUp => turn.counters.collections_given_up += 1,
        }
    }

    fn put(&mut self, call: CallId, round: Round) {
        self.collecting.extend(round.keys().cloned());
        self.due.insert((round.due(), call));
        self.rounds.insert(call, round);
    }

    fn take(&mut self, call: CallId) -> Option<Round> {
        let round = self.rounds.remove(&call)?;
        self.due.remove(&(round.due(), call));
        for key in round.keys() {
            self.collecting.remove(key);
        }
        Some(round)
    }

    fn ask(&mut self, turn: &mut Turn<'_>, node: NodeId, call: CallId, step: CollectStep) {
        let collect = Collect { call, layout_version: turn.layout_version(), step };
        if node == turn.config.id {
            self.on_collect(turn, node, collect);
        } else {
            turn.out.send(Peer::Node(node), Message::Collect(collect));
        }
    }

    fn answer(&mut self, turn: &mut Turn<'_>, to: NodeId, call: CallId, answer: CollectAnswer) {
        let collected = Collected { call, answer };
        if to == turn.config.id {
            self.on_collected(turn, to, collected);
        } else {
            turn.out.send(Peer::Node(to), Message::Collected(collected));
        }
    }

    fn next_call(&mut self) -> CallId {
        self.last_call = self.last_call.next();
        self.last_call
    }
}

/// Those who have to agree: any of them may hold a copy, or a hint.
fn members(layout: &Layout) -> BTreeSet<NodeId> {
    layout.members().iter().map(|member| member.id).collect()
}

#[cfg(feature = "mutants")]
fn present(turn: &Turn<'_>, members: BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    members.into_iter().filter(|node| turn.is_reachable(*node)).collect()
}
