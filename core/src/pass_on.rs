//! Handing a request to a primary of its key, by a node that is none.
//!
//! ```text
//!   request --> first primary within reach --silent, gone, or cannot--> the next one --> ...
//!           ... --> orphan (sloppy), or the best of the refusals (strict)
//! ```
//!
//! Whoever was asked may still answer, and the first answer counts. So does a refusal that is about
//! the request itself; one that says what this primary cannot do sends the request to the next one.
//! A request that no primary carries out is an [`Orphan`]: this node runs it as a fallback, if it
//! may.
//!
//! Invariants: a request is handed on at most once along its way, so two nodes with different
//! layouts cannot play it back and forth. A write is called refused only where every primary that
//! was handed it has said that nothing happened.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::incoming::{Asker, Request};
use crate::machine::{Event, Peer};
use crate::message::{CallId, Failure, FailureCode, Outcome, Receipt, Reply};
use crate::prng::Prng;
use crate::quorum::{Quorum, Replicas};
use crate::time::{Duration, Instant};
use crate::turn::Turn;

/// A primary runs the whole request, which takes longer than what its verdict is made of.
const PATIENCE_FACTOR: u32 = 2;

/// The least patience with a primary that runs a request.
const PATIENCE_MIN: Duration = Duration::from_millis(200);

/// The requests that were handed on.
#[derive(Clone, Debug)]
pub(crate) struct PassOn {
    calls: BTreeMap<CallId, Passed>,
    /// When something is to be done about each. Invariant: one entry for each call.
    timers: BTreeSet<(Instant, CallId)>,
    last_call: CallId,
}

/// A request that no primary carries out.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) asker: Asker,
    pub(crate) request: Request,
    pub(crate) quorum: Quorum,
    pub(crate) deadline: Instant,
}

#[derive(Clone, Debug)]
struct Passed {
    asker: Asker,
    request: Request,
    quorum: Quorum,
    /// Primaries that were tried, by their index in the preference list.
    tried: Replicas,
    /// Those among them that may have carried it out, or may yet: all but those that said that
    /// nothing happened.
    suspects: Replicas,
    /// Those that may still answer, in the order in which they were asked, and when that was.
    asked: Vec<Asked>,
    /// The most telling failure so far.
    failed: Option<Failed>,
    deadline: Instant,
    /// When the next primary is tried; at most `deadline`.
    timer: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    node: NodeId,
    /// Its index in the preference list.
    index: usize,
    at: Instant,
}

/// What a primary answered that did not carry out a request.
#[derive(Clone, Debug)]
struct Failed {
    failure: Failure,
    receipt: Option<Receipt>,
}

/// What a failure of one primary means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// This primary did nothing and cannot: another one may.
    ThisOneCannot,
    /// The request itself is at fault: another primary would say the same.
    NobodyCan,
    /// It may have been carried out, or time is over: who was asked before may still do better.
    Undecided,
}

