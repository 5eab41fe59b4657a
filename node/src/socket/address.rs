//! Where a node listens, as layouts, seeds and the command line name it.

use std::fmt;
use std::str::FromStr;

use tokio_tungstenite::tungstenite::http::Uri;

/// The host and port of a `ws://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A text that names no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressError {
    text: String,
    reason: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address of a node: {}; write ws://HOST:PORT", self.text, self.reason)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let wrong = |reason| AddressError { text: text.to_owned(), reason };
        let uri: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(wrong("TLS is left to a proxy before the node")),
            _ => return Err(wrong("the scheme is missing or not ws")),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(wrong("it has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().ok_or(wrong("it has no port"))?;
        Ok(Address { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_scheme_host_and_port() {
        let address = |text: &str| text.parse::<Address>().map(|it| (it.host, it.port));
        assert_eq!(address("ws://127.0.0.1:7101"), Ok(("127.0.0.1".into(), 7101)));
        assert_eq!(address("ws://[::1]:7101/x"), Ok(("::1".into(), 7101)));
        for wrong in ["", "127.0.0.1:7101", "http://a:1", "wss://a:1", "ws://a", "ws://:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
