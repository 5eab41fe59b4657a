//! One case on a cluster of its own.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use quorate_host::Interrupt;

use super::case::Case;
use super::harm::{self, Harm};
use super::outcome::Outcome;
use crate::cluster::Cluster;
use crate::disks::bed::{self, Bed, NODES};
use crate::disks::health::{self, Health};
use crate::disks::image::Image;
use crate::disks::ledger::{Counts, Ledger, Sizes};
use crate::disks::random::Random;

/// Neither the founder, which all others have as their seed, nor the last one.
const VICTIM: usize = 2;
/// All that is written while it is full fits in afterwards, with what the engine needs beside it.
const DISK_MEBIBYTES: u64 = 1_024;
const ARGUMENTS: &[&str] = &["--anti-entropy-interval=2s"];
/// More than the interval of anti-entropy.
const QUIET: Duration = Duration::from_secs(3);
/// Of the time to be whole again: so much for each so many bytes, begun ones included.
const WHOLE_PATIENCE: Duration = Duration::from_secs(60);
const WHOLE_BYTES: u64 = 100_000_000;
/// One key of so many is read while the node comes back: reads repair what they touch.
const SAMPLE: u64 = 20;
/// Enough to fill what a node has reserved on its disk before it was full.
const KEYS_FULL: u64 = 4_000;
const KEYS_BROKEN: u64 = 1_000;
/// Written to all replicas, to see whether each of them takes writes.
const KEYS_TRIED: u64 = 50;
const POLL: Duration = Duration::from_millis(500);
const REMARKS_MAX: usize = 6;

pub(super) struct Trial<'a> {
    // Before the disk: it can be unmounted only when nobody uses it.
    cluster: Cluster,
    ledger: Ledger,
    image: Option<Image>,
    bed: &'a Bed,
    interrupt: &'a Interrupt,
    random: Random,
    seed: u64,
    keys: u64,
    outcome: Outcome,
    /// Bytes of the victim's log before the damage.
    log_before: usize,
}

impl<'a> Trial<'a> {
    pub(super) fn run(bed: &'a Bed, case: Case, keys: u64, seed: u64) -> Result<Outcome> {
        let mut trial = Trial::start(bed, case, keys, seed)?;
        match (case.harm(), case) {
            (Some(harm), _) => trial.at_rest(harm)?,
            (None, Case::OldCopy) => trial.old_copy()?,
            (None, Case::Full) => trial.full()?,
            (None, _) => trial.broken()?,
        }
        if let Ok(health) = Health::look(&trial.cluster) {
            trial.outcome.told = health.data_losses(trial.cluster.label(VICTIM));
        }
        trial.outcome.set_aside = health::set_aside(trial.cluster.data(VICTIM));
        trial.read_log();
        Ok(trial.outcome)
    }

