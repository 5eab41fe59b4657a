//! Nothing grows without a bound.

use quorate_core::node::NodeView;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Observation;

pub(crate) const PROPERTY: Property = Property {
    name: "bounded-tables",
    definition: "After a step of a node, no more than calls_max requests are coordinated and \
                 calls_max passed on, no more than answers_kept answers are kept, and no more than \
                 store_ops_max operations of its storage are under way, and calls_max beyond: a \
                 delete without context was let in before its second operation begins. The two \
                 last are looked at after every sixteenth step.",
    source: "DESIGN.md §5 (every table has a named limit), §15",
};

/// Counters are copied to be read.
const EVERY: u32 = 16;

#[derive(Default)]
pub(crate) struct BoundedTables {
    steps: u32,
}

impl Invariant for BoundedTables {
    fn observe(&mut self, _scene: Scene<'_>, seen: &Observation<'_>) -> Verdict {
        let Observation::Stepped { node, view } = *seen else { return Ok(()) };
        self.steps = self.steps.wrapping_add(1);
        check(view, self.steps.is_multiple_of(EVERY)).map_err(|violation| violation.at(node))
    }
}

fn check(view: NodeView<'_>, thoroughly: bool) -> Verdict {
    let limits = &view.config().limits;
    within("requests", view.requests_under_way(), 2 * limits.calls_max)?;
    if !thoroughly {
        return Ok(());
    }
    for (name, count) in view.counters() {
        let limit = match name {
            "storage_operations_under_way" => limits.store_ops_max + limits.calls_max,
            "answers_kept" => limits.answers_kept,
            _ => continue,
        };
        within(name, usize::try_from(count).unwrap_or(usize::MAX), limit)?;
    }
    Ok(())
}

fn within(name: &str, count: usize, limit: usize) -> Verdict {
    if count <= limit {
        return Ok(());
    }
    Err(Violation::new(format!("{count} {name} are in a table that has room for {limit}")))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_table_may_be_full_and_no_more() {
        assert_eq!(within("answers_kept", 3, 3), Ok(()));
        let violation = within("answers_kept", 4, 3).unwrap_err();
        assert_eq!(violation.text, "4 answers_kept are in a table that has room for 3");
    }
}
