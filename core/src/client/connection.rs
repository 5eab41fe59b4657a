//! One connection of a client: what is under way on it, and whether the node behind it is silent.
//!
//! ```text
//!  request goes out, nothing else under way      quiet = now
//!  anything comes in                             quiet = now
//!  quiet + patience, something under way         the node is silent: its calls go elsewhere
//!  quiet + SILENCE_MAX                           the connection is taken for dead
//! ```
//!
//! What is under way on the link of a silent node is its probe: one word, and it is trusted again.
//! After the link was given up the next dial is.

use super::CallId;
use super::sorted::Sorted;
use crate::ids::{NodeId, Text};
use crate::time::{Duration, Instant, Now};

/// A link on which nothing came in for so long although something is under way is given up. A
/// coordinator that waits for its own peers answers sooner.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long a dial with its handshake may take.
const DIAL: Duration = Duration::from_secs(3);

/// A dial that takes longer is not waited for by calls that can go elsewhere.
const DIAL_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) address: Text,
    pub(super) state: State,
    /// Requests sent and not answered, also those whose calls have ended, and when they were sent.
    in_flight: Sorted<CallId, Instant>,
    /// Requests that wait since too many are in flight.
    /// Invariant: exactly the calls in the stage `Queued` of this link.
    pub(super) backlog: Sorted<CallId, ()>,
    /// Since when nothing has come in although something is in flight.
    quiet: Instant,
    /// When it last served a request: of those that are idle, the first goes first.
    pub(super) used: Instant,
    /// Whether its node is taken for silent.
    pub(super) silent: bool,
    /// Whether silence was forgiven once, since the client itself had been asleep.
    excused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Dialling, or waiting for the welcome; `slow`: for long.
    Opening { since: Instant, slow: bool },
    /// Welcomed.
    Up(NodeId),
}

impl Connection {
    pub(super) fn dialled(now: Now, address: Text) -> Connection {
        let since = now.instant;
        Connection {
            address,
            state: State::Opening { since, slow: false },
            in_flight: Sorted::new(),
            backlog: Sorted::new(),
            quiet: since,
            used: since,
            silent: false,
            excused: false,
        }
    }

    /// The node behind it, once that has welcomed the client.
    pub(super) fn node(&self) -> Option<NodeId> {
        match self.state {
            State::Up(node) => Some(node),
            State::Opening { .. } => None,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.node().is_some() && self.in_flight.is_empty() && self.backlog.is_empty()
    }

    /// Something came in. Answers whether the node was taken for silent until then.
    pub(super) fn on_heard(&mut self, now: Now) -> bool {
        self.quiet = now.instant;
        self.excused = false;
        core::mem::take(&mut self.silent)
    }

    /// A request goes out.
    pub(super) fn on_sent(&mut self, now: Now, call: CallId) {
        if self.in_flight.is_empty() {
            self.quiet = now.instant;
            self.excused = false;
        }
        self.used = now.instant;
        self.in_flight.insert(call, now.instant);
    }

    /// A request was answered: how long that took, if it was under way.
    pub(super) fn on_answered(&mut self, now: Now, call: CallId) -> Option<Duration> {
        self.used = now.instant;
        self.in_flight.remove(call).map(|sent| now.instant.since(sent))
    }

    /// The client itself slept over the moment at which it wanted to look: what came in meanwhile
    /// is still to be read. That excuses a node once.
    pub(super) fn on_slept(&mut self, now: Now) {
        if !core::mem::replace(&mut self.excused, true) {
            self.quiet = now.instant;
        }
    }

    /// When the node is silent for longer than `patience` allows; `None`: it owes nothing, or is
    /// known to be silent.
    pub(super) fn silent_at(&self, patience: Duration) -> Option<Instant> {
        (self.owes() && !self.silent).then(|| self.quiet + patience)
    }

    /// When it is to be given up: the dial takes too long, or the node has died without a word.
    pub(super) fn dead_at(&self) -> Option<Instant> {
        match self.state {
            State::Opening { since, .. } => Some(since + DIAL),
            State::Up(_) => (self.owes() && self.silent).then(|| self.quiet + SILENCE_MAX),
        }
    }

    /// From when on a dial is not waited for.
    pub(super) fn slow_at(&self) -> Option<Instant> {
        match self.state {
            State::Opening { since, slow: false } => Some(since + DIAL_PATIENCE),
            State::Opening { slow: true, .. } | State::Up(_) => None,
        }
    }

    /// Notes a dial that takes long.
    pub(super) fn on_wake(&mut self, now: Now) {
        if let State::Opening { since, slow } = &mut self.state {
            *slow |= *since + DIAL_PATIENCE <= now.instant;
        }
    }

    fn owes(&self) -> bool {
        self.node().is_some() && !self.in_flight.is_empty()
    }
}
