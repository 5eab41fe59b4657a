//! Connections: ordered streams of frames over directed links, each with its weather.
//!
//! ```text
//!   place a ---- link a->b: weather, cut, clogged ----> place b
//!           <--- link b->a ----------------------------
//!   a connection runs over both; frames of one direction keep their order unless the weather says
//!   otherwise, and are lost with the connection
//! ```

mod weather;

use std::collections::BTreeMap;
use std::fmt;

use quorate_core::client::Link;
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};
use serde::Serialize;

use crate::config::WorldConfig;
pub use weather::Weather;
pub(crate) use weather::{tail, up_to};

/// Where a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A node, by its index.
    Node(usize),
    /// A client, by its index.
    Client(usize),
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
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

    /// Where the end is.
    pub fn place(self) -> Place {
        match self {
            End::Node(node) => Place::Node(node),
            End::Client(client, _) => Place::Client(client),
        }
    }
}

/// Names a connection; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Connection(pub(crate) u64);

/// All connections and links.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    open: BTreeMap<Connection, Stream>,
    /// The connection between two ends, the lesser end first.
    /// Invariant: names exactly the connections in `open`.
    between: BTreeMap<(End, End), Connection>,
    /// The connections of clients, by their links.
    of_links: BTreeMap<(usize, Link), Connection>,
    links: BTreeMap<(Place, Place), Road>,
    /// The weather of links that were not used yet.
    weather: Weather,
    last: u64,
    seed: u64,
}

/// An open connection.
#[derive(Clone, Copy, Debug)]
struct Stream {
    dialler: End,
    dialled: End,
    /// When the last frame towards the dialler, and towards the dialled, arrives.
    last: [Instant; 2],
    /// The same of those that others may overtake.
    latest: [Instant; 2],
}

/// A directed link.
#[derive(Clone, Debug)]
struct Road {
    weather: Weather,
    /// Whether nothing gets through.
    cut: bool,
    /// Nothing arrives before.
    clogged_until: Instant,
    /// Busy with earlier frames.
    free_at: Instant,
    prng: Prng,
}

/// When a frame arrives: never, once or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Over the connection, if that is still open.
    pub(crate) arrives: Option<Instant>,
    /// Once more, whatever became of the connection.
    pub(crate) again: Option<Instant>,
    /// Whether it is to arrive before one that was sent earlier.
    pub(crate) overtakes: bool,
    /// Whether it never arrives because nothing gets through.
    pub(crate) cut: bool,
}

impl Network {
    pub(crate) fn new(config: &WorldConfig) -> Network {
        Network {
            open: BTreeMap::new(),
            between: BTreeMap::new(),
            of_links: BTreeMap::new(),
            links: BTreeMap::new(),
            weather: config.weather,
            last: 0,
            seed: config.seed,
        }
    }

    /// Opens a connection between two ends that have none.
    pub(crate) fn open(&mut self, dialler: End, dialled: End) -> Connection {
        self.last += 1;
        let connection = Connection(self.last);
        let before = self.between.insert(pair(dialler, dialled), connection);
        assert!(before.is_none(), "one connection between two ends");
        if let End::Client(client, link) = dialler {
            self.of_links.insert((client, link), connection);
        }
        let (last, latest) = ([Instant(0); 2], [Instant(0); 2]);
        self.open.insert(connection, Stream { dialler, dialled, last, latest });
        connection
    }

    /// Closes a connection; answers its ends.
    pub(crate) fn close(&mut self, connection: Connection) -> Option<(End, End)> {
        let Stream { dialler, dialled, .. } = self.open.remove(&connection)?;
        self.between.remove(&pair(dialler, dialled));
        if let End::Client(client, link) = dialler {
            self.of_links.remove(&(client, link));
        }
        Some((dialler, dialled))
    }

    /// The connection that was opened last; zero before any was.
    pub(crate) fn last_opened(&self) -> Connection {
        Connection(self.last)
    }

    pub(crate) fn is_open(&self, connection: Connection) -> bool {
        self.open.contains_key(&connection)
    }

    /// Who dialled and who was dialled.
    pub(crate) fn ends(&self, connection: Connection) -> Option<(End, End)> {
        self.open.get(&connection).map(|stream| (stream.dialler, stream.dialled))
    }

    /// The connection between two ends, whoever dialled.
    pub(crate) fn between(&self, a: End, b: End) -> Option<Connection> {
        self.between.get(&pair(a, b)).copied()
    }

    /// The connection of a client's link.
    pub(crate) fn of_link(&self, client: usize, link: Link) -> Option<Connection> {
        self.of_links.get(&(client, link)).copied()
    }