impl PassOn {
    pub(crate) fn new(seed: u64) -> PassOn {
        let last_call = CallId::first(&mut Prng::stream(seed, "pass on"));
        PassOn { calls: BTreeMap::new(), timers: BTreeSet::new(), last_call }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Hands `request` to the first primary within reach.
    pub(crate) fn on_request(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        request: Request,
        quorum: Quorum,
    ) -> Option<Orphan> {
        let most = turn.config.limits.calls_max;
        if self.calls.len() >= most {
            turn.overloaded(asker, "calls_max", most, PATIENCE_MIN);
            return None;
        }
        let deadline = turn.deadline(request.head().budget);
        self.last_call = self.last_call.next();
        let id = self.last_call;
        let none = Replicas::new();
        let passed = Passed {
            asker,
            request,
            quorum,
            tried: none,
            suspects: none,
            asked: Vec::new(),
            failed: None,
            deadline,
            timer: deadline,
        };
        turn.counters.passed_on += 1;
        self.send(turn, id, passed)
    }

    /// A primary answers. The answer goes on to whoever asked, unless another primary may do better.
    pub(crate) fn on_reply(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        reply: Reply,
    ) -> Option<Orphan> {
        let asked = &self.calls.get(&reply.call)?.asked;
        let place = asked.iter().position(|asked| asked.node == from)?;
        let mut passed = self.remove(reply.call)?;
        let is_last = place + 1 == passed.asked.len();
        let Asked { index, .. } = passed.asked.remove(place);
        let failure = match reply.result {
            Err(failure) => failure,
            done => {
                turn.answer(passed.asker, reply.receipt, Some(turn.config.id), done);
                return None;
            }
        };
        if failure.outcome == Outcome::None {
            passed.suspects = passed.suspects.minus([index].into_iter().collect());
        }
        sane_or!(PassOnForgetsFirst => passed.suspects = Replicas::new());
        let failed = Failed { failure, receipt: reply.receipt };
        match sane_or!(meaning(failure), PassOnGivesUpAtOnce => Meaning::NobodyCan) {
            Meaning::NobodyCan => fail(turn, passed, failed),
            // Those that were asked before it have used up their patience.
            Meaning::ThisOneCannot if is_last && turn.now.instant < passed.deadline => {
                passed.note(failed);
                return self.send(turn, reply.call, passed);
            }
            Meaning::ThisOneCannot | Meaning::Undecided if !passed.asked.is_empty() => {
                passed.note(failed);
                self.insert(reply.call, passed);
            }
            Meaning::ThisOneCannot | Meaning::Undecided => fail(turn, passed, failed),
        }
        None
    }

    /// A node is gone: what it was asked goes to the next primary.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) -> Vec<Orphan> {
        let waits = |passed: &Passed| passed.asked.iter().any(|asked| asked.node == node);
        let concerned = self.calls.iter().filter(|(_, passed)| waits(passed));
        let concerned: Vec<CallId> = concerned.map(|(id, _)| *id).collect();
        let mut orphans = Vec::new();
        for id in concerned {
            let Some(mut passed) = self.remove(id) else { continue };
            passed.asked.retain(|asked| asked.node != node);
            if passed.asked.is_empty() {
                orphans.extend(self.send(turn, id, passed));
            } else {
                self.insert(id, passed);
            }
        }
        orphans
    }

    /// Ends the requests whose time is up; tries the next primary where patience is.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        while let Some((at, id)) = self.timers.first().copied() {
            if at > turn.now.instant {
                break;
            }
            let Some(passed) = self.remove(id) else { break };
            if passed.deadline <= turn.now.instant {
                sane_or!(
                    let passed,
                    PassOnSilenceRefused => Passed { suspects: Replicas::new(), ..passed }
                );
                let failed = passed.unanswered(FailureCode::Timeout);
                fail(turn, passed, failed);
            } else {
                for asked in &passed.asked {
                    turn.verdicts.on_silence(turn.now.instant, asked.node, asked.at);
                }
                orphans.extend(self.send(turn, id, passed));
            }
        }
        orphans
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.timers.len(), "each call has one timer");
    }

    /// Hands a request to the next primary. Where there is none left it is an orphan; a strict one
    /// waits for those who may still answer, and fails with the most telling refusal.
    fn send(&mut self, turn: &mut Turn<'_>, id: CallId, mut passed: Passed) -> Option<Orphan> {
        let Some(update) = turn.layout else {
            let failed = passed.unanswered(FailureCode::NotReady);
            fail(turn, passed, failed);
            return None;
        };
        let slot = update.layout.slot_of(passed.request.head().key.as_bytes());
        let untried = update.layout.primaries(slot).iter().copied().enumerate();
        let untried = untried
            .filter(|(index, node)| !passed.tried.contains(*index) && turn.peers.is_up(*node));
        let mut untried: Vec<(usize, NodeId)> = untried.collect();
        if let Some(zone) = &passed.request.head().zone {
            // Those who count are the nearest to each other.
            untried.sort_by_key(|(_, node)| !update.layout.is_in(*node, zone));
        }
        // The first that is trusted; else the first.
        let trusted = untried.iter().find(|(_, node)| !turn.is_avoided(*node));
        let Some((index, node)) = trusted.or(untried.first()).copied() else {
            let strict = turn.config.is_strict(passed.request.strictness());
            if !strict {
                return Some(passed.orphan());
            }
            if passed.asked.is_empty() {
                let failed = passed.failed.take();
                let code = FailureCode::QuorumUnavailable;
                let failed = failed.unwrap_or_else(|| passed.unanswered(code));
                fail(turn, passed, failed);
            } else {
                passed.timer = passed.deadline;
                self.insert(id, passed);
            }
            return None;
        };
        passed.tried.insert(index);
        passed.suspects.insert(index);
        passed.asked.push(Asked { node, index, at: turn.now.instant });
        let head = passed.request.head_mut();
        head.call = id;
        head.passed_on = true;
        head.layout_version = update.layout.version();
        head.budget = passed.deadline.since(turn.now.instant);
        let patience = (turn.verdicts.patience(node) * PATIENCE_FACTOR).max(PATIENCE_MIN);
        passed.timer = passed.deadline.min(turn.now.instant + patience);
        turn.out.observe(Event::PassedOn { to: node });
        turn.out.send(Peer::Node(node), passed.request.message());
        self.insert(id, passed);
        None
    }

    fn insert(&mut self, id: CallId, passed: Passed) {
        self.timers.insert((passed.timer, id));
        self.calls.insert(id, passed);
    }

    fn remove(&mut self, id: CallId) -> Option<Passed> {
        let passed = self.calls.remove(&id)?;
        self.timers.remove(&(passed.timer, id));
        Some(passed)
    }
}

