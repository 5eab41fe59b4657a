//! Sets of dots: what is in one and not in another.

use quorate_core::causality::{Actor, Context, Counter, Dot, Record, Seen};

/// The dots of `context` that `less` does not cover, ascending by actor.
pub(crate) fn difference(context: &Context, less: &Context) -> Vec<Dot> {
    let mut dots = Vec::new();
    for (actor, seen) in context.iter() {
        subtract(actor, seen, less.seen(actor), &mut dots);
    }
    dots
}

/// Whether `context` has a dot that `less` does not cover.
pub(crate) fn exceeds(context: &Context, less: &Context) -> bool {
    context.iter().any(|(actor, seen)| less.seen(actor).is_none_or(|known| !known.covers(seen)))
}

/// The dots of `context` that `record` does not know.
pub(crate) fn unknown_to(record: &Record, context: &Context) -> Vec<Dot> {
    let mut dots = Vec::new();
    for (actor, seen) in context.iter() {
        subtract(actor, seen, record.history(actor).map(|history| history.superseded()), &mut dots);
    }
    dots.retain(|dot| !knows(record, *dot));
    dots
}

/// The dots that are superseded in `record` and that `by` does not cover.
pub(crate) fn superseded_without(record: &Record, by: &Context) -> Vec<Dot> {
    let mut dots = Vec::new();
    for (actor, history) in record.histories() {
        subtract(actor, history.superseded(), by.seen(actor), &mut dots);
    }
    dots
}

/// Whether `dot` stands in `record` or is superseded there.
pub(crate) fn knows(record: &Record, dot: Dot) -> bool {
    record.history(dot.actor).is_some_and(|history| {
        history.superseded().contains(dot.counter)
            || history.live().iter().any(|(counter, _)| *counter == dot.counter)
    })
}

/// Whether `dot` is superseded in `record`.
pub(crate) fn supersedes(record: &Record, dot: Dot) -> bool {
    record.history(dot.actor).is_some_and(|history| history.superseded().contains(dot.counter))
}

/// All dots that `record` knows.
pub(crate) fn known(record: &Record) -> Vec<Dot> {
    let mut dots = superseded_without(record, &Context::new());
    dots.extend(record.siblings().map(|(dot, _)| dot));
    dots.sort_unstable();
    dots
}

/// Adds the counters of `seen` that are not in `less`.
fn subtract(actor: Actor, seen: &Seen, less: Option<&Seen>, dots: &mut Vec<Dot>) {
    if less.is_some_and(|less| less.covers(seen)) {
        return;
    }
    let first = less.map_or(0, Seen::upto) + 1;
    let counters = (first..=seen.upto()).chain(seen.also().iter().copied());
    let left = counters.map(Counter).filter(|counter| less.is_none_or(|l| !l.contains(*counter)));
    dots.extend(left.map(|counter| Dot { actor, counter }));
}
