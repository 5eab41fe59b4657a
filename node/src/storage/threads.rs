//! The threads of the engine on a disk, and the ways to them.
//!
//! ```text
//!   write --> store-write   one: two writers are slower
//!     `------> store-sync    for the writer, while it is in its next turn
//!   load  --> store-load    what the writer will want to know, while it is busy with something else
//!   read  --> store-read    what the cache does not hold; no read waits behind a sync
//! ```
//!
//! Several threads load and read: a disk gives several answers in the time of one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use quorate_core::machine::Ticket;

use super::RecordKey;
use super::fjall::{Durability, Shared};
use super::loader::Loader;
use super::reader::{ReadJob, Reader};
use super::space::Room;
use super::syncer::Syncer;
use super::watchdog::{Doing, Watchdog};
use super::writer::{WriteJob, Writer};

const READERS: usize = 4;

const LOADERS: usize = 2;

/// What one reader takes at a time, so that others take the rest.
const READS_AT_ONCE: usize = 8;

/// What one loader takes at a time.
const LOADS_AT_ONCE: usize = 32;

pub(super) struct Threads {
    watchdog: Watchdog,
    writes: Sender<Vec<WriteJob>>,
    reads: flume::Sender<Vec<ReadJob>>,
    loads: flume::Sender<Vec<RecordKey>>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(super) fn start(
        shared: &Arc<Shared>,
        durability: Durability,
        room: Room,
    ) -> io::Result<Threads> {
        let (writes, write_jobs) = mpsc::channel();
        let (reads, read_jobs) = flume::unbounded();
        let (loads, keys) = flume::unbounded();
        let (promised, to_sync) = mpsc::channel();
        let syncing = Arc::new(Doing::new("store-sync"));
        let mut watched = vec![Arc::clone(&shared.writing), Arc::clone(&syncing)];
        let writer = Writer::new(Arc::clone(shared), durability, room, write_jobs, promised);
        let syncer = Syncer::new(Arc::clone(shared), syncing, to_sync);
        let mut handles = vec![
            spawn("store-write", move || writer.run())?,
            spawn("store-sync", move || syncer.run())?,
        ];
        for _ in 0..READERS {
            let doing = Arc::new(Doing::new("store-read"));
            watched.push(Arc::clone(&doing));
            let reader = Reader::new(Arc::clone(shared), doing, read_jobs.clone());
            handles.push(spawn("store-read", move || reader.run())?);
        }
        for _ in 0..LOADERS {
            let loader = Loader::new(Arc::clone(shared), keys.clone());
            handles.push(spawn("store-load", move || loader.run())?);
        }
        let watchdog = Watchdog::start(watched, shared.stalls())?;
        Ok(Threads { watchdog, writes, reads, loads, handles })
    }

    /// Has it written. What nobody will answer is the error.
    pub(super) fn write(&self, jobs: Vec<WriteJob>) -> Result<(), Vec<Ticket>> {
        let tickets = |jobs: &[WriteJob]| jobs.iter().map(|job| job.ticket).collect();
        if self.is_broken() {
            return Err(tickets(&jobs));
        }
        self.writes.send(jobs).map_err(|jobs| tickets(&jobs.0))
    }

    /// Has it read. What nobody will answer is the error.
    pub(super) fn read(&self, mut jobs: Vec<ReadJob>) -> Result<(), Vec<Ticket>> {
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(READS_AT_ONCE));
            let sent =
                if self.is_broken() { Err(jobs) } else { self.reads.send(jobs).map_err(|it| it.0) };
            sent.map_err(|jobs| {
                jobs.iter().chain(&rest).map(|job| job.ticket).collect::<Vec<_>>()
            })?;
            jobs = rest;
        }
        Ok(())
    }

    /// Has it put into the cache, as far as that is worth it.
    pub(super) fn load(&self, mut keys: Vec<RecordKey>) {
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(LOADS_AT_ONCE));
            // Where a loader has panicked the storage fails with the write behind this.
            let _ = self.loads.send(keys);
            keys = rest;
        }
    }

    /// Finishes what was handed to them. False where one of them has panicked.
    pub(super) fn join(self) -> bool {
        let Threads { watchdog, writes, reads, loads, handles } = self;
        drop((writes, reads, loads));
        // Until here a stop that hangs is told of, too.
        let ended: Vec<bool> = handles.into_iter().map(|thread| thread.join().is_ok()).collect();
        drop(watchdog);
        ended.into_iter().all(|ended| ended)
    }

    /// A thread that is gone while there is work for it has panicked.
    fn is_broken(&self) -> bool {
        self.handles.iter().any(JoinHandle::is_finished)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}
