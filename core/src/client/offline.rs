//! Times in which no node can be reached: who waits then, and when addresses are dialled again.

use super::{CallError, Client, ClientEffect, ErrorCode, Offline};
use crate::ids::Text;
use crate::machine::Effects;
use crate::message::CallId;
use crate::time::{Duration, Now};

impl Client {
    /// Ends calls that wait for a node where they are not to, or in vain.
    pub(super) fn look_offline(&mut self, out: &mut Effects<ClientEffect>) {
        if self.waiting.is_empty() || !self.links.is_offline() {
            return;
        }
        if self.config.offline == Offline::Fail || self.links.is_given_up() {
            for id in self.waiting.keys() {
                self.give_up(id, ErrorCode::Unreachable, out);
            }
        }
    }

    /// A call was begun: it may wait only where few do.
    pub(super) fn look_at_queue(&mut self, id: CallId, out: &mut Effects<ClientEffect>) {
        let (waiting, most) = (self.waiting.len(), self.config.queue_max);
        if waiting > most && !self.links.is_any_up() {
            let (limit, actual) = (most as u64, waiting as u64);
            let full = CallError { limit, actual, ..CallError::new(ErrorCode::QueueFull) };
            self.fail(id, full, out);
        }
        self.look_offline(out);
    }

    #[cold]
    pub(super) fn on_redial(
        &mut self,
        now: Now,
        address: Option<Text>,
        wait: Option<Duration>,
        out: &mut Effects<ClientEffect>,
    ) {
        self.links.redial(now, address.as_ref(), wait);
        self.links.dial_seeds(now, out);
        self.route_waiting(now, out);
    }
}
