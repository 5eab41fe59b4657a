//! Rules for single frames: what matches a rule is held, delayed or lost.

use quorate_core::message::Message;
use quorate_core::time::Duration;

use super::{Event, World};
use crate::detail::{Detail, Obstacle};
use crate::network::{Connection, End};
use crate::sight::Cause;

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// A frame that is about to be given to the network.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// The sender.
    pub from: End,
    /// The receiver.
    pub to: End,
    /// The frame.
    pub message: &'a Message,
}

/// What becomes of a frame that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sentence {
    /// It waits for [`World::release`].
    Hold,
    /// It travels so much longer.
    Delay(Duration),
    /// It is lost.
    Lose,
    /// It goes on its way, and a copy waits for [`World::release`].
    Copy,
}

type Predicate = Box<dyn FnMut(&Passing<'_>) -> bool + Send>;

struct Rule {
    id: RuleId,
    matches: Predicate,
    sentence: Sentence,
    /// What waits, in the order in which it was sent.
    held: Vec<(Connection, End, End, Message)>,
}

/// The rules of a world; the first that matches decides.
#[derive(Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    last: u64,
}

impl World {
    pub(crate) fn add_rule(
        &mut self,
        sentence: Sentence,
        matches: impl FnMut(&Passing<'_>) -> bool + Send + 'static,
    ) -> RuleId {
        self.rules.last += 1;
        let id = RuleId(self.rules.last);
        self.rules.rules.push(Rule { id, matches: Box::new(matches), sentence, held: Vec::new() });
        id
    }

    /// How many frames a rule holds.
    pub fn held(&self, rule: RuleId) -> usize {
        self.rules.rules.iter().find(|known| known.id == rule).map_or(0, |rule| rule.held.len())
    }

    /// Ends a rule. What it holds goes on its way, even if its connection is gone.
    pub fn release(&mut self, rule: RuleId) {
        let Some(index) = self.rules.rules.iter().position(|known| known.id == rule) else {
            return;
        };
        let rule = self.rules.rules.remove(index);
        for (connection, from, to, message) in rule.held {
            let at = self.now + self.network.delay(from.place(), to.place());
            let cause = Cause::default();
            self.push(at, Event::Frame { connection, from, to, message, again: true, cause });
        }
    }

    /// Ends a rule and loses what it holds.
    pub fn discard(&mut self, rule: RuleId) {
        self.rules.rules.retain(|known| known.id != rule);
    }

    /// How much longer a frame travels, if it goes on its way.
    pub(super) fn judge(
        &mut self,
        connection: Connection,
        from: End,
        to: End,
        message: &Message,
    ) -> Option<Duration> {
        let passing = Passing { from, to, message };
        let Some(rule) = self
            .rules
            .rules
            .iter_mut()
            .find_map(|rule| if (rule.matches)(&passing) { Some(rule) } else { None })
        else {
            return Some(Duration::ZERO);
        };
        let by = match rule.sentence {
            Sentence::Delay(longer) => return Some(longer),
            Sentence::Copy => {
                rule.held.push((connection, from, to, message.clone()));
                return Some(Duration::ZERO);
            }
            Sentence::Hold => {
                rule.held.push((connection, from, to, message.clone()));
                Obstacle::Hold
            }
            Sentence::Lose => Obstacle::Rule,
        };
        self.observe_detail(&Detail::Stopped { from, to, message, by });
        None
    }
}
