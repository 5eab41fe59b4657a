//! The random run of a seed, watched from its beginning to its end, to be played back.

use quorate_sim::{script, sight};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use super::objects::object;
use super::replay::{Replay, plan};

/// What was seen of a run, and the moment at which somebody looks at it.
#[wasm_bindgen]
pub struct Recording {
    recording: script::Recording,
}

#[wasm_bindgen]
impl Recording {
    /// Carries out the plan of a seed.
    ///
    /// # Errors
    /// Too many calls.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u32, calls: usize) -> Result<Recording, JsError> {
        Ok(Recording { recording: script::Recording::new(&plan(seed, calls)?) })
    }

    /// The moment that is looked at.
    #[wasm_bindgen(getter)]
    pub fn now(&self) -> f64 {
        sight::Milliseconds(self.recording.now()).get()
    }

    /// From when on all happenings are kept.
    #[wasm_bindgen(getter)]
    pub fn since(&self) -> f64 {
        self.recording.since().get()
    }

    /// When the run ended.
    #[wasm_bindgen(getter)]
    pub fn end(&self) -> f64 {
        sight::Milliseconds(self.recording.end()).get()
    }

    /// What the run has to say.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn replay(&self) -> Result<JsValue, JsError> {
        object(&Replay::of(self.recording.report()))
    }

    /// Goes to a moment.
    ///
    /// # Errors
    /// No such moment.
    pub fn seek(&mut self, at: f64) -> Result<(), JsError> {
        self.recording.seek(moment(at)?);
        Ok(())
    }

    /// Lets time pass until a moment; answers what happened meanwhile.
    ///
    /// # Errors
    /// No such moment.
    #[wasm_bindgen(js_name = advanceTo)]
    pub fn advance_to(&mut self, at: f64) -> Result<JsValue, JsError> {
        object(self.recording.advance_to(moment(at)?))
    }

    /// The last view from before now.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn view(&self) -> Result<JsValue, JsError> {
        object(&self.recording.view())
    }
}

fn moment(at: f64) -> Result<sight::Milliseconds, JsError> {
    sight::Milliseconds::new(at)
        .ok_or_else(|| JsError::new(&format!("{at} ms is no moment of a run")))
}
