//! What every part of a node needs while it handles one input, and how it answers who asked.

use alloc::collections::BTreeMap;

use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::ids::NodeId;
use crate::layout::LayoutVersion;
use crate::machine::{Effect, Effects, Event, Peer};
use crate::message::{
    Answer, CallId, Failure, FailureCode, Message, Outcome, Receipt, Reply, RequestHead,
};
use crate::peers::Peers;
use crate::tickets::Tickets;
use crate::time::{Duration, Instant, Now};

/// One turn of a node: the present, its surroundings, and the effects so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a NodeConfig,
    pub(crate) peers: &'a Peers,
    pub(crate) tickets: &'a mut Tickets,
    pub(crate) gate: &'a mut Gate,
    pub(crate) counters: &'a mut Counters,
    pub(crate) out: &'a mut Effects<Effect>,
}

/// Longest budget that a request is granted.
const BUDGET_MAX: Duration = Duration::from_secs(600);

impl Turn<'_> {
    /// When a request with `budget` must have ended.
    pub(crate) fn deadline(&self, budget: Duration) -> Instant {
        let now = sane_or!(self.now.instant, WallClockDeadline => Instant(self.now.unix.0 * 1_000));
        now + budget.min(BUDGET_MAX)
    }

    /// Refuses a request since the table behind `limit` is full.
    pub(crate) fn overloaded(&mut self, asker: Asker, limit: &'static str, most: usize) {
        self.note_overload(limit);
        let failure = Failure::refused(FailureCode::Overloaded).limit(most as u64, most as u64);
        self.answer(asker, None, None, Err(failure));
    }

    /// Tells people that the table behind `limit` is full.
    pub(crate) fn note_overload(&mut self, limit: &'static str) {
        self.counters.overloaded += 1;
        self.out.observe(Event::Overloaded { limit });
    }

    /// Ends a request of `asker`.
    pub(crate) fn answer(
        &mut self,
        asker: Asker,
        receipt: Option<Receipt>,
        passed_on_by: Option<NodeId>,
        result: Result<Answer, Failure>,
    ) {
        match &result {
            Ok(_) => self.counters.done += 1,
            Err(failure) => match failure.outcome {
                Outcome::None => self.counters.refused += 1,
                Outcome::Unknown => self.counters.unknown += 1,
            },
        }
        self.gate.leave(asker.peer);
        let current = self.config.layout.layout.version();
        let reply = Reply {
            call: asker.call,
            layout_version: current,
            layout: (asker.layout_version < current).then(|| self.config.layout.clone()),
            receipt: receipt.filter(|_| asker.receipt),
            passed_on_by,
            result,
        };
        self.out.send(asker.peer, Message::Reply(reply));
    }
}

/// Who wants the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) peer: Peer,
    pub(crate) call: CallId,
    pub(crate) layout_version: LayoutVersion,
    pub(crate) receipt: bool,
}

impl Asker {
    pub(crate) fn new(peer: Peer, head: &RequestHead) -> Asker {
        Asker { peer, call: head.call, layout_version: head.layout_version, receipt: head.receipt }
    }
}

/// Counts the requests of each connection that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// Peers with requests under way, and how many.
    calls: BTreeMap<Peer, usize>,
}

impl Gate {
    /// Counts one more request of `peer`; answers how many there are.
    pub(crate) fn enter(&mut self, peer: Peer) -> usize {
        let calls = self.calls.entry(peer).or_default();
        *calls += 1;
        *calls
    }

    /// One request of `peer` has ended.
    fn leave(&mut self, peer: Peer) {
        let Some(calls) = self.calls.get_mut(&peer) else { return };
        *calls -= 1;
        if *calls == 0 {
            self.calls.remove(&peer);
        }
    }
}
