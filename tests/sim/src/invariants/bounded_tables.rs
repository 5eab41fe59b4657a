//! Nothing grows without a bound.

use quorate_core::node::NodeView;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Stepped;

pub(crate) const PROPERTY: Property = Property {
    name: "bounded-tables",
    definition: "After a step of a node, the requests that are coordinated and those that are \
                 passed on are together no more than twice calls_max, which bounds each of them; \
                 no more than answers_kept answers are kept, and no more than store_ops_max \
                 operations of its storage are under way. The two last are looked at after every \
                 sixteenth step; a node that does not count them fails.",
    source: "DESIGN.md §5 (every table has a named limit), §15",
};

/// Counters are copied to be read.
const EVERY: u32 = 16;

#[derive(Default)]
pub(crate) struct BoundedTables {
    steps: u32,
}

impl Invariant for BoundedTables {
    fn on_stepped(&mut self, _scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Stepped { node, view } = stepped;
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
    counted(
        &view.counters(),
        [
            ("storage_operations_under_way", limits.store_ops_max),
            ("answers_kept", limits.answers_kept),
        ],
    )
}

/// Each table has a counter, which stays within its limit.
fn counted(counters: &[(&str, u64)], tables: [(&str, usize); 2]) -> Verdict {
    for (name, limit) in tables {
        let Some((_, count)) = counters.iter().find(|(counter, _)| *counter == name) else {
            return Err(Violation::new(format!("nothing counts {name}")));
        };
        within(name, usize::try_from(*count).unwrap_or(usize::MAX), limit)?;
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
    use super::{counted, within};

    #[test]
    fn a_table_may_be_full_and_no_more() {
        assert_eq!(within("answers_kept", 3, 3), Ok(()));
        let violation = within("answers_kept", 4, 3).unwrap_err();
        assert_eq!(violation.text, "4 answers_kept are in a table that has room for 3");
    }

    #[test]
    fn a_table_without_a_counter_fails() {
        let tables = [("a", 3), ("b", 0)];
        assert_eq!(counted(&[("b", 0), ("c", 9), ("a", 3)], tables), Ok(()));
        let text = |counters: &[(&str, u64)]| counted(counters, tables).unwrap_err().text;
        assert_eq!(text(&[("a", 3), ("c", 9)]), "nothing counts b");
        assert_eq!(text(&[("a", 3), ("b", 1)]), "1 b are in a table that has room for 0");
    }
}
