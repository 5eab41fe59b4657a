//! Runs a node: one thread, one runtime, one task that owns the core's machine.
//!
//! ```text
//!  accept ---> connection ---HELLO---> driver <--- Stored --- storage threads
//!  dialler --> connection ---------->    |  Node::handle
//!              pump <---- outbox --------+  once per turn
//! ```
//!
//! Where the storage fails, the node begins another life on the same thread and port: `lives.rs`.

mod connection;

mod dialler;

mod driver;

mod head;

mod http;

mod lives;

mod metrics;

mod page;

mod registry;

mod report;

mod status;

mod ui;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use quorate_core::ids::Text;
use quorate_core::message::{Hello, Message, Reject, Welcome};
use quorate_core::node::{ConfigError, NodeConfig};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::mailbox::Mailbox;
use crate::socket::Outbox;
use crate::storage::{AdoptedDirectory, Answer, FjallOptions, OpenError};

use self::dialler::{DialFailure, Dialled};
use self::lives::Lives;
pub(crate) use self::report::{enumerate, span};
use self::status::Look;
pub use self::ui::{AskCluster, Ui};

/// Connections of one node, whoever dialled.
pub const CONNECTIONS_MAX: usize = 10_000;

/// What it takes to run a node.
#[derive(Debug)]
pub struct NodeOptions {
    /// What the machine is told.
    pub config: NodeConfig,
    /// The node's name for people.
    pub label: Text,
    /// Where records go.
    pub storage: StorageChoice,
    /// Bound already, so that a port in use is known before anything else happens.
    pub listener: TcpListener,
    /// Values of the `Origin` header that are let in; `None`: all. Programs send none and are
    /// always let in.
    pub allow_origins: Option<BTreeSet<String>>,
    /// What `/` shows; the status page unless given.
    pub ui: Option<Ui>,
}

/// Where records go.
#[derive(Debug)]
pub enum StorageChoice {
    /// They end with the process.
    Memory,
    /// They stay.
    Fjall(AdoptedDirectory, FjallOptions),
}

/// A node that did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The machine refuses its configuration.
    Config(ConfigError),
    /// The data directory does not open.
    Storage(OpenError),
    /// The operating system refuses a thread, a socket or entropy.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Storage(error) => error.fmt(f),
            StartError::Io(error) => write!(f, "the node does not start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A node on its own thread. Dropping it lets the node run on.
#[derive(Debug)]
pub struct RunningNode {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: JoinHandle<bool>,
    ended: oneshot::Receiver<()>,
}

/// Opens the storage and starts the node.
pub fn start(options: NodeOptions) -> Result<RunningNode, StartError> {
    let NodeOptions { config, label, storage, listener, allow_origins, ui } = options;
    let address = listener.local_addr().map_err(StartError::Io)?;
    listener.set_nonblocking(true).map_err(StartError::Io)?;
    let shared = Arc::new(Shared {
        mailbox: Mailbox::new(),
        connections: AtomicUsize::new(0),
        next_connection: AtomicU64::new(1),
        allow_origins,
        ui,
    });
    let clock = Clock::start();
    let lives = Lives { config, label, storage, listener, shared: Arc::clone(&shared), clock };
    let first = lives.begin(0)?;
    let (ending, ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("node".into())
        .spawn(move || {
            let clean = lives.run(first);
            drop(ending);
            clean
        })
        .map_err(StartError::Io)?;
    Ok(RunningNode { address, shared, thread, ended })
}

impl RunningNode {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop: no new connections, calls under way are finished, everything is synced.
    pub fn stop(&self) {
        self.shared.mailbox.push(Event::Stop);
    }

    /// Resolves when it has ended, asked or not.
    pub async fn ended(&mut self) {
        // The sender is dropped, never used.
        let _ = (&mut self.ended).await;
    }

    /// Waits for its end. True where everything that it had acknowledged is synced.
    pub fn join(self) -> bool {
        self.thread.join().unwrap_or(false)
    }
}

/// What the driver, the connections and the storage threads of one node share.
#[derive(Debug)]
struct Shared {
    mailbox: Mailbox<Event>,
    /// Open connections, handshakes included.
    connections: AtomicUsize,
    next_connection: AtomicU64,
    allow_origins: Option<BTreeSet<String>>,
    ui: Option<Ui>,
}

impl Shared {
    fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }
}

/// Names a connection of this node; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ConnectionId(u64);

/// What the driver is told.
#[derive(Debug)]
enum Event {
    /// Somebody dialled and said HELLO.
    Hello {
        connection: ConnectionId,
        hello: Hello,
        outbox: Arc<Outbox>,
        /// Answered once the welcome or the refusal is in the outbox.
        admitted: oneshot::Sender<Admission>,
    },
    /// A node that was dialled answered.
    Welcomed {
        connection: ConnectionId,
        dialled: Dialled,
        welcome: Welcome,
        outbox: Arc<Outbox>,
        /// Messages that came right behind the welcome.
        rest: Vec<Message>,
    },
    /// No connection came of a dial.
    DialFailed { dialled: Dialled, failure: DialFailure },
    /// A connection ended.
    Closed { connection: ConnectionId, reason: String },
    /// Messages came in.
    Batch { connection: ConnectionId, messages: Vec<Message> },
    /// The storage answers.
    Stored(Vec<Answer>),
    /// Somebody looks at the node through HTTP.
    Look(oneshot::Sender<Look>),
    /// The node is to stop.
    Stop,
}

/// What became of a HELLO.
#[derive(Clone, Debug)]
enum Admission {
    Client,
    Node,
    Refused(Reject),
}
