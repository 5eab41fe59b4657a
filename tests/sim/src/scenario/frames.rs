//! Single frames: held, copied, delayed or lost.

use std::fmt;

use quorate_core::ids::Key;
use quorate_core::message::Message;
use quorate_core::time::Duration;

use super::Scenario;
use crate::network::Place;
use crate::observation::{key_in, request_of};
use crate::world::{Passing, RuleId};

/// Which frames a rule is about: a kind, and where it goes.
///
/// ```
/// use quorate_sim::scenario::{Frames, Scenario};
///
/// let mut s = Scenario::cluster(5).build();
/// let [a, b, c] = s.primaries("k");
/// s.lose(Frames::merges().from(a).to(b).of("k"));
/// assert_eq!(s.at(a).put("k", "v").answered(), [a.min(c), a.max(c)]);
/// s.expect("k").at(b).nothing();
/// ```
#[derive(Debug)]
#[must_use = "a rule comes into being by `hold`, `copy`, `delay` or `lose`"]
pub struct Frames {
    kind: Kind,
    /// What else must be true of them.
    that: Option<That>,
    from: Option<Place>,
    to: Option<Place>,
    key: Option<Key>,
    /// How many frames the rule is about at most.
    first: Option<usize>,
}

struct That(Box<dyn Fn(&Passing<'_>) -> bool + Send>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Requests,
    Replies,
    Reads,
    ReadAnswers,
    Merges,
    Acknowledgements,
}

impl Frames {
    /// Frames of every kind.
    pub fn any() -> Frames {
        Frames::of_kind(Kind::Any)
    }

    /// Gets, puts and deletes, of clients and of nodes that pass them on.
    pub fn requests() -> Frames {
        Frames::of_kind(Kind::Requests)
    }

    /// The answers to requests.
    pub fn replies() -> Frames {
        Frames::of_kind(Kind::Replies)
    }

    /// Coordinators that ask replicas for their records.
    pub fn reads() -> Frames {
        Frames::of_kind(Kind::Reads)
    }

    /// The records with which replicas answer, or their word that they cannot say.
    pub fn read_answers() -> Frames {
        Frames::of_kind(Kind::ReadAnswers)
    }

    /// Records that coordinators send to replicas: writes and repairs.
    pub fn merges() -> Frames {
        Frames::of_kind(Kind::Merges)
    }

    /// The word of replicas that they hold a record durably, or cannot.
    pub fn acknowledgements() -> Frames {
        Frames::of_kind(Kind::Acknowledgements)
    }

    /// Frames of any kind for which this is true, whatever it looks at.
    ///
    /// ```
    /// use quorate_core::causality::Payload;
    /// use quorate_core::message::Message;
    /// use quorate_sim::scenario::{Frames, Scenario};
    ///
    /// let mut s = Scenario::cluster(5).build();
    /// let [a, b, _] = s.primaries("k");
    /// let deletes = Frames::that(|passing| {
    ///     let Message::ReplicaMerge(merge) = passing.message else { return false };
    ///     merge.record.siblings().any(|(_, sibling)| sibling.payload == Payload::Tombstone)
    /// });
    /// let held = s.hold(deletes.to(b));
    /// s.at(a).put("k", "v");
    /// s.settle();
    /// s.at(a).delete("k");
    /// s.expect("k").at(b).siblings(["v"]);
    /// assert_eq!(s.waiting(held), 1);
    /// ```
    pub fn that(is: impl Fn(&Passing<'_>) -> bool + Send + 'static) -> Frames {
        Frames { that: Some(That(Box::new(is))), ..Frames::any() }
    }

    fn of_kind(kind: Kind) -> Frames {
        Frames { kind, that: None, from: None, to: None, key: None, first: None }
    }

    /// Only those that this node or client sends.
    pub fn from(mut self, place: impl Into<Place>) -> Frames {
        self.from = Some(place.into());
        self
    }

    /// Only those that are meant for this node or client.
    pub fn to(mut self, place: impl Into<Place>) -> Frames {
        self.to = Some(place.into());
        self
    }

    /// Only those of this key.
    ///
    /// # Panics
    /// For answers of all kinds: they do not carry their key.
    #[track_caller]
    pub fn of(mut self, key: &str) -> Frames {
        let carries = match self.kind {
            Kind::Any | Kind::Requests | Kind::Reads | Kind::Merges => true,
            Kind::Replies | Kind::ReadAnswers | Kind::Acknowledgements => false,
        };
        assert!(carries, "{:?} do not carry their key", self.kind);
        self.key = Some(Key::from(key.as_bytes().to_vec()));
        self
    }

    /// Only so many, from here on.
    pub fn first(mut self, count: usize) -> Frames {
        self.first = Some(count);
        self
    }

    fn matcher(mut self) -> impl FnMut(&Passing<'_>) -> bool + Send + 'static {
        move |passing| {
            let key = || key_in(passing.message);
            let matches = self.kind.is_of(passing.message)
                && self.from.is_none_or(|from| passing.from.place() == from)
                && self.to.is_none_or(|to| passing.to.place() == to)
                && self.key.as_ref().is_none_or(|wanted| key() == Some(wanted))
                && self.that.as_ref().is_none_or(|That(is)| is(passing))
                && self.first != Some(0);
            if let (true, Some(left)) = (matches, &mut self.first) {
                *left -= 1;
            }
            matches
        }
    }
}

impl fmt::Debug for That {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a predicate")
    }
}

/// A rule for frames, in force until it is [released](Scenario::release).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(RuleId);

impl Scenario {
    /// Frames like these wait until they are [released](Scenario::release).
    pub fn hold(&mut self, frames: Frames) -> Rule {
        let rule = self.world.hold(frames.matcher());
        self.note_rule(rule)
    }

    /// Frames like these go on their way, and copies of them wait until they are
    /// [released](Scenario::release).
    pub fn copy(&mut self, frames: Frames) -> Rule {
        let rule = self.world.copy(frames.matcher());
        self.note_rule(rule)
    }

    /// Frames like these travel so much longer.
    pub fn delay(&mut self, frames: Frames, longer: Duration) -> Rule {
        let rule = self.world.delay(longer, frames.matcher());
        self.note_rule(rule)
    }

    /// Frames like these are lost, and nobody is told.
    pub fn lose(&mut self, frames: Frames) -> Rule {
        let rule = self.world.lose(frames.matcher());
        self.note_rule(rule)
    }

    /// How many frames wait for the release of a rule.
    pub fn waiting(&self, rule: Rule) -> usize {
        self.world.held(rule.0)
    }

    /// Ends a rule. What waits goes on its way, even where its connection is gone.
    pub fn release(&mut self, rule: Rule) {
        self.rules.retain(|known| *known != rule);
        self.world.release(rule.0);
    }

    /// Ends a rule. What waits is lost.
    pub fn discard(&mut self, rule: Rule) {
        self.rules.retain(|known| *known != rule);
        self.world.discard(rule.0);
    }

    fn note_rule(&mut self, rule: RuleId) -> Rule {
        self.rules.push(Rule(rule));
        Rule(rule)
    }
}

impl Kind {
    fn is_of(self, message: &Message) -> bool {
        match self {
            Kind::Any => true,
            Kind::Requests => request_of(message).is_some(),
            Kind::Replies => matches!(message, Message::Reply(_)),
            Kind::Reads => matches!(message, Message::ReplicaRead(_)),
            Kind::ReadAnswers => matches!(message, Message::ReplicaRecord(_)),
            Kind::Merges => matches!(message, Message::ReplicaMerge(_)),
            Kind::Acknowledgements => matches!(message, Message::ReplicaMerged(_)),
        }
    }
}