impl Passed {
    /// Keeps the more telling one of a failure and those before it: the last one that counts a
    /// quorum, else the last one.
    fn note(&mut self, failed: Failed) {
        let counts = |failed: &Failed| failed.failure.code == FailureCode::QuorumUnavailable;
        if counts(&failed) || !self.failed.as_ref().is_some_and(counts) {
            self.failed = Some(failed);
        }
    }

    /// The failure of a request that nobody answered.
    fn unanswered(&self, code: FailureCode) -> Failed {
        let needed = if self.request.is_write() { self.quorum.w() } else { self.quorum.r() };
        Failed { failure: Failure::refused(code).quorum(needed.into(), 0), receipt: None }
    }

    /// Whether a write may have happened.
    fn maybe(&self) -> bool {
        self.request.is_write() && !self.suspects.is_empty()
    }

    fn orphan(self) -> Orphan {
        let maybe = self.asker.maybe || self.maybe();
        let Passed { asker, request, quorum, deadline, .. } = self;
        Orphan { asker: Asker { maybe, ..asker }, request, quorum, deadline }
    }
}

/// Ends a request that failed.
fn fail(turn: &mut Turn<'_>, passed: Passed, Failed { failure, receipt }: Failed) {
    let failure = if passed.maybe() { failure.unknown() } else { failure };
    turn.answer(passed.asker, receipt, Some(turn.config.id), Err(failure));
}

fn meaning(failure: Failure) -> Meaning {
    match (failure.outcome, failure.code) {
        (
            Outcome::None,
            FailureCode::QuorumUnavailable
            | FailureCode::Overloaded
            | FailureCode::Damaged
            | FailureCode::Storage
            | FailureCode::StorageFull
            | FailureCode::NotAPrimary
            | FailureCode::NotReady,
        ) => Meaning::ThisOneCannot,
        (
            Outcome::None,
            FailureCode::WeakQuorum
            | FailureCode::BadQuorum
            | FailureCode::BadContext
            | FailureCode::KeySize
            | FailureCode::ValueTooLarge
            | FailureCode::BadTtl
            | FailureCode::TooManySiblings
            | FailureCode::RecordTooLarge,
        ) => Meaning::NobodyCan,
        (Outcome::None, FailureCode::Timeout | FailureCode::Stale | FailureCode::Unrecognized)
        | (Outcome::Unknown, _) => Meaning::Undecided,
    }
}
