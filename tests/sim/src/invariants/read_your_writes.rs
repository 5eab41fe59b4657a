//! A read that starts after an acknowledgement sees that write or a newer one.

use quorate_core::message::CallId;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{CallEnded, CallStarted, Caller, Ending};
use crate::oracle::{How, KeyFacts, Op, Promise, Wish, difference};
use crate::recent::Table;

pub(crate) const PROPERTY: Property = Property {
    name: "read-your-writes",
    definition: "A get that starts after a write with w + r > n was acknowledged, to anybody, \
                 covers it, shows its value unless a write that had been shown it was applied by \
                 the end of the get, and shows no value all of whose writes that write had been \
                 shown. Of a strict write w is what it asked for, of a sloppy one the primaries \
                 that held it synced when it was acknowledged, if those are fewer; a sloppy get \
                 is held to it only where its receipt names r primaries. A session get is held \
                 to none of this: it covers what its caller had been shown, always. Excused: \
                 writes of which, at the start of the get, faults left fewer than n - r + 1 \
                 synced copies; gets during which a fault destroyed a copy of the key; \
                 actors that truncation dropped; tombstones and expired values that were collected, and what they had \
                 superseded where a fault brought back an older copy.",
    source: "DESIGN.md §2 (the table); Dynamo §4.5",
};

#[derive(Default)]
pub(crate) struct ReadYourWrites {
    /// What the gets under way must come to know.
    open: Table<(Caller, CallId), Promise>,
}

