//! Everything in a keyspace, in its order, and around what the engine cannot read.
//!
//! An engine that meets a damaged block tells no key, and would tell the same again at each further
//! step. So the walk goes on a little later on the ring, and each time that this fails, too, twice as
//! far as before: it leaves out at most about as much again as is damaged, and comes to an end.

use std::ops::Bound;

use bytes::Bytes;
use fjall::{Iter, Keyspace};

/// The first step, as a part of the ring: 1 / 65,536.
const STEP_BITS: u32 = 16;

/// What is found on a walk.
pub(super) enum Step {
    /// A place and what is stored there.
    Found(Bytes, Bytes),
    /// A stretch that was left out.
    Unreadable(Stretch),
}

/// Places that the engine cannot read.
pub(super) struct Stretch {
    /// The last place that was read; `None` where it begins with the first one.
    pub(super) after: Option<Bytes>,
    /// Where the walk goes on, as the beginning of a place; `None` where it ended.
    pub(super) until: Option<[u8; 16]>,
    /// What the engine said first.
    pub(super) reason: String,
}

pub(super) struct Walk {
    keyspace: Option<Keyspace>,
    items: Option<Iter>,
    /// The last place that was read, or where the last attempt began.
    last: Option<Bytes>,
    /// The step on the scale of the first 16 bytes of a place.
    first_step: u128,
}

impl Walk {
    /// `ring_at` is how many bytes of a place stand before the position.
    pub(super) fn new(keyspace: Option<Keyspace>, ring_at: usize) -> Walk {
        let items = keyspace.as_ref().map(Keyspace::iter);
        let first_step = 1 << (u128::BITS - STEP_BITS - 8 * ring_at as u32);
        Walk { keyspace, items, last: None, first_step }
    }

    /// Goes on behind what the engine refused with `reason`.
    fn leave_out(&mut self, reason: String) -> Stretch {
        let after = self.last.clone();
        let mut step = Some(self.first_step);
        let mut at = after.as_deref().map_or(0, beginning);
        self.items = None;
        loop {
            let next = step.and_then(|step| at.checked_add(step));
            let Some((keyspace, next)) = self.keyspace.as_ref().zip(next) else {
                return Stretch { after, until: None, reason };
            };
            at = next;
            step = step.and_then(|step| step.checked_mul(2));
            let from = at.to_be_bytes();
            let range =
                || keyspace.range::<&[u8], _>((Bound::Included(&from[..]), Bound::Unbounded));
            // Nothing, or something that can be read.
            if range().next().is_none_or(|first| first.into_inner().is_ok()) {
                self.items = Some(range());
                return Stretch { after, until: Some(from), reason };
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        match self.items.as_mut()?.next()?.into_inner() {
            Ok((place, value)) => {
                let place = Bytes::from(place);
                self.last = Some(place.clone());
                Some(Step::Found(place, Bytes::from(value)))
            }
            Err(error) => Some(Step::Unreadable(self.leave_out(error.to_string()))),
        }
    }
}

/// The first 16 bytes of a place as a number.
fn beginning(place: &[u8]) -> u128 {
    let mut first = [0; 16];
    let length = place.len().min(first.len());
    first[..length].copy_from_slice(&place[..length]);
    u128::from_be_bytes(first)
}
