//! What is left of a plan, in one line.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::swarm::{FaultClass, Plan};

/// Spreads neighbouring throws over all seeds; odd, so that no two throws meet.
const THROW: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is left out of a plan. Its text is the options that ask for the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reduction {
    /// The steps that stay; `None`: all.
    pub keep: Option<StepNumbers>,
    /// The lasting kinds of trouble that are left out.
    pub without: BTreeSet<FaultClass>,
    /// Whether every node is repaired.
    pub no_outcast: bool,
    /// Whether values are short.
    pub no_padding: bool,
    /// Another throw of the dice for delays, losses and the like; 0: the plan's own.
    pub throw: u64,
}

/// Numbers of steps. Their text is like `3,7-12,40`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepNumbers(pub BTreeSet<usize>);

/// The text of [`StepNumbers`] as somebody wrote it, before a plan says which steps there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepRanges(Vec<RangeInclusive<usize>>);

/// A text that is no [`StepRanges`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStepRanges {
    /// The part between two commas that cannot be read.
    pub part: String,
}

/// A range in which a plan has no step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchStep {
    /// The range.
    pub range: RangeInclusive<usize>,
    /// The number of the last step that there is, if there is any.
    pub last: Option<usize>,
}

impl Reduction {
    /// What is left of `plan`.
    pub fn apply(&self, plan: &Plan) -> Plan {
        let mut left = match &self.keep {
            Some(StepNumbers(numbers)) => plan.keep(numbers),
            None => plan.clone(),
        };
        for class in &self.without {
            left = left.without(*class);
        }
        if self.no_outcast {
            left.outcast = None;
        }
        if self.no_padding {
            left.padding = 0;
        }
        left.config.seed = left.config.seed.wrapping_add(self.throw.wrapping_mul(THROW));
        left
    }

    /// This one, and another one of what it leaves.
    pub fn then(self, further: Reduction) -> Reduction {
        Reduction {
            keep: further.keep.or(self.keep),
            without: self.without.union(&further.without).copied().collect(),
            no_outcast: self.no_outcast || further.no_outcast,
            no_padding: self.no_padding || further.no_padding,
            throw: self.throw.wrapping_add(further.throw),
        }
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = Vec::new();
        if let Some(numbers) = &self.keep {
            options.push(format!("--keep {numbers}"));
        }
        if !self.without.is_empty() {
            let names: Vec<&str> = self.without.iter().map(|class| class.name()).collect();
            options.push(format!("--without {}", names.join(",")));
        }
        if self.no_outcast {
            options.push("--no-outcast".to_owned());
        }
        if self.no_padding {
            options.push("--no-padding".to_owned());
        }
        if self.throw != 0 {
            options.push(format!("--throw {}", self.throw));
        }
        f.write_str(&options.join(" "))
    }
}

impl fmt::Display for StepNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        // An empty argument would be lost between the others.
        if self.0.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl StepRanges {
    /// The steps of `plan` that are in these ranges; a range may reach beyond its last one.
    ///
    /// # Errors
    /// The first range in which the plan has no step.
    pub fn of(&self, plan: &Plan) -> Result<StepNumbers, NoSuchStep> {
        let known: BTreeSet<usize> = plan.steps.iter().map(|step| step.number).collect();
        let mut numbers = BTreeSet::new();
        for range in &self.0 {
            let found = known.range(range.clone());
            if found.clone().next().is_none() {
                return Err(NoSuchStep { range: range.clone(), last: known.last().copied() });
            }
            numbers.extend(found);
        }
        Ok(StepNumbers(numbers))
    }
}

impl FromStr for StepRanges {
    type Err = NotStepRanges;

    fn from_str(text: &str) -> Result<StepRanges, NotStepRanges> {
        if text == "none" {
            return Ok(StepRanges::default());
        }
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some(first..=last)
        };
        let ranges = text
            .split(',')
            .map(|part| range(part).ok_or_else(|| NotStepRanges { part: part.to_owned() }));
        ranges.collect::<Result<_, _>>().map(StepRanges)
    }
}

impl fmt::Display for NotStepRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        write!(f, "{part:?} is neither a number nor a range: write steps like 3,7-12,40, or none")
    }
}

impl fmt::Display for NoSuchStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.range.start(), self.range.end());
        if first == last {
            write!(f, "the plan has no step {first}")?;
        } else {
            write!(f, "the plan has no step from {first} to {last}")?;
        }
        match self.last {
            Some(last) => write!(f, ": they are numbered from 0 to {last}"),
            None => write!(f, ": it has none at all"),
        }
    }
}

