//! How calls end: with an answer, with an error, or at their deadline; each exactly once.

use super::connection::Connection;
use super::{Call, CallError, Client, ClientEffect, Completion, ErrorCode, Link, Stage, copies};
use crate::backoff;
use crate::causality::Checksum;
use crate::ids::{Key, NodeId};
use crate::machine::Effects;
use crate::message::{Answer, CallId, Failure, FailureCode, Outcome, Reply};
use crate::time::{Instant, Now};

/// Rounds over all nodes after which a call that all of them put off ends: whoever is overloaded
/// is not helped by being asked for ever.
const ROUNDS_MAX: u32 = 10;

impl Client {
    pub(super) fn on_reply(
        &mut self,
        now: Now,
        link: Link,
        reply: Reply,
        out: &mut Effects<ClientEffect>,
    ) {
        if self.learn(reply.layout.clone(), out) {
            self.route_waiting(now, out);
        }
        let Some(connection) = self.links.get_mut(link) else { return };
        let Some(node) = connection.node() else { return };
        let Some(took) = connection.on_answered(now, reply.call) else { return };
        if self.on_pong(reply.call, took, out) {
            return self.on_room(now, link, out);
        }
        self.standings.on_answer(node, took);
        self.on_reports(now, &reply.down, out);
        if copies::is_copy(reply.call) {
            self.on_copy(now, link, node, reply, out);
            return self.on_room(now, link, out);
        }
        let concerned = self.calls.get_mut(reply.call).filter(|call| call.sent.contains(&link));
        if let Some(call) = concerned {
            call.sent.retain(|sent| *sent != link);
            // A call that waits goes by the word of anybody.
            let current = match call.stage {
                Stage::Sent(at) => at == link,
                Stage::Waiting | Stage::Paused => true,
                Stage::Queued(_) | Stage::Reading => false,
            };
            let key = call.key.clone();
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
                    self.on_reached(&key, &reply.down, out);
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
    #[cold]
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
            | FailureCode::StorageFull
            | FailureCode::NotAPrimary
            | FailureCode::Stale
            | FailureCode::NotReady => true,
            FailureCode::Timeout
            | FailureCode::WeakQuorum
            | FailureCode::BadQuorum
            | FailureCode::BadContext
            | FailureCode::BadTtl
            | FailureCode::KeySize
            | FailureCode::ValueTooLarge
            | FailureCode::TooManySiblings
            | FailureCode::RecordTooLarge
            | FailureCode::Unrecognized => false,
        };
        call.on_refused(failure, node);
        if matches!(failure.code, FailureCode::Overloaded | FailureCode::NotReady) {
            let sooner = call
                .retry_after
                .map_or(failure.retry_after, |known| known.min(failure.retry_after));
            call.retry_after = Some(sooner);
            self.standings.on_busy(now, node, failure.retry_after);
        }
        if elsewhere {
            self.reroute(now, id, out);
        } else {
            self.fail(id, CallError::of(failure, Some(node)), out);
        }
    }

    /// A node has served `key`: of the primaries it has reached those that it does not name.
    fn on_reached(&mut self, key: &Key, down: &[NodeId], out: &mut Effects<ClientEffect>) {
        if !self.standings.has_reports() {
            return;
        }
        let Some(update) = &self.layout else { return };
        let primaries = update.layout.primaries(update.layout.slot_of(key.as_bytes()));
        for node in primaries.iter().filter(|node| !down.contains(node)) {
            self.standings.on_reached(*node, out);
        }
    }

    /// A call is at its deadline, or its pause is over, or the node that was asked takes too long.
    pub(super) fn on_timer(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.deadline <= now.instant {
            return self.expire(id, out);
        }
        match call.stage {
            Stage::Sent(link) => {
                call.loose |= sane_or!(true, ClientForgetsSilent => false);
                if let Some(node) = self.links.get(link).and_then(Connection::node) {
                    call.tried.push(node);
                }
            }
            Stage::Paused => {
                call.tried.clear();
                call.retry_after = None;
            }
            Stage::Reading => return self.on_slow_copies(now, id, out),
            Stage::Waiting | Stage::Queued(_) => return self.set_timer(id, None),
        }
        self.reroute(now, id, out);
    }

    /// Everyone who could serve a call was asked, in vain. It rests where somebody has asked for
    /// just that, and ends where nobody has, or where the time is too short.
    #[cold]
    pub(super) fn on_exhausted(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if let Some(retry_after) = call.retry_after
            && call.rounds < ROUNDS_MAX
        {
            // Never sooner than the node asked for; the jitter parts those whom it told the same.
            let pause = retry_after + backoff::wait(&mut self.prng, call.rounds + 1);
            let at = now.instant + pause;
            if at < call.deadline {
                call.rounds += 1;
                call.stage = Stage::Paused;
                self.waiting.remove(id);
                return self.set_timer(id, Some(at));
            }
        }
        let error = match call.refusal {
            Some((failure, node)) => CallError::of(failure, Some(node)),
            None => CallError::new(ErrorCode::Timeout),
        };
        self.fail(id, error, out);
    }

    #[cold]
    fn expire(&mut self, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.loose |= matches!(call.stage, Stage::Sent(_));
        let code = if call.attempts == 0 { ErrorCode::Unreachable } else { ErrorCode::Timeout };
        self.give_up(id, code, out);
    }

    /// Ends a call with what is known: a refusal says more than `code`.
    #[cold]
    pub(super) fn give_up(&mut self, id: CallId, code: ErrorCode, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get(id) else { return };
        let error = match (&call.refusal, &self.rejection) {
            (Some((failure, node)), _) => CallError::of(*failure, Some(*node)),
            (None, Some(reject)) if call.attempts == 0 => CallError {
                text: Some(reject.text.as_str().into()),
                ..CallError::new(ErrorCode::Rejected)
            },
            (None, _) => CallError::new(code),
        };
        self.fail(id, error, out);
    }

    pub(super) fn succeed(
        &mut self,
        id: CallId,
        done: Completion,
        out: &mut Effects<ClientEffect>,
    ) {
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
    #[cold]
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
        let error = error.counted_in(call.zone.as_ref());
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
pub(super) fn is_intact(answer: &Answer) -> bool {
    match answer {
        Answer::Entry(entry) => {
            entry.values.iter().all(|value| Checksum::of_value(&value.payload) == value.checksum)
        }
        Answer::Written(_) => true,
    }
}
