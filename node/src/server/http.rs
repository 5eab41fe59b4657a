//! Plain HTTP on the node's port: health for machines, pages for people, the WebSocket upgrade.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{create_response, write_response};
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Method, Request};

use super::head::HeadError;
use super::{Event, Shared, Ui, metrics, page};
use crate::socket::{HANDSHAKE_TIMEOUT, SUBPROTOCOL};

const TEXT: &str = "text/plain; charset=utf-8";

const HTML: &str = "text/html; charset=utf-8";

const JSON: &str = "application/json";

/// What the status page, and whatever else is no file of the ring page, may load and run: nothing.
const SCRIPTLESS: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The same of the ring page: only what comes from this node, its WebSocket and WebAssembly included.
const OWN_SCRIPTS: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An answer after which the connection is closed.
#[derive(Debug)]
pub(super) struct Response {
    status: &'static str,
    content_type: Cow<'static, str>,
    body: Cow<'static, [u8]>,
    /// What browsers may do with it.
    policy: &'static str,
    /// The request was HEAD.
    bodiless: bool,
}

impl Response {
    fn text(status: &'static str, body: impl Into<String>) -> Response {
        let mut body = body.into();
        body.push('\n');
        Response { status, ..Response::ok(TEXT, body.into_bytes()) }
    }

    fn ok(
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Response {
        Response {
            status: "200 OK",
            content_type: content_type.into(),
            body: body.into(),
            policy: SCRIPTLESS,
            bodiless: false,
        }
    }
}

impl From<HeadError> for Response {
    fn from(error: HeadError) -> Response {
        match error {
            HeadError::TooLong => Response::text(
                "431 Request Header Fields Too Large",
                "the request head is too long",
            ),
            HeadError::Malformed | HeadError::Gone => {
                Response::text("400 Bad Request", "this is no HTTP/1.1 request")
            }
        }
    }
}

/// Answers a request for a page.
pub(super) async fn serve(
    stream: TcpStream,
    request: &Request<()>,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => answer(request.uri().path(), shared).await,
        _ => Response::text("405 Method Not Allowed", "only GET and HEAD are answered here"),
    };
    response.bodiless = request.method() == Method::HEAD;
    respond(stream, &response).await
}

async fn answer(path: &str, shared: &Arc<Shared>) -> Response {
    if let Some(ui) = &shared.ui
        && let Some(response) = answer_with(ui, path).await
    {
        return response;
    }
    if !matches!(path, "/" | "/status" | "/livez" | "/readyz" | "/metrics") {
        let text = "there is / and /status and /livez and /readyz and /metrics";
        return Response::text("404 Not Found", text);
    }
    let (look, looked) = oneshot::channel();
    shared.mailbox.push(Event::Look(look));
    let Ok(look) = looked.await else {
        return Response::text("503 Service Unavailable", "the node stops");
    };
    match (path, &look.not_ready) {
        // A driver that answers is alive.
        ("/livez", _) | ("/readyz", None) => Response::text("200 OK", "ok"),
        ("/readyz", Some(reason)) => Response::text("503 Service Unavailable", reason),
        ("/metrics", _) => Response::ok(metrics::CONTENT_TYPE, metrics::render(&look).into_bytes()),
        _ => Response::ok(HTML, page::render(&look).into_bytes()),
    }
}

/// What the ring page consists of, and what it asks for.
async fn answer_with(ui: &Ui, path: &str) -> Option<Response> {
    if path == "/v1/cluster" {
        return Some(match ui.cluster().await {
            Ok(told) => Response::ok(JSON, told.as_bytes().to_vec()),
            Err(reason) => Response::text("503 Service Unavailable", &*reason),
        });
    }
    let file = ui.file(path)?;
    Some(Response { policy: OWN_SCRIPTS, ..Response::ok(file.content_type, file.body) })
}

/// Sends an answer and closes.
pub(super) async fn respond(mut stream: TcpStream, response: &Response) -> io::Result<()> {
    let Response { status, content_type, body, policy, bodiless } = response;
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: {content_type}\r\n\
         Content-Length: {}\r\n\
         Cache-Control: no-store\r\n\
         Content-Security-Policy: {policy}\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if !bodiless {
        bytes.extend_from_slice(body);
    }
    let send = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    timeout(HANDSHAKE_TIMEOUT, send).await?
}

/// The answer that turns the connection into a WebSocket, or the one that refuses to.
pub(super) fn upgrade(
    request: &Request<()>,
    allow_origins: Option<&BTreeSet<String>>,
) -> Result<Vec<u8>, Response> {
    let refused = |reason: String| Response::text("400 Bad Request", reason);
    let mut response = create_response(request).map_err(|error| refused(error.to_string()))?;
    let origin = request.headers().get(ORIGIN);
    if let (Some(allowed), Some(origin)) = (allow_origins, origin)
        && !origin.to_str().is_ok_and(|origin| allowed.contains(origin))
    {
        let text = "this origin is not allowed: start the node with --allow-origin for it";
        return Err(Response::text("403 Forbidden", text));
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let speaks = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL);
    if !speaks {
        return Err(refused(format!("the WebSocket subprotocol must be {SUBPROTOCOL}")));
    }
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|error| refused(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(protocol: &str, origin: Option<&str>) -> Request<()> {
        let mut request = Request::builder()
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Protocol", protocol);
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn the_subprotocol_is_required() {
        let response = upgrade(&request("other, quorate.v1", None), None).unwrap();
        let response = String::from_utf8(response).unwrap().to_ascii_lowercase();
        assert!(response.starts_with("http/1.1 101 switching protocols\r\n"), "{response}");
        assert!(response.contains("sec-websocket-protocol: quorate.v1\r\n"));
        assert!(upgrade(&request("other", None), None).is_err());
    }

    #[test]
    fn origins_are_checked_where_a_list_is_given() {
        let allowed = BTreeSet::from(["https://a.example".to_owned()]);
        let tried = |origin| upgrade(&request("quorate.v1", origin), Some(&allowed)).is_ok();
        assert!(tried(Some("https://a.example")));
        assert!(tried(None), "programs send no origin");
        assert!(!tried(Some("https://b.example")));
    }
}
