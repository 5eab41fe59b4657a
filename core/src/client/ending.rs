//! How calls end: with an answer, with an error, or at their deadline; each exactly once.

use super::links::State;
use super::{Call, CallError, Client, ClientEffect, Completion, ErrorCode, Link, Stage};
use crate::causality::Checksum;
use crate::ids::NodeId;
use crate::machine::Effects;
use crate::message::{Answer, CallId, Failure, FailureCode, Outcome, Reply};
use crate::time::{Instant, Now};

impl Client {
    pub(super) fn on_reply(
        &mut self,
        now: Now,
        link: Link,
        reply: Reply,
        out: &mut Effects<ClientEffect>,
    ) {
        self.learn(reply.layout.clone(), out);
        let node = self.links.get(link).and_then(|connection| match connection.state {
            State::Up(node) => Some(node),
            State::Opening { .. } => None,
        });
        let Some(node) = node else { return };
        let asked = self.links.get_mut(link).map(|known| known.in_flight.remove(reply.call));
        if !matches!(asked, Some(Some(()))) {
            return;
        }
        let concerned = self.calls.get_mut(reply.call).filter(|call| call.sent.contains(&link));
        if let Some(call) = concerned {
            call.sent.retain(|sent| *sent != link);
            // A call that waits goes by the word of anybody.
            let current = call.stage == Stage::Sent(link) || call.stage == Stage::Waiting;
            match reply.result {
                Ok(answer) if call.is_answered_by(&answer) && is_intact(&answer) => {
                    let completion = Completion {
                        answer,
                        node,
                        direct: reply.passed_on_by.is_none(),
                        receipt: reply.receipt,
                        attempts: call.attempts,
                    };
                    self.succeed(reply.call, completion, out);
                }
                Ok(_) => {
                    call.loose = true;
                    let failure = Failure::refused(FailureCode::Damaged);
                    self.on_failure(now, reply.call, node, failure, current, out);
                }
                Err(failure) => {
                    self.on_failure(now, reply.call, node, failure, current, out);
                }
            }
        }
        self.on_room(now, link, out);
    }

    /// A node could not serve a call: another may, within the same deadline.
    fn on_failure(
        &mut self,
        now: Now,
        id: CallId,
        node: NodeId,
        failure: Failure,
        current: bool,
        out: &mut Effects<ClientEffect>,
    ) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.loose |= failure.outcome == Outcome::Unknown;
        if !current {
            return;
        }
        let elsewhere = match failure.code {
            FailureCode::QuorumUnavailable
            | FailureCode::Overloaded
            | FailureCode::Damaged
            | FailureCode::Storage
            | FailureCode::NotAPrimary => true,
            FailureCode::Timeout
            | FailureCode::WeakQuorum
            | FailureCode::BadQuorum
            | FailureCode::BadContext
            | FailureCode::KeySize
            | FailureCode::ValueTooLarge
            | FailureCode::TooManySiblings
            | FailureCode::RecordTooLarge => false,
        };
        call.tried.push(node);
        call.refusal = Some((failure, node));
        if elsewhere {
            self.reroute(now, id, out);
        } else {
            self.fail(id, CallError::of(failure, Some(node)), out);
        }
    }

    /// A call is at its deadline, or the node that was asked is silent for too long.
    pub(super) fn on_timer(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.deadline <= now.instant {
            return self.expire(id, out);
        }
        let Stage::Sent(link) = call.stage else { return self.set_timer(id, None) };
        call.loose |= sane_or!(true, ClientForgetsSilent => false);
        let asked = call.asked;
        let silent = self.links.get(link).is_some_and(|known| known.is_silent(now, asked));
        if let Some(State::Up(node)) = self.links.get(link).map(|connection| connection.state) {
            call.tried.push(node);
        }
        self.reroute(now, id, out);
        if silent {
            // Nothing at all came in since: the connection is taken for dead.
            out.push(ClientEffect::Hangup(link));
            self.on_closed(now, link, out);
        }
    }

    fn expire(&mut self, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.loose |= matches!(call.stage, Stage::Sent(_));
        let error = match (&call.refusal, &self.rejection) {
            (Some((failure, node)), _) => CallError::of(*failure, Some(*node)),
            (None, Some(reject)) if call.attempts == 0 => CallError {
                text: Some(reject.text.as_str().into()),
                ..CallError::new(ErrorCode::Rejected)
            },
            (None, _) if call.attempts == 0 => CallError::new(ErrorCode::Unreachable),
            (None, _) => CallError::new(ErrorCode::Timeout),
        };
        self.fail(id, error, out);
    }

    fn succeed(&mut self, id: CallId, done: Completion, out: &mut Effects<ClientEffect>) {
        self.forget(id);
        self.stats.done += 1;
        if done.direct {
            self.stats.direct += 1;
        } else {
            self.stats.passed_on += 1;
        }
        out.push(ClientEffect::Complete { call: id, result: Ok(done) });
    }

    /// Completes a call with an error, if it is still under way.
    pub(super) fn fail(&mut self, id: CallId, error: CallError, out: &mut Effects<ClientEffect>) {
        let Some(mut call) = self.forget(id) else { return };
        call.loose |= matches!(call.stage, Stage::Sent(_))
            && matches!(error.code, ErrorCode::Aborted | ErrorCode::Closed);
        let outcome = match error.outcome {
            Outcome::Unknown => Outcome::Unknown,
            Outcome::None => call.outcome(),
        };
        self.stats.failed += 1;
        let error = CallError { outcome, attempts: call.attempts, ..error };
        out.push(ClientEffect::Complete { call: id, result: Err(error) });
    }

    fn forget(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.timers.remove((call.timer, id));
        self.waiting.remove(id);
        if let Stage::Queued(link) = call.stage
            && let Some(connection) = self.links.get_mut(link)
        {
            connection.backlog.remove(id);
        }
        Some(*call)
    }

    /// Sets when a call is looked at again: at `at`, or at its deadline.
    pub(super) fn set_timer(&mut self, id: CallId, at: Option<Instant>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        self.timers.remove((call.timer, id));
        call.timer = at.map_or(call.deadline, |at| at.min(call.deadline));
        self.timers.insert((call.timer, id), ());
    }
}

/// Whether all values of an answer match their checksums.
fn is_intact(answer: &Answer) -> bool {
    match answer {
        Answer::Entry(entry) => {
            entry.values.iter().all(|value| Checksum::of_value(&value.payload) == value.checksum)
        }
        Answer::Written(_) => true,
    }
}
