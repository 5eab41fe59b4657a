//! A server that keeps values and gives them back through plain TCP, without a protocol worth the
//! name: what sockets and memory alone allow.
//!
//! ```text
//!   request   kind (1 byte), key (4), length (4), value
//!   reply     length (4), value
//! ```
//!
//! Numbers are big-endian. Replies come in the order of the requests.

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

pub(crate) const GET: u8 = 0;
pub(crate) const PUT: u8 = 1;

/// What is read, or written, of small requests at one time. Longer values go past the buffer.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// Keys and values that a request may name: whatever else connects to a port sends noise.
const KEYS_MAX: usize = 1 << 26;
const VALUE_BYTES_MAX: usize = 1 << 21;

/// Serves values on a port of the loopback, for `compare`.
#[derive(Args)]
#[command(hide = true)]
pub(crate) struct Sockets {
    port: u16,
}

impl Sockets {
    pub(crate) fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                spawn_local(async move {
                    if let Err(error) = serve(stream).await {
                        eprintln!("a connection ended: {error:#}");
                    }
                });
            }
        })
    }
}

/// One client, which has its values to itself.
async fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, writer);
    let mut values: Vec<Bytes> = Vec::new();
    loop {
        if reader.buffer().is_empty() {
            writer.flush().await?;
        }
        let Ok(kind) = reader.read_u8().await else { return Ok(()) };
        let (key, length) = (reader.read_u32().await? as usize, reader.read_u32().await? as usize);
        ensure!(key < KEYS_MAX && length <= VALUE_BYTES_MAX, "key {key} of {length} bytes");
        let reply = match kind {
            GET => values.get(key).cloned().unwrap_or_default(),
            PUT => {
                let mut value = vec![0; length];
                reader.read_exact(&mut value).await?;
                if values.len() <= key {
                    values.resize(key + 1, Bytes::new());
                }
                values[key] = value.into();
                Bytes::new()
            }
            other => bail!("{other} is no kind of request"),
        };
        writer.write_u32(reply.len() as u32).await?;
        writer.write_all(&reply).await?;
    }
}
