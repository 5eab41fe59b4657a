//! `sim`: many seeds at once, or one of them closely.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_sim::shrink::Reduction;
use quorate_sim::swarm::Plan;

use crate::failure::Failure;
use crate::output::{print, print_line};
use crate::properties;
use crate::script::Written;
use crate::seeds::{self, First, Job};
use crate::selection::{Left, Lines};
use crate::totals::Totals;
use crate::{Verdict, pool, quiet};

/// Seeds that may fail before a run ends.
const FAILURES_MAX: usize = 3;
/// How long a failing plan is reduced.
const SHRINK_MINUTES: f64 = 5.0;

/// Runs random plans in simulated clusters, and says which promise is broken.
///
/// Each seed is a cluster, its clients, their calls and the trouble they meet; the same seed is
/// the same run everywhere. The exit status is 1 where a property was violated.
#[derive(Args)]
#[command(override_usage = "cargo xtask sim [OPTIONS]")]
pub(crate) struct Sim {
    /// How many seeds.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; or `random`, for other seeds each time, all below 2^32.
    #[arg(long, default_value = "0")]
    first: First,
    /// Run one seed.
    #[arg(long, conflicts_with_all = ["seeds", "first", "from_file"])]
    seed: Option<u64>,
    /// Run the seeds of a file with lines `seed calls  # comment`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "first", "ops", "minutes"])]
    from_file: Option<PathBuf>,
    /// Calls of each seed.
    #[arg(long, default_value_t = 500)]
    ops: usize,
    /// Run seeds for so long, however many; or, with --shrink, search for so long, 5 by default.
    #[arg(long, conflicts_with = "seeds")]
    minutes: Option<f64>,
    /// Go on after three seeds have failed.
    #[arg(long)]
    all: bool,
    /// Reduce the first failing seed, and print the steps that are left.
    #[arg(long)]
    shrink: bool,
    /// Print the table of what must hold, and run nothing.
    #[arg(long)]
    #[arg(conflicts_with_all = ["seeds", "first", "seed", "from_file", "ops", "minutes"])]
    #[arg(conflicts_with_all = ["all", "shrink", "threads"])]
    properties: bool,
    /// Print JSON, and nothing else.
    #[arg(long)]
    json: bool,
    /// Threads; as many as there are cores if not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Run the protocol with this mutant; `cargo xtask zoo --list` names them.
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME", value_parser = crate::zoo::mutant)]
    mutant: Option<quorate_core::mutants::Mutant>,
    #[command(flatten)]
    left: Left,
    #[command(flatten)]
    lines: Lines,
    #[command(flatten)]
    written: Written,
}

/// The seeds to be run, by index.
enum Jobs {
    Listed(Vec<Job>),
    Fresh { first: u64, count: u64, ops: usize, until: Option<Instant> },
}

impl Jobs {
    fn get(&self, index: u64) -> Option<Job> {
        match self {
            Jobs::Listed(jobs) => jobs.get(usize::try_from(index).ok()?).copied(),
            Jobs::Fresh { first, count, ops, until } => {
                let in_time = until.is_none_or(|until| Instant::now() < until);
                let seed = first.checked_add(index).filter(|_| index < *count && in_time)?;
                Some(Job { seed, ops: *ops })
            }
        }
    }

    /// How many, if that is known.
    fn count(&self) -> Option<u64> {
        match self {
            Jobs::Listed(jobs) => Some(jobs.len() as u64),
            Jobs::Fresh { count, until, .. } => until.is_none().then_some(*count),
        }
    }

    fn name(&self) -> String {
        match self {
            Jobs::Listed(jobs) => format!("{} recorded seeds", jobs.len()),
            Jobs::Fresh { first, count, ops, until: None } => {
                let last = first.saturating_add(*count).saturating_sub(1);
                format!("seeds {first} to {last}, {ops} calls each")
            }
            Jobs::Fresh { first, ops, until: Some(_), .. } => {
                format!("seeds from {first} on, {ops} calls each")
            }
        }
    }
}

impl Sim {
    pub(crate) fn run(self) -> Result<Verdict> {
        if self.properties {
            properties::print_table(self.json);
            return Ok(Verdict::Clean);
        }
        #[cfg(feature = "mutants")]
        quorate_core::mutants::switch(self.mutant);
        if let Some(verdict) = self.written.run(self.json) {
            return verdict;
        }
        let minutes = self.minutes.unwrap_or(SHRINK_MINUTES);
        let minutes = Duration::try_from_secs_f64(minutes * 60.0);
        ensure!(minutes.is_ok(), "--minutes must be a number that is not negative");
        match self.seed {
            Some(seed) => self.one(Job { seed, ops: self.ops }, minutes?),
            None => self.many(minutes?),
        }
    }

