//! The first bytes of a connection, read by hand: a request head, and the first WebSocket frame.
//!
//! Both are read before anything is known of the other end, so both have small bounds, and what
//! was read beyond them is handed on.

use std::io::{self, Cursor};

use bytes::Bytes;
use quorate_core::codec;
use quorate_core::limits::HELLO_BYTES_MAX;
use quorate_core::message::{Hello, Message};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::header::UPGRADE;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Method, Request};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Longest request head.
const HEAD_BYTES_MAX: usize = 8 * 1024;

const HEADERS_MAX: usize = 64;

/// Longest header of a WebSocket frame.
const FRAME_HEADER_BYTES_MAX: usize = 14;

/// What the other end wants.
#[derive(Debug)]
pub(super) enum Head {
    /// A WebSocket.
    Upgrade(Request<()>),
    /// A page.
    Plain(Request<()>),
}

/// A head that is answered with an error.
#[derive(Debug)]
pub(super) enum HeadError {
    TooLong,
    Malformed,
    Gone,
}

/// Reads a request head; the bytes behind it come along.
pub(super) async fn read(stream: &mut TcpStream) -> Result<(Head, Vec<u8>), HeadError> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some((head, length)) = parse(&bytes)? {
            return Ok((head, bytes.split_off(length)));
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Err(HeadError::TooLong);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(HeadError::Gone),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLong),
        Err(_) => return Err(HeadError::Malformed),
    };
    let request = request(&parsed).ok_or(HeadError::Malformed)?;
    let upgrade = request.headers().contains_key(UPGRADE);
    let head = if upgrade { Head::Upgrade(request) } else { Head::Plain(request) };
    Ok(Some((head, length)))
}

fn request(parsed: &httparse::Request<'_, '_>) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    *request.uri_mut() = parsed.path?.parse().ok()?;
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(header.value).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request)
}

/// What came first on a WebSocket.
#[derive(Debug)]
pub(super) enum FirstFrame {
    /// As it must be; the bytes behind it come along.
    Hello { hello: Hello, rest: Vec<u8> },
    /// Anything else.
    Other { reason: String },
    /// The other end left.
    Gone,
}

/// Reads the first WebSocket frame, of which `bytes` are there already.
pub(super) async fn read_hello(stream: &mut TcpStream, mut bytes: Vec<u8>) -> FirstFrame {
    loop {
        match first_frame(&bytes) {
            Ok(Some((hello, length))) => {
                return FirstFrame::Hello { hello, rest: bytes.split_off(length) };
            }
            Ok(None) => {}
            Err(reason) => return FirstFrame::Other { reason },
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return FirstFrame::Gone,
        }
    }
}

fn first_frame(bytes: &[u8]) -> Result<Option<(Hello, usize)>, String> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?;
    let Some((header, length)) = parsed else { return Ok(None) };
    let start = cursor.position() as usize;
    debug_assert!(start <= FRAME_HEADER_BYTES_MAX);
    if length > HELLO_BYTES_MAX as u64 {
        return Err(format!("{length} bytes are more than {HELLO_BYTES_MAX}"));
    }
    let reserved = header.rsv1 || header.rsv2 || header.rsv3;
    if header.opcode != OpCode::Data(Data::Binary) || !header.is_final || reserved {
        return Err("it is no binary message in one piece".into());
    }
    let mask = header.mask.ok_or("it is not masked")?;
    let end = start + length as usize;
    let Some(payload) = bytes.get(start..end) else { return Ok(None) };
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    decode_hello(payload.collect()).map(|hello| Some((hello, end)))
}

fn decode_hello(payload: Bytes) -> Result<Hello, String> {
    let mut frames = codec::frames(payload, HELLO_BYTES_MAX);
    let first = frames.next().ok_or("it is empty")?;
    let message = first.and_then(codec::decode).map_err(|error| error.to_string())?;
    let Message::Hello(hello) = message else {
        return Err("it is another frame".into());
    };
    match frames.next() {
        None => Ok(hello),
        Some(_) => Err("more frames came with it, before it was answered".into()),
    }
}

impl From<HeadError> for io::Error {
    fn from(error: HeadError) -> io::Error {
        io::Error::other(format!("{error:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_whole_or_not_at_all() {
        let head = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for cut in 0..head.len() - 4 {
            assert!(matches!(parse(&head[..cut]), Ok(None)), "{cut}");
        }
        assert!(
            matches!(parse(head), Ok(Some((Head::Plain(_), length))) if length == head.len() - 4)
        );
        assert!(parse(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").is_err(), "TLS is no HTTP");
    }

    #[test]
    fn a_first_frame_must_be_a_short_masked_hello() {
        let refused = |bytes: &[u8]| first_frame(bytes).unwrap_err();
        assert!(refused(&[0x82, 0x01, 0x00]).contains("masked"));
        assert!(refused(&[0x81, 0x81, 0, 0, 0, 0, 0]).contains("binary"));
        assert!(refused(&[0x82, 0xfe, 0x10, 0x01, 0, 0, 0, 0]).contains("4097"));
        assert!(matches!(first_frame(&[0x82, 0xfe, 0x10]), Ok(None)));
    }
}