impl std::error::Error for NotStepRanges {}

impl std::error::Error for NoSuchStep {}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: impl IntoIterator<Item = usize>) -> StepNumbers {
        StepNumbers(numbers.into_iter().collect())
    }

    fn read(text: &str) -> StepNumbers {
        text.parse::<StepRanges>().unwrap().of(&Plan::draw(7, 50)).unwrap()
    }

    #[test]
    fn step_numbers_are_read_as_they_are_written() {
        for (text, steps) in [
            ("none", numbers([])),
            ("5", numbers([5])),
            ("5,6", numbers([5, 6])),
            ("3,7-12,40", numbers([3, 7, 8, 9, 10, 11, 12, 40])),
        ] {
            assert_eq!(steps.to_string(), text);
            assert_eq!(read(text), steps);
        }
        assert_eq!(read("12, 7-9,8"), numbers([7, 8, 9, 12]));
    }

    #[test]
    fn ranges_are_bounded_by_the_plan_and_name_at_least_one_of_its_steps() {
        let plan = Plan::draw(7, 50);
        let last = plan.steps.len() - 1;
        assert_eq!(read(&format!("{last}-{}", usize::MAX)), numbers([last]));
        let refused = |text: &str| text.parse::<StepRanges>().unwrap().of(&plan).unwrap_err();
        assert_eq!(refused("3,9000-9001"), NoSuchStep { range: 9000..=9001, last: Some(last) });
        let text = format!("the plan has no step 9000: they are numbered from 0 to {last}");
        assert_eq!(refused("9000").to_string(), text);
    }

    #[test]
    fn what_is_no_step_number_is_named() {
        for (text, part) in
            [("", ""), ("3,,4", ""), ("3,x", "x"), ("9-7", "9-7"), ("1-", "1-"), ("-1", "-1")]
        {
            let refused = NotStepRanges { part: part.to_owned() };
            assert_eq!(text.parse::<StepRanges>(), Err(refused), "{text:?}");
        }
    }

    #[test]
    fn reduction_reads_as_the_options_that_ask_for_it() {
        assert_eq!(Reduction::default().to_string(), "");
        let reduction = Reduction {
            keep: Some(numbers([1, 2, 3])),
            without: BTreeSet::from([FaultClass::Loss, FaultClass::Delays]),
            no_outcast: true,
            no_padding: true,
            throw: 2,
        };
        let text = "--keep 1-3 --without delays,loss --no-outcast --no-padding --throw 2";
        assert_eq!(reduction.to_string(), text);
    }

    #[test]
    fn nothing_left_out_leaves_the_plan_as_it_is() {
        let plan = Plan::draw(7, 50);
        let left = Reduction::default().apply(&plan);
        assert_eq!(format!("{left:?}"), format!("{plan:?}"));
    }

    #[test]
    fn two_reductions_in_a_row_are_one() {
        let plan = Plan::draw(7, 50);
        let first = Reduction {
            keep: Some(numbers(3..20)),
            without: BTreeSet::from([FaultClass::Loss]),
            throw: 2,
            ..Reduction::default()
        };
        let second = Reduction {
            keep: Some(numbers(5..9)),
            without: BTreeSet::from([FaultClass::Delays]),
            no_outcast: true,
            no_padding: true,
            throw: 1,
        };
        for second in [second, Reduction::default()] {
            let apart = second.apply(&first.apply(&plan));
            let at_once = first.clone().then(second).apply(&plan);
            assert_eq!(format!("{apart:?}"), format!("{at_once:?}"));
        }
    }

    #[test]
    fn a_reduction_leaves_out_what_it_names() {
        // The first plan that has something of everything.
        let plans = (0..).map(|seed| Plan::draw(seed, 50));
        let mut rich = plans.filter(|plan| {
            plan.outcast.is_some() && plan.padding > 0 && plan.config.weather.loss > 0
        });
        let plan = rich.next().unwrap();
        let reduction = Reduction {
            keep: Some(numbers([4, 9])),
            without: BTreeSet::from([FaultClass::Loss]),
            no_outcast: true,
            no_padding: true,
            throw: 1,
        };
        let left = reduction.apply(&plan);
        let steps: Vec<usize> = left.steps.iter().map(|step| step.number).collect();
        assert_eq!(steps, [4, 9]);
        assert_eq!((left.outcast, left.padding, left.config.weather.loss), (None, 0, 0));
        assert_ne!(left.config.seed, plan.config.seed);
        assert_eq!(left.seed, plan.seed);
    }
}
