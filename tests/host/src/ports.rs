//! Ports on loopback: which are free, and who has one that is not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Below the ports that the system gives to outgoing connections.
const FIRST: u16 = 11_000;
const COUNT: u16 = 21_000;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Enough of an answer to know who gave it.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// `count` ports that were free a moment ago.
///
/// # Errors
/// Where there are not so many.
pub fn free(count: usize) -> Result<Vec<u16>> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that look at the same time begin at different places.
    let start = (process::id() % u32::from(COUNT)) * 131;
    let candidates = (0..COUNT).map(|_| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        FIRST + ((start + u32::from(next)) % u32::from(COUNT)) as u16
    });
    let ports: Vec<u16> = candidates.filter(|port| is_free(*port)).take(count).collect();
    ensure!(ports.len() == count, "there are no {count} free ports");
    Ok(ports)
}

/// The `count` ports behind `base`.
///
/// # Errors
/// Where there is no port of such a number.
pub fn behind(base: u16, count: u16) -> Result<Vec<u16>> {
    let ports = (1..=count).map(|number| base.checked_add(number));
    let ports: Option<Vec<u16>> = ports.collect();
    ports.context("the ports end at 65535: choose a smaller --base-port")
}

/// Makes sure that nobody has one of `ports`.
///
/// # Errors
/// Where one is taken; it says by whom.
pub fn ensure_free(ports: &[u16]) -> Result<()> {
    let Some(port) = ports.iter().copied().find(|port| !is_free(*port)) else { return Ok(()) };
    let choose = "choose other ports with --base-port; nothing was changed";
    match node_behind(port) {
        Some(label) => bail!(
            "port {port} is taken by {label}, a node of a Quorate cluster that this target folder \
             knows nothing of (see http://127.0.0.1:{port}/): stop that cluster, or {choose}"
        ),
        None => bail!(
            "port {port} is taken by another program, which is no Quorate node: stop it, or {choose}"
        ),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The label of the node that answers on a port.
fn node_behind(port: u16) -> Option<String> {
    let page = http_get(port, "/")?;
    let (_, title) = page.split_once("<title>")?;
    let (title, _) = title.split_once("</title>")?;
    let label = title.strip_suffix("Quorate")?.trim_end_matches([' ', '·']);
    Some(if label.is_empty() { "a node".to_owned() } else { label.to_owned() })
}

/// What answers to a GET on loopback: head and body.
pub fn http_get(port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    // In one piece: whoever answers to the first one and hangs up would refuse the others.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // An answer that does not end in time is judged by its beginning.
    let _ = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Answers one connection with `answer` behind a port of its own.
    fn listener(answer: &'static str) -> (u16, thread::JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 512];
                let length = stream.read(&mut piece).unwrap();
                assert!(length > 0, "the request ends in the middle");
                request.extend_from_slice(&piece[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        (port, answering)
    }

    #[test]
    fn who_has_a_port_is_told_apart() {
        let (port, answering) = listener("SSH-2.0-x\r\n");
        let error = ensure_free(&[port]).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is taken by another program")), "{error}");
        assert!(error.contains("--base-port"), "{error}");
        answering.join().unwrap();

        let (port, answering) = listener("HTTP/1.1 200 OK\r\n\r\n<title>node-1 · Quorate</title>");
        let error = ensure_free(&[port]).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is taken by node-1, a node")), "{error}");
        answering.join().unwrap();
    }

    #[test]
    fn free_ports_differ_and_are_free() {
        let ports = free(20).unwrap();
        ensure_free(&ports).unwrap();
        let again = free(20).unwrap();
        assert!(ports.iter().all(|port| !again.contains(port)));
    }

    #[test]
    fn ports_behind_the_last_one_are_refused() {
        assert_eq!(behind(7100, 3).unwrap(), [7101, 7102, 7103]);
        assert!(behind(65_530, 6).unwrap_err().to_string().contains("--base-port"));
    }
}
