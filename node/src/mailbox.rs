//! A queue with many senders and one receiver that takes all there is at once.
//!
//! A driver handles everything that is ready in one turn, so it wants the whole queue, not one item
//! after the other: one lock and one wake-up per turn, whatever the number of items.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue. Senders share it in an `Arc`.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// The receiver, while it waits for a first item.
    receiver: Option<Waker>,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        Mailbox { state: Mutex::new(State { items: VecDeque::new(), receiver: None }) }
    }

    /// Adds an item and wakes the receiver.
    pub(crate) fn push(&self, item: T) {
        let receiver = {
            let mut state = lock(&self.state);
            state.items.push_back(item);
            state.receiver.take()
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Takes what is there, and waits for nothing.
    pub(crate) fn drain(&self) -> VecDeque<T> {
        mem::take(&mut lock(&self.state).items)
    }

    /// Waits for at least one item, then moves all of them into `items`, which must be empty.
    pub(crate) async fn take(&self, items: &mut VecDeque<T>) {
        poll_fn(|context| self.poll_take(context, items)).await;
    }

    fn poll_take(&self, context: &mut Context<'_>, items: &mut VecDeque<T>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.items.is_empty() {
            state.receiver = Some(context.waker().clone());
            return Poll::Pending;
        }
        // The two queues change places, so neither is allocated again.
        mem::swap(&mut state.items, items);
        Poll::Ready(())
    }
}

/// Locks. What is guarded in this crate is whole between any two statements, so a panic of another
/// holder has left nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