    fn one(&self, job: Job, minutes: Duration) -> Result<Verdict> {
        let whole = Plan::draw(job.seed, job.ops);
        let reduction = self.left.reduction(&whole)?;
        let filter = self.lines.filter(&whole)?;
        let is_logged = filter.is_some();
        let started = Instant::now();
        let plan = reduction.apply(&whole);
        let report = quiet::run(&plan, filter);
        let mut totals = Totals::on(1);
        totals.took = started.elapsed();
        totals.add(&report);
        let failure = Failure::of(job, reduction.clone(), &report);
        let shrunk = failure.as_ref().filter(|_| self.shrink).map(|found| found.shrink(minutes));
        if self.json {
            let mut json = totals.json();
            json["trace"] = format!("{:016x}", report.trace).into();
            json["log"] = report.log.into();
            json["violations"] = failure.iter().chain(&shrunk).map(Failure::json).collect();
            print_line(json);
        } else {
            report.log.iter().for_each(print_line);
            if let Some(failure) = &failure {
                print_line(failure.summary());
                if reduction.keep.is_some() && shrunk.is_none() {
                    print_line(failure.steps());
                }
                if !is_logged && shrunk.is_none() {
                    print_line(failure.timeline());
                }
            }
            shrunk.iter().for_each(print_shrunk);
            print(&totals);
            print_line(format_args!("trace           {:016x}", report.trace));
        }
        Ok(verdict(failure.is_some()))
    }

    fn many(&self, minutes: Duration) -> Result<Verdict> {
        let jobs = self.jobs(minutes)?;
        if !self.json {
            print_line(jobs.name());
        }
        let bar = self.bar(jobs.count());
        let started = Instant::now();
        let cores = self.threads.unwrap_or_else(pool::cores).max(1);
        let mut totals = Totals::on(cores);
        let mut failures: Vec<Failure> = Vec::new();
        let work = |index| {
            let job = jobs.get(index)?;
            Some((job, quiet::run(&Plan::draw(job.seed, job.ops), None)))
        };
        pool::in_order(cores, work, |(job, report)| {
            totals.add(&report);
            totals.took = started.elapsed();
            let rate = totals.per_second(totals.events) / 1_000.0;
            let violated = totals.violations;
            bar.set_message(format!("{rate:.0} thousand events/s, {violated} violations"));
            bar.inc(1);
            if let Some(failure) = Failure::of(job, Reduction::default(), &report) {
                if !self.json {
                    let text = format!("\n{}{}", failure.summary(), failure.timeline());
                    bar.suspend(|| print_line(text));
                }
                failures.push(failure);
            }
            if failures.len() >= FAILURES_MAX && !self.all {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let shrunk = failures.first().filter(|_| self.shrink).map(|found| found.shrink(minutes));
        if self.json {
            let mut json = totals.json();
            json["what"] = jobs.name().into();
            json["violations"] = failures.iter().chain(&shrunk).map(Failure::json).collect();
            print_line(json);
        } else {
            shrunk.iter().for_each(print_shrunk);
            print(&totals);
        }
        Ok(verdict(!failures.is_empty()))
    }

    fn jobs(&self, minutes: Duration) -> Result<Jobs> {
        if let Some(file) = &self.from_file {
            return Ok(Jobs::Listed(seeds::read(file)?));
        }
        let is_timed = self.minutes.is_some();
        Ok(Jobs::Fresh {
            first: self.first.seed(),
            count: if is_timed { u64::MAX } else { self.seeds },
            ops: self.ops,
            until: is_timed.then(|| Instant::now() + minutes),
        })
    }

    /// Hidden where nobody looks at a terminal.
    fn bar(&self, count: Option<u64>) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let bar = count.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match count {
            Some(_) => "{wide_bar} {pos}/{len} seeds, {msg}, {eta} left",
            None => "{spinner} {pos} seeds, {msg}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

fn print_shrunk(failure: &Failure) {
    let (summary, steps, timeline) = (failure.summary(), failure.steps(), failure.timeline());
    print_line(format_args!("reduced:\n{summary}{steps}{timeline}"));
}

fn verdict(is_violated: bool) -> Verdict {
    if is_violated { Verdict::Violated } else { Verdict::Clean }
}
