//! What dots, contexts and moments are called in a violation.

use std::fmt;

use quorate_core::causality::{Actor, Context, Dot, Payload, Seen};
use quorate_core::time::Instant;

use super::Facts;

impl Facts {
    /// The name of an actor for people: node / incarnation / birth.
    pub(crate) fn actor_name(&self, actor: Actor) -> String {
        let node = match self.index(actor.node) {
            Some(index) => format!("n{index}"),
            None => actor.node.to_string(),
        };
        format!("{node}/{:x}/{}", actor.incarnation.0, actor.birth.0)
    }

    /// The name of a write for people: node / incarnation / birth : counter.
    pub(crate) fn name(&self, Dot { actor, counter }: Dot) -> String {
        format!("{}:{}", self.actor_name(actor), counter.0)
    }

    /// The names of writes, for people.
    pub(crate) fn names(&self, dots: impl IntoIterator<Item = Dot>) -> String {
        let names: Vec<String> = dots.into_iter().map(|dot| self.name(dot)).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }

    /// All dots of a context, for people.
    pub(crate) fn text(&self, context: &Context) -> String {
        let of = |(actor, seen): (Actor, &Seen)| {
            format!("{}:{}{:?}", self.actor_name(actor), seen.upto(), seen.also())
        };
        let parts: Vec<String> = context.iter().map(of).collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") }
    }
}

/// A payload, for people.
pub(crate) fn text_of(payload: &Payload) -> String {
    match payload {
        Payload::Value(value) => format!("{:?}", String::from_utf8_lossy(value)),
        Payload::Tombstone => "a tombstone".to_owned(),
    }
}

/// A moment, in seconds.
pub(crate) struct Seconds(pub(crate) Instant);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instant(us) = self.0;
        write!(f, "{}.{:06} s", us / 1_000_000, us % 1_000_000)
    }
}
