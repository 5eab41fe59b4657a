//! The simulated world for a browser tab: a whole cluster, in virtual time, without a server.
//!
//! The cold path: objects cross the boundary here, one call at a time. Each operation of a client of
//! a [`Simulation`] runs the world until it has ended; in a [`Run`] time passes by steps.

mod objects;
mod outcome;
mod replay;
mod view;

mod recording;
mod run;

use quorate_core::ids::Text;
use quorate_core::message::CallId;
use quorate_core::time::Duration;
use quorate_sim::World;
use quorate_sim::script::Options;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use objects::object;
use outcome::Outcome;
pub use recording::Recording;
pub use replay::replay;
pub use run::Run;
use view::{Located, View};

/// A cluster with its clients, in virtual time.
#[wasm_bindgen]
pub struct Simulation {
    world: World,
    clients: usize,
}

#[wasm_bindgen]
impl Simulation {
    /// A cluster whose nodes have found each other.
    ///
    /// # Errors
    /// Options that cannot work, with a sentence about what is wrong.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Simulation, JsError> {
        let options: Options = serde_wasm_bindgen::from_value(options)?;
        let config = options.check().map_err(|error| JsError::new(&error))?;
        Ok(Simulation { world: World::new(config), clients: 0 })
    }

    /// Adds a client; answers its number.
    #[wasm_bindgen(js_name = addClient)]
    pub fn add_client(&mut self) -> usize {
        self.clients = self.world.add_client() + 1;
        self.clients - 1
    }

    /// Reads a key.
    ///
    /// # Errors
    /// No such client.
    pub fn get(&mut self, client: usize, key: &str) -> Result<JsValue, JsError> {
        self.known_client(client)?;
        let call = self.world.get(client, key);
        self.finish(client, call)
    }

    /// Writes a text; `context` is that of an earlier outcome, empty for a blind put.
    ///
    /// # Errors
    /// No such client.
    pub fn put(
        &mut self,
        client: usize,
        key: &str,
        value: &str,
        context: Vec<u8>,
    ) -> Result<JsValue, JsError> {
        self.known_client(client)?;
        let options = quorate_core::client::CallOptions::default();
        let call = self.world.put_with(client, key, value, context.into(), options);
        self.finish(client, call)
    }

    /// Deletes what `context` covers; empty: what a quorum holds.
    ///
    /// # Errors
    /// No such client.
    pub fn delete(
        &mut self,
        client: usize,
        key: &str,
        context: Vec<u8>,
    ) -> Result<JsValue, JsError> {
        self.known_client(client)?;
        let call = self.world.delete(client, key, context.into());
        self.finish(client, call)
    }

    /// Ends a node as by `kill -9`.
    ///
    /// # Errors
    /// No such node, or it is down.
    pub fn crash(&mut self, node: usize) -> Result<(), JsError> {
        self.known_node(node, true)?;
        self.world.crash(node);
        Ok(())
    }

    /// Starts a node that is down, on the disk that it left.
    ///
    /// # Errors
    /// No such node, or it is up.
    pub fn restart(&mut self, node: usize) -> Result<(), JsError> {
        self.known_node(node, false)?;
        self.world.restart(node);
        Ok(())
    }

    /// Empties the disk of a node that is down.
    ///
    /// # Errors
    /// No such node, or it is up.
    pub fn wipe(&mut self, node: usize) -> Result<(), JsError> {
        self.known_node(node, false)?;
        self.world.wipe(node);
        Ok(())
    }

    /// Cuts the nodes of `side` off from the others; clients reach everyone.
    ///
    /// # Errors
    /// No such node.
    pub fn partition(&mut self, side: Vec<usize>) -> Result<(), JsError> {
        if let Some(node) = side.iter().find(|node| **node >= self.nodes()) {
            return Err(no_such_node(*node, self.nodes()));
        }
        self.world.partition(&side);
        Ok(())
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.world.heal();
    }

    /// Lets `milliseconds` pass.
    #[wasm_bindgen(js_name = runFor)]
    pub fn run_for(&mut self, milliseconds: u32) {
        self.world.run_for(Duration::from_millis(milliseconds.into()));
    }

    /// Where a key lives, and what each replica holds.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn locate(&self, key: &str) -> Result<JsValue, JsError> {
        Ok(serde_wasm_bindgen::to_value(&Located::of(&self.world, key))?)
    }

    /// The nodes and the ring.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn view(&self) -> Result<JsValue, JsError> {
        Ok(serde_wasm_bindgen::to_value(&View::of(&self.world))?)
    }

    fn finish(&mut self, client: usize, call: CallId) -> Result<JsValue, JsError> {
        let outcome = Outcome::of(self.world.finish(client, call));
        object(&outcome)
    }

    fn nodes(&self) -> usize {
        self.world.layout().layout.members().len()
    }

    fn known_client(&self, client: usize) -> Result<(), JsError> {
        if client < self.clients {
            return Ok(());
        }
        Err(JsError::new(&format!("there is no client {client}: {} were added", self.clients)))
    }

    fn known_node(&self, node: usize, up: bool) -> Result<(), JsError> {
        if node >= self.nodes() {
            return Err(no_such_node(node, self.nodes()));
        }
        if self.world.node(node).is_some() == up {
            return Ok(());
        }
        Err(JsError::new(&format!("node {node} is {} already", if up { "down" } else { "up" })))
    }
}

fn no_such_node(node: usize, nodes: usize) -> JsError {
    JsError::new(&format!("there is no node {node}: they are numbered from 0 to {}", nodes - 1))
}

/// A text as JavaScript gets it.
fn text(text: &Text) -> String {
    text.as_ref().into()
}
