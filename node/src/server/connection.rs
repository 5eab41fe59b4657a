//! A connection from its first byte: plain HTTP, or the upgrade, the HELLO, and then the pump.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quorate_core::message::{Message, Reject, RejectCode};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::dialler::link_options;
use super::head::{self, Head};
use super::{Admission, CONNECTIONS_MAX, Event, Shared, http};
use crate::socket::{HANDSHAKE_TIMEOUT, Incoming, Outbox, Pump, PumpOptions};

/// Connections above the limit that are let in only to be told so.
const REFUSALS_MAX: usize = 64;

/// A pause where the operating system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the task is aborted.
pub(super) fn accept(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::from_std(listener)?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let open = shared.connections.load(Ordering::Relaxed);
                    if open >= CONNECTIONS_MAX + REFUSALS_MAX {
                        continue;
                    }
                    let full = open >= CONNECTIONS_MAX;
                    tokio::spawn(serve(stream, from, full, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }))
}

/// Counts a connection for as long as it lives.
pub(super) struct Counted<'a> {
    shared: &'a Shared,
}

impl Counted<'_> {
    pub(super) fn new(shared: &Shared) -> Counted<'_> {
        shared.connections.fetch_add(1, Ordering::AcqRel);
        Counted { shared }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, full: bool, shared: Arc<Shared>) {
    let _counted = Counted::new(&shared);
    if let Err(error) = shake_hands(stream, full, &shared).await {
        tracing::debug!(%from, %error, "connection refused");
    }
}

async fn shake_hands(mut stream: TcpStream, full: bool, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let read = timeout(HANDSHAKE_TIMEOUT, head::read(&mut stream)).await?;
    let (head, rest) = match read {
        Ok(read) => read,
        Err(head::HeadError::Gone) => return Ok(()),
        Err(refusal) => return http::respond(stream, &refusal.into()).await,
    };
    let request = match head {
        Head::Upgrade(request) => request,
        Head::Plain(request) => return http::serve(stream, &request, shared).await,
    };
    let response = match http::upgrade(&request, shared.allow_origins.as_ref()) {
        Ok(response) => response,
        Err(refusal) => return http::respond(stream, &refusal).await,
    };
    stream.write_all(&response).await?;
    let hello = timeout(HANDSHAKE_TIMEOUT, head::read_hello(&mut stream, rest)).await?;
    open(stream, hello, full, shared).await;
    Ok(())
}

/// Answers a HELLO and, where it is accepted, runs the connection until it ends.
async fn open(stream: TcpStream, hello: head::FirstFrame, full: bool, shared: &Arc<Shared>) {
    let connection = shared.next_connection();
    let outbox = Arc::new(Outbox::new());
    let (admitted, admission) = oneshot::channel();
    let refused = |code, text: String| Admission::Refused(Reject { code, text });
    let (admission, rest) = match hello {
        _ if full => {
            let text =
                format!("{CONNECTIONS_MAX} connections are open: close some, or ask another node");
            (refused(RejectCode::Full, text), Vec::new())
        }
        head::FirstFrame::Hello { hello, rest } => {
            let outbox = Arc::clone(&outbox);
            shared.mailbox.push(Event::Hello { connection, hello, outbox, admitted });
            // The driver is gone: the node stops.
            let Ok(admission) = admission.await else { return };
            (admission, rest)
        }
        head::FirstFrame::Other { reason } => (
            refused(RejectCode::Malformed, format!("the first frame must be HELLO: {reason}")),
            Vec::new(),
        ),
        head::FirstFrame::Gone => return,
    };
    let refused = matches!(admission, Admission::Refused(_));
    let (incoming, options) = match &admission {
        Admission::Node => (Incoming::Link, link_options()),
        Admission::Client | Admission::Refused(_) => {
            let frame_bytes_max = Incoming::Requests.frame_bytes_max();
            (Incoming::Requests, PumpOptions { frame_bytes_max, pauses: true, deaf: refused })
        }
    };
    if let Admission::Refused(reject) = admission {
        outbox.push(&Message::Reject(reject));
        outbox.close(CloseCode::Policy, "refused");
    }
    let socket =
        WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(incoming.config()))
            .await;
    let deliver = |messages| shared.mailbox.push(Event::Batch { connection, messages });
    let reason = Pump::new(socket, outbox, options, deliver).run().await;
    if !refused {
        shared.mailbox.push(Event::Closed { connection, reason });
    }
}
