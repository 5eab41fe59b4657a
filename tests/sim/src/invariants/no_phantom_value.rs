//! A reader is shown only what was put.

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::{How, Op};

pub(crate) const PROPERTY: Property = Property {
    name: "no-phantom-value",
    definition: "Every value in a get's answer was put to that key by a call which began before \
                 the get ended and was not refused; and the answer covers no write that was not \
                 applied before the get ended.",
    source: "DESIGN.md §6 (a context never claims more than was shown), §7 (refused: nothing \
             happened)",
};

pub(crate) struct NoPhantomValue;

impl Invariant for NoPhantomValue {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Found { context, values, .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        for shown in values {
            let value = String::from_utf8_lossy(&shown.payload);
            let puts = key.puts.get(&shown.payload).map_or(&[][..], Vec::as_slice);
            let possible = |op: &Op| !matches!(op.how(), Some(How::Refused)) || op.again;
            let text = if puts.is_empty() {
                format!("{op} shows {value:?}, which nobody put to the key before it ended")
            } else if !puts.iter().any(|id| possible(scene.facts.op(*id))) {
                let put = scene.facts.op(puts[0]);
                format!("{op} shows {value:?}, but {put} was refused")
            } else {
                continue;
            };
            return Err(Violation::new(text).of(&op.key));
        }
        if crate::oracle::exceeds(context, &key.minted) {
            let dots = crate::oracle::difference(context, &key.minted);
            let dots = scene.facts.names(dots);
            let text = format!("{op} covers {dots}, which no write had as its name by then");
            return Err(Violation::new(text).of(&op.key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::NoPhantomValue;
    use crate::oracle::stage::Stage;

    #[test]
    fn only_what_was_put_and_not_refused_is_shown() {
        for (refused, shown, fine) in
            [(false, "v", true), (false, "phantom", false), (true, "v", false)]
        {
            let mut stage = Stage::new(NoPhantomValue);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            if refused {
                stage.refuse(put);
            }
            let get = stage.get(1);
            stage.find(get, &[shown], &[dot]);
            stage.expect(fine, if refused { "was refused" } else { "which nobody put" });
        }
    }

    #[test]
    fn a_context_covers_nothing_of_the_future() {
        let mut stage = Stage::new(NoPhantomValue);
        let put = stage.put(1, "v", &[]);
        let dot = stage.write(0, put);
        let next = stage.dot(0, 1, dot.counter.0 + 1);
        let get = stage.get(1);
        stage.find(get, &["v"], &[dot, next]);
        stage.expect(false, "which no write had as its name by then");
    }
}
