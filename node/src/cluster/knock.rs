//! Asks one node which cluster it belongs to, and how it is, as a client on a connection of its own.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::ids::ClusterId;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    CallId, Hello, LayoutOrder, LayoutReply, LayoutRequest, Message, PROTOCOL_VERSION, Reject,
    RepairReply, RepairRequest, Role, StatusReply, StatusRequest, Welcome,
};
use quorate_core::ring::Slot;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use crate::socket::{Incoming, dial};

/// A node that let us in.
pub(crate) struct Door {
    /// What it says about its cluster.
    pub(crate) welcome: Welcome,
    socket: WebSocketStream<TcpStream>,
    patience: Duration,
}

/// Why a node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KnockError {
    /// Nobody listens, or nobody who speaks the protocol.
    Unreachable(String),
    /// It does not let us in.
    Rejected(Reject),
}

impl fmt::Display for KnockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KnockError::Unreachable(reason) => f.write_str(reason),
            KnockError::Rejected(reject) => f.write_str(&reject.text),
        }
    }
}

impl std::error::Error for KnockError {}

fn unreachable(reason: impl ToString) -> KnockError {
    KnockError::Unreachable(reason.to_string())
}

/// The layout is of no use to the asker.
pub(crate) const NO_LAYOUT_WANTED: LayoutVersion = LayoutVersion(u64::MAX);

impl Door {
    /// Says HELLO to the node at `address`, as a client of `cluster` or of whichever there is.
    /// `patience` bounds this and each later question. The welcome brings the layout where that is
    /// newer than `held`.
    pub(crate) async fn knock(
        address: &str,
        credentials: Bytes,
        cluster: Option<ClusterId>,
        patience: Duration,
        held: LayoutVersion,
    ) -> Result<Door, KnockError> {
        let hello = Message::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            cluster,
            role: Role::Client,
            layout_version: held,
            credentials,
        });
        let knock = async {
            let mut socket = dial(address).await.map_err(unreachable)?;
            let answer = ask(&mut socket, &hello).await?;
            if let Message::Reject(reject) = answer {
                return Err(KnockError::Rejected(reject));
            }
            let Message::Welcome(welcome) = answer else {
                return Err(unreachable("the first frame is no welcome"));
            };
            Ok(Door { welcome, socket, patience })
        };
        within(patience, knock).await
    }

    /// How the node is; with `slots`, also when each slot was compared.
    pub(crate) async fn status(&mut self, slots: bool) -> Result<StatusReply, KnockError> {
        let question = Message::StatusRequest(StatusRequest { call: CallId(1), slots });
        let answer = within(self.patience, ask(&mut self.socket, &question)).await?;
        let Message::StatusReply(reply) = answer else {
            return Err(unreachable("the answer is no status"));
        };
        Ok(reply)
    }

    /// Asks the node about the layouts in force, or to change what is staged.
    pub(crate) async fn layout(&mut self, order: LayoutOrder) -> Result<LayoutReply, KnockError> {
        let question = Message::LayoutRequest(LayoutRequest { call: CallId(1), order });
        let answer = within(self.patience, ask(&mut self.socket, &question)).await?;
        if let Message::Unsupported(_) = answer {
            return Err(unreachable("it runs an older version, which changes no layouts"));
        }
        let Message::LayoutReply(reply) = answer else {
            return Err(unreachable("the answer is not about layouts"));
        };
        Ok(reply)
    }

    /// Asks the node to compare a slot, or all that it holds, with the other primaries.
    pub(crate) async fn repair(&mut self, slot: Option<Slot>) -> Result<RepairReply, KnockError> {
        let question = Message::RepairRequest(RepairRequest { call: CallId(1), slot });
        let answer = within(self.patience, ask(&mut self.socket, &question)).await?;
        if let Message::Unsupported(_) = answer {
            return Err(unreachable("it runs an older version, which knows no repair"));
        }
        let Message::RepairReply(reply) = answer else {
            return Err(unreachable("the answer is no repair"));
        };
        Ok(reply)
    }
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, KnockError>>,
) -> Result<T, KnockError> {
    let answer = timeout(patience, answer).await;
    answer.map_err(|_| unreachable(format!("no answer within {} s", patience.as_secs_f32())))?
}

async fn ask(
    socket: &mut WebSocketStream<TcpStream>,
    question: &Message,
) -> Result<Message, KnockError> {
    let mut frame = Vec::new();
    codec::encode(question, &mut frame);
    let frame = tungstenite::Message::Binary(Bytes::from(frame));
    socket.send(frame).await.map_err(unreachable)?;
    loop {
        match socket.next().await {
            Some(Ok(tungstenite::Message::Binary(bytes))) => {
                let mut frames = codec::frames(bytes, Incoming::Link.frame_bytes_max());
                let first = frames.next().ok_or_else(|| unreachable("an empty message"))?;
                return first.and_then(codec::decode).map_err(unreachable);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(unreachable(error)),
            None => return Err(unreachable("the node hung up")),
        }
    }
}
