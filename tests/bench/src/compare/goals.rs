//! What is to be reached, as ratios within one round.

use super::load::Load;
use super::report::{self, spread};
use super::sample::{Range, Sample};
use super::system::System;

/// A bound of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// What a ratio is made of.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// Operations per second of the first to those of the second.
    Throughput(System, System),
    /// p50 of gets, the same.
    GetP50(System, System),
    /// p50 of puts, the same.
    PutP50(System, System),
    /// p99 of gets or of puts, whichever ratio is greater, the same.
    P99(System, System),
    /// Copies of values that go through sockets per second, the same.
    Copies(System, System),
    /// p99.9 to p50 of one system's gets, or of its puts where that is more.
    Tail(System),
}

/// One goal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    load: Load,
    of: Of,
    bound: Bound,
}

/// A goal beside what was reached.
pub(crate) struct Reached {
    pub(crate) goal: Goal,
    /// `None` where what it compares was not measured.
    pub(crate) ratio: Option<Range>,
}

/// All goals about systems.
pub(crate) fn all() -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    use System::{
        Etcd, Group, Ioredis, IoredisAuto, IoredisWait, Memory, MemoryGateway, Native,
        NativeGateway, Periodic, RedisNativeWait, Sockets,
    };
    let goal = |load, of, bound| Goal { load, of, bound };
    let mut all = Vec::new();
    for gets in [50, 95] {
        let (some, many) = (Load::small(64, gets), Load::small(256, gets));
        all.push(goal(some, Of::Throughput(Memory, Ioredis), AtLeast(1.5)));
        all.push(goal(some, Of::Throughput(Memory, IoredisWait), AtLeast(2.5)));
        all.push(goal(many, Of::Throughput(Memory, IoredisAuto), AtLeast(2.0)));
        all.push(goal(some, Of::Throughput(Periodic, Ioredis), AtLeast(1.2)));
        all.push(goal(many, Of::Throughput(Periodic, IoredisAuto), AtLeast(1.2)));
    }
    let (one, some, many) = (Load::small(1, 50), Load::small(64, 50), Load::small(256, 50));
    all.push(goal(some, Of::Throughput(Group, Etcd), AtLeast(10.0)));
    all.push(goal(one, Of::GetP50(Memory, Ioredis), AtMost(1.4)));
    all.push(goal(one, Of::PutP50(Memory, IoredisWait), AtMost(0.9)));
    all.push(goal(one, Of::Tail(Memory), AtMost(10.0)));
    all.push(goal(some, Of::Throughput(Native, RedisNativeWait), AtLeast(2.0)));
    all.push(goal(many, Of::Throughput(Native, Memory), AtLeast(1.2)));
    for (direct, gateway) in [(Memory, MemoryGateway), (Native, NativeGateway)] {
        all.push(goal(some, Of::Throughput(direct, gateway), AtLeast(1.3)));
        all.push(goal(some, Of::P99(direct, gateway), AtMost(1.0)));
    }
    all.push(goal(Load::long(64, 50), Of::Copies(Native, Sockets), AtLeast(0.5)));
    all
}

/// The goals that were measured at least in part.
pub(crate) fn judge(samples: &[Sample]) -> Vec<Reached> {
    let judged = all().into_iter().map(|goal| Reached { goal, ratio: goal.ratio(samples) });
    judged.filter(|reached| reached.ratio.is_some()).collect()
}

/// Prints what was reached.
pub(crate) fn print(judged: &[Reached]) {
    if judged.is_empty() {
        return;
    }
    let mut table = report::table(&["goal", "load", "wanted", "reached", "met"]);
    for Reached { goal, ratio } in judged {
        let met = ratio.is_some_and(|ratio| goal.bound.holds(ratio.median));
        table.add_row([
            goal.name(),
            goal.load.to_string(),
            goal.bound.text(),
            spread(*ratio, 2),
            if met { "yes" } else { "no" }.to_owned(),
        ]);
    }
    println!("\ngoals, ratios within one round, median (min-max)\n{table}");
}

impl Goal {
    pub(crate) fn name(&self) -> String {
        match self.of {
            Of::Throughput(ours, theirs) => format!("ops/s {} / {}", ours.name(), theirs.name()),
            Of::Copies(ours, theirs) => format!("copies/s {} / {}", ours.name(), theirs.name()),
            Of::GetP50(ours, theirs) => format!("get p50 {} / {}", ours.name(), theirs.name()),
            Of::PutP50(ours, theirs) => format!("put p50 {} / {}", ours.name(), theirs.name()),
            Of::P99(ours, theirs) => format!("p99 {} / {}", ours.name(), theirs.name()),
            Of::Tail(ours) => format!("p99.9 / p50 {}", ours.name()),
        }
    }

    pub(crate) fn load(&self) -> Load {
        self.load
    }

    pub(crate) fn bound(&self) -> Bound {
        self.bound
    }

    fn ratio(&self, samples: &[Sample]) -> Option<Range> {
        let runs = samples.iter().map(|sample| sample.run).max()?;
        Range::of((1..=runs).filter_map(|run| self.ratio_of(samples, run)))
    }

