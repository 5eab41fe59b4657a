//! Opens a WebSocket to a node.

use std::fmt;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Address, AddressError, HANDSHAKE_TIMEOUT, Incoming, SUBPROTOCOL};

/// A connection that was not made.
#[derive(Debug)]
pub(crate) enum DialError {
    Address(AddressError),
    Connect { address: String, reason: String },
    Handshake { address: String, reason: String },
    Timeout { address: String },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Address(error) => error.fmt(f),
            DialError::Connect { address, reason } => {
                write!(f, "no connection to {address}: {reason}; is the node running?")
            }
            DialError::Handshake { address, reason } => {
                write!(f, "{address} does not answer as a Quorate node: {reason}")
            }
            DialError::Timeout { address } => {
                write!(f, "{address} did not answer within {} s", HANDSHAKE_TIMEOUT.as_secs())
            }
        }
    }
}

impl std::error::Error for DialError {}

/// Connects and shakes hands; the HELLO is up to the caller.
pub(crate) async fn dial(address: &str) -> Result<WebSocketStream<TcpStream>, DialError> {
    let Address { host, port } = address.parse().map_err(DialError::Address)?;
    let timed_out = |_| DialError::Timeout { address: address.to_owned() };
    let connect_error = |reason: &dyn fmt::Display| DialError::Connect {
        address: address.to_owned(),
        reason: reason.to_string(),
    };
    let handshake_error = |reason: &dyn fmt::Display| DialError::Handshake {
        address: address.to_owned(),
        reason: reason.to_string(),
    };

    let stream = timeout(HANDSHAKE_TIMEOUT, TcpStream::connect((host.as_str(), port)))
        .await
        .map_err(timed_out)?
        .map_err(|error| connect_error(&error))?;
    stream.set_nodelay(true).map_err(|error| connect_error(&error))?;
    let mut request = address.into_client_request().map_err(|error| handshake_error(&error))?;
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let handshake = client_async_with_config(request, stream, Some(Incoming::Link.config()));
    let (socket, _) = timeout(HANDSHAKE_TIMEOUT, handshake)
        .await
        .map_err(timed_out)?
        .map_err(|error| handshake_error(&error))?;
    Ok(socket)
}
