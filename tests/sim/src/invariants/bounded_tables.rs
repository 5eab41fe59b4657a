//! Nothing grows without a bound.

use std::collections::BTreeMap;

use quorate_core::ids::NodeId;
use quorate_core::node::NodeView;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Crashed, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "bounded-tables",
    definition: "After a step of a node, the requests that it coordinates are no more than \
                 calls_max, those that it passed on are no more than calls_max, and no more than \
                 store_ops_max operations of its storage are under way. The bytes of its hints \
                 for one target stay within target_hint_bytes_max and those of all within \
                 hint_bytes_max; beyond, they grow only by operations that were under way when \
                 they were last within. After every sixteenth step, no more than answers_kept \
                 answers are kept, requests have no more than request_bytes_max bytes, and no \
                 more than members_max members are known; a node that does not count them fails.",
    source: "DESIGN.md §5 (every table has a named limit), §10, §15",
};

/// Counters are copied to be read.
const EVERY: u32 = 16;

#[derive(Default)]
pub(crate) struct BoundedTables {
    steps: u32,
    /// The hints of each node.
    hints: Vec<Hints>,
}

/// The bytes of the hints of one node.
#[derive(Default)]
struct Hints {
    /// Operations of the storage that were under way after the last step.
    operations: usize,
    all: Level,
    targets: BTreeMap<NodeId, Level>,
}

/// A number of bytes, and by how many operations it may grow.
#[derive(Clone, Copy, Default)]
struct Level {
    bytes: u64,
    /// Operations that were under way when it was last within its limit.
    may_grow: usize,
}

impl Invariant for BoundedTables {
    fn on_stepped(&mut self, _scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Stepped { node, view } = stepped;
        self.steps = self.steps.wrapping_add(1);
        check(view, self.steps.is_multiple_of(EVERY)).map_err(|violation| violation.at(node))?;
        if self.hints.len() <= node {
            self.hints.resize_with(node + 1, Hints::default);
        }
        self.hints[node].check(view).map_err(|violation| violation.at(node))
    }

    /// The next life counts what lies on its disk, in one step.
    fn on_crashed(&mut self, _scene: Scene<'_>, crashed: Crashed<'_>) -> Verdict {
        if let Some(hints) = self.hints.get_mut(crashed.node) {
            *hints = Hints::default();
        }
        Ok(())
    }
}

fn check(view: NodeView<'_>, thoroughly: bool) -> Verdict {
    let limits = &view.config().limits;
    within("requests_coordinated", view.requests_coordinated(), limits.calls_max)?;
    within("requests_passed_on", view.requests_passed_on(), limits.calls_max)?;
    let operations = view.storage_operations_under_way();
    within("storage_operations_under_way", operations, limits.store_ops_max)?;
    if !thoroughly {
        return Ok(());
    }
    counted(
        &view.counters(),
        [
            ("answers_kept", limits.answers_kept),
            ("request_bytes", limits.request_bytes_max),
            ("members", limits.members_max),
        ],
    )
}

impl Hints {
    fn check(&mut self, view: NodeView<'_>) -> Verdict {
        let (limits, operations) = (&view.config().limits, view.storage_operations_under_way());
        let none =
            Level { bytes: 0, may_grow: std::mem::replace(&mut self.operations, operations) };
        if view.hints().next().is_none() && self.targets.is_empty() {
            self.all = Level { bytes: 0, may_grow: operations };
            return Ok(());
        }
        let (mut targets, mut all) = (BTreeMap::new(), 0);
        for count in view.hints() {
            all += count.bytes;
            let before = self.targets.get(&count.target).copied().unwrap_or(none);
            let most = limits.target_hint_bytes_max;
            let level = before.becomes("target_hint_bytes_max", count.bytes, most, operations)?;
            targets.insert(count.target, level);
        }
        self.targets = targets;
        self.all = self.all.becomes("hint_bytes_max", all, limits.hint_bytes_max, operations)?;
        Ok(())
    }
}

impl Level {
    /// The level after a step, with so many operations under way.
    fn becomes(
        self,
        name: &str,
        bytes: u64,
        most: u64,
        operations: usize,
    ) -> Result<Level, Box<Violation>> {
        if bytes <= most {
            return Ok(Level { bytes, may_grow: operations });
        }
        if bytes <= self.bytes {
            return Ok(Level { bytes, ..self });
        }
        // A step takes in one answer of the storage.
        match self.may_grow.checked_sub(1) {
            Some(may_grow) => Ok(Level { bytes, may_grow }),
            None => Err(Violation::new(format!(
                "hints of {bytes} bytes are beyond {name}, which is {most}, and still grow"
            ))),
        }
    }
}

/// Each table has a counter, which stays within its limit.
fn counted<const TABLES: usize>(
    counters: &[(&str, u64)],
    tables: [(&str, usize); TABLES],
) -> Verdict {
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
    use super::{Level, counted, within};

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

    #[test]
    fn hints_beyond_their_limit_grow_only_by_what_was_under_way() {
        let becomes = |level: Level, bytes, operations| {
            level.becomes("hint_bytes_max", bytes, 100, operations)
        };
        let within = becomes(Level::default(), 90, 2).unwrap();
        let beyond = becomes(within, 110, 5).unwrap();
        let beyond = becomes(beyond, 120, 5).unwrap();
        let beyond = becomes(beyond, 115, 5).unwrap();
        let text = becomes(beyond, 125, 5).map(|level| level.bytes).unwrap_err().text;
        assert!(text.contains("125 bytes are beyond hint_bytes_max"), "{text}");
        let within = becomes(beyond, 95, 1).unwrap();
        assert!(becomes(within, 105, 5).is_ok());
    }

    #[test]
    fn a_new_life_may_find_more_hints_than_it_may_make() {
        let counting = Level { bytes: 0, may_grow: 1 };
        let found = counting.becomes("hint_bytes_max", 500, 100, 7).unwrap();
        assert!(found.becomes("hint_bytes_max", 400, 100, 7).is_ok());
        assert!(found.becomes("hint_bytes_max", 501, 100, 7).is_err());
    }
}
