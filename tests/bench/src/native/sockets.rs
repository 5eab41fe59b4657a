//! Values through one plain TCP connection: all requests that are ready go out together.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use super::store::Store;
use crate::compare::task::Task;
use crate::sockets::{BUFFER_BYTES, GET, PUT};

pub(super) struct Sockets {
    requests: mpsc::UnboundedSender<Request>,
}

struct Request {
    kind: u8,
    key: u32,
    value: Bytes,
    /// Gets the length of the value in the reply.
    answer: oneshot::Sender<usize>,
}

/// Who waits for a reply, the first one first.
type Waiting = Rc<RefCell<VecDeque<oneshot::Sender<usize>>>>;

impl Sockets {
    pub(super) async fn connect(task: &Task) -> Result<Sockets> {
        let [server] = &task.servers[..] else { anyhow::bail!("there is one server") };
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let (requests, taken) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        // Both end with the connection, or with this.
        spawn_local(send(writer, taken, Rc::clone(&waiting)));
        spawn_local(receive(reader, waiting));
        Ok(Sockets { requests })
    }

    async fn ask(&self, kind: u8, key: u32, value: Bytes) -> Result<usize> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request { kind, key, value, answer });
        sent.ok().context("the connection is gone")?;
        answered.await.context("the connection is gone")
    }
}

impl Store for Sockets {
    async fn get(&self, _key: &Bytes, index: u32) -> Result<Option<usize>> {
        self.ask(GET, index, Bytes::new()).await.map(Some)
    }

    async fn put(&self, _key: &Bytes, value: Bytes, index: u32) -> Result<()> {
        self.ask(PUT, index, value).await.map(drop)
    }
}

async fn send(
    writer: OwnedWriteHalf,
    mut requests: mpsc::UnboundedReceiver<Request>,
    waiting: Waiting,
) -> Result<()> {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, writer);
    while let Some(request) = requests.recv().await {
        let mut next = Some(request);
        while let Some(Request { kind, key, value, answer }) = next {
            waiting.borrow_mut().push_back(answer);
            writer.write_u8(kind).await?;
            writer.write_u32(key).await?;
            writer.write_u32(value.len() as u32).await?;
            writer.write_all(&value).await?;
            next = requests.try_recv().ok();
        }
        writer.flush().await?;
    }
    Ok(())
}

async fn receive(reader: OwnedReadHalf, waiting: Waiting) -> Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut value = Vec::new();
    loop {
        let length = reader.read_u32().await? as usize;
        value.resize(length, 0);
        reader.read_exact(&mut value).await?;
        let answer = waiting.borrow_mut().pop_front().context("a reply to nothing")?;
        // Whoever asked may be gone at the end.
        let _ = answer.send(length);
    }
}
