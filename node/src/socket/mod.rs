//! WebSockets as both ends use them: whole batches of frames in, one kept buffer out.

mod address;

mod class;

mod dial;

mod outbox;

mod pump;

use std::time::Duration;

use quorate_core::limits::{FRAME_BYTES_MAX, LINK_FRAME_BYTES_MAX};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub(crate) use self::address::{Address, AddressError};
pub(crate) use self::class::{
    CLIENT_BYTES_MAX, CONTROL_BYTES_MAX, HANDOFF_BYTES_MAX, REPAIR_BYTES_MAX,
};
pub(crate) use self::dial::dial;
pub(crate) use self::outbox::{Outbox, Pushed};
pub(crate) use self::pump::{Pump, PumpOptions};

/// The subprotocol that both ends must name.
pub(crate) const SUBPROTOCOL: &str = "quorate.v1";

/// How long a connection may take to be made: TCP, the WebSocket handshake, the HELLO; each.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest WebSocket message from a client: several frames.
pub(crate) const CLIENT_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest WebSocket message between nodes and to a client: one of the longest frames behind a
/// message that was about to be sealed (see [`Outbox`]).
pub(crate) const LINK_MESSAGE_BYTES_MAX: usize = LINK_FRAME_BYTES_MAX + 2 * outbox::MESSAGE_BYTES;

/// What may come in from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// From a client.
    Requests,
    /// From a node.
    Link,
}

impl Incoming {
    pub(crate) fn frame_bytes_max(self) -> usize {
        match self {
            Incoming::Requests => FRAME_BYTES_MAX,
            Incoming::Link => LINK_FRAME_BYTES_MAX,
        }
    }

    pub(crate) fn config(self) -> WebSocketConfig {
        // Read buffers of ten thousand clients add up, and each read fills the rest with zeros first.
        let (message, read, written) = match self {
            Incoming::Requests => (CLIENT_MESSAGE_BYTES_MAX, 8 * 1024, 16 * 1024),
            Incoming::Link => (LINK_MESSAGE_BYTES_MAX, 16 * 1024, 128 * 1024),
        };
        WebSocketConfig::default()
            .read_buffer_size(read)
            // Everything is written at the flush that ends a turn.
            .write_buffer_size(written)
            // One message at a time is handed over; the rest waits in the outbox.
            .max_write_buffer_size(LINK_MESSAGE_BYTES_MAX + 64 * 1024)
            .max_message_size(Some(message))
            .max_frame_size(Some(message))
    }
}
