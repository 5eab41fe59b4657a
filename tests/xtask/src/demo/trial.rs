//! One trial: a runner in Node.js puts the files, a node is killed half-way, all is read back.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use super::folder::Listing;
use super::report::{self, Report};
use crate::cluster::Cluster;
use crate::interrupt::Interrupt;
use crate::packed::Packed;

/// Operations under way at one time.
const IN_FLIGHT: usize = 64;
const POLL: Duration = Duration::from_millis(100);
const RUNNER: &str = include_str!("runner.mjs");

/// What a trial works with.
pub(super) struct Trial<'a> {
    pub(super) packed: &'a Packed,
    pub(super) listing: &'a Listing,
    /// For the manifest.
    pub(super) folder: &'a Path,
    pub(super) cluster: &'a mut Cluster,
    /// The node to be killed.
    pub(super) victim: usize,
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
    },
    /// It waits for the death of a node.
    Half,
    /// All puts have ended. It waits before it reads.
    Written,
    Report(Box<Report>),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Put,
    Get,
}

impl Trial<'_> {
    pub(super) fn run(self) -> Result<Report> {
        let manifest = self.folder.join("manifest");
        fs::write(&manifest, self.listing.manifest())?;
        let arguments = json!({
            "root": self.listing.root,
            "manifest": manifest,
            "seed": self.cluster.seed(0),
            "inFlight": IN_FLIGHT,
            "victim": self.cluster.label(self.victim),
        });
        let mut runner = Runner::start(self.packed, &arguments.to_string())?;
        let count = self.listing.files.len() as u64;
        let files = report::count(count);
        println!("putting {files} files, {IN_FLIGHT} at one time, and reading them back");
        let bar = ProgressBar::new(count).with_style(style()?);
        bar.set_prefix("put");
        bar.tick();
        loop {
            self.interrupt.check()?;
            self.cluster.watch()?;
            match runner.next()? {
                None => {}
                Some(Event::Progress { phase, done }) => {
                    bar.set_prefix(match phase {
                        Phase::Put => "put",
                        Phase::Get => "get",
                    });
                    bar.set_position(done);
                }
                Some(Event::Half) => {
                    let id = self.cluster.kill(self.victim)?;
                    let label = self.cluster.label(self.victim);
                    let done = report::count(count / 2);
                    bar.suspend(|| {
                        println!(
                            "half-way ({done} of {files}): {label} killed (SIGKILL, process {id})"
                        );
                    });
                    runner.go_on()?;
                }
                Some(Event::Written) => {
                    if let Some(meddle) = self.meddle {
                        meddle(self.cluster)?;
                    }
                    runner.go_on()?;
                    bar.reset();
                }
                Some(Event::Report(report)) => {
                    bar.finish_and_clear();
                    return Ok(*report);
                }
            }
        }
    }
}

/// The process of the runner. Dropping it ends it.
struct Runner {
    child: Child,
    lines: Receiver<String>,
}

impl Runner {
    fn start(packed: &Packed, arguments: &str) -> Result<Runner> {
        let mut node = packed.script("runner.mjs", RUNNER)?;
        node.arg(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.process_group(0).spawn().context("`node` does not start")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // Nobody listens any more: then nobody wants the rest.
            lines.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Ok(Runner { child, lines })
    }

    /// The next event, if one comes within [`POLL`].
    fn next(&mut self) -> Result<Option<Event>> {
        match self.lines.recv_timeout(POLL) {
            Ok(line) => {
                let event = serde_json::from_str(&line);
                event.map(Some).with_context(|| format!("the runner said {line}"))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the runner ended before its report ({})", self.child.wait()?)
            }
        }
    }

    fn go_on(&mut self) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        stdin.write_all(b"go on\n").context("the runner does not listen")
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn style() -> Result<ProgressStyle> {
    let style = "{prefix} {bar:40} {human_pos} of {human_len} files, {elapsed}";
    Ok(ProgressStyle::with_template(style)?.progress_chars("━╸ "))
}
