//! Notices a storage thread that does not come to the end of its turn.
//!
//! Each thread notes when its turn began and what it does: two stores. A thread of its own looks at
//! them, since a disk that hangs may hold up every other one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// A turn that takes longer is a stall.
pub(super) const STALL_AFTER: Duration = Duration::from_secs(10);

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Task {
    /// Loads records, and applies operations to them.
    Stage,
    /// Hands a batch to the engine, which may hold it up until it has compacted.
    Commit,
    /// Waits for the disk.
    Sync,
    /// Goes through many records.
    Scan,
    /// Reads a record, or hints.
    Read,
}

impl Task {
    const ALL: [Task; 5] = [Task::Stage, Task::Commit, Task::Sync, Task::Scan, Task::Read];

    fn of(number: u8) -> Task {
        Task::ALL[usize::from(number) % Task::ALL.len()]
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Stage => "load",
            Task::Commit => "commit",
            Task::Sync => "sync",
            Task::Scan => "scan",
            Task::Read => "read",
        })
    }
}

/// What one thread does, and since when.
#[derive(Debug)]
pub(super) struct Doing {
    thread: &'static str,
    origin: Instant,
    /// Microseconds from `origin` to the start of the turn, plus one; 0 between two turns.
    since: AtomicU64,
    task: AtomicU8,
}

impl Doing {
    pub(super) fn new(thread: &'static str) -> Doing {
        let (since, task) = (AtomicU64::new(0), AtomicU8::new(Task::Stage as u8));
        Doing { thread, origin: Instant::now(), since, task }
    }

    /// A turn begins.
    pub(super) fn begin(&self, task: Task) {
        self.begin_at(task, Instant::now());
    }

    fn begin_at(&self, task: Task, now: Instant) {
        self.go_on(task);
        let since = now.duration_since(self.origin).as_micros() as u64 + 1;
        self.since.store(since, Ordering::Release);
    }

    /// The turn goes on with something else.
    pub(super) fn go_on(&self, task: Task) {
        self.task.store(task as u8, Ordering::Relaxed);
    }

    /// The turn is at its end.
    pub(super) fn end(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// Whether it is in a turn.
    pub(super) fn is_under_way(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// What it does; `None` between two turns.
    #[cfg(test)]
    pub(super) fn task(&self) -> Option<Task> {
        self.since().map(|_| Task::of(self.task.load(Ordering::Relaxed)))
    }

    /// When the turn under way began.
    fn since(&self) -> Option<Instant> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.origin + Duration::from_micros(since))
    }
}

/// What was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    count: AtomicU64,
    seconds: AtomicU64,
}

impl Stalls {
    /// Turns that took too long.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whole seconds of those turns, as far as they are over [`STALL_AFTER`].
    pub(super) fn seconds(&self) -> u64 {
        self.seconds.load(Ordering::Relaxed)
    }
}

/// What is to be told of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// It is still at it.
    Stalled { task: Task, time: Duration },
    /// It has gone on, this long after it began at most.
    GoesOn { time: Duration },
}

/// One thread under watch.
#[derive(Debug)]
struct Watched {
    doing: Arc<Doing>,
    stall: Option<Stall>,
}

/// A turn that takes too long.
#[derive(Debug)]
struct Stall {
    since: Instant,
    /// How long it will have taken when it is told of next.
    told_at: Duration,
    /// Its seconds that were counted.
    counted: u64,
}

impl Watched {
    fn look(&mut self, now: Instant, stalls: &Stalls) -> Option<Notice> {
        let since = self.doing.since();
        let ended = self.stall.take_if(|stall| since != Some(stall.since));
        if let Some(stall) = ended {
            return Some(Notice::GoesOn { time: now.duration_since(stall.since) });
        }
        let since = since?;
        let time = now.saturating_duration_since(since);
        if time < STALL_AFTER {
            return None;
        }
        let stall = self.stall.get_or_insert_with(|| {
            stalls.count.fetch_add(1, Ordering::Relaxed);
            Stall { since, told_at: STALL_AFTER, counted: 0 }
        });
        let seconds = (time - STALL_AFTER).as_secs();
        stalls.seconds.fetch_add(seconds - stall.counted, Ordering::Relaxed);
        stall.counted = seconds;
        if time < stall.told_at {
            return None;
        }
        stall.told_at = 2 * time;
        let task = Task::of(self.doing.task.load(Ordering::Relaxed));
        Some(Notice::Stalled { task, time })
    }
}

