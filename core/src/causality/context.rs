//! What a reader was shown: a vector clock that never claims more.

use super::{Actor, ByActor, Dot, Seen};

/// A set of dots. A put carries the context of what its writer was shown and supersedes just that.
///
/// Users hold it as an opaque [token](Context::to_token).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Context {
    /// Invariant: no empty set, so equal contexts are equal values.
    actors: ByActor<Seen>,
}

impl Context {
    /// The context of one who was shown nothing: a put with it is blind.
    pub fn new() -> Context {
        Context::default()
    }

    /// Whether nothing was shown.
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// The number of actors, not of dots.
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Whether the write named `dot` was shown.
    pub fn covers(&self, dot: Dot) -> bool {
        self.seen(dot.actor).is_some_and(|seen| seen.contains(dot.counter))
    }

    /// Whether all that `other` was shown was shown here, too. Equal contexts descend mutually.
    pub fn descends(&self, other: &Context) -> bool {
        other.iter().all(|(actor, theirs)| self.seen(actor).is_some_and(|seen| seen.covers(theirs)))
    }

    /// What was shown of one actor; never an empty set.
    pub fn seen(&self, actor: Actor) -> Option<&Seen> {
        self.actors.get(actor)
    }

    /// What was shown, in the order of the actors.
    pub fn iter(&self) -> impl Iterator<Item = (Actor, &Seen)> {
        self.actors.iter()
    }

    /// Adds one write; answers whether it is new here.
    pub fn insert(&mut self, dot: Dot) -> bool {
        let mut seen = Seen::new();
        seen.insert(dot.counter);
        self.insert_seen(dot.actor, seen)
    }

    /// Adds writes of one actor; answers whether any is new here.
    pub fn insert_seen(&mut self, actor: Actor, seen: Seen) -> bool {
        if seen.is_empty() {
            return false;
        }
        self.actors.or_default(actor).union(&seen)
    }

    /// Adds all that was seen of an actor who is not in the context; false, and no change, where
    /// it is.
    pub(super) fn insert_new(&mut self, actor: Actor, seen: Seen) -> bool {
        self.actors.insert(actor, seen)
    }

    /// Adds all that `other` was shown; answers whether anything of it is new here.
    pub fn merge(&mut self, other: &Context) -> bool {
        self.actors.merge(&other.actors, |seen, theirs| seen.union(theirs))
    }
}
