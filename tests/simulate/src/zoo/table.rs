//! What was caught, by what, and how soon.

use std::fmt;

use serde_json::{Value, json};

use super::hunt::{Caught, Hunt, Quarry};

/// How all hunts ended.
pub(super) struct Table {
    seeds: u64,
    ops: usize,
    hunts: Vec<Hunt>,
}

impl Table {
    pub(super) fn new(seeds: u64, ops: usize) -> Table {
        Table { seeds, ops, hunts: Vec::new() }
    }

    pub(super) fn push(&mut self, hunt: Hunt) {
        self.hunts.push(hunt);
    }

    pub(super) fn is_as_it_should_be(&self) -> bool {
        self.hunts.iter().all(Hunt::is_right)
    }

    pub(super) fn header(&self) -> String {
        let (name, seeds, by) = ("mutant", "seeds", "caught by");
        format!(
            "up to {} seeds with {} calls each\n\n{name:<30}{seeds:>5}  {by:<32}what is wrong",
            self.seeds, self.ops
        )
    }

    pub(super) fn row(&self, hunt: &Hunt) -> String {
        let Hunt { quarry, caught, seeds, strayed, .. } = hunt;
        let by = match caught {
            Some(Caught::Seed { property, .. }) => (*property).to_owned(),
            Some(Caught::Story(name)) => format!("story: {name}"),
            None if *quarry == Quarry::Sane => "-".to_owned(),
            None if *strayed == 0 => "NOT CAUGHT: it never acts".to_owned(),
            None => format!("NOT CAUGHT, acts in {strayed}"),
        };
        format!("{:<30}{seeds:>5}  {by:<32}{}", quarry.name(), quarry.about())
    }

    /// Seeds that each mutant needed which was caught, fewest first.
    fn needed(&self) -> Vec<u64> {
        let caught = self.mutants().filter(|hunt| hunt.caught.is_some());
        let mut needed: Vec<u64> = caught.map(|hunt| hunt.seeds).collect();
        needed.sort_unstable();
        needed
    }

    fn mutants(&self) -> impl Iterator<Item = &Hunt> {
        let is_mutant = |hunt: &&Hunt| match hunt.quarry {
            Quarry::Sane | Quarry::FalseClaim => false,
            Quarry::Mutant(_) => true,
        };
        self.hunts.iter().filter(is_mutant)
    }

    pub(super) fn json(&self) -> Value {
        let row = |hunt: &Hunt| {
            json!({
                "name": hunt.quarry.name(),
                "about": hunt.quarry.about(),
                "caught_by": hunt.caught.as_ref().map(Caught::by),
                "seeds": hunt.seeds,
                "strayed": hunt.strayed,
                "right": hunt.is_right(),
                "seconds": hunt.took.as_secs_f64(),
                "replay": hunt.replay(),
            })
        };
        json!({
            "seeds": self.seeds,
            "ops": self.ops,
            "hunts": self.hunts.iter().map(row).collect::<Value>(),
            "median": median(&self.needed()),
        })
    }
}

/// The middle one of sorted numbers, the lower of two.
fn median(sorted: &[u64]) -> Option<u64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.needed();
        let mutants = self.mutants().count();
        write!(f, "\n{} of {mutants} mutants are caught", needed.len())?;
        if let (Some(median), Some(most)) = (median(&needed), needed.last()) {
            write!(f, ", by {median} seeds in the median, by {most} at most")?;
        }
        let took: f64 = self.hunts.iter().map(|hunt| hunt.took.as_secs_f64()).sum();
        writeln!(f, "; {took:.0} s")?;
        for hunt in self.mutants().filter(|hunt| !hunt.is_right()) {
            writeln!(f, "not caught: {}", hunt.quarry.name())?;
        }
        for hunt in &self.hunts {
            match hunt.quarry {
                Quarry::Sane if !hunt.is_right() => {
                    let replay = hunt.replay().unwrap_or_default();
                    writeln!(f, "the protocol as it is was caught: {replay}")?;
                }
                Quarry::FalseClaim if !hunt.is_right() => {
                    writeln!(f, "the zoo is broken: a false claim was not caught")?;
                }
                Quarry::Sane | Quarry::FalseClaim | Quarry::Mutant(_) => {}
            }
        }
        let failed = self.hunts.iter().filter(|hunt| !hunt.is_right()).count();
        writeln!(f, "mutants         {} passed, {failed} failed", self.hunts.len() - failed)
    }
}