/// The thread that looks. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(super) fn start(threads: Vec<Arc<Doing>>, stalls: Arc<Stalls>) -> io::Result<Watchdog> {
        let (stop, stopped) = mpsc::channel();
        let mut watched: Vec<Watched> =
            threads.into_iter().map(|doing| Watched { doing, stall: None }).collect();
        let thread = thread::Builder::new().name("store-watch".into()).spawn(move || {
            while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                for watched in &mut watched {
                    if let Some(notice) = watched.look(Instant::now(), &stalls) {
                        tell(watched.doing.thread, notice);
                    }
                }
            }
        })?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic could spoil.
            let _ = thread.join();
        }
    }
}

fn tell(thread: &str, notice: Notice) {
    match notice {
        Notice::Stalled { task, time } => tracing::warn!(
            thread,
            task = %task,
            seconds = time.as_secs(),
            "the storage hangs: a turn of one of its threads does not end; look at the device, and \
             at what else uses it"
        ),
        Notice::GoesOn { time } => {
            tracing::info!(thread, seconds = time.as_secs(), "the storage goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a thread that is looked at each second makes people read, with the second.
    fn notices(
        watched: &mut Watched,
        stalls: &Stalls,
        seconds: std::ops::Range<u64>,
    ) -> Vec<(u64, Notice)> {
        let origin = watched.doing.origin;
        let look = |second| {
            let now = origin + Duration::from_secs(second);
            Some((second, watched.look(now, stalls)?))
        };
        seconds.filter_map(look).collect()
    }

    fn watched() -> Watched {
        Watched { doing: Arc::new(Doing::new("store-write")), stall: None }
    }

    #[test]
    fn a_turn_that_hangs_is_told_of_with_doubling_pauses_and_so_is_its_end() {
        let (mut watched, stalls) = (watched(), Stalls::default());
        let origin = watched.doing.origin;
        assert_eq!(notices(&mut watched, &stalls, 0..100), []);
        watched.doing.begin_at(Task::Stage, origin + Duration::from_secs(100));
        watched.doing.go_on(Task::Sync);
        let told =
            |seconds| Notice::Stalled { task: Task::Sync, time: Duration::from_secs(seconds) };
        assert_eq!(
            notices(&mut watched, &stalls, 100..200),
            [(110, told(10)), (120, told(20)), (140, told(40)), (180, told(80))]
        );
        assert_eq!((stalls.count(), stalls.seconds()), (1, 89));
        watched.doing.end();
        let goes_on = Notice::GoesOn { time: Duration::from_secs(100) };
        assert_eq!(notices(&mut watched, &stalls, 200..300), [(200, goes_on)]);
        assert_eq!((stalls.count(), stalls.seconds()), (1, 89));
    }

    #[test]
    fn many_turns_that_end_are_no_stall() {
        let (mut watched, stalls) = (watched(), Stalls::default());
        let origin = watched.doing.origin;
        for second in 0..100 {
            watched.doing.begin_at(Task::Read, origin + Duration::from_secs(second));
            assert_eq!(notices(&mut watched, &stalls, second + 9..second + 10), []);
        }
        assert_eq!(stalls.count(), 0);
    }

    #[test]
    fn a_second_stall_behind_the_first_is_another_one() {
        let (mut watched, stalls) = (watched(), Stalls::default());
        let origin = watched.doing.origin;
        watched.doing.begin_at(Task::Commit, origin);
        assert_eq!(notices(&mut watched, &stalls, 0..15).len(), 1);
        watched.doing.begin_at(Task::Commit, origin + Duration::from_secs(15));
        let told = notices(&mut watched, &stalls, 15..30);
        assert!(matches!(told[..], [(15, Notice::GoesOn { .. }), (25, Notice::Stalled { .. })]));
        assert_eq!(stalls.count(), 2);
    }

    #[test]
    fn a_watchdog_ends_when_it_is_dropped() {
        let doing = Arc::new(Doing::new("store-read"));
        let watchdog = Watchdog::start(vec![Arc::clone(&doing)], Arc::default()).unwrap();
        drop(watchdog);
        assert_eq!(Arc::strong_count(&doing), 1);
    }
}
