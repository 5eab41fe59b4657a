//! The client for programs in Rust: the core's client machine, driven by a task.
//!
//! ```no_run
//! # async fn example() -> Result<(), quorate_node::client::ClientError> {
//! use quorate_node::client::{Client, ClientOptions};
//!
//! let client = Client::connect(ClientOptions::to(["ws://127.0.0.1:7101"])).await?;
//! let written = client.put("greeting", "hello", None).await?;
//! let entry = client.get("greeting").await?;
//! assert_eq!(entry.value().map(|value| &value[..]), Some(&b"hello"[..]));
//! client.put("greeting", "hello again", Some(&entry.context)).await?;
//! client.put_for("session", "token", None, std::time::Duration::from_secs(60)).await?;
//! # let _ = written;
//! # Ok(())
//! # }
//! ```

mod driver;

mod error;

mod link;

mod options;

mod probe;

mod status;

mod update;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::client::ClientView;
use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::Member;
use quorate_core::message::{Answer, Defaults, Failure, FailureCode, LayoutUpdate, StatusReply};
use quorate_core::ring::Slot;
use tokio::sync::{oneshot, watch};

pub use quorate_core::client::{
    CallError, CallOptions, ClientStats, Completion, Coordinate, DownReason, ErrorCode, NodeState,
    Routing,
};
pub use quorate_core::limits::TTL_MAX;
pub use quorate_core::message::{
    Entry as RawEntry, EntryValue, Outcome, Receipt, StandIn, Written,
};
pub use quorate_core::time::UnixMs;

pub use self::error::ClientError;
pub use self::options::ClientOptions;
pub use self::probe::ProbeError;
pub use self::status::{ClientStatus, NodeStatus};
pub use self::update::{UPDATE_ATTEMPTS_MAX, Updated};

use self::driver::{Command, Driver};
use crate::mailbox::Mailbox;

/// A handle to a client. Clones share its connections; when the last one is dropped they close.
///
/// Dropping the future of a call does not take the call back: a write may still happen.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    commands: Arc<Mailbox<Command>>,
    status: watch::Receiver<ClientStatus>,
    options: ClientOptions,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.commands.push(Command::Close);
    }
}

/// What is done to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read it.
    Get {
        /// Of an earlier answer: the read is answered as soon as one replica holds all that it
        /// covers. Empty: by a quorum.
        context: Bytes,
    },
    /// Write a value.
    Put {
        /// The value.
        value: Bytes,
        /// Of an earlier answer; empty: the write supersedes nothing.
        context: Bytes,
    },
    /// Write a tombstone.
    Delete {
        /// Of an earlier answer; empty: what a quorum holds is deleted.
        context: Bytes,
    },
}

/// All concurrent values of a key, with the context that covers them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Newest first; none where the key is absent, deleted or expired.
    pub values: Vec<Bytes>,
    /// For each of `values` when it begins to read as deleted; `None`: never.
    pub expires: Vec<Option<UnixMs>>,
    /// Deletes that stand beside the values, made by those who had not seen them, and values that
    /// have expired.
    pub tombstones: u32,
    /// To be handed to the put or delete that supersedes what was read. Opaque.
    pub context: Bytes,
}

impl Entry {
    /// The newest value. Where there are others, the key is in conflict.
    pub fn value(&self) -> Option<&Bytes> {
        self.values.first()
    }
}

impl From<RawEntry> for Entry {
    fn from(entry: RawEntry) -> Entry {
        let RawEntry { values, tombstones, context } = entry;
        let (values, expires) =
            values.into_iter().map(|value| (value.payload, value.expires)).unzip();
        Entry { values, expires, tombstones, context }
    }
}

/// What a client knows at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Members, slots and addresses; `None` before the first welcome.
    pub layout: Option<Arc<LayoutUpdate>>,
    /// What the cluster does unless asked otherwise.
    pub defaults: Option<Defaults>,
    /// What the client counted.
    pub stats: ClientStats,
}

impl Snapshot {
    fn of(view: &ClientView<'_>) -> Snapshot {
        Snapshot {
            layout: view.layout().map(Arc::clone),
            defaults: view.defaults(),
            stats: view.stats(),
        }
    }
}

/// Where a key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The key's slot.
    pub slot: Slot,
    /// The slot's primaries in order, then its fallbacks.
    pub nodes: Vec<Member>,
    /// How many of `nodes` are primaries.
    pub primaries: usize,
}

/// What each member says of itself; members that do not answer say why.
pub type ClusterStatus = Vec<(NodeId, Result<StatusReply, ProbeError>)>;

impl Client {
    /// Starts a client on the running tokio runtime and waits until a node has let it in.
    ///
    /// # Errors
    /// No seed answers in time, or one refuses the client.
    pub async fn connect(options: ClientOptions) -> Result<Client, ClientError> {
        let seed = getrandom::u64().map_err(ClientError::Entropy)?;
        let commands = Arc::new(Mailbox::new());
        let (connected, connecting) = oneshot::channel();
        let (sender, status) = watch::channel(ClientStatus::default());
        let driver = Driver::new(&options, seed, Arc::clone(&commands), sender, connected);
        tokio::spawn(driver.run());
        // Dropped on the way out of an error, the handle ends the driver.
        let client = Client { handle: Arc::new(Handle { commands, status, options }) };
        connecting.await.map_err(|_| ClientError::Closed)??;
        Ok(client)
    }

