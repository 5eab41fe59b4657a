//! A connection that sends whatever a test wants, well formed or not.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::ids::ClusterId;
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::LINK_FRAME_BYTES_MAX;
use quorate_core::message::{Hello, Message, PROTOCOL_VERSION, Role};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

use crate::PATIENCE;

/// A WebSocket to one node.
#[derive(Debug)]
pub struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Wire {
    /// Connects; says nothing yet.
    pub async fn connect(address: &str) -> Result<Wire> {
        let mut request = address.into_client_request()?;
        let subprotocol = HeaderValue::from_static("quorate.v1");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        let (socket, _) = connect_async(request).await?;
        Ok(Wire { socket })
    }

    /// Connects as a client that was let in.
    pub async fn welcomed(address: &str) -> Result<Wire> {
        let mut wire = Wire::connect(address).await?;
        wire.send(&Wire::hello(None)).await?;
        let answer = wire.receive().await?;
        anyhow::ensure!(matches!(answer, Some(Message::Welcome(_))), "{answer:?}");
        Ok(wire)
    }

    /// The HELLO of a client of `cluster`.
    pub fn hello(cluster: Option<ClusterId>) -> Message {
        Message::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            cluster,
            role: Role::Client,
            layout_version: LayoutVersion(0),
            credentials: Bytes::new(),
        })
    }

    /// Sends one frame.
    pub async fn send(&mut self, message: &Message) -> Result<()> {
        let mut frame = Vec::new();
        codec::encode(message, &mut frame);
        self.send_bytes(frame).await
    }

    /// Sends one WebSocket message of any bytes.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.socket.send(tungstenite::Message::Binary(bytes.into())).await?)
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(tungstenite::Message::text(text)).await?)
    }

    /// The next frame; `None` once the node has closed the connection.
    pub async fn receive(&mut self) -> Result<Option<Message>> {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.context("no answer")?;
            match next {
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    let mut frames = codec::frames(bytes, LINK_FRAME_BYTES_MAX);
                    let first = frames.next().context("an empty message")??;
                    anyhow::ensure!(frames.next().is_none(), "more than one frame");
                    return Ok(Some(codec::decode(first)?));
                }
                Some(Ok(tungstenite::Message::Close(_))) | None => return Ok(None),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }
}
