//! Work on all cores whose results come in order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// As many threads as there are cores.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Does the work of 0, 1, 2, ... until `work` says that there is none, and hands the results to
/// `each` in this order, on the thread of the caller. Where `each` breaks, nothing more begins,
/// and what was done beyond is forgotten: what `each` sees does not depend on the threads.
pub(crate) fn in_order<T: Send>(
    threads: usize,
    work: impl Fn(u64) -> Option<T> + Sync,
    mut each: impl FnMut(T) -> ControlFlow<()>,
) {
    let next = AtomicU64::new(0);
    let stopped = AtomicBool::new(false);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let sender = sender.clone();
            let (next, stopped, work) = (&next, &stopped, &work);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(result) = work(index) else { return };
                    if sender.send((index, result)).is_err() {
                        return;
                    }
                }
            });
        }
        // The channel ends with the last worker.
        drop(sender);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&expected) {
                expected += 1;
                if each(result).is_break() {
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(end: u64) -> impl Fn(u64) -> Option<u64> + Sync {
        move |index| {
            // Later work is done sooner.
            (0..(end.saturating_sub(index)) * 1_000).for_each(|n| {
                std::hint::black_box(n);
            });
            (index < end).then_some(index * 10)
        }
    }

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for threads in [0, 1, 2, 7] {
            let mut seen = Vec::new();
            in_order(threads, below(50), |result| {
                seen.push(result);
                ControlFlow::Continue(())
            });
            assert_eq!(seen, (0..50).map(|index| index * 10).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn whoever_breaks_sees_nothing_more() {
        for threads in [1, 4] {
            let mut seen = Vec::new();
            in_order(threads, below(1_000), |result| {
                seen.push(result);
                if result == 30 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(seen, [0, 10, 20, 30]);
        }
    }
}
