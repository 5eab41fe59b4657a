//! Every call ends once, and every request is answered, in time.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::client::{CallError, ErrorCode};
use quorate_core::ids::RequestId;
use quorate_core::message::{CallId, Message, ReadKind, RequestHead};
use quorate_core::time::{Duration, Instant};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{
    CallEnded, Caller, Closed, Crashed, Delivered, Ending, Handed, Resumed, Sent, request_of,
};
use crate::oracle::Seconds;

pub(crate) const PROPERTY: Property = Property {
    name: "ends-once-in-time",
    definition: "A call ends once: at once when its caller takes it back, and never as taken back \
                 otherwise; else no later than its deadline, or than the end of a freeze of its \
                 client that began before. At rest none is open, and calls of dead clients never \
                 end. A node answers each get and put of a caller once per delivery, and within \
                 its budget, counted from its arrival, or within that of an earlier try of the \
                 same write that it met, and a read of its own copy as soon as its storage \
                 says something; unless the node crashed, or stood still then, or the \
                 connection went away. What was never answered shows when its caller sends over \
                 the same connection again, or at rest.",
    source: "DESIGN.md §7 (Deadline)",
};

/// The longest budget that a node grants.
const BUDGET_MAX: Duration = Duration::from_secs(600);

/// No storage of a world takes so long for a read.
const STORAGE_MAX: Duration = Duration::from_secs(60);

/// Who waits for an answer of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asker {
    Link(End),
    Hand(Caller),
}

/// Requests of one name that a node has not answered.
#[derive(Clone, Copy, Debug)]
struct Pending {
    count: u32,
    arrived: Instant,
    until: Instant,
}

#[derive(Default)]
pub(crate) struct EndsOnceInTime {
    pending: BTreeMap<(usize, Asker, CallId), Pending>,
    /// Until when a node may work on a write, through all tries of it that it met.
    tries: BTreeMap<(usize, RequestId), Instant>,
    /// The ends of clients whose connections are gone: their links are never used again.
    closed: BTreeSet<End>,
}

impl Invariant for EndsOnceInTime {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        if let Caller::Hand(_) = ended.caller {
            self.answered(scene, None, Asker::Hand(ended.caller), ended.call)?;
        }
        is_due(scene, ended)
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        let Delivered { from, to: End::Node(node), message, again } = delivered else {
            return Ok(());
        };
        self.arrived(scene, node, Asker::Link(from), message, again)
    }

    fn on_handed(&mut self, scene: Scene<'_>, handed: Handed<'_>) -> Verdict {
        let Handed { caller, node, message } = handed;
        self.arrived(scene, node, Asker::Hand(caller), message, false)
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, to, message }: Sent<'_>) -> Verdict {
        let (End::Node(node), End::Client(..), Message::Reply(reply)) = (from, to, message) else {
            return Ok(());
        };
        self.answered(scene, Some(node), Asker::Link(to), reply.call)
    }

    fn on_closed(&mut self, _scene: Scene<'_>, Closed { a, b }: Closed) -> Verdict {
        for end in [a, b].into_iter().filter(|end| matches!(end, End::Client(..))) {
            self.pending.retain(|(_, asker, _), _| *asker != Asker::Link(end));
            self.closed.insert(end);
        }
        Ok(())
    }

    fn on_crashed(&mut self, _scene: Scene<'_>, Crashed { node, .. }: Crashed<'_>) -> Verdict {
        self.pending.retain(|(at, _, _), _| *at != node);
        self.tries.retain(|(at, _), _| *at != node);
        Ok(())
    }

    fn on_resumed(&mut self, scene: Scene<'_>, Resumed { node, since }: Resumed) -> Verdict {
        let late = |until: &mut Instant| {
            if *until >= since {
                *until = (*until).max(scene.now);
            }
        };
        let here = self.pending.iter_mut().filter(|((at, _, _), _)| *at == node);
        here.for_each(|(_, pending)| late(&mut pending.until));
        let here = self.tries.iter_mut().filter(|((at, _), _)| *at == node);
        here.for_each(|(_, until)| late(until));
        Ok(())
    }

    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        let by_client = |caller: &Caller| matches!(caller, Caller::Client(_));
        let mut ops = scene.facts.ops().iter();
        let open = ops.find(|op| by_client(&op.caller) && op.end.is_none() && !op.gone);
        if let Some(op) = open {
            return Err(Violation::new(format!("the world is at rest, but {op}")).of(&op.key));
        }
        let mut silent = self.pending.iter().filter(|((node, asker, _), pending)| {
            let is_over = matches!(asker, Asker::Hand(_)) || pending.until < scene.now;
            is_over && whole.contains(node)
        });
        let Some(((node, asker, call), pending)) = silent.next() else { return Ok(()) };
        let at = Seconds(pending.arrived);
        let text = format!(
            "the world is at rest, but {call:?} of {asker:?}, which came to n{node} at {at}, was \
             never answered",
        );
        Err(Violation::new(text).at(*node))
    }
}

