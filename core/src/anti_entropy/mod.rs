//! Replicas become equal: DESIGN.md §11.
//!
//! ```text
//!   changes of own copies ──▶ trees ──▶ session  one for each peer, a few at a time: asks,
//!                               │                looks twice, takes and gives what differs
//!                               └─────▶ holder   answers what others ask
//!   schedule: which slots with whom, and when       budget: bytes per second
//! ```
//!
//! Each primary of a slot compares it with each other one, again and again. A slot is in one
//! session of a node at a time, and while it is, others are told that it is busy; of two nodes that
//! ask each other at the same time, the one goes on that holds nothing, or else the one with the
//! lower id. A node that holds nothing of a slot says that it is busy, too, and asks itself: who is
//! empty takes, and nobody else pushes the same records.

mod budget;
mod holder;
mod schedule;
mod session;
mod surroundings;
mod trees;
mod weight;
mod window;
#[cfg(feature = "mutants")]
pub(crate) mod wrong;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::NodeConfig;
use crate::ids::{Key, NodeId};
use crate::layouts::Layouts;
use crate::leftovers::Leftovers;
use crate::machine::{Event, Peer, StateChange, StoreOutcome};
use crate::merkle::{Forest, SavedTrees};
use crate::message::{
    CallId, Compare, Compared, Message, PairStatus, RepairRefusal, RepairReply, RepairRequest,
    ReplicaMerged, saturate,
};
use crate::prng::Prng;
use crate::ring::{Slot, SlotCount};
use crate::time::{Duration, Instant, Now};
use crate::transfer::Transfer;
use crate::turn::Turn;
use budget::ByteBudget;
use holder::Holder;
use schedule::{Schedule, Wanted};
use session::{Lost, Progress, SLOTS_MAX, Session};
use surroundings::{Shared, Surroundings};
use trees::Trees;

/// Sessions that a node has under way as the one that asks.
const SESSIONS_MAX: usize = 2;

/// A slot that is due and cannot be compared at this time is looked at again after so long.
const BLOCKED_PAUSE: Duration = Duration::from_secs(1);

/// All that a node does to be equal to the other replicas.
#[derive(Clone, Debug)]
pub(crate) struct AntiEntropy {
    shared: Shared,
    /// Invariant: no more than [`SESSIONS_MAX`], and no slot is in two of them.
    sessions: BTreeMap<NodeId, Session>,
    holder: Holder,
    /// When a session can begin that cannot at this time.
    begins: Option<Instant>,
}

impl AntiEntropy {
    /// With the trees that the former life had saved, if there are any.
    pub(crate) fn new(config: &NodeConfig, saved: Option<SavedTrees>, seed: u64) -> AntiEntropy {
        AntiEntropy {
            shared: Shared {
                trees: Trees::new(config, saved),
                schedule: Schedule::new(seed),
                budget: ByteBudget::default(),
                last_call: CallId::first(&mut Prng::stream(seed, "comparisons")),
            },
            sessions: BTreeMap::new(),
            holder: Holder::default(),
            begins: None,
        }
    }

    /// A layout is in force.
    pub(crate) fn on_layout(&mut self, now: Now, config: &NodeConfig, slots: SlotCount) {
        self.shared.trees.on_layout(now.instant, config, slots);
    }

    /// Which slots are to be compared with whom has changed: each slot of this node with all others
    /// that are to hold it, and what moved away with those who hold it now.
    pub(crate) fn on_pairs(
        &mut self,
        now: Now,
        config: &NodeConfig,
        layouts: &Layouts,
        (transfer, leftovers): (&Transfer, &Leftovers),
    ) {
        let (own, interval) = (config.id, config.anti_entropy.interval);
        let head = layouts.head().map(|update| update.layout.slot_count());
        let slots = head.into_iter().flat_map(SlotCount::slots);
        let of_own = slots.filter(|slot| layouts.is_primary(*slot, own)).flat_map(|slot| {
            let others = layouts.holders(slot).into_iter().filter(|peer| *peer != own);
            others.map(move |peer| Wanted {
                slot,
                peer,
                is_urgent: transfer.is_waiting(slot, peer),
            })
        });
        let moved = leftovers.waiting().flat_map(|(slot, peers)| {
            peers.iter().map(move |peer| Wanted { slot, peer: *peer, is_urgent: true })
        });
        self.shared.schedule.on_pairs(now.instant, of_own.chain(moved), interval);
        // What was asked of others gets no answer.
        self.give_up(now.instant, interval);
    }

    /// Something was lost: what was compared before says nothing any more.
    pub(crate) fn begin_anew(&mut self, now: Now, config: &NodeConfig) {
        self.give_up(now.instant, config.anti_entropy.interval);
        self.shared.schedule.hasten(now.instant, None, None);
    }

    /// The state of an own copy has changed.
    pub(crate) fn on_change(&mut self, key: &Key, change: StateChange) {
        self.shared.trees.on_change(key, change);
    }

