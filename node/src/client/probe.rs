//! Asks one node how it is, on a connection of its own.

use std::fmt;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{CallId, Hello, Message, PROTOCOL_VERSION, Role, StatusReply};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::ClientOptions;
use crate::socket::{Incoming, dial};

/// Why a node did not say how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    reason: String,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ProbeError {}

fn wrong(reason: impl ToString) -> ProbeError {
    ProbeError { reason: reason.to_string() }
}

/// Connects, asks, and hangs up, within the client's timeout.
pub(super) async fn status(
    address: &str,
    options: &ClientOptions,
) -> Result<StatusReply, ProbeError> {
    let asked = timeout(options.timeout, ask(address, options)).await;
    asked.map_err(|_| wrong(format!("no answer within {} s", options.timeout.as_secs_f32())))?
}

async fn ask(address: &str, options: &ClientOptions) -> Result<StatusReply, ProbeError> {
    let mut socket = dial(address).await.map_err(wrong)?;
    let hello = Hello {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        cluster: options.cluster,
        role: Role::Client,
        // The layout is of no use here, so none is wanted.
        layout_version: LayoutVersion(u64::MAX),
        credentials: options.credentials(),
    };
    send(&mut socket, &Message::Hello(hello)).await?;
    let first = receive(&mut socket).await?;
    if let Message::Reject(reject) = first {
        return Err(wrong(reject.text));
    }
    if !matches!(first, Message::Welcome(_)) {
        return Err(wrong("the first frame is no welcome"));
    }
    send(&mut socket, &Message::StatusRequest(CallId(1))).await?;
    let Message::StatusReply(reply) = receive(&mut socket).await? else {
        return Err(wrong("the answer is no status"));
    };
    // The answer is here; how the connection ends does not matter.
    let _ = socket.close(None).await;
    Ok(reply)
}

type Socket = WebSocketStream<TcpStream>;

async fn send(socket: &mut Socket, message: &Message) -> Result<(), ProbeError> {
    let mut frame = Vec::new();
    codec::encode(message, &mut frame);
    socket.send(tungstenite::Message::Binary(Bytes::from(frame))).await.map_err(wrong)
}

async fn receive(socket: &mut Socket) -> Result<Message, ProbeError> {
    loop {
        match socket.next().await {
            Some(Ok(tungstenite::Message::Binary(bytes))) => {
                let mut frames = codec::frames(bytes, Incoming::Link.frame_bytes_max());
                let first = frames.next().ok_or_else(|| wrong("an empty message"))?;
                return first.and_then(codec::decode).map_err(wrong);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(wrong(error)),
            None => return Err(wrong("the node hung up")),
        }
    }
}
