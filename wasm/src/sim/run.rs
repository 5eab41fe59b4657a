//! A cluster at work, whose time passes by steps: what a page plays with.

use quorate_core::time::Duration;
use quorate_sim::script::{Action, PlannedMember, Script};
use quorate_sim::{script, sight};
use serde::Serialize;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use super::objects::object;

/// A script that is carried out, and written on.
#[wasm_bindgen]
pub struct Run {
    run: script::Run,
}

/// Why there can be no such plan.
#[derive(Debug, Serialize)]
struct Refused {
    refused: String,
}

#[wasm_bindgen]
impl Run {
    /// A world at time 0.
    ///
    /// # Errors
    /// A script that cannot work.
    #[wasm_bindgen(constructor)]
    pub fn new(script: JsValue) -> Result<Run, JsError> {
        let script: Script = serde_wasm_bindgen::from_value(script)?;
        Ok(Run { run: script::Run::new(script)? })
    }

    /// Virtual milliseconds since the beginning.
    #[wasm_bindgen(getter)]
    pub fn now(&self) -> f64 {
        sight::Milliseconds(self.run.now()).get()
    }

    /// Does something now; answers the number of the call that it makes, if it makes one.
    ///
    /// # Errors
    /// What cannot be done; nothing has changed then.
    pub fn act(&mut self, action: JsValue) -> Result<Option<u32>, JsError> {
        let action: Action = serde_wasm_bindgen::from_value(action)?;
        Ok(self.run.act(action)?.map(|call| call as u32))
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// No such time, or an action of the script that cannot be done.
    pub fn advance(&mut self, milliseconds: f64) -> Result<(), JsError> {
        let Some(sight::Milliseconds(time)) = sight::Milliseconds::new(milliseconds) else {
            return Err(JsError::new(&format!("{milliseconds} ms is no time that can pass")));
        };
        Ok(self.run.advance(Duration::from_micros(time.0))?)
    }

    /// What happened since this was asked last.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn happenings(&mut self) -> Result<JsValue, JsError> {
        object(&self.run.take_happenings())
    }

    /// All there is to be seen.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn view(&self) -> Result<JsValue, JsError> {
        object(&self.run.view())
    }

    /// Where a key lives, why there, and what is held of it.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn locate(&self, key: &str) -> Result<JsValue, JsError> {
        object(&self.run.locate(key))
    }

    /// What a layout of these members would move, or why there can be none.
    ///
    /// # Errors
    /// What is no list of members.
    pub fn plan(&self, members: JsValue) -> Result<JsValue, JsError> {
        let members: Vec<PlannedMember> = serde_wasm_bindgen::from_value(members)?;
        match self.run.plan(&members) {
            Ok(plan) => object(&plan),
            Err(refusal) => object(&Refused { refused: refusal.to_string() }),
        }
    }

    /// The options, what was done so far, and what is to come.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn script(&self) -> Result<JsValue, JsError> {
        object(&self.run.script())
    }

    /// The hash of everything that happened, as 16 hexadecimal digits.
    pub fn trace(&self) -> String {
        format!("{:016x}", self.run.trace())
    }
}
