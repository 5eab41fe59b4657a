//! A name names one thing.

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Applied;
use crate::oracle::{Carried, Seconds, text_of};

pub(crate) const PROPERTY: Property = Property {
    name: "one-dot-one-content",
    definition: "No two writes have one dot; every sibling that is stored or sent stands under \
                 the dot of an applied write and has that write's payload, checksum, times and \
                 request; an actor writes one key only, at the node that its name says.",
    source: "DESIGN.md §6 (Actor, Dot, incarnations and births)",
};

pub(crate) struct OneDotOneContent;

impl Invariant for OneDotOneContent {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, key, .. } = applied;
        let Some(minted) = scene.facts.minted() else { return Ok(()) };
        let dot = scene.facts.name(minted.dot);
        let at_home = scene.facts.index(minted.dot.actor.node) == Some(node);
        let text = if let (true, Some(fact)) =
            (minted.again, scene.facts.key(key).and_then(|key| key.writes.get(&minted.dot)))
        {
            let (at, first) = (Seconds(fact.at), text_of(&fact.payload));
            format!("{dot} is given twice: n{} gave it to {first} at {at} first", fact.node)
        } else if !at_home {
            format!("n{node} gives {dot}, whose actor is another node's")
        } else if let Some((other, _)) =
            scene.facts.actor(minted.dot.actor).filter(|(other, _)| *other != key)
        {
            format!("the actor of {dot} has written {other:?} before")
        } else {
            return Ok(());
        };
        Err(Violation::new(text).at(node).of(key))
    }

    fn on_carried(&mut self, scene: Scene<'_>, carried: Carried<'_>) -> Verdict {
        let Some(key) = scene.facts.key(carried.key) else { return Ok(()) };
        for (dot, sibling) in carried.record.siblings() {
            let fact = key.writes.get(&dot);
            if fact.is_some_and(|fact| fact.is_content_of(sibling)) {
                continue;
            }
            let expected = match fact {
                Some(fact) => format!(
                    "the write had {} of {:?}, written at {} ms",
                    text_of(&fact.payload),
                    fact.request,
                    fact.written.0,
                ),
                None => "no write got that dot".to_owned(),
            };
            let text = format!(
                "the record that n{} {} holds {} of {:?}, written at {} ms, under {}, but \
                 {expected}",
                carried.node,
                if carried.stored { "stored" } else { "sent" },
                text_of(&sibling.payload),
                sibling.request,
                sibling.written.0,
                scene.facts.name(dot),
            );
            return Err(Violation::new(text).at(carried.node).of(carried.key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::OneDotOneContent;
    use crate::oracle::stage::Stage;

    #[test]
    fn copies_hold_what_was_written() {
        let mut stage = Stage::new(OneDotOneContent);
        let put = stage.put(1, "v", &[]);
        let dot = stage.write(0, put);
        stage.copy(0, 1);
        stage.send_record(0, 1);
        stage.expect(true, "");
        stage.forge(2, &[], &[(dot, "w")]);
        stage.expect(false, "but the write had \"v\"");
    }

    #[test]
    fn nothing_stands_under_a_name_that_no_write_got() {
        let mut stage = Stage::new(OneDotOneContent);
        stage.put(1, "v", &[]);
        let dot = stage.dot(1, 1, 1);
        stage.forge(1, &[], &[(dot, "v")]);
        stage.expect(false, "no write got that dot");
    }

    #[test]
    fn a_name_is_given_once() {
        let mut stage = Stage::new(OneDotOneContent);
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        // The disk forgets, and the node goes on as the same actor.
        stage.wipe(0);
        let put = stage.put(1, "w", &[]);
        stage.write_as(0, put, 1);
        stage.expect(false, "is given twice: n0 gave it to \"v\"");
    }

    #[test]
    fn an_actor_writes_one_key() {
        let mut stage = Stage::new(OneDotOneContent);
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage.turn_to("other");
        let put = stage.put(1, "w", &[]);
        stage.write_as(0, put, 1);
        stage.expect(false, "has written");
    }
}
