//! What JavaScript sees: the nine exports, and bytes through all of them.

use bytes::Bytes;
use quorate_core::client::{ClientConfig, Coordinate, Hedge, Offline, Routing};
use quorate_core::ids::ClusterId;
use quorate_core::message::QuorumChoice;
use quorate_core::time::{Duration, Instant, Now, UnixMs};
use wasm_bindgen::prelude::wasm_bindgen;

use super::bytes::Reader;
use super::commands::choice;
use super::driver::Driver;
use super::results::Results;
use super::view;

/// One client.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Client {
    driver: Driver,
    arena: Vec<u8>,
    results: Results,
}

#[wasm_bindgen]
impl Client {
    /// A client that dials its first seed in its first `handle`.
    ///
    /// `options`: u64 random seed, u32 timeout in ms, u8 r, u8 w, u8 bits (1: a cluster is given,
    /// 2: the client coordinates reads, 4: it goes through a gateway, 8: its calls are local, 16:
    /// they fail while no node can be reached), u8 strict as in a command, u64 cluster, u32 most
    /// connections (0: the usual number), u32 calls that may wait, u32 longest wait before a dial in
    /// ms (0: the usual one, 0xffffffff: no address is dialled twice), u32 hedge in ms (0: after the
    /// usual time, 0xffffffff: never), bytes credentials, text zone (empty: it has none), u32 n, text
    /// seed n times.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &[u8]) -> Client {
        let mut options = Reader::new(options);
        let seed = options.u64();
        let timeout = Duration::from_millis(options.u32().into());
        let [r, w, bits, strict] = options.array();
        let cluster = ClusterId(options.u64());
        let usual = ClientConfig::default();
        let connections_max = match options.u32() {
            0 => usual.connections_max,
            most => most as usize,
        };
        let queue_max = options.u32() as usize;
        let redial_max = match options.u32() {
            0 => usual.redial_max,
            u32::MAX => None,
            most => Some(Duration::from_millis(most.into())),
        };
        let hedge = match options.u32() {
            0 => Hedge::Usual,
            u32::MAX => Hedge::Never,
            delay => Hedge::After(Duration::from_millis(delay.into())),
        };
        let credentials = Bytes::copy_from_slice(options.bytes());
        let zone = options.text();
        let config = ClientConfig {
            seeds: (0..options.u32()).map(|_| options.text().into()).collect(),
            timeout,
            quorum: QuorumChoice { r, w },
            strict: choice(strict),
            zone: (!zone.is_empty()).then(|| zone.into()),
            local: bits & 8 != 0,
            routing: if bits & 4 == 0 { Routing::Direct } else { Routing::Gateway },
            coordinate: if bits & 2 == 0 { Coordinate::Node } else { Coordinate::Client },
            hedge,
            offline: if bits & 16 == 0 { Offline::Queue } else { Offline::Fail },
            queue_max,
            redial_max,
            connections_max,
            cluster: (bits & 1 != 0).then_some(cluster),
            credentials,
            ..usual
        };
        Client { driver: Driver::new(config, seed), arena: Vec::new(), results: Results::default() }
    }

    /// The address of an arena of `length` bytes; what it holds stays, as far as it fits.
    pub fn reserve(&mut self, length: usize) -> *const u8 {
        self.arena.resize(length, 0);
        self.arena.shrink_to(length.saturating_mul(2));
        self.arena.as_ptr()
    }

    /// Carries out the commands in the first `length` bytes of the arena.
    ///
    /// The clocks are milliseconds: `instant` of a monotonic one, `unix` of the wall. Returns the
    /// length of the output.
    pub fn handle(&mut self, instant: f64, unix: f64, length: usize) -> usize {
        let now = Now { instant: Instant((instant * 1_000.0) as u64), unix: UnixMs(unix as u64) };
        let batch = self.arena.get(..length).expect("a batch lies in the arena");
        self.driver.run(now, batch, &mut self.results);
        self.results.as_bytes().len()
    }

    /// The address of the output of the last `handle`.
    pub fn output(&self) -> *const u8 {
        self.results.as_bytes().as_ptr()
    }

    /// Where a key lives; empty where no layout is known.
    pub fn locate(&self, key: &[u8]) -> Vec<u8> {
        let layout = self.driver.view().layout();
        layout.map_or(Vec::new(), |update| view::locate(&update.layout, key))
    }

    /// The ring; empty where no layout is known.
    pub fn ring(&self) -> Vec<u8> {
        self.driver.view().layout().map_or(Vec::new(), |update| view::ring(update))
    }

    /// How the nodes stand.
    pub fn status(&self) -> Vec<u8> {
        view::status(&self.driver.view())
    }

    /// Statistics.
    pub fn stats(&self) -> Vec<u8> {
        view::stats(&self.driver.view())
    }
}