impl EndsOnceInTime {
    fn arrived(
        &mut self,
        scene: Scene<'_>,
        node: usize,
        from: Asker,
        message: &Message,
        again: bool,
    ) -> Verdict {
        let alive = match (from, again) {
            (Asker::Link(end), false) => self.overdue(scene, node, end),
            (Asker::Link(_), true) | (Asker::Hand(_), _) => Ok(()),
        };
        let Some((head, put)) = request_of(message) else { return alive };
        let RequestHead { call, budget, .. } = head;
        let granted = if is_of_copy(message) { STORAGE_MAX } else { (*budget).min(BUDGET_MAX) };
        let mut until = scene.now + granted;
        let request = put.map(|put| put.request);
        if let Some(request) = request.filter(|request| *request != RequestId::default()) {
            let latest = self.tries.entry((node, request)).or_insert(until);
            *latest = until.max(*latest);
            until = *latest;
        }
        let waits = match from {
            Asker::Link(End::Node(_)) => false,
            Asker::Link(end @ End::Client(..)) => !self.closed.contains(&end),
            Asker::Hand(_) => true,
        };
        if waits {
            let fresh = Pending { count: 0, arrived: scene.now, until };
            let pending = self.pending.entry((node, from, *call)).or_insert(fresh);
            pending.count += 1;
            pending.until = pending.until.max(until);
        }
        alive
    }

    /// A frame of `end` shows that its connection lives: what is overdue there stays unanswered.
    fn overdue(&self, scene: Scene<'_>, node: usize, end: End) -> Verdict {
        let Asker::Link(End::Client(..)) = Asker::Link(end) else { return Ok(()) };
        let least = (node, Asker::Link(end), CallId(0));
        let most = (node, Asker::Link(end), CallId(u64::MAX));
        let late = self.pending.range(least..=most).find(|(_, pending)| pending.until < scene.now);
        let Some(((_, _, call), Pending { arrived, until, .. })) = late else { return Ok(()) };
        let text = format!(
            "n{node} has not answered {call:?} of {end:?}, which came at {} and had time until {}",
            Seconds(*arrived),
            Seconds(*until),
        );
        Err(Violation::new(text).at(node))
    }

    fn answered(
        &mut self,
        scene: Scene<'_>,
        node: Option<usize>,
        to: Asker,
        call: CallId,
    ) -> Verdict {
        let mut here =
            self.pending.keys().copied().filter(|(_, asker, known)| *asker == to && *known == call);
        let name = match node {
            Some(node) => Some((node, to, call)),
            None => here.next(),
        };
        let found = name.and_then(|name| Some((name, self.pending.get_mut(&name)?)));
        let Some((name @ (node, _, _), pending)) = found else {
            let text = format!("{call:?} of {to:?} is answered, but it did not ask, or not again");
            return Err(Violation::new(text));
        };
        let Pending { arrived, until, .. } = *pending;
        pending.count -= 1;
        if pending.count == 0 {
            self.pending.remove(&name);
        }
        if until >= scene.now {
            return Ok(());
        }
        let text = format!(
            "n{node} answers {call:?} of {to:?}, which came at {}, after its time, {}",
            Seconds(arrived),
            Seconds(until),
        );
        Err(Violation::new(text).at(node))
    }
}

fn is_of_copy(message: &Message) -> bool {
    matches!(message, Message::Get(get) if get.read != ReadKind::Quorum)
}

/// Whether a call may end so, and by then.
fn is_due(scene: Scene<'_>, CallEnded { caller, call, ending }: CallEnded<'_>) -> Verdict {
    let taken_back = matches!(
        ending,
        Ending::Client(Err(CallError { code: ErrorCode::Aborted | ErrorCode::Closed, .. }))
    );
    let Some(op) = scene.facts.call(caller, call) else {
        return Err(Violation::new(format!("{call:?} of {caller:?} ends, but never began")));
    };
    let text = if op.ends > 1 {
        // One frame of a hand may be given to several nodes, and each answers.
        if matches!(caller, Caller::Hand(_)) {
            return Ok(());
        }
        "ends again"
    } else if op.gone {
        "ends, though its caller is dead"
    } else if scene.now > op.deadline && matches!(caller, Caller::Client(_)) {
        if op.cancelled { "does not end when it is taken back" } else { "ends after its deadline" }
    } else if taken_back && !op.cancelled {
        "ends as taken back, though nobody took it back before its deadline"
    } else {
        return Ok(());
    };
    let deadline = Seconds(op.deadline);
    Err(Violation::new(format!("{op} {text}, {deadline}")).of(&op.key))
}

#[cfg(test)]
mod tests {
    use quorate_core::client::{CallError, ErrorCode};
    use quorate_core::ids::RequestId;
    use quorate_core::message::{Failure, FailureCode, Message, Outcome};
    use quorate_core::time::Duration;

