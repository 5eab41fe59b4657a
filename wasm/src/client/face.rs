//! What JavaScript sees.

use bytes::Bytes;
use quorate_core::client::ClientConfig;
use quorate_core::ids::ClusterId;
use quorate_core::message::QuorumChoice;
use quorate_core::time::{Duration, Instant, Now, UnixMs};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsError, JsValue, prelude::wasm_bindgen};

use super::driver::Driver;
use super::results::Results;
use super::view::{Ring, Stats, locate};

/// What TypeScript has checked and filled in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    seeds: Vec<String>,
    timeout_ms: u32,
    r: u8,
    w: u8,
    /// 16 hexadecimal digits.
    cluster: Option<String>,
    credentials: Vec<u8>,
}

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
    /// # Errors
    /// Options of the wrong shape.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Client, JsError> {
        let options: Options = serde_wasm_bindgen::from_value(options)?;
        let cluster = options.cluster.map(|text| u64::from_str_radix(&text, 16)).transpose()?;
        let config = ClientConfig {
            seeds: options.seeds.into_iter().map(Into::into).collect(),
            timeout: Duration::from_millis(options.timeout_ms.into()),
            quorum: QuorumChoice { r: options.r, w: options.w },
            cluster: cluster.map(ClusterId),
            credentials: Bytes::from(options.credentials),
            ..ClientConfig::default()
        };
        let seed = getrandom::u64().map_err(|error| JsError::new(&error.to_string()))?;
        Ok(Client {
            driver: Driver::new(config, seed),
            arena: Vec::new(),
            results: Results::default(),
        })
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

    /// Where a key lives, see `view::locate`; empty where no layout is known.
    pub fn locate(&self, key: &[u8]) -> Vec<u8> {
        self.driver.view().layout().map_or(Vec::new(), |update| locate(&update.layout, key))
    }

    /// The ring as an object; undefined where no layout is known.
    ///
    /// # Errors
    /// Never, unless the object cannot be built.
    pub fn ring(&self) -> Result<JsValue, JsError> {
        let view = self.driver.view();
        object(&view.layout().map(|update| Ring::of(update)))
    }

    /// Statistics as an object.
    ///
    /// # Errors
    /// Never, unless the object cannot be built.
    pub fn stats(&self) -> Result<JsValue, JsError> {
        object(&Stats::of(&self.driver.view()))
    }
}

fn object(value: &impl Serialize) -> Result<JsValue, JsError> {
    Ok(serde_wasm_bindgen::to_value(value)?)
}