    /// The connections that have an end for which `concerned` holds.
    pub(crate) fn of(&self, concerned: impl Fn(End) -> bool) -> Vec<Connection> {
        let of = self.open.iter().filter(|(_, s)| concerned(s.dialler) || concerned(s.dialled));
        of.map(|(connection, _)| *connection).collect()
    }

    /// Puts a frame of `bytes` on its way to the end `to`.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        connection: Connection,
        to: End,
        bytes: usize,
    ) -> Fate {
        let Some(stream) = self.open.get(&connection) else { return Fate::default() };
        let from = if stream.dialler == to { stream.dialled } else { stream.dialler };
        let toward = usize::from(stream.dialled == to);
        let (earlier, latest) = (stream.last[toward], stream.latest[toward]);
        let road = self.road(from.place(), to.place());
        let weather = road.weather;
        if road.cut || road.draw(weather.loss) {
            return Fate { cut: road.cut, ..Fate::default() };
        }
        let kib = u32::try_from(bytes / 1_024).unwrap_or(u32::MAX) + 1;
        road.free_at = road.free_at.max(now) + weather.busy * kib;
        let leaves = road.free_at.max(road.clogged_until);
        let least = leaves + weather.delay(&mut road.prng);
        let overtaken = road.draw(weather.reorder);
        let arrives = if overtaken { least + weather.delay_max } else { least.max(earlier) };
        let repeated = road.draw(weather.duplicates);
        let again = repeated.then(|| {
            let late =
                if road.prng.chance(1, 4) { Duration::from_secs(3) } else { weather.delay_max * 4 };
            arrives + up_to(&mut road.prng, late)
        });
        if let Some(stream) = self.open.get_mut(&connection) {
            let place = if overtaken { &mut stream.latest } else { &mut stream.last };
            place[toward] = place[toward].max(arrives);
        }
        Fate { arrives: Some(arrives), again, overtakes: arrives < latest, cut: false }
    }

    /// How long a word without a connection takes: a dial, the news that a connection is gone.
    pub(crate) fn delay(&mut self, from: Place, to: Place) -> Duration {
        let road = self.road(from, to);
        road.weather.delay(&mut road.prng)
    }

    /// Sets whether anything gets from `from` to `to`.
    pub(crate) fn set_cut(&mut self, from: Place, to: Place, cut: bool) {
        self.road(from, to).cut = cut;
    }

    /// Ends all cuts.
    pub(crate) fn heal(&mut self) {
        self.links.values_mut().for_each(|road| road.cut = false);
    }

    /// Whether a connection between the two would be of no use.
    pub(crate) fn is_cut(&self, a: Place, b: Place) -> bool {
        [(a, b), (b, a)].iter().any(|link| self.links.get(link).is_some_and(|road| road.cut))
    }

    /// Nothing arrives over the link before `until`.
    pub(crate) fn clog(&mut self, from: Place, to: Place, until: Instant) {
        let road = self.road(from, to);
        road.clogged_until = road.clogged_until.max(until);
    }

    /// The weather of one link.
    pub(crate) fn weather(&self, from: Place, to: Place) -> Weather {
        self.links.get(&(from, to)).map_or(self.weather, |road| road.weather)
    }

    /// Sets the weather of one link.
    pub(crate) fn set_weather(&mut self, from: Place, to: Place, weather: Weather) {
        self.road(from, to).weather = weather;
    }

    /// Sets the weather of all links.
    pub(crate) fn set_weather_everywhere(&mut self, weather: Weather) {
        self.weather = weather;
        self.links.values_mut().for_each(|road| road.weather = weather);
    }

    /// Ends all clogs.
    pub(crate) fn unclog(&mut self) {
        self.links.values_mut().for_each(|road| road.clogged_until = Instant(0));
    }

    fn road(&mut self, from: Place, to: Place) -> &mut Road {
        let (weather, seed) = (self.weather, self.seed);
        self.links.entry((from, to)).or_insert_with(|| Road {
            weather,
            cut: false,
            clogged_until: Instant(0),
            free_at: Instant(0),
            prng: Prng::stream(seed, &format!("link {from:?} {to:?}")),
        })
    }
}

impl Road {
    /// True in `chance` of a thousand draws. What never happens draws nothing.
    fn draw(&mut self, chance: u32) -> bool {
        chance > 0 && self.prng.chance(chance.into(), 1_000)
    }
}

fn pair(a: End, b: End) -> (End, End) {
    if a < b { (a, b) } else { (b, a) }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Node(node) => write!(f, "n{node}"),
            Place::Client(client) => write!(f, "c{client}"),
        }
    }
}
