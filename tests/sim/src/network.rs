//! Connections: ordered streams of frames that take their time and may be cut.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::client::Link;
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};

use crate::config::WorldConfig;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// A node, by its index.
    Node(usize),
    /// A client, by its index, and its link.
    Client(usize, Link),
}

impl End {
    /// Whether this is an end at node `node`.
    pub(crate) fn is_node(self, node: usize) -> bool {
        self == End::Node(node)
    }
}

/// Names a connection; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Connection(pub(crate) u64);

/// All connections, and which ways are cut.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Open connections: who dialled, who was dialled.
    open: BTreeMap<Connection, (End, End)>,
    /// When the last frame of each direction arrives: streams keep their order.
    arrivals: BTreeMap<(Connection, End), Instant>,
    /// Pairs of nodes that cannot reach each other, the lower index first.
    cut: BTreeSet<(usize, usize)>,
    last: u64,
    prng: Prng,
    delay_min: Duration,
    delay_max: Duration,
}

impl Network {
    pub(crate) fn new(config: &WorldConfig) -> Network {
        Network {
            open: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            cut: BTreeSet::new(),
            last: 0,
            prng: Prng::stream(config.seed, "network"),
            delay_min: config.delay_min,
            delay_max: config.delay_max,
        }
    }

    /// Opens a connection.
    pub(crate) fn open(&mut self, dialler: End, dialled: End) -> Connection {
        self.last += 1;
        let connection = Connection(self.last);
        self.open.insert(connection, (dialler, dialled));
        connection
    }

    /// Closes a connection; answers its ends.
    pub(crate) fn close(&mut self, connection: Connection) -> Option<(End, End)> {
        let ends = self.open.remove(&connection)?;
        self.arrivals.remove(&(connection, ends.0));
        self.arrivals.remove(&(connection, ends.1));
        Some(ends)
    }

    pub(crate) fn is_open(&self, connection: Connection) -> bool {
        self.open.contains_key(&connection)
    }

    /// Who dialled and who was dialled.
    pub(crate) fn ends(&self, connection: Connection) -> Option<(End, End)> {
        self.open.get(&connection).copied()
    }

    /// The connection between two ends, whoever dialled.
    pub(crate) fn between(&self, a: End, b: End) -> Option<Connection> {
        let found = self.open.iter().find(|(_, ends)| **ends == (a, b) || **ends == (b, a));
        found.map(|(connection, _)| *connection)
    }

    /// The connections that have an end for which `concerned` holds.
    pub(crate) fn of(&self, concerned: impl Fn(End) -> bool) -> Vec<Connection> {
        let of = self.open.iter().filter(|(_, (a, b))| concerned(*a) || concerned(*b));
        of.map(|(connection, _)| *connection).collect()
    }

    /// When a frame sent at `now` towards `to` arrives.
    pub(crate) fn arrival(&mut self, now: Instant, connection: Connection, to: End) -> Instant {
        let least = now + self.delay();
        let last = self.arrivals.entry((connection, to)).or_insert(least);
        *last = least.max(*last);
        *last
    }

    /// How long something takes on the way.
    pub(crate) fn delay(&mut self) -> Duration {
        let spread = self.delay_max.saturating_sub(self.delay_min).as_micros() as u64;
        self.delay_min + Duration::from_micros(self.prng.below(spread + 1))
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }
}