    /// The storage cannot say what became of a change of an own copy.
    pub(crate) fn on_doubt(&mut self, now: Now, key: &Key) {
        self.shared.trees.on_doubt(now.instant, key);
    }

    /// When something is to be done.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let sessions = self.sessions.values().filter_map(Session::next_wake);
        sessions.chain(self.shared.trees.next_wake()).chain(self.begins).min()
    }

    /// Something may be due.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        self.shared.trees.on_wake(turn);
        let now = turn.now.instant;
        let due = |session: &Session| session.next_wake().is_some_and(|at| at <= now);
        let due = self.sessions.iter().filter(|(_, session)| due(session));
        for peer in due.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.in_session(turn, peer, Session::on_wake);
        }
        self.begin_sessions(turn);
    }

    /// A page of the trees is there.
    pub(crate) fn on_scanned(&mut self, turn: &mut Turn<'_>, outcome: &StoreOutcome) {
        if self.shared.trees.on_scanned(turn, outcome) {
            self.begin_sessions(turn);
        }
    }

    /// Another replica asks.
    pub(crate) fn on_compare(&mut self, turn: &mut Turn<'_>, from: NodeId, compare: Compare) {
        let sessions = &mut self.sessions;
        let own = turn.config.id;
        let mut around = self.shared.around(turn);
        let busy = |around: &mut Surroundings<'_, '_>, slot: Slot, theirs: u128, ours: u128| {
            let (empty_here, empty_there) = (theirs != 0 && ours == 0, theirs == 0 && ours != 0);
            let held = sessions.iter_mut().find(|(_, session)| session.holds(slot));
            if let Some((peer, session)) = held {
                let gives_way = *peer == from && (empty_there || !empty_here && own > from);
                return !gives_way || !session.cede(slot);
            }
            // Who asks about what moved away is not asked itself.
            let asks = empty_here && around.schedule.contains(from, slot);
            if asks {
                around.schedule.set_due(from, slot, around.turn.now.instant);
            }
            asks
        };
        self.holder.on_compare(&mut around, from, compare, busy);
        self.begin_sessions(turn);
    }

    /// A peer has answered.
    pub(crate) fn on_compared(&mut self, turn: &mut Turn<'_>, from: NodeId, compared: Compared) {
        self.in_session(turn, from, |session, around| session.on_compared(around, compared));
        self.begin_sessions(turn);
    }

    /// A peer has stored a record, or could not. False where it was none of a session.
    pub(crate) fn on_replica_merged(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaMerged,
    ) -> bool {
        let mut known = false;
        self.in_session(turn, from, |session, around| {
            let merged = session.on_merged(around, answer.call, answer.durable);
            known = merged.is_some();
            merged.unwrap_or(Ok(Progress::UnderWay))
        });
        if known {
            self.begin_sessions(turn);
        }
        known
    }

    /// The storage has answered for a session.
    pub(crate) fn on_asker_stored(
        &mut self,
        turn: &mut Turn<'_>,
        peer: NodeId,
        step: (CallId, u32),
        outcome: StoreOutcome,
    ) {
        self.in_session(turn, peer, |session, around| session.on_stored(around, step, outcome));
        self.begin_sessions(turn);
    }

    /// The storage has answered for the question of a peer.
    pub(crate) fn on_holder_stored(
        &mut self,
        turn: &mut Turn<'_>,
        question: (NodeId, CallId, u32),
        outcome: StoreOutcome,
    ) {
        let mut around = self.shared.around(turn);
        self.holder.on_stored(&mut around, question, outcome);
    }

    /// A node is there: what it missed is found at once, unless hints for it do that first.
    pub(crate) fn on_node_up(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        if turn.hints.of(node).hints == 0 {
            self.shared.schedule.hasten(turn.now.instant, Some(node), None);
        }
        self.begin_sessions(turn);
    }

    /// A node is gone.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        self.holder.on_node_down(node);
        self.in_session(turn, node, |_, _| Err(Lost::Later));
        self.begin_sessions(turn);
    }

    /// All hints for a node have come home: whether it lacks anything else is found at once.
    pub(crate) fn on_handed_over(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        self.shared.schedule.hasten(turn.now.instant, Some(node), None);
        self.begin_sessions(turn);
    }

    /// Compares a slot, or all, with all other primaries as soon as it can be done. Returns how many
    /// pairs are due.
    pub(crate) fn repair(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Option<Slot>,
    ) -> Result<u32, RepairRefusal> {
        let layout = &turn.layout.ok_or(RepairRefusal::NoLayout)?.layout;
        if turn.config.anti_entropy.bytes_per_second == 0 {
            return Err(RepairRefusal::Off);
        }
        if let Some(slot) = slot {
            if slot.0 >= layout.slot_count().get() {
                return Err(RepairRefusal::NoSuchSlot);
            }
            if !turn.layouts.is_primary(slot, turn.config.id) {
                return Err(RepairRefusal::NotAPrimary);
            }
        }
        let pairs = self.shared.schedule.hasten(turn.now.instant, None, slot);
        self.begin_sessions(turn);
        Ok(saturate(pairs))
    }

    /// An operator asks for a repair.
    pub(crate) fn on_repair(&mut self, turn: &mut Turn<'_>, from: Peer, request: RepairRequest) {
        let result = self.repair(turn, request.slot);
        let reply = RepairReply { call: request.call, now: turn.now.unix, result };
        turn.out.send(from, Message::RepairReply(reply));
    }

    /// The trees, where they say what is stored: everything is counted and nothing in doubt.
    pub(crate) fn forest(&self) -> Option<&Forest> {
        self.shared.trees.forest().filter(|_| !self.shared.trees.has_doubts())
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = PairStatus> {
        self.shared.schedule.pairs().map(|(peer, slot, pair)| PairStatus {
            slot,
            peer,
            compared: pair.compared,
            equal: pair.equal,
        })
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        self.shared.trees.check_invariants();
        self.shared.schedule.check_invariants();
        self.holder.check_invariants();
        assert!(self.sessions.len() <= SESSIONS_MAX, "sessions are bounded");
        let mut slots: Vec<Slot> = Vec::new();
        for session in self.sessions.values() {
            session.check_invariants();
            slots.extend(session.slots().map(|(slot, _)| slot));
        }
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), count, "a slot is in one session");
    }

    fn give_up(&mut self, now: Instant, interval: Duration) {
        for (peer, session) in core::mem::take(&mut self.sessions) {
            for (slot, _) in session.slots() {
                self.shared.schedule.retry(now, peer, slot, interval);
            }
        }
        self.begins = Some(now);
    }

    /// Lets the session with a peer act, and ends it where it has ended.
    fn in_session(
        &mut self,
        turn: &mut Turn<'_>,
        peer: NodeId,
        act: impl FnOnce(&mut Session, &mut Surroundings<'_, '_>) -> Result<Progress, Lost>,
    ) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let mut around = self.shared.around(turn);
        let progress = act(session, &mut around);
        if progress == Ok(Progress::UnderWay) {
            return;
        }
        let Some(session) = self.sessions.remove(&peer) else { return };
        let (now, interval) = (turn.now, turn.config.anti_entropy.interval);
        match progress {
            Ok(_) => {
                turn.counters.anti_entropy_rounds += 1;
                let (done, left): (Vec<_>, Vec<_>) = session.slots().partition(|(_, done)| *done);
                let done: Vec<Slot> = done.into_iter().map(|(slot, _)| slot).collect();
                turn.counters.slots_repaired += done.len() as u64;
                turn.on_compared(peer, &done);
                self.shared.schedule.on_compared(now, peer, &done, false, interval);
                left.iter()
                    .for_each(|(slot, _)| self.shared.schedule.set_due(peer, *slot, now.instant));
            }
            Err(lost) => {
                turn.counters.anti_entropy_lost += 1;
                if lost == Lost::Misbehaved {
                    turn.counters.misbehaved += 1;
                    turn.out.observe(Event::Misbehaved(Peer::Node(peer)));
                }
                for (slot, _) in session.slots() {
                    self.shared.schedule.retry(now.instant, peer, slot, interval);
                }
            }
        }
    }

    /// Begins the sessions that are due, and finds out when the next one is.
    fn begin_sessions(&mut self, turn: &mut Turn<'_>) {
        self.begins = None;
        let now = turn.now.instant;
        let compares = turn.config.anti_entropy.bytes_per_second > 0 && turn.refill.is_asked();
        if self.shared.trees.forest().is_none() || !compares {
            return;
        }
        while self.sessions.len() < SESSIONS_MAX {
            let free = |(peer, _): &(NodeId, Instant)| {
                turn.peers.is_up(*peer) && !self.sessions.contains_key(peer)
            };
            // A session with somebody who keeps silent would hold its slots back from all others.
            let begins = |(peer, due): (NodeId, Instant)| {
                let due =
                    if turn.is_held_for_down(peer) { due.max(now + BLOCKED_PAUSE) } else { due };
                (due, peer)
            };
            let next = self.shared.schedule.peers().filter(free).map(begins).min();
            let Some((due, peer)) = next else { return };
            let mut around = self.shared.around(turn);
            let held = around.holds_until().unwrap_or(now);
            if due.max(held) > now {
                self.begins = Some(due.max(held));
                return;
            }
            let blocked = |slot: &Slot| {
                self.shared.trees.doubts(*slot)
                    || self.sessions.values().any(|session| session.holds(*slot))
            };
            let (wait, mut slots): (Vec<Slot>, Vec<Slot>) =
                self.shared.schedule.due(now, peer).partition(blocked);
            wait.iter()
                .for_each(|slot| self.shared.schedule.set_due(peer, *slot, now + BLOCKED_PAUSE));
            slots.truncate(SLOTS_MAX);
            if !slots.is_empty() {
                let refills = slots.iter().any(|slot| turn.is_waiting(*slot, peer));
                self.sessions.insert(peer, Session::new(now, peer, slots, refills));
                self.in_session(turn, peer, Session::go_on);
            }
        }
    }
}