    fn ratio_of(&self, samples: &[Sample], run: u32) -> Option<f64> {
        let sample = |system: System| {
            let is_it = |it: &&Sample| {
                it.system == system && it.load == self.load && it.run == run && it.errors == 0
            };
            samples.iter().find(is_it)
        };
        match self.of {
            Of::Throughput(ours, theirs) => {
                Some(sample(ours)?.ops_per_second / sample(theirs)?.ops_per_second)
            }
            Of::Copies(ours, theirs) => {
                Some(sample(ours)?.copies_per_second() / sample(theirs)?.copies_per_second())
            }
            Of::GetP50(ours, theirs) => {
                Some(sample(ours)?.gets.quantiles?[0] / sample(theirs)?.gets.quantiles?[0])
            }
            Of::PutP50(ours, theirs) => {
                Some(sample(ours)?.puts.quantiles?[0] / sample(theirs)?.puts.quantiles?[0])
            }
            Of::P99(ours, theirs) => {
                let (ours, theirs) = (sample(ours)?, sample(theirs)?);
                let gets = ours.gets.quantiles?[1] / theirs.gets.quantiles?[1];
                Some(gets.max(ours.puts.quantiles?[1] / theirs.puts.quantiles?[1]))
            }
            Of::Tail(ours) => {
                let ours = sample(ours)?;
                let tail = |quantiles: [f64; 3]| quantiles[2] / quantiles[0];
                Some(tail(ours.gets.quantiles?).max(tail(ours.puts.quantiles?)))
            }
        }
    }
}

impl Bound {
    pub(crate) fn holds(self, ratio: f64) -> bool {
        match self {
            Bound::AtLeast(bound) => ratio >= bound,
            Bound::AtMost(bound) => ratio <= bound,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Bound::AtLeast(bound) => format!(">= {bound}"),
            Bound::AtMost(bound) => format!("<= {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Latencies;
    use super::*;

    fn sample(system: System, load: Load, run: u32, ops_per_second: f64, p50: f64) -> Sample {
        let latencies = Latencies { count: 1, quantiles: Some([p50, p50 * 2.0, p50 * 11.0]) };
        let sample = Sample::of_throughput(system, load, run, ops_per_second);
        Sample { gets: latencies, puts: latencies, ..sample }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let load = Load::small(64, 50);
        let samples = [
            sample(System::Memory, load, 1, 300.0, 1.0),
            sample(System::Ioredis, load, 1, 100.0, 1.0),
            sample(System::Memory, load, 2, 20.0, 1.0),
            sample(System::Ioredis, load, 2, 10.0, 1.0),
            sample(System::Memory, load, 3, 999.0, 1.0),
        ];
        let judged = judge(&samples);
        let [one] = &judged[..] else { panic!("{} goals were measured", judged.len()) };
        assert_eq!(one.goal.name(), "ops/s memory / ioredis");
        assert_eq!(one.ratio, Some(Range { median: 2.5, min: 2.0, max: 3.0 }));
        assert!(one.goal.bound.holds(2.5) && !one.goal.bound.holds(1.4));
    }

    #[test]
    fn each_copy_of_a_value_counts() {
        let load = Load::long(64, 50);
        let samples = [
            sample(System::Native, load, 1, 300.0, 1.0),
            sample(System::Sockets, load, 1, 1_000.0, 1.0),
        ];
        let judged = judge(&samples);
        let ratios: Vec<f64> = judged.iter().filter_map(|it| Some(it.ratio?.median)).collect();
        // A get is one copy, a put three; there are as many of both.
        assert_eq!(ratios, [0.6]);
        assert!(judged[0].goal.bound.holds(ratios[0]));
    }

    #[test]
    fn a_run_with_errors_reaches_nothing() {
        let load = Load::small(64, 50);
        let mut samples = [
            sample(System::Memory, load, 1, 300.0, 1.0),
            sample(System::Ioredis, load, 1, 100.0, 1.0),
        ];
        assert_eq!(judge(&samples).len(), 1);
        samples[1].errors = 1;
        assert!(judge(&samples).is_empty());
    }

    #[test]
    fn of_two_ratios_of_p99_the_worse_counts() {
        let load = Load::small(64, 50);
        let direct = sample(System::Native, load, 1, 130.0, 1.0);
        let gateway = sample(System::NativeGateway, load, 1, 100.0, 2.0);
        let puts = Latencies { quantiles: Some([1.0, 3.0, 9.0]), ..direct.puts };
        let judged = judge(&[Sample { puts, ..direct }, gateway]);
        let ratios: Vec<f64> = judged.iter().filter_map(|it| Some(it.ratio?.median)).collect();
        assert_eq!(ratios, [1.3, 0.75]);
        assert!(judged.iter().all(|it| it.goal.bound.holds(it.ratio.unwrap().median)));
    }

    #[test]
    fn latencies_of_one_in_flight_are_compared_by_their_middle() {
        let load = Load::small(1, 50);
        let samples = [
            sample(System::Memory, load, 1, 1.0, 120.0),
            sample(System::Ioredis, load, 1, 1.0, 100.0),
        ];
        let judged = judge(&samples);
        let ratios: Vec<f64> = judged.iter().filter_map(|it| Some(it.ratio?.median)).collect();
        assert_eq!(ratios, [1.2, 11.0]);
        assert!(judged[0].goal.bound.holds(ratios[0]) && !judged[1].goal.bound.holds(ratios[1]));
    }
}
