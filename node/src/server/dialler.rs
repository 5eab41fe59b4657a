//! Dials a node and says HELLO.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::ids::{NodeId, Text};
use quorate_core::message::{Hello, Message, Reject, Welcome};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::connection::Counted;
use super::{Event, Shared};
use crate::socket::{HANDSHAKE_TIMEOUT, Incoming, Outbox, Pump, PumpOptions, dial};

/// Whom a dial is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    /// This node, which should listen at the address.
    Node { node: NodeId, address: Text },
    /// Whoever listens at the address.
    Seed { address: Text },
}

impl Dialled {
    pub(super) fn address(&self) -> &Text {
        match self {
            Dialled::Node { address, .. } | Dialled::Seed { address } => address,
        }
    }

    /// Who should answer, where it matters.
    pub(super) fn node(&self) -> Option<NodeId> {
        match self {
            Dialled::Node { node, .. } => Some(*node),
            Dialled::Seed { .. } => None,
        }
    }
}

/// Why no connection came of a dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DialFailure {
    /// Nobody answered, or nobody that is a node.
    Unreachable(String),
    /// A node answered and refuses this one, or is refused by it. The dial is tried again: whether
    /// that helps depends on the code.
    Rejected(Reject),
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialFailure::Unreachable(reason) => f.write_str(reason),
            DialFailure::Rejected(reject) => f.write_str(&reject.text),
        }
    }
}

impl From<String> for DialFailure {
    fn from(reason: String) -> DialFailure {
        DialFailure::Unreachable(reason)
    }
}

/// Ends in `Welcomed` and, when the connection ends, `Closed`; or in `DialFailed`.
pub(super) async fn run(shared: Arc<Shared>, dialled: Dialled, hello: Hello) {
    let _counted = Counted::new(&shared);
    let (socket, welcome, rest) = match open(dialled.address(), hello).await {
        Ok(opened) => opened,
        Err(failure) => return shared.mailbox.push(Event::DialFailed { dialled, failure }),
    };
    let connection = shared.next_connection();
    let outbox = Arc::new(Outbox::new());
    let for_driver = Arc::clone(&outbox);
    let welcomed = Event::Welcomed { connection, dialled, welcome, outbox: for_driver, rest };
    shared.mailbox.push(welcomed);
    let deliver = |messages| shared.mailbox.push(Event::Batch { connection, messages });
    let reason = Pump::new(socket, outbox, link_options(), deliver).run().await;
    shared.mailbox.push(Event::Closed { connection, reason });
}

/// How a connection to another node is treated, whoever dialled.
pub(super) fn link_options() -> PumpOptions {
    PumpOptions { frame_bytes_max: Incoming::Link.frame_bytes_max(), pauses: false, deaf: false }
}

type Opened = (WebSocketStream<TcpStream>, Welcome, Vec<Message>);

async fn open(address: &str, hello: Hello) -> Result<Opened, DialFailure> {
    let mut socket = dial(address).await.map_err(|error| error.to_string())?;
    let shake_hands = async {
        let mut frame = Vec::new();
        codec::encode(&Message::Hello(hello), &mut frame);
        let frame = tungstenite::Message::Binary(Bytes::from(frame));
        socket.send(frame).await.map_err(|error| error.to_string())?;
        loop {
            match socket.next().await {
                Some(Ok(tungstenite::Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("closed before the welcome".to_owned()),
            }
        }
    };
    let bytes = timeout(HANDSHAKE_TIMEOUT, shake_hands)
        .await
        .map_err(|_| "no welcome in time".to_owned())??;
    let mut messages = Vec::new();
    for frame in codec::frames(bytes, Incoming::Link.frame_bytes_max()) {
        let message = frame.and_then(codec::decode).map_err(|error| error.to_string())?;
        messages.push(message);
    }
    let rest = messages.split_off(messages.len().min(1));
    match messages.pop() {
        Some(Message::Welcome(welcome)) => Ok((socket, welcome, rest)),
        Some(Message::Reject(reject)) => Err(DialFailure::Rejected(reject)),
        _ => Err(DialFailure::Unreachable("the first frame is no welcome".into())),
    }
}
