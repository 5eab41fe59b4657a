//! What DESIGN.md promises, said of a history (§2, §6, §7).

use quorate_core::causality::{Dot, Payload};
use quorate_core::client::ErrorCode;
use quorate_core::time::Duration;

use crate::history::{Action, History, Op, Seen};

/// A frame is never on its way for longer.
const ON_THE_WAY: Duration = Duration::from_millis(100);

/// N of all runs.
const N: u8 = 3;

/// How much a history has to say.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: usize,
    pub(crate) read: usize,
    pub(crate) unknown: usize,
    pub(crate) refused: usize,
    pub(crate) retried: usize,
    pub(crate) siblings: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.acknowledged += other.acknowledged;
        self.read += other.read;
        self.unknown += other.unknown;
        self.refused += other.refused;
        self.retried += other.retried;
        self.siblings += other.siblings;
    }
}

pub(crate) fn count(history: &History) -> Counts {
    let mut counts = Counts::default();
    for op in &history.ops {
        match &op.result {
            Ok(seen) => {
                let count = if op.is_write() { &mut counts.acknowledged } else { &mut counts.read };
                *count += 1;
                counts.retried += usize::from(!seen.once);
                counts.siblings += usize::from(seen.texts.len() > 1);
            }
            Err(_) if op.may_have_happened() => counts.unknown += 1,
            Err(_) => counts.refused += 1,
        }
    }
    counts
}

/// Panics where a promise was broken.
pub(crate) fn check(history: &History) {
    for op in &history.ops {
        let late = op.ended.since(op.started) > history.timeout;
        assert!(!late, "a call outlived its deadline: {op:?}");
        if let Err(error) = &op.result {
            assert_ne!(error.code, ErrorCode::BadContext, "{op:?}");
        }
    }
    what_was_refused_left_no_trace(history);
    what_is_read_was_written(history);
    what_was_acknowledged_is_there_or_was_overwritten(history);
    what_was_acknowledged_is_read_from_then_on(history);
}

fn what_was_refused_left_no_trace(history: &History) {
    for op in history.ops.iter().filter(|op| op.is_write() && !op.may_have_happened()) {
        let Action::Put { text, .. } = &op.action else { continue };
        let trace = history.dots.iter().find(|(_, (payload, _))| is_text(payload, text));
        assert!(trace.is_none(), "refused, but {trace:?} is there: {op:?}");
    }
}

fn what_is_read_was_written(history: &History) {
    for (read, seen) in reads(history) {
        for text in &seen.texts {
            let put = put_of(history, text);
            let possible = put.is_some_and(|put| {
                put.key == read.key && put.may_have_happened() && put.started <= read.ended
            });
            assert!(possible, "{text:?} was never written: {read:?} {put:?}");
        }
        // A reader is shown nothing of the future, not even in the context.
        for (put, dot) in acknowledged(history, &read.key) {
            let future = put.started > read.ended;
            assert!(!(future && seen.context.covers(dot)), "{read:?} foresees {put:?}");
        }
    }
}

fn what_was_acknowledged_is_there_or_was_overwritten(history: &History) {
    for (key, (live, known)) in &history.last {
        for (put, dot) in acknowledged(history, key) {
            assert!(known.covers(dot), "nobody knows of {put:?}");
            let stands = live.contains(&dot);
            assert!(stands || is_overwritten(history, put, dot, None), "lost: {put:?}");
        }
    }
}

/// The freshness of strict quorums: a read that starts after an acknowledgement.
fn what_was_acknowledged_is_read_from_then_on(history: &History) {
    for (read, seen) in reads(history).filter(|(read, _)| !is_during_a_wipe(history, read)) {
        for (put, dot) in acknowledged(history, &read.key) {
            if put.ended > read.started || put.w + read.r <= N {
                continue;
            }
            assert!(seen.context.covers(dot), "stale: {read:?} lacks {put:?}");
            let Action::Put { text, .. } = &put.action else { continue };
            let shown = seen.texts.contains(text);
            assert!(
                shown || is_overwritten(history, put, dot, Some(read)),
                "{read:?} does not show {put:?}"
            );
            // A write that was tried twice may stand under a second dot.
            let once = put.result.as_ref().is_ok_and(|seen| seen.once);
            let overwriter = history.ops.iter().find(|write| {
                write.key == put.key
                    && write.is_write()
                    && write.ended <= read.started
                    && write.w + read.r > N
                    && write.result.as_ref().is_ok_and(|seen| seen.context.covers(dot))
                    && write.given().is_none_or(|given| given.covers(dot))
            });
            assert!(!(once && shown && overwriter.is_some()), "{put:?} is back: {overwriter:?}");
            let deleter = history.ops.iter().find(|write| {
                matches!(&write.action, Action::Delete { given } if given.is_empty())
                    && write.key == put.key
                    && write.result.is_ok()
                    && put.ended <= write.started
                    && put.w + write.r > N
                    && write.ended <= read.started
                    && write.w + read.r > N
                    && !is_during_a_wipe(history, write)
            });
            assert!(!(once && shown && deleter.is_some()), "{put:?} survives {deleter:?}");
        }
    }
}

/// Whether somebody who was shown `dot` may have written; before `read` ended, if that is given.
fn is_overwritten(history: &History, put: &Op, dot: Dot, read: Option<&Op>) -> bool {
    history.ops.iter().any(|write| {
        let in_time = read.is_none_or(|read| write.started <= read.ended);
        let shown = match (write.given(), &write.result) {
            (Some(given), _) => given.covers(dot),
            (None, Ok(seen)) if seen.once => seen.context.covers(dot),
            // A coordinator read by itself, nobody knows what, at any time up to the deadline that
            // it was given, which begins when the request arrives.
            (None, Ok(_) | Err(_)) => write.started + history.timeout + ON_THE_WAY > put.started,
        };
        write.key == put.key && write.may_have_happened() && in_time && shown
    })
}

fn reads(history: &History) -> impl Iterator<Item = (&Op, &Seen)> {
    let gets = history.ops.iter().filter(|op| !op.is_write());
    gets.filter_map(|op| op.result.as_ref().ok().map(|seen| (op, seen)))
}

fn acknowledged<'a>(history: &'a History, key: &str) -> Vec<(&'a Op, Dot)> {
    let writes = history.ops.iter().filter(|op| op.key == key && op.result.is_ok());
    writes.filter_map(|op| op.dot().map(|dot| (op, dot))).collect()
}

fn put_of<'a>(history: &'a History, wanted: &str) -> Option<&'a Op> {
    history.ops.iter().find(|op| matches!(&op.action, Action::Put { text, .. } if text == wanted))
}

fn is_during_a_wipe(history: &History, op: &Op) -> bool {
    history.wiped.iter().any(|(since, until)| *since < op.ended && *until > op.started)
}

fn is_text(payload: &Payload, text: &str) -> bool {
    matches!(payload, Payload::Value(value) if value == text.as_bytes())
}
