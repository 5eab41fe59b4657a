//! The clients, the writers and the book, behind one face.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use quorate_node::client::{CallOptions, Client, ClientOptions};
use tokio::sync::watch;

use crate::book::Book;
use crate::order::{Counts, Order};
use crate::reading::{Reader, Reading};
use crate::values::{Sizes, Values};
use crate::writing::{self, Pace};

/// Clients, each with connections of its own, that the writers share.
const CLIENTS: usize = 4;

pub(crate) struct Ledger {
    shared: Shared,
    pace: watch::Sender<Pace>,
    /// Every writer holds a receiver of this one as long as it writes.
    writing: watch::Sender<()>,
    /// The keys of each writer.
    own: Vec<Own>,
}

/// The numbers of keys that one writer writes to.
pub(crate) type Own = Arc<Mutex<Vec<u64>>>;

/// What every writer and reader has.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clients: Arc<[Client]>,
    pub(crate) values: Values,
    book: Arc<Mutex<Book>>,
}

impl Shared {
    /// Never held across a call.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    pub(crate) async fn open(
        seeds: &[String],
        seed: u64,
        writers: u32,
        sizes: Sizes,
    ) -> Result<Ledger> {
        let mut clients = Vec::new();
        for index in 0..CLIENTS.min(seeds.len()) {
            // Each begins with another node.
            let seeds = seeds.iter().cycle().skip(index).take(seeds.len()).cloned();
            clients.push(Client::connect(ClientOptions::to(seeds)).await?);
        }
        let shared = Shared {
            clients: clients.into(),
            values: Values { seed, sizes },
            book: Arc::default(),
        };
        let own = (0..writers).map(|_| Own::default()).collect();
        let (pace, _) = watch::channel(Pace::Paused);
        Ok(Ledger { shared, pace, writing: watch::Sender::default(), own })
    }

    /// Returns the answer as JSON.
    pub(crate) async fn obey(&self, order: Order) -> Result<String> {
        Ok(match order {
            Order::Write { rest_ms } => {
                self.start(Duration::from_millis(rest_ms));
                serde_json::to_string(&self.shared.book().counts())?
            }
            Order::Pause => serde_json::to_string(&self.pause().await)?,
            Order::Put { keys, w, strict } => {
                serde_json::to_string(&self.put(keys, w, strict).await)?
            }
            Order::Read { r, strict, of, patience_ms, late_ms } => {
                let patience = Duration::from_millis(patience_ms);
                let late = Duration::from_millis(late_ms);
                let reading = self.read(Reader { r, strict, of: of.max(1), patience, late }).await;
                serde_json::to_string(&reading)?
            }
        })
    }

    fn start(&self, rest: Duration) {
        self.pace.send_replace(Pace::Writing { rest });
        for (writer, own) in (0..).zip(&self.own) {
            let (pace, held) = (self.pace.subscribe(), self.writing.subscribe());
            let writes = writing::write(self.shared.clone(), writer, Arc::clone(own), pace);
            tokio::spawn(async move {
                writes.await;
                drop(held);
            });
        }
    }

    async fn pause(&self) -> Counts {
        self.pace.send_replace(Pace::Paused);
        self.writing.closed().await;
        self.shared.book().counts()
    }

    async fn put(&self, keys: u64, w: u8, strict: bool) -> Counts {
        let before = self.shared.book().counts();
        let mut options = CallOptions::default();
        options.quorum.w = w;
        options.strict = strict.then_some(true);
        writing::put(&self.shared, keys, self.own.len(), options).await;
        self.shared.book().counts().since(&before)
    }

    async fn read(&self, reader: Reader) -> Reading {
        reader.read(&self.shared).await
    }
}
