//! Waiting for requests.

use quorate_core::message::{Answer, Reply};
use quorate_core::time::{Duration, Instant};

use super::outcome::call_error;
use super::request::Way;
use super::{Done, Failed, Node, Outcome, Pending, Scenario};
use crate::result::Ended;

/// Time that is granted to a request beyond its own budget before it is said to be lost.
const GRACE: Duration = Duration::from_secs(5);

impl Scenario {
    /// Lets time pass until a request has ended well.
    ///
    /// # Panics
    /// Where it fails or never ends, or a property did not hold meanwhile.
    #[track_caller]
    pub fn finish(&mut self, pending: Pending) -> Done {
        self.try_finish(pending).ok()
    }

    /// Lets time pass until a request has ended, however that may be.
    ///
    /// # Panics
    /// Where it never ends, since its coordinator or its client is gone or stands still, or a
    /// property did not hold meanwhile.
    #[track_caller]
    pub fn try_finish(&mut self, pending: Pending) -> Outcome {
        let until = self.world.now().max(pending.began + pending.budget) + GRACE;
        while !self.has_ended(&pending) {
            let goes_on = self.world.now() < until && self.world.step();
            self.check();
            assert!(goes_on, "{} never ends; {}", pending.what, self.states());
        }
        self.check();
        match pending.way {
            Way::Hand { sender, call } => {
                let reply = self.world.take_reply(sender, call);
                let (at, reply) = reply.expect("it has just come");
                of_reply(pending, at, reply)
            }
            Way::Client { client, call } => {
                let ended = self.world.ended(client, call).expect("it has just ended");
                let at = self.world.ended_at(client, call).expect("it has just ended");
                of_client(pending, at, ended)
            }
        }
    }

    /// Whether a request has ended, well or not.
    pub fn has_ended(&self, pending: &Pending) -> bool {
        match pending.way {
            Way::Hand { sender, call } => self.world.has_reply(sender, call),
            Way::Client { client, call } => self.world.ended(client, call).is_some(),
        }
    }

    /// A real client takes a request back.
    ///
    /// # Panics
    /// For a request at a node, which cannot be taken back.
    #[track_caller]
    pub fn cancel(&mut self, pending: &Pending) {
        match pending.way {
            Way::Hand { .. } => panic!("{} cannot be taken back: no client made it", pending.what),
            Way::Client { client, call } => self.world.cancel(client, call),
        }
    }
}

fn of_reply(pending: Pending, at: Instant, reply: Reply) -> Outcome {
    let took = at.since(pending.began);
    match reply.result {
        Ok(answer) => {
            let Reply { receipt, passed_on_by, layout, .. } = reply;
            let passed_on_by = passed_on_by.map(Node::of);
            Outcome::Done(Done { receipt, passed_on_by, layout, ..done(pending, answer, took) })
        }
        Err(failure) => {
            let error = call_error(failure);
            Outcome::Failed(Failed { what: pending.what, error, receipt: reply.receipt, took })
        }
    }
}

fn of_client(pending: Pending, at: Instant, ended: Ended) -> Outcome {
    let took = at.since(pending.began);
    match ended {
        Ok(finished) => {
            let completion = finished.0;
            let passed_on_by = (!completion.direct).then(|| Node::of(completion.node));
            Outcome::Done(Done {
                receipt: completion.receipt,
                passed_on_by,
                attempts: completion.attempts,
                ..done(pending, completion.answer, took)
            })
        }
        Err(error) => Outcome::Failed(Failed { what: pending.what, error, receipt: None, took }),
    }
}

fn done(pending: Pending, answer: Answer, took: Duration) -> Done {
    Done {
        what: pending.what,
        key: pending.key,
        shown: pending.shown,
        answer,
        receipt: None,
        passed_on_by: None,
        layout: None,
        attempts: 1,
        took,
    }
}
