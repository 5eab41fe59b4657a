//! What is to happen, by time and then by the order in which it was decided.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use quorate_core::time::Instant;

/// A heap of events. Events are large and stay where they are; the heap moves their places.
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    /// Invariant: a place in the heap names an event that is there.
    events: Vec<Option<E>>,
    /// Places without an event.
    free: Vec<usize>,
    sequence: u64,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, event: E) {
        let place = match self.free.pop() {
            Some(place) => {
                self.events[place] = Some(event);
                place
            }
            None => {
                self.events.push(Some(event));
                self.events.len() - 1
            }
        };
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, place)));
    }

    /// When the next event is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        let event = self.events[place].take().expect("each place in the heap has its event");
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use quorate_core::time::Instant;

    #[test]
    fn events_of_one_time_keep_their_order() {
        let mut queue = Queue::new();
        for (at, event) in [(2, 'c'), (1, 'a'), (1, 'b'), (3, 'd')] {
            queue.push(Instant(at), event);
        }
        let mut order = String::new();
        while let Some((_, event)) = queue.pop() {
            order.push(event);
        }
        assert_eq!(order, "abcd");
    }
}
