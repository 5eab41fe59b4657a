//! One trial: a runner in Node.js puts the files while nodes die and come back, and reads all back.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_host::Interrupt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::folder::Listing;
use super::hints::{HintCounts, Tally};
use super::report::{self, Report};
use super::steps::{Course, Deed, Step};
use crate::cluster::Cluster;
use crate::orders::Obedient;
use crate::packed::Packed;

/// Operations under way at one time.
const IN_FLIGHT: usize = 64;
const RUNNER: &str = include_str!("runner.mjs");
/// What it waits for after each step.
const GO_ON: &str = "go on";

/// What a trial works with.
pub(super) struct Trial<'a> {
    pub(super) packed: &'a Packed,
    pub(super) listing: &'a Listing,
    /// For the manifest.
    pub(super) folder: &'a Path,
    pub(super) cluster: &'a mut Cluster,
    pub(super) course: Course,
    pub(super) interrupt: &'a Interrupt,
    /// What a test does to the cluster before all is read back.
    pub(super) meddle: Option<fn(&Cluster) -> Result<()>>,
}

/// What the runner tells.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Progress {
        phase: Phase,
        done: u64,
        of: u64,
    },
    /// It waits for the next step.
    Step,
    /// All puts have ended. It waits before it reads.
    Written,
    /// It has read what the nodes hold that were left alone. It waits before it reads the rest.
    Alone,
    Report(Box<Report>),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Put,
    Alone,
    Get,
}

impl Trial<'_> {
    pub(super) fn run(mut self) -> Result<Report> {
        let files = self.listing.files.len();
        let steps = self.course.steps(files, IN_FLIGHT);
        let mut runner = self.packed.script("runner.mjs", RUNNER)?;
        runner.arg(self.arguments(&steps)?.to_string());
        let mut runner = Obedient::start("the runner", &mut runner)?;
        println!(
            "putting {} files, {IN_FLIGHT} at one time, and reading them back",
            report::count(files)
        );
        let bar = ProgressBar::new(files as u64).with_style(style()?);
        bar.set_prefix("put");
        bar.tick();
        let mut ahead = steps.iter();
        let mut tally = Tally::default();
        let mut hints = None;
        loop {
            self.interrupt.check()?;
            self.cluster.watch()?;
            let Some(line) = runner.hear()? else { continue };
            let event = serde_json::from_str(&line);
            match event.with_context(|| format!("the runner said {line}"))? {
                Event::Progress { phase, done, of } => {
                    bar.set_prefix(match phase {
                        Phase::Put => "put",
                        Phase::Alone => "get from those left",
                        Phase::Get => "get",
                    });
                    bar.set_length(of);
                    bar.set_position(done);
                }
                Event::Step => {
                    let step = ahead.next().context("the runner took a step of its own")?;
                    let done = self.take(step, &mut tally)?;
                    let at = report::count(step.at);
                    let of = report::count(files);
                    bar.suspend(|| println!("after {at} of {of} files: {done}"));
                    runner.tell(GO_ON)?;
                }
                Event::Written => {
                    if let Some(meddle) = self.meddle {
                        meddle(self.cluster)?;
                    }
                    if !self.course.left().is_empty() {
                        hints = Some(self.leave_alone(&mut tally, &bar)?);
                    }
                    runner.tell(GO_ON)?;
                    bar.reset();
                }
                Event::Alone => {
                    let others = self.others();
                    self.cluster.restart(&others, self.interrupt)?;
                    let labels = self.labels(&others);
                    bar.suspend(|| println!("{labels} started again: reading all files"));
                    runner.tell(GO_ON)?;
                    bar.reset();
                }
                Event::Report(mut report) => {
                    bar.finish_and_clear();
                    let labels = steps.iter().map(|step| step.phase(self.cluster));
                    let labels = ["all nodes up".to_owned()].into_iter().chain(labels).collect();
                    (report.labels, report.hints) = (labels, hints);
                    return Ok(*report);
                }
            }
        }
    }

    fn arguments(&self, steps: &[Step]) -> Result<Value> {
        let manifest = self.folder.join("manifest");
        fs::write(&manifest, self.listing.manifest())?;
        let cluster = &*self.cluster;
        let steps = steps.iter().map(|step| step.json(cluster));
        let killed = self.course.victims().into_iter().map(|node| cluster.label(node).to_owned());
        let left = self
            .course
            .left()
            .into_iter()
            .map(|node| json!({ "label": cluster.label(node), "seed": cluster.seed(node) }));
        Ok(json!({
            "root": self.listing.root,
            "manifest": manifest,
            "seed": cluster.seed(0),
            "inFlight": IN_FLIGHT,
            "steps": steps.collect::<Vec<_>>(),
            "killed": killed.collect::<Vec<_>>(),
            "left": left.collect::<Vec<_>>(),
        }))
    }

    /// Does what a step says and tells it in words.
    fn take(&mut self, step: &Step, tally: &mut Tally) -> Result<String> {
        let label = self.cluster.label(step.node).to_owned();
        match step.deed {
            Deed::Kill => {
                if !self.course.left().is_empty() {
                    tally.before_death(self.cluster, step.node)?;
                }
                let id = self.cluster.kill(step.node)?;
                Ok(format!("{label} killed (SIGKILL, process {id})"))
            }
            Deed::Restart => {
                self.cluster.restart(&[step.node], self.interrupt)?;
                Ok(format!("{label} started again"))
            }
        }
    }

    /// Waits until all hints have come home, then kills all nodes but those that were dead before.
    fn leave_alone(&mut self, tally: &mut Tally, bar: &ProgressBar) -> Result<HintCounts> {
        let began = Instant::now();
        let hints = tally.wait_until_home(self.cluster, self.interrupt)?;
        let seconds = began.elapsed().as_secs_f64();
        let others = self.others();
        for node in &others {
            self.cluster.kill(*node)?;
        }
        let (left, dead) = (self.labels(&self.course.left()), self.labels(&others));
        bar.suspend(|| {
            println!("no node holds a hint, {seconds:.1} s after the last put");
            println!("{dead} killed (SIGKILL): {left} are left alone, reading with R=1, strict");
        });
        Ok(hints)
    }

    fn others(&self) -> Vec<usize> {
        let left = self.course.left();
        (0..self.cluster.len()).filter(|node| !left.contains(node)).collect()
    }

    fn labels(&self, nodes: &[usize]) -> String {
        let labels: Vec<&str> = nodes.iter().map(|node| self.cluster.label(*node)).collect();
        labels.join(", ")
    }
}

fn style() -> Result<ProgressStyle> {
    let style = "{prefix} {bar:40} {human_pos} of {human_len} files, {elapsed}";
    Ok(ProgressStyle::with_template(style)?.progress_chars("━╸ "))
}