    fn start(bed: &'a Bed, case: Case, keys: u64, seed: u64) -> Result<Trial<'a>> {
        let folder = bed.folder().join(format!("{case:?}").to_lowercase());
        std::fs::create_dir_all(&folder)?;
        let disk = case.needs_disk().then(|| Image::new(&folder, "disk", DISK_MEBIBYTES));
        let image = disk.transpose()?;
        let data = (0..usize::from(NODES)).map(|node| match &image {
            Some(image) if node == VICTIM => image.data(),
            _ => folder.join(format!("data-{}", node + 1)),
        });
        let data: Vec<PathBuf> = data.collect();
        let (logs, interrupt) = (folder.join("logs"), &bed.interrupt);
        let settings = bed::settings(ARGUMENTS);
        let cluster = Cluster::start_on(&bed.program, &logs, &data, settings, interrupt)?;
        let ledger = Ledger::start(&bed.ledger, &cluster, seed, case.sizes())?;
        let (random, outcome) = (Random::new(seed), Outcome::default());
        let mut trial = Trial {
            cluster,
            ledger,
            image,
            bed,
            interrupt,
            random,
            seed,
            keys,
            outcome,
            log_before: 0,
        };
        if case != Case::OldCopy {
            trial.put(keys)?;
        }
        trial.log_before = trial.cluster.log(VICTIM).len();
        Ok(trial)
    }

    /// Files are damaged while the node is dead.
    fn at_rest(&mut self, harm: Harm) -> Result<()> {
        self.cluster.kill(VICTIM)?;
        let what = harm(self.cluster.data(VICTIM), &mut self.random)?;
        self.remark(what);
        self.come_back()
    }

    /// What the node had half-way is all it has in the end.
    fn old_copy(&mut self) -> Result<()> {
        self.put(self.keys / 2)?;
        self.cluster.kill(VICTIM)?;
        let data = self.cluster.data(VICTIM).to_owned();
        let copy = data.with_extension("copy");
        harm::copy(&data, &copy)?;
        self.cluster.restart(&[VICTIM], self.interrupt)?;
        self.put(self.keys - self.keys / 2)?;
        self.log_before = self.cluster.log(VICTIM).len();
        self.cluster.kill(VICTIM)?;
        std::fs::remove_dir_all(&data)?;
        harm::copy(&copy, &data)?;
        self.come_back()
    }

    /// Others write until the disk takes no more, and beyond; then there is room again.
    fn full(&mut self) -> Result<()> {
        let large = Ledger::start(&self.bed.ledger, &self.cluster, self.seed + 1, Sizes::Large);
        let mut large = large?;
        self.image().fill()?;
        let counts = large.put(KEYS_FULL, false, self.interrupt)?;
        self.remark(format!("while it was full: {}", words(&counts)));
        let reading = self.ledger.read(SAMPLE, self.interrupt)?;
        self.outcome.add(&reading);
        self.image().make_room()?;
        match self.cluster.watch() {
            Ok(()) => self.outcome.opens = "stayed up".to_owned(),
            Err(error) => {
                self.outcome.opens = "ended".to_owned();
                self.outcome.faults.push("ended when its disk was full".to_owned());
                self.remark(format!("{error:#}"));
                return Ok(());
            }
        }
        match self.wait_until_it_takes_writes()? {
            Some(took) => {
                self.remark(format!("took writes again after {:.1} s", took.as_secs_f64()))
            }
            None => self.outcome.faults.push("takes no writes when there is room again".to_owned()),
        }
        self.become_whole()?;
        let reading = large.read(1, self.interrupt)?;
        self.outcome.add(&reading);
        Ok(())
    }

    /// The disk fails under the node; later it is mounted again for a new start.
    fn broken(&mut self) -> Result<()> {
        self.image().cut_power()?;
        let counts = self.ledger.put(KEYS_BROKEN, false, self.interrupt)?;
        self.remark(format!("while it was broken: {}", words(&counts)));
        let said = self.cluster.log(VICTIM).len() > self.log_before;
        if !said {
            self.outcome.faults.push("says nothing of its broken disk".to_owned());
        }
        match self.cluster.watch() {
            Ok(()) => {
                let ready = if self.cluster.is_ready(VICTIM) { "ready" } else { "not ready" };
                self.remark(format!("runs on, says that it is {ready}"));
                self.cluster.kill(VICTIM)?;
            }
            Err(error) => self.remark(format!("{error:#}")),
        }
        let image = self.image.as_mut();
        image.map_or(Ok(()), Image::remount)?;
        self.come_back()
    }

    /// Starts the node, looks for losses while it comes back, and when it should be whole.
    fn come_back(&mut self) -> Result<()> {
        let label = self.cluster.label(VICTIM).to_owned();
        self.cluster.start_again(VICTIM)?;
        let settled = self.cluster.settle(self.interrupt);
        self.interrupt.check()?;
        if let Err(error) = settled {
            self.outcome.opens = "no".to_owned();
            self.outcome.whole = Some(Err("it is not up".to_owned()));
            self.remark(format!("{error:#}"));
            let reading = self.ledger.read(1, self.interrupt)?;
            self.outcome.add(&reading);
            return Ok(());
        }
        self.outcome.opens = "yes".to_owned();
        let health = Health::look(&self.cluster)?;
        if health.members().iter().filter(|member| **member == label).count() > 1 {
            self.outcome.faults.push("came back as another member".to_owned());
        }
        let reading = self.ledger.read(SAMPLE, self.interrupt)?;
        self.outcome.add(&reading);
        self.become_whole()
    }

    fn become_whole(&mut self) -> Result<()> {
        let data = harm::bytes(self.cluster.data(VICTIM));
        let parts = data.div_ceil(WHOLE_BYTES).max(1);
        let patience = WHOLE_PATIENCE * parts as u32;
        let whole = health::wait_until_whole(&mut self.cluster, QUIET, patience, self.interrupt);
        self.interrupt.check()?;
        self.outcome.whole = Some(whole.unwrap_or_else(|error| Err(format!("{error:#}"))));
        let reading = self.ledger.read_everywhere(self.interrupt)?;
        self.outcome.add_everywhere(&reading);
        let reading = self.ledger.read(1, self.interrupt)?;
        self.outcome.add(&reading);
        Ok(())
    }

    /// Writes to all replicas of some keys, again and again, until all of them take it.
    fn wait_until_it_takes_writes(&mut self) -> Result<Option<Duration>> {
        let began = Instant::now();
        while began.elapsed() < WHOLE_PATIENCE {
            let counts = self.ledger.put(KEYS_TRIED, true, self.interrupt)?;
            if counts.acknowledged == KEYS_TRIED {
                return Ok(Some(began.elapsed()));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }

    fn put(&mut self, keys: u64) -> Result<()> {
        let counts = self.ledger.put(keys, false, self.interrupt)?;
        ensure!(counts.acknowledged == keys, "before any damage: {}", words(&counts));
        Ok(())
    }

    fn image(&self) -> &Image {
        self.image.as_ref().expect("a case that needs a disk has one")
    }

    fn remark(&mut self, remark: String) {
        self.outcome.remarks.push(remark);
    }

    /// Adds what the node said since the damage.
    fn read_log(&mut self) {
        let log = self.cluster.log(VICTIM);
        let lines = log.get(self.log_before..).unwrap_or_default().lines();
        let lines = lines.filter(|line| line.contains("WARN") || line.contains("ERROR"));
        let lines = lines.take(REMARKS_MAX).map(str::to_owned);
        self.outcome.remarks.extend(lines);
    }
}

/// How writes ended, in words.
fn words(counts: &Counts) -> String {
    let Counts { acknowledged, refused, unknown, errors } = counts;
    let errors = errors.iter().map(|(code, count)| format!(", {code} {count}"));
    let errors: String = errors.collect();
    format!("{acknowledged} writes acknowledged, {refused} refused, {unknown} unknown{errors}")
}
