//! The native client of Quorate.
//!
//! A put supersedes what this client last wrote under its key: each key's context is kept. Puts of
//! one key that are under way at the same time leave siblings; a get that is shown them hands their
//! context to the next put of the key, which resolves them.

use std::cell::{Cell, RefCell};

use anyhow::Result;
use bytes::Bytes;
use quorate_node::client::{self, Client, ClientOptions};

use super::store::Store;
use crate::compare::system::Routing;
use crate::compare::task::{Coordinate, Task};

pub(super) struct Quorate {
    client: Client,
    /// Of the keys.
    contexts: RefCell<Vec<Bytes>>,
    siblings_max: Cell<u64>,
}

impl Quorate {
    pub(super) async fn connect(task: &Task) -> Result<Quorate> {
        let coordinate = match task.coordinate {
            Coordinate::Node => client::Coordinate::Node,
            Coordinate::Client => client::Coordinate::Client,
        };
        let routing = match task.routing {
            Routing::Direct => client::Routing::Direct,
            Routing::Gateway => client::Routing::Gateway,
        };
        let usual = ClientOptions::to(task.servers.iter().cloned());
        let client = Client::connect(ClientOptions { routing, coordinate, ..usual }).await?;
        let contexts = RefCell::new(vec![Bytes::new(); task.keys as usize]);
        Ok(Quorate { client, contexts, siblings_max: Cell::new(0) })
    }

    fn keep(&self, index: u32, context: Bytes) {
        self.contexts.borrow_mut()[index as usize] = context;
    }
}

impl Store for Quorate {
    async fn get(&self, key: &Bytes, index: u32) -> Result<Option<usize>> {
        let entry = self.client.get(key).await?;
        let length = entry.value().map(Bytes::len);
        if entry.values.len() > 1 {
            self.keep(index, entry.context);
        }
        Ok(length)
    }

    async fn put(&self, key: &Bytes, value: Bytes, index: u32) -> Result<()> {
        let context = self.contexts.borrow()[index as usize].clone();
        let written = self.client.put(key, value, Some(&context)).await?;
        self.siblings_max.set(self.siblings_max.get().max(u64::from(written.siblings)));
        self.keep(index, written.context);
        Ok(())
    }

    fn siblings_max(&self) -> Option<u64> {
        Some(self.siblings_max.get())
    }
}