    /// Reads a key: all of its concurrent values.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Entry, ClientError> {
        self.get_after(key, &Bytes::new()).await
    }

    /// Reads a key as soon as one replica holds all that `context` covers, which is that of an
    /// earlier read or write of this key: so a writer reads its own writes, also at R=1.
    ///
    /// # Errors
    /// `STALE` where no replica within reach holds it; for ever where it is of something that was
    /// deleted longer ago than the cluster's grace time, and collected.
    pub async fn get_after(
        &self,
        key: impl AsRef<[u8]>,
        context: &Bytes,
    ) -> Result<Entry, ClientError> {
        let request = Request::Get { context: context.clone() };
        let completion = self.call(key, request, CallOptions::default()).await?;
        match completion.answer {
            Answer::Entry(entry) => Ok(entry.into()),
            Answer::Written(_) => Err(ClientError::WrongAnswer),
        }
    }

    /// Writes a value. With the context of a read it supersedes what was read, without one
    /// nothing.
    pub async fn put(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        context: Option<&Bytes>,
    ) -> Result<Written, ClientError> {
        let context = context.cloned().unwrap_or_default();
        let request = Request::Put { value: value.into(), context };
        self.write(key, request, CallOptions::default()).await
    }

    /// Writes a value that reads as deleted once `ttl` is over, which is more than zero and at most
    /// [`TTL_MAX`]; whole milliseconds, rounded up.
    ///
    /// The coordinator of the write makes a moment of it, by its wall clock, which all replicas
    /// keep; whoever answers a read compares that with its own.
    ///
    /// # Errors
    /// `BAD_TTL`, among others.
    pub async fn put_for(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        context: Option<&Bytes>,
        ttl: Duration,
    ) -> Result<Written, ClientError> {
        let context = context.cloned().unwrap_or_default();
        let request = Request::Put { value: value.into(), context };
        let options = CallOptions { ttl: Some(ttl), ..CallOptions::default() };
        self.write(key, request, options).await
    }

    /// Deletes a key: with the context of a read just what was read, without one what a quorum
    /// holds.
    pub async fn delete(
        &self,
        key: impl AsRef<[u8]>,
        context: Option<&Bytes>,
    ) -> Result<Written, ClientError> {
        let context = context.cloned().unwrap_or_default();
        self.write(key, Request::Delete { context }, CallOptions::default()).await
    }

    /// Runs one request with options of its own.
    pub async fn call(
        &self,
        key: impl AsRef<[u8]>,
        request: Request,
        options: CallOptions,
    ) -> Result<Completion, ClientError> {
        let key = Key(Bytes::copy_from_slice(key.as_ref()));
        let (answer, answered) = oneshot::channel();
        self.handle.commands.push(Command::Call { key, request, options, answer });
        let completion = answered.await.map_err(|_| ClientError::Closed)?;
        completion.map_err(ClientError::Call)
    }

    /// What the client knows of the cluster and of itself.
    pub async fn snapshot(&self) -> Result<Snapshot, ClientError> {
        let (answer, answered) = oneshot::channel();
        self.handle.commands.push(Command::Look(answer));
        answered.await.map_err(|_| ClientError::Closed)
    }

    /// Where a key lives. Asks nobody.
    pub async fn locate(&self, key: impl AsRef<[u8]>) -> Result<Location, ClientError> {
        let layout = self.layout().await?;
        let layout = &layout.layout;
        let slot = layout.slot_of(key.as_ref());
        let nodes = layout.preference_list(slot).filter_map(|id| layout.member(id)).cloned();
        Ok(Location { slot, nodes: nodes.collect(), primaries: layout.primaries(slot).len() })
    }

    /// How the nodes stand for this client, and every change of that: who is connected, who is
    /// down and why. Asks nobody. The channel ends with the client.
    pub fn status(&self) -> watch::Receiver<ClientStatus> {
        self.handle.status.clone()
    }

    /// Asks every member how it is.
    pub async fn probe(&self) -> Result<ClusterStatus, ClientError> {
        let layout = self.layout().await?;
        let probes: Vec<_> = layout
            .layout
            .members()
            .iter()
            .map(|member| {
                let address = layout.address(member.id).cloned().unwrap_or_default();
                let options = self.handle.options.clone();
                let probe = async move { probe::status(&address, &options).await };
                (member.id, tokio::spawn(probe))
            })
            .collect();
        let mut status = Vec::with_capacity(probes.len());
        for (id, probe) in probes {
            status.push((id, probe.await.map_err(|_| ClientError::Closed)?));
        }
        Ok(status)
    }

    /// Ends the client for all of its handles. Calls under way fail with `CLOSED`.
    pub fn close(&self) {
        self.handle.commands.push(Command::Close);
    }

    async fn layout(&self) -> Result<Arc<LayoutUpdate>, ClientError> {
        let refused = || CallError::of(Failure::refused(FailureCode::NotReady), None);
        self.snapshot().await?.layout.ok_or_else(|| ClientError::Call(refused()))
    }

    async fn write(
        &self,
        key: impl AsRef<[u8]>,
        request: Request,
        options: CallOptions,
    ) -> Result<Written, ClientError> {
        match self.call(key, request, options).await?.answer {
            Answer::Written(written) => Ok(written),
            Answer::Entry(_) => Err(ClientError::WrongAnswer),
        }
    }
}
