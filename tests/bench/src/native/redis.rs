//! Redis Cluster with two copies, as fast as its protocol lets a client be.
//!
//! Two connections lead to each master. On one of them gets are pipelined. The other one takes all
//! puts that have come while the last batch was under way: SETs, and one WAIT 1 behind them, which
//! answers when a replica has all of them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use super::store::Store;
use crate::compare::task::Task;

const SLOTS: usize = 16_384;
const WAIT_MS: u64 = 5_000;
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Redis {
    masters: Vec<Master>,
    /// For each slot the index of its master.
    owners: Vec<usize>,
}

struct Master {
    gets: MultiplexedConnection,
    puts: mpsc::UnboundedSender<Put>,
}

struct Put {
    key: Bytes,
    value: Bytes,
    done: oneshot::Sender<Result<()>>,
}

impl Redis {
    pub(super) async fn connect(task: &Task) -> Result<Redis> {
        let first = task.servers.first().context("there is no server")?;
        let nodes: String =
            cmd("CLUSTER").arg("NODES").query_async(&mut open(first).await?).await?;
        let mut redis = Redis { masters: Vec::new(), owners: vec![usize::MAX; SLOTS] };
        for (address, ranges) in masters(&nodes) {
            let index = redis.masters.len();
            for (begin, end) in ranges {
                redis.owners[begin..=end].fill(index);
            }
            let url = format!("redis://{address}");
            let (puts, waiting) = mpsc::unbounded_channel();
            spawn_local(store(open(&url).await?, waiting));
            redis.masters.push(Master { gets: open(&url).await?, puts });
        }
        let covered = redis.owners.iter().all(|owner| *owner < redis.masters.len());
        ensure!(covered, "some slots have no master:\n{nodes}");
        Ok(redis)
    }

    fn master(&self, key: &Bytes) -> &Master {
        &self.masters[self.owners[slot(key)]]
    }
}

impl Store for Redis {
    async fn get(&self, key: &Bytes, _index: u32) -> Result<Option<usize>> {
        let mut connection = self.master(key).gets.clone();
        let value: Option<Bytes> = cmd("GET").arg(&key[..]).query_async(&mut connection).await?;
        Ok(value.map(|value| value.len()))
    }

    async fn put(&self, key: &Bytes, value: Bytes, _index: u32) -> Result<()> {
        let (done, ended) = oneshot::channel();
        let put = Put { key: key.clone(), value, done };
        self.master(&put.key.clone()).puts.send(put).ok().context("the connection has ended")?;
        ended.await.context("the connection has ended")?
    }
}

async fn open(url: &str) -> Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
    Ok(Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Stores what waits, batch after batch.
async fn store(mut connection: MultiplexedConnection, mut waiting: mpsc::UnboundedReceiver<Put>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, usize::MAX).await > 0 {
        let stored =
            store_batch(&mut connection, &batch).await.map_err(|error| format!("{error:#}"));
        for put in batch.drain(..) {
            // Whoever waited may be gone.
            let _ = put.done.send(stored.clone().map_err(anyhow::Error::msg));
        }
    }
}

async fn store_batch(connection: &mut MultiplexedConnection, batch: &[Put]) -> Result<()> {
    let mut pipeline = pipe();
    for put in batch {
        pipeline.cmd("SET").arg(&put.key[..]).arg(&put.value[..]).ignore();
    }
    pipeline.cmd("WAIT").arg(1).arg(WAIT_MS);
    let (replicas,): (u64,) = pipeline.query_async(connection).await?;
    ensure!(replicas >= 1, "a batch was not stored twice");
    Ok(())
}

/// Address and slots of each master in the answer to CLUSTER NODES.
fn masters(nodes: &str) -> Vec<(String, Vec<(usize, usize)>)> {
    let mut masters = Vec::new();
    for line in nodes.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, address, flags, _, _, _, _, _, slots @ ..] = &fields[..] else { continue };
        if slots.is_empty() || !flags.split(',').any(|flag| flag == "master") {
            continue;
        }
        let address = address.split('@').next().unwrap_or_default();
        let range = |text: &&str| {
            let (begin, end) = text.split_once('-').unwrap_or((text, text));
            Some((begin.parse().ok()?, end.parse().ok().filter(|end| *end < SLOTS)?))
        };
        masters.push((address.to_owned(), slots.iter().filter_map(range).collect()));
    }
    masters
}

/// CRC-16/XMODEM, as Redis Cluster asks for. Keys of a load have no hash tag.
fn slot(key: &[u8]) -> usize {
    let crc = key.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    });
    usize::from(crc) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b""), 0);
    }

    #[test]
    fn masters_are_found_with_their_slots() {
        let nodes = "\
            07c3 127.0.0.1:30004@31004,host slave e7d1 0 1426 4 connected\n\
            67ed 127.0.0.1:30002@31002 master - 0 1426 2 connected 5461-10922\n\
            6ec2 127.0.0.1:30003@31003 master - 0 1426 3 connected 10923-16382 16383\n\
            e7d1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460\n\
            aaaa 127.0.0.1:30009@31009 master - 0 0 1 connected\n";
        let masters = masters(nodes);
        assert_eq!(masters.len(), 3);
        assert_eq!(
            masters[1],
            ("127.0.0.1:30003".into(), vec![(10_923, 16_382), (16_383, 16_383)])
        );
        assert_eq!(masters[2], ("127.0.0.1:30001".into(), vec![(0, 5_460)]));
    }
}
