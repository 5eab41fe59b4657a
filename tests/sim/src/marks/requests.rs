//! Writes by their request ids: first tries, retries, and where each stands.

use quorate_core::causality::Dot;
use quorate_core::ids::RequestId;
use quorate_core::message::CallId;

use super::{Mark, Marks};
use crate::network::End;
use crate::recent::Recent;

/// Writes that are remembered.
const REMEMBERED: usize = 1_024;

/// Who waits for the answer of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// Whoever is at the other end of a connection.
    End(End),
    /// A request by hand.
    Hand(u64),
}

/// The tries of each write.
#[derive(Debug)]
pub(super) struct Requests {
    requests: Recent<RequestId, Request>,
    /// Which write a node was asked for.
    asked: Recent<(usize, Asker, CallId), RequestId>,
    /// The input that is being handled, if it is a write.
    step: Option<Step>,
}

#[derive(Debug, Default)]
struct Request {
    tries: Vec<Try>,
    dots: Vec<Dot>,
}

/// One life of one node that was asked.
#[derive(Clone, Copy, Debug)]
struct Try {
    node: usize,
    life: u32,
    applied: bool,
    answered: bool,
}

/// What one node does with a write that it is asked for.
#[derive(Clone, Copy, Debug)]
struct Step {
    node: usize,
    request: RequestId,
    /// How the last try here stood; `None`: there was none.
    before: Option<Try>,
    /// Whether another node was asked before.
    elsewhere: bool,
    passed_on: bool,
    stored: bool,
    replied: bool,
    well: bool,
}

impl Requests {
    pub(super) fn new() -> Requests {
        Requests { requests: Recent::new(REMEMBERED), asked: Recent::new(REMEMBERED), step: None }
    }

    /// A node is asked for a write.
    pub(super) fn on_asked(
        &mut self,
        (node, life): (usize, u32),
        asker: Asker,
        call: CallId,
        request: RequestId,
    ) {
        self.asked.insert((node, asker, call), request);
        let tries = &mut self.requests.or_default(request).tries;
        let here = tries.iter().find(|tried| tried.node == node && tried.life == life);
        let before = here.copied();
        let elsewhere = tries.iter().any(|tried| tried.node != node);
        if before.is_none() {
            tries.push(Try { node, life, applied: false, answered: false });
        }
        self.step = Some(Step {
            node,
            request,
            before,
            elsewhere,
            passed_on: false,
            stored: false,
            replied: false,
            well: false,
        });
    }

    /// A node hands a request on.
    pub(super) fn on_passed_on(&mut self, node: usize) {
        if let Some(step) = self.step.as_mut().filter(|step| step.node == node) {
            step.passed_on = true;
        }
    }

    /// A node's storage is busy with something.
    pub(super) fn on_store(&mut self, node: usize) {
        if let Some(step) = self.step.as_mut().filter(|step| step.node == node) {
            step.stored = true;
        }
    }

    /// A node applied a write; answers whether its answer is still to come.
    pub(super) fn on_applied(
        &mut self,
        (node, life): (usize, u32),
        request: RequestId,
        dot: Dot,
        marks: &mut Marks,
    ) -> bool {
        let Some(known) = self.requests.get_mut(&request) else { return false };
        if !known.dots.contains(&dot) {
            marks.add(Mark::TwoDotsForOneRequest, !known.dots.is_empty());
            known.dots.push(dot);
        }
        let here = known.tries.iter_mut().find(|tried| tried.node == node && tried.life == life);
        let Some(here) = here.filter(|here| !here.applied) else { return false };
        here.applied = true;
        !here.answered
    }

    /// A node answers; answers whether that ends a write that it had applied.
    pub(super) fn on_reply(
        &mut self,
        (node, life): (usize, u32),
        asker: Asker,
        call: CallId,
        well: bool,
    ) -> bool {
        if let Some(step) = self.step.as_mut().filter(|step| step.node == node) {
            step.replied = true;
            step.well = well;
        }
        let Some(request) = self.asked.remove(&(node, asker, call)) else { return false };
        let Some(known) = self.requests.get_mut(&request) else { return false };
        let here = known.tries.iter_mut().find(|tried| tried.node == node && tried.life == life);
        let Some(here) = here.filter(|here| !here.answered) else { return false };
        here.answered = true;
        here.applied
    }

    /// A node has handled its input.
    pub(super) fn on_stepped(&mut self, node: usize, marks: &mut Marks) {
        let Some(step) = self.step.take() else { return };
        if step.node != node {
            return;
        }
        let refused = step.replied && !step.stored && !step.well;
        if step.passed_on || refused {
            // It only stood between, or would not have it.
            if step.before.is_none()
                && let Some(known) = self.requests.get_mut(&step.request)
            {
                known.tries.pop();
            }
            return;
        }
        marks.add(Mark::RetryElsewhere, step.elsewhere && step.before.is_none());
        let first_answer = !step.stored && step.replied && step.well;
        let answered = step.before.is_some_and(|before| before.answered);
        marks.add(Mark::RetryGetsFirstAnswer, first_answer && answered);
        let under_way = step.before.is_some_and(|before| !before.answered);
        marks.add(Mark::RetryMeetsFirstTry, under_way && !step.stored && !step.replied);
    }

    /// A node dies in the midst of whatever it does.
    pub(super) fn on_crash(&mut self, node: usize) {
        self.step = self.step.filter(|step| step.node != node);
    }
}
