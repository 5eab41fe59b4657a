//! The budget: what each path may cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use super::{BLESS, Cost, Count};
use crate::workspace::Workspace;

const FILE: &str = "tests/paths/budget.toml";

const HEADER: &str = "\
# What one step of each hot path of core may cost, to within 3 %: `cargo xtask verify paths`.
# Instructions are those of the program's own code, not of the C library; allocations are calls of
# its allocator. `cargo xtask bench paths --bless` renews this file.
";

/// So many percent above or below the budget are let pass.
const TOLERANCE: f64 = 3.0;

#[derive(Debug)]
pub(super) struct Budget(BTreeMap<String, Cost>);

/// What differs from the budget, a sentence each.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) exceeded: Vec<String>,
    /// Paths whose budget may be lowered.
    pub(super) lower: Vec<String>,
}

impl Cost {
    /// By how many percent its instructions, and its allocations, are above those of `budget`.
    pub(super) fn against(self, budget: Cost) -> [f64; 2] {
        let percent = |cost: f64, budget: f64| {
            if cost == budget { 0.0 } else { (cost - budget) / budget * 100.0 }
        };
        [
            percent(self.instructions.round(), budget.instructions),
            percent((self.allocations * 100.0).round() / 100.0, budget.allocations),
        ]
    }
}

impl Budget {
    pub(super) fn load(workspace: &Workspace) -> Result<Budget> {
        let path = workspace.root.join(FILE);
        if !path.is_file() {
            return Ok(Budget(BTreeMap::new()));
        }
        Budget::read(&fs::read_to_string(path)?).with_context(|| FILE.to_owned())
    }

    /// Makes what was counted the budget.
    pub(super) fn renew(workspace: &Workspace, counts: &[Count]) -> Result<()> {
        fs::write(workspace.root.join(FILE), text(counts))?;
        println!("{FILE} is renewed");
        Ok(())
    }

    pub(super) fn of(&self, path: &str) -> Option<Cost> {
        self.0.get(path).copied()
    }

    /// Holds all paths to it.
    pub(super) fn compare(&self, counts: &[Count]) -> Comparison {
        let mut comparison = Comparison::default();
        for Count { path, cost, .. } in counts {
            let Some(budget) = self.of(path) else {
                comparison.exceeded.push(format!("{path} has no budget: `{BLESS}` gives it one"));
                continue;
            };
            let parts = [
                ("instructions", cost.instructions, budget.instructions),
                ("allocations", cost.allocations, budget.allocations),
            ];
            for ((what, cost, budget), percent) in parts.into_iter().zip(cost.against(budget)) {
                if percent > TOLERANCE {
                    comparison.exceeded.push(format!(
                        "{path} takes {cost:.2} {what}, {percent:.1} % above its budget of \
                         {budget}: where that is meant, `{BLESS}` renews the budget"
                    ));
                } else if percent < -TOLERANCE {
                    let less = -percent;
                    comparison.lower.push(format!(
                        "{path} takes {cost:.2} {what}, {less:.1} % below its budget of {budget}"
                    ));
                }
            }
        }
        let gone = |path: &&String| !counts.iter().any(|count| count.path == **path);
        for path in self.0.keys().filter(gone) {
            comparison.exceeded.push(format!("{path} has a budget and is no path: `{BLESS}`"));
        }
        comparison
    }

    /// Reads just what [`text`] writes.
    fn read(text: &str) -> Result<Budget> {
        let mut paths = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parse = || {
                let (path, cost) = line.split_once(" = { instructions = ")?;
                let (instructions, rest) = cost.split_once(", allocations = ")?;
                let instructions = instructions.parse().ok()?;
                let allocations = rest.strip_suffix(" }")?.parse().ok()?;
                Some((path.to_owned(), Cost { instructions, allocations }))
            };
            let Some((path, cost)) = parse() else { bail!("`{line}` is no budget of a path") };
            if paths.insert(path, cost).is_some() {
                bail!("`{line}` is the second budget of that path");
            }
        }
        Ok(Budget(paths))
    }
}

fn text(counts: &[Count]) -> String {
    let mut text = HEADER.to_owned();
    for Count { path, cost: Cost { instructions, allocations }, .. } in counts {
        let line = format!("instructions = {instructions:.0}, allocations = {allocations:.2}");
        writeln!(text, "{path} = {{ {line} }}").expect("a text takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, instructions: f64, allocations: f64) -> Count {
        let cost = Cost { instructions, allocations };
        Count { path: path.to_owned(), cost, everything: 0.0 }
    }

    fn compare(counts: &[Count]) -> (usize, usize) {
        let budgeted = [count("put", 1000.0, 4.0), count("get", 2000.4, 0.0)];
        let Comparison { exceeded, lower } =
            Budget::read(&text(&budgeted)).unwrap().compare(counts);
        (exceeded.len(), lower.len())
    }

    #[test]
    fn what_is_within_three_percent_is_kept() {
        for instructions in [970.0, 1000.0, 1030.0] {
            let counts = [count("put", instructions, 4.0), count("get", 2000.4, 0.0)];
            assert_eq!(compare(&counts), (0, 0), "{instructions}");
        }
    }

    #[test]
    fn more_instructions_or_one_more_allocation_exceed_the_budget() {
        let get = count("get", 2000.4, 0.0);
        assert_eq!(compare(&[count("put", 1031.0, 4.0), get.clone()]), (1, 0));
        assert_eq!(compare(&[count("put", 1000.0, 5.0), get]), (1, 0));
        assert_eq!(compare(&[count("put", 1000.0, 4.0), count("get", 2000.0, 1.0)]), (1, 0));
    }

    #[test]
    fn less_is_told_and_no_failure() {
        assert_eq!(compare(&[count("put", 969.0, 3.0), count("get", 2000.4, 0.0)]), (0, 2));
    }

    #[test]
    fn each_path_has_a_budget_and_each_budget_is_of_a_path() {
        let [put, get] = [count("put", 1000.0, 4.0), count("get", 2000.0, 0.0)];
        assert_eq!(compare(&[put.clone(), get.clone(), count("new", 1.0, 0.0)]), (1, 0));
        assert_eq!(compare(&[put]), (1, 0));
    }

    #[test]
    fn a_line_that_is_no_budget_is_an_error() {
        let line = "put = { instructions = 1, allocations = 0 }\n";
        for wrong in ["put = 1\n".to_owned(), line.repeat(2), line.replace('1', "one")] {
            assert!(Budget::read(&wrong).is_err(), "{wrong}");
        }
    }
}
