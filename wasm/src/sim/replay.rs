//! A random run of the simulator, the same on every platform.

use quorate_sim::swarm::{Plan, Report, run};
use serde::Serialize;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use super::objects::object;

/// Calls that one run may make.
const CALLS_MAX: usize = 10_000;

/// What a run has to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replay {
    /// The hash of everything that happened, as 16 hexadecimal digits.
    trace: String,
    events: u32,
    /// Virtual time in milliseconds.
    simulated: u32,
    written: u32,
    read: u32,
    unknown: u32,
    refused: u32,
    orphaned: u32,
    /// The first property that did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<String>,
}

impl Replay {
    pub(super) fn of(report: &Report) -> Replay {
        Replay {
            trace: format!("{:016x}", report.trace),
            events: report.events as u32,
            simulated: u32::try_from(report.simulated.as_millis()).unwrap_or(u32::MAX),
            written: report.calls.written as u32,
            read: report.calls.read as u32,
            unknown: report.calls.unknown as u32,
            refused: report.calls.refused as u32,
            orphaned: report.calls.orphaned as u32,
            violation: report.violation.as_ref().map(ToString::to_string),
        }
    }
}

/// The plan of a seed.
pub(super) fn plan(seed: u32, calls: usize) -> Result<Plan, JsError> {
    if calls > CALLS_MAX {
        return Err(JsError::new(&format!("operations: {calls} is above {CALLS_MAX}")));
    }
    Ok(Plan::draw(seed.into(), calls))
}

/// Carries out the plan of a seed: clients at work while everything fails, healing, and a check of
/// every promise.
///
/// # Errors
/// Too many calls.
#[wasm_bindgen]
pub fn replay(seed: u32, calls: usize) -> Result<JsValue, JsError> {
    object(&Replay::of(&run(&plan(seed, calls)?, None)))
}