impl Invariant for ReadYourWrites {
    fn on_call_started(&mut self, scene: Scene<'_>, started: CallStarted<'_>) -> Verdict {
        let CallStarted { caller, call, key, .. } = started;
        if let Some(op) = scene.facts.call(caller, call).filter(|op| !op.wish.is_write())
            && let Some(facts) = scene.facts.key(key)
        {
            let promise = facts.promise(key, scene.disks, scene.facts.n, op.r);
            self.open.insert((caller, call), promise);
        }
        Ok(())
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some(promise) = self.open.remove(&(ended.caller, ended.call)) else { return Ok(()) };
        let Some((op, how @ How::Found { .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        if op.is_session() {
            return check_session(scene, op, how).map_err(|violation| violation.of(&op.key));
        }
        let named = match ended.ending {
            Ending::Client(Ok(done)) => done.receipt.as_ref(),
            Ending::Client(Err(_)) => None,
            Ending::Hand(reply) => reply.receipt.as_ref(),
        };
        let named = named.map_or(0, |receipt| receipt.primaries.len());
        let at_home = op.strict || named >= usize::from(op.r);
        if key.destroyed_last > op.began || !at_home {
            return Ok(());
        }
        check(scene, op, how, key, &promise).map_err(|violation| violation.of(&op.key))
    }
}

fn check_session(scene: Scene<'_>, op: &Op, how: &How) -> Verdict {
    let (How::Found { context, .. }, Wish::Get { given }) = (how, &op.wish) else { return Ok(()) };
    let missing = difference(given, context);
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "{op} does not cover {}, which its caller had been shown; it covers {}",
        scene.facts.names(missing),
        scene.facts.text(context),
    );
    Err(Violation::new(text))
}

fn check(scene: Scene<'_>, op: &Op, how: &How, key: &KeyFacts, promise: &Promise) -> Verdict {
    let How::Found { context, values, tombstones } = how else { return Ok(()) };
    let acknowledged = |dot| {
        let ack = key.acknowledged.iter().find(|ack| ack.dot == Some(dot));
        ack.map_or("shown to an acknowledged writer".to_owned(), |ack| {
            format!("acknowledged to {}", scene.facts.op(ack.op))
        })
    };
    if let Some(dot) = key.unseen(promise, context).first() {
        let text = format!(
            "{op} does not cover {}, which was {}; it covers {}",
            scene.facts.name(*dot),
            acknowledged(*dot),
            scene.facts.text(context),
        );
        return Err(Violation::new(text));
    }
    for dot in key.standing.iter().copied() {
        let due =
            promise.known.covers(dot) && !promise.excused.contains(&dot) && !key.is_dropped(dot);
        if due && !key.shows(dot, values, *tombstones) {
            let text = format!(
                "{op} does not show {}, which was {} and which no write had been shown",
                scene.facts.name(dot),
                acknowledged(dot),
            );
            return Err(Violation::new(text));
        }
    }
    for shown in values {
        let dots = key.by_value.get(&shown.payload).map_or(&[][..], Vec::as_slice);
        let over = |dot: &quorate_core::causality::Dot| {
            let revived = key.revived && key.collected.gone.covers(*dot);
            promise.overwritten.covers(*dot) && !key.truncated.contains(&dot.actor) && !revived
        };
        if dots.is_empty() || !dots.iter().all(over) {
            continue;
        }
        let by = key.acknowledged.iter().find(|ack| ack.given.covers(dots[0]));
        let by = by.map_or(String::new(), |ack| scene.facts.op(ack.op).to_string());
        let text = format!(
            "{op} shows {:?}, all of whose writes ({}) were overwritten before it began, by {by}",
            String::from_utf8_lossy(&shown.payload),
            scene.facts.names(dots.iter().copied()),
        );
        return Err(Violation::new(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ReadYourWrites;
    use crate::oracle::stage::Stage;

    fn acknowledged(w: u8) -> (Stage, quorate_core::causality::Dot) {
        let mut stage = Stage::new(ReadYourWrites::default());
        let put = stage.put_with(1, "v", &[], 0, w);
        let dot = stage.write(0, put);
        stage.copy(0, 1);
        stage.sync(0);
        stage.sync(1);
        stage.acknowledge(put, &[dot]);
        (stage, dot)
    }

    #[test]
    fn only_quorums_that_meet_oblige_a_get() {
        for (w, r, fine) in [(2, 2, false), (1, 2, true), (1, 3, false), (2, 1, true)] {
            let (mut stage, _) = acknowledged(w);
            let get = stage.get_with(2, r, 0);
            stage.find(get, &[], &[]);
            stage.expect(fine, "does not cover n0/");
        }
    }

    #[test]
    fn a_get_that_starts_earlier_is_free() {
        let mut stage = Stage::new(ReadYourWrites::default());
        let put = stage.put(1, "v", &[]);
        let dot = stage.write(0, put);
        let get = stage.get(2);
        stage.acknowledge(put, &[dot]);
        stage.find(get, &[], &[]);
        stage.expect(true, "");
    }

    #[test]
    fn the_value_is_shown_until_someone_who_was_shown_it_writes() {
        for overwritten in [true, false] {
            let (mut stage, dot) = acknowledged(2);
            let get = stage.get(2);
            let mut covers = vec![dot];
            if overwritten {
                let over = stage.put(1, "w", &[dot]);
                covers.push(stage.write(0, over));
            }
            let shown: &[&str] = if overwritten { &["w"] } else { &[] };
            stage.find(get, shown, &covers);
            stage.expect(overwritten, "which no write had been shown");
        }
    }

    #[test]
    fn what_was_overwritten_does_not_come_back() {
        let (mut stage, dot) = acknowledged(2);
        let over = stage.put(1, "w", &[dot]);
        let second = stage.write(0, over);
        stage.acknowledge(over, &[dot, second]);
        let get = stage.get(2);
        stage.find(get, &["v", "w"], &[dot, second]);
        stage.expect(false, "were overwritten before it began");
    }

    #[test]
    fn a_retry_at_another_coordinator_is_not_overwritten_with_the_first_try() {
        let mut stage = Stage::new(ReadYourWrites::default());
        let put = stage.put(1, "v", &[]);
        let dot = stage.write(0, put);
        let twin = stage.write(1, put);
        stage.acknowledge(put, &[dot]);
        let over = stage.put(1, "w", &[dot]);
        let second = stage.write(0, over);
        stage.acknowledge(over, &[dot, second]);
        let get = stage.get(2);
        stage.find(get, &["v", "w"], &[dot, second, twin]);
        stage.expect(true, "");
    }

    #[test]
    fn faults_that_left_too_few_copies_excuse_a_get() {
        // (destroyed copies, before or during the get, whether the get may miss the write)
        for (wiped, during, fine) in [(1, false, true), (1, true, true), (0, false, false)] {
            let (mut stage, _) = acknowledged(2);
            if !during {
                (0..wiped).for_each(|node| stage.wipe(node));
            }
            let get = stage.get(2);
            if during {
                (0..wiped).for_each(|node| stage.wipe(node));
            }
            stage.find(get, &[], &[]);
            stage.expect(fine, "does not cover n0/");
        }
        let (mut stage, _) = acknowledged(2);
        stage.copy(0, 2);
        stage.sync(2);
        stage.wipe(2);
        let get = stage.get(2);
        stage.find(get, &[], &[]);
        stage.expect(false, "does not cover n0/");
    }
}
