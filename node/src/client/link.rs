//! One connection of a client, from the dial to its end.

use std::sync::Arc;

use quorate_core::client::Link;
use quorate_core::ids::Text;

use super::driver::Command;
use crate::mailbox::Mailbox;
use crate::socket::{Incoming, Outbox, Pump, PumpOptions, dial};

/// Ends in `Closed`, with or without `Opened` before it.
pub(super) async fn run(commands: Arc<Mailbox<Command>>, link: Link, address: Text) {
    let socket = match dial(&address).await {
        Ok(socket) => socket,
        Err(error) => return commands.push(Command::Closed { link, reason: error.to_string() }),
    };
    let outbox = Arc::new(Outbox::new());
    commands.push(Command::Opened { link, outbox: Arc::clone(&outbox) });
    // A node sends records, so its frames are as long as those between nodes. Reading goes on
    // whatever waits to be sent: the node may be waiting for just that.
    let options = PumpOptions {
        frame_bytes_max: Incoming::Link.frame_bytes_max(),
        pauses: false,
        deaf: false,
    };
    let deliver = |messages| commands.push(Command::Batch { link, messages });
    let reason = Pump::new(socket, outbox, options, deliver).run().await;
    commands.push(Command::Closed { link, reason });
}
