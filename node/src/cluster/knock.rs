//! Asks one node which cluster it belongs to, and how it is, as a client on a connection of its own.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::ids::ClusterId;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    CallId, Hello, Message, PROTOCOL_VERSION, Reject, Role, StatusReply, Welcome,
};
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

impl Door {
    /// Says HELLO to the node at `address`, as a client of `cluster` or of whichever there is.
    /// `patience` bounds this and each later question.
    pub(crate) async fn knock(
        address: &str,
        credentials: Bytes,
        cluster: Option<ClusterId>,
        patience: Duration,
    ) -> Result<Door, KnockError> {
        let hello = Message::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            cluster,
            role: Role::Client,
            // The layout is of no use here, so none is wanted.
            layout_version: LayoutVersion(u64::MAX),
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

    /// How the node is.
    pub(crate) async fn status(&mut self) -> Result<StatusReply, KnockError> {
        let question = Message::StatusRequest(CallId(1));
        let answer = within(self.patience, ask(&mut self.socket, &question)).await?;
        let Message::StatusReply(reply) = answer else {
            return Err(unreachable("the answer is no status"));
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
