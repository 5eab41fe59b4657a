//! What a client is told: one JSON argument.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::load::{Load, Pace};
use super::system::Routing;

/// Operations of an open loop that may be under way; what is due beyond that waits, and the wait
/// counts.
const UNDER_WAY_MAX: usize = 10_000;

/// A load on running servers. `tests/bench/clients/driver.mjs` reads it, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Their URLs.
    pub(crate) servers: Vec<String>,
    /// Which nodes operations are sent to, where the system leaves it open.
    pub(crate) routing: Routing,
    /// Who runs the quorum of a read, where the system leaves it open.
    pub(crate) coordinate: Coordinate,
    /// Keys that are filled, and then drawn from.
    pub(crate) keys: u32,
    pub(crate) value_bytes: usize,
    /// Operations under way in a closed loop.
    pub(crate) in_flight: usize,
    /// Operations per second of an open loop; `None`: the loop is closed.
    pub(crate) rate: Option<u32>,
    /// Operations under way in an open loop, at most.
    pub(crate) under_way_max: usize,
    /// Time under load that is not counted.
    pub(crate) warm_up_seconds: f64,
    /// Time that is.
    pub(crate) seconds: f64,
    /// The file of the operations.
    pub(crate) draws: PathBuf,
    /// The one to begin with.
    pub(crate) first_draw: usize,
}

/// Who runs the quorum of a read of Quorate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Coordinate {
    Node,
    Client,
}

/// How long a load lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) warm_up_seconds: f64,
    pub(crate) seconds: f64,
}

impl Task {
    pub(crate) fn new(load: &Load, keys: u32, span: Span, draws: PathBuf) -> Task {
        let (in_flight, rate) = match load.pace {
            Pace::InFlight(count) => (count, None),
            Pace::PerSecond(rate) => (0, Some(rate)),
        };
        Task {
            servers: Vec::new(),
            routing: Routing::Direct,
            coordinate: Coordinate::Node,
            keys,
            value_bytes: load.value_bytes,
            in_flight,
            rate,
            under_way_max: UNDER_WAY_MAX,
            warm_up_seconds: span.warm_up_seconds,
            seconds: span.seconds,
            draws,
            first_draw: 0,
        }
    }
}