    use super::EndsOnceInTime;
    use crate::network::End;
    use crate::observation::{
        Asked, CallEnded, CallerGone, CallerThawed, Cancelled, Closed, Delivered, Ending,
        Observation, Resumed, Sent,
    };
    use crate::oracle::stage::{Call, Stage};

    fn pass(stage: &mut Stage, ms: u64) {
        stage.now = stage.now + Duration::from_millis(ms);
    }

    fn deliver(stage: &mut Stage, call: Call) {
        let message = stage.frame(call, &Asked::Get, RequestId::default());
        let from = stage.end(call.0);
        let to = End::Node(0);
        stage.see(&Observation::Delivered(Delivered { from, to, message: &message, again: false }));
    }

    fn answer(stage: &mut Stage, call: Call) {
        let failure = Failure::refused(FailureCode::QuorumUnavailable);
        let message = Message::Reply(stage.reply(call, Err(failure)));
        let to = stage.end(call.0);
        stage.see(&Observation::Sent(Sent { from: End::Node(0), to, message: &message }));
    }

    #[test]
    fn a_call_ends_once_and_by_its_deadline() {
        for (late_ms, thawed, twice, part) in [
            (900, false, false, ""),
            (1_100, false, false, "ends after its deadline"),
            (1_100, true, false, ""),
            (100, false, true, "ends again"),
        ] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            let since = stage.now;
            let get = stage.get(1);
            pass(&mut stage, late_ms);
            if thawed {
                stage.see(&Observation::CallerThawed(CallerThawed { client: 1, since }));
                stage.now = stage.op(get).deadline;
                stage.now.0 -= 1;
            }
            stage.find(get, &[], &[]);
            if twice {
                stage.find(get, &[], &[]);
            }
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn only_a_call_that_is_taken_back_ends_so_and_at_once() {
        let aborted = Err(CallError {
            code: ErrorCode::Aborted,
            outcome: Outcome::None,
            node: None,
            attempts: 0,
            needed: 0,
            acked: 0,
            limit: 0,
            actual: 0,
            retry_after: Duration::ZERO,
            text: None,
        });
        // (taken back after, ends after that)
        for (back, ms, part) in [
            (Some(100), 0, ""),
            (Some(1_100), 0, ""),
            (Some(100), 100, "does not end when it is taken back"),
            (None, 100, "though nobody took it back"),
            (None, 1_100, "ends after its deadline"),
        ] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            let (caller, call) = stage.get(1);
            if let Some(after) = back {
                pass(&mut stage, after);
                stage.see(&Observation::Cancelled(Cancelled { client: 1, call }));
                // What is seen next is seen one microsecond later.
                stage.now.0 -= 1;
            }
            pass(&mut stage, ms);
            let ending = Ending::Client(&aborted);
            stage.see(&Observation::CallEnded(CallEnded { caller, call, ending }));
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn at_rest_no_request_on_an_open_connection_is_unanswered() {
        for (answered, closed, ms, fine) in [
            (false, false, 1_000, false),
            (false, false, 100, true),
            (true, false, 1_000, true),
            (false, true, 1_000, true),
        ] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            let get = stage.get(1);
            deliver(&mut stage, get);
            if answered {
                answer(&mut stage, get);
            }
            if closed {
                let (a, b) = (stage.end(get.0), End::Node(0));
                stage.see(&Observation::Closed(Closed { a, b }));
                // A frame may outlive its connection.
                deliver(&mut stage, get);
            }
            stage.refuse(get);
            pass(&mut stage, ms);
            stage.rest();
            stage.expect(fine, "was never answered");
        }
    }

    #[test]
    fn at_rest_no_call_is_open() {
        for dead in [true, false] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            stage.get(1);
            if dead {
                stage.see(&Observation::CallerGone(CallerGone { client: 1 }));
            }
            stage.rest();
            stage.expect(dead, "the world is at rest, but the get");
        }
    }

    #[test]
    fn a_node_answers_within_the_budget() {
        let late = "after its time";
        for (ms, resumed, part) in [(800, false, ""), (1_000, false, late), (1_000, true, "")] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            let get = stage.get(1);
            deliver(&mut stage, get);
            let since = stage.now;
            pass(&mut stage, ms);
            if resumed {
                stage.see(&Observation::Resumed(Resumed { node: 0, since }));
                stage.now.0 -= 1;
            }
            answer(&mut stage, get);
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn a_node_that_lives_on_owes_an_answer_and_one_only() {
        for crashed in [true, false] {
            let mut stage = Stage::new(EndsOnceInTime::default());
            let get = stage.get(1);
            deliver(&mut stage, get);
            if crashed {
                stage.crash(0);
            }
            pass(&mut stage, 1_000);
            let next = stage.get(1);
            deliver(&mut stage, next);
            stage.expect(crashed, "n0 has not answered");
        }
        let mut stage = Stage::new(EndsOnceInTime::default());
        let get = stage.get(1);
        deliver(&mut stage, get);
        answer(&mut stage, get);
        stage.expect(true, "");
        answer(&mut stage, get);
        stage.expect(false, "did not ask, or not again");
    }
}
