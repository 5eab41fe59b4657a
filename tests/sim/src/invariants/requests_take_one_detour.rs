//! A request is handed on once at most, to a primary; and only primaries write, or fallbacks for
//! them.

use quorate_core::causality::RecordOp;
use quorate_core::machine::HeldAs;
use quorate_core::time::{Duration, Instant};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Applied, Sent, request_of};
use crate::oracle::{InForce, Since};

pub(crate) const PROPERTY: Property = Property {
    name: "requests-take-one-detour",
    definition: "A node hands a get or put on only where it is no primary of the key, to one \
                 that is, and marks it as passed on. Primaries carry out writes in their own \
                 copies, others in hints only, and those no write that each call which asks for \
                 it wants strict. While the layout changes, a node hands on to a primary by the \
                 layout that it names, by which reads go at that moment, and at one time since \
                 the call began (of a get: within 12 s) it was itself a primary by none in \
                 force; and what it writes goes by all layouts in force at one time since then. \
                 A primary by one of them that is no member of the newest carries out writes in \
                 hints, strict ones, too.",
    source: "DESIGN.md §7 (Put); core/src/pass_on.rs",
};

/// No read takes longer, whatever the clocks.
const READS_WITHIN: Duration = Duration::from_secs(12);

pub(crate) struct RequestsTakeOneDetour;

impl Invariant for RequestsTakeOneDetour {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, copy, key, op: RecordOp::Write(write), .. } = applied else {
            return Ok(());
        };
        let since = Since::Number(scene.facts.first_try(write.request, 0));
        let in_force = scene.facts.in_force(scene.layout, (node, key), since);
        let mut tries = scene.facts.tries(write.request).peekable();
        let is_strict = tries.peek().is_some() && tries.all(|op| op.strict);
        let by = |it: &InForce| match copy {
            HeldAs::Own if it.is_holder(node) => None,
            HeldAs::Own => Some("in its own copy"),
            HeldAs::Hint { .. } if it.is_holder(node) => Some("in a hint"),
            HeldAs::Hint { .. } if is_strict && !it.primaries.contains(&node) => {
                Some("a strict write")
            }
            HeldAs::Hint { .. } => None,
        };
        let hows: Vec<Option<&str>> = in_force.iter().map(by).collect();
        let Some(how) = hows.iter().all(Option::is_some).then(|| hows.last().copied()?) else {
            return Ok(());
        };
        let how = how.unwrap_or_default();
        let text = format!("n{node} writes {how}, but the primaries are {}", lists(&in_force));
        Err(Violation::new(text).at(node).of(key))
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(from), to: End::Node(to), message } = sent else {
            return Ok(());
        };
        let Some((head, put)) = request_of(message) else { return Ok(()) };
        // A write tells when it may have come first; a read ends in time.
        let began = put.map(|put| scene.facts.first_try(put.request, 0));
        let ended = Instant(scene.now.0.saturating_sub(READS_WITHIN.as_micros() as u64));
        let arrived = began.map_or(Since::Moment(ended), Since::Number);
        let asked = (from, &head.key);
        let then = scene.facts.in_force(scene.layout, asked, arrived);
        let now = scene.facts.in_force(scene.layout, asked, Since::Step);
        let is_right = |it: &InForce| it.readers.contains(&to) && it.read == head.layout_version;
        let text = if !head.passed_on {
            "does not mark it"
        } else if then.iter().all(|it| it.primaries.contains(&from)) {
            "is a primary itself"
        } else if !now.iter().any(is_right) {
            "chooses one that is no primary"
        } else {
            return Ok(());
        };
        let text = format!(
            "n{from} hands a request on to n{to} as {:?}, but {text}; the primaries are {}",
            head.call,
            lists(&now),
        );
        Err(Violation::new(text).at(from).of(&head.key))
    }
}

/// The primaries by the layouts that a node went by, for people.
fn lists(in_force: &[InForce]) -> String {
    let lists = in_force.iter().map(|it| format!("{:?}", it.lists));
    lists.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::RequestId;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::Message;

    use super::RequestsTakeOneDetour;
    use crate::network::End;
    use crate::observation::{Asked, Observation, Sent};
    use crate::oracle::stage::Stage;

    #[test]
    fn a_stranger_hands_on_to_a_primary() {
        let mut stage = Stage::with_nodes(5, RequestsTakeOneDetour);
        let primaries = stage.primaries();
        let strangers: Vec<usize> = (0..5).filter(|node| !primaries.contains(node)).collect();
        for (from, to, passed_on, part) in [
            (strangers[0], primaries[0], true, ""),
            (strangers[0], primaries[0], false, "does not mark it"),
            (primaries[1], primaries[0], true, "is a primary itself"),
            (strangers[0], strangers[1], true, "one that is no primary"),
        ] {
            let mut stage = Stage::with_nodes(5, RequestsTakeOneDetour);
            let get = stage.get(1);
            let mut message = stage.frame(get, &Asked::Get, RequestId::default());
            if let Message::Get(get) = &mut message {
                get.head.passed_on = passed_on;
            }
            let (from, to, message) = (End::Node(from), End::Node(to), &message);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(part.is_empty(), part);
        }
        let put = stage.put(1, "v", &[]);
        stage.write(primaries[0], put);
        stage.expect(true, "");
        stage.write(strangers[0], put);
        stage.expect(false, "writes in its own copy, but the primaries are");
    }

    #[test]
    fn while_the_layout_changes_requests_go_where_reads_go() {
        for (newer, version, part) in [
            (false, 1, ""),
            (true, 1, "one that is no primary"),
            (true, 2, "one that is no primary"),
        ] {
            let mut stage = Stage::with_nodes(7, RequestsTakeOneDetour);
            let get = stage.get(1);
            let newest = stage.layout_without_primaries();
            let (former, next) = (stage.primaries(), stage.primaries_by(&newest));
            let stranger = stage.stranger(&newest);
            stage.learn(stranger, &newest);
            let mut message = stage.frame(get, &Asked::Get, RequestId::default());
            if let Message::Get(get) = &mut message {
                (get.head.passed_on, get.head.layout_version) = (true, LayoutVersion(version));
            }
            let to = if newer { next[0] } else { former[0] };
            let (from, to, message) = (End::Node(stranger), End::Node(to), &message);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn primaries_of_both_layouts_write_in_their_own_copies() {
        for (place, fine) in [(0, true), (1, true), (2, false)] {
            let mut stage = Stage::with_nodes(7, RequestsTakeOneDetour);
            let put = stage.put(1, "v", &[]);
            let newest = stage.layout_without_primaries();
            let (former, next) = (stage.primaries(), stage.primaries_by(&newest));
            let stranger = stage.stranger(&newest);
            let writer = [former[0], next[0], stranger][place];
            stage.learn(writer, &newest);
            stage.write(writer, put);
            stage.expect(fine, "writes in its own copy");
        }
    }
}
