//! `cargo xtask disks power`: nodes lose their power, or are killed, while clients write.

mod tally;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use quorate_host::Interrupt;

use super::bed::{self, Bed, NODES};
use super::health::{self, Health};
use super::image::Image;
use super::ledger::{Counts, Ledger, Reading, Sizes};
use super::random;
use super::report::seconds;
use super::schedule::{self, Deed, Round};
use crate::cluster::Cluster;
use crate::profile::Profile;
use crate::workspace::Workspace;
use tally::Tally;

/// Of each disk. Sparse: a run of the usual length takes a part of it.
const DISK_MEBIBYTES: u64 = 1_024;
/// Each writer rests for up to so long after each write: the machine is to be busy with failures.
const REST_MS: u64 = 100;
const POLL: Duration = Duration::from_millis(20);
/// At the end, for hints to come home and slots to be filled.
const WHOLE_PATIENCE: Duration = Duration::from_secs(120);
/// More than the interval of anti-entropy in [`GROUP`] and [`PERIODIC`].
const QUIET: Duration = Duration::from_secs(3);

const GROUP: &[&str] = &["--durability=group", "--anti-entropy-interval=2s"];
const PERIODIC: &[&str] = &["--durability=periodic", "--anti-entropy-interval=2s"];

/// Cuts the power of nodes at random moments, or kills them, while 16 writers write.
///
/// Root only. Each of the five nodes has a disk of its own, an ext4 image. A power loss stops the
/// file system so that what was not synced is gone, then the node is killed, and its disk mounted
/// again. A third of the losses and of the kills hits one node, a third two, a third all five at
/// once. After each, every acknowledged write is read back with R=2, and at the end from each of
/// its replicas, too.
///
/// The exit status is 0 where no acknowledged write was lost; with `--durability periodic`, which
/// may lose writes, where some were: so this is known to see them.
#[derive(Args)]
pub(crate) struct Power {
    /// How many power losses.
    #[arg(long, default_value_t = 30)]
    losses: usize,
    /// How many kills.
    #[arg(long, default_value_t = 30)]
    kills: usize,
    /// What the nodes are started with.
    #[arg(long, value_enum, default_value_t = Durability::Group)]
    durability: Durability,
    /// Decides who loses what and when, and all keys and values [default: drawn].
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Durability {
    /// Writes are synced before they are acknowledged.
    Group,
    /// Writes are synced some time later.
    Periodic,
}

/// Nodes, disks and clients.
struct Run<'a> {
    // Before the disks: they can be unmounted only when nobody uses them.
    cluster: Cluster,
    ledger: Ledger,
    images: Vec<Image>,
    interrupt: &'a Interrupt,
    tally: Tally,
}

impl Power {
    /// A run of so many losses and kills with what is usual otherwise.
    pub(super) fn new(losses: usize, kills: usize, seed: u64) -> Power {
        Power { losses, kills, durability: Durability::Group, seed: Some(seed) }
    }

    pub(super) fn run(&self, workspace: &Workspace) -> Result<()> {
        let bed = Bed::build(workspace, Profile::Release)?;
        let ended = self.run_on(&bed);
        if ended.is_err() && !bed.interrupt.is_asked() {
            println!("the logs of the nodes are kept in {}", bed.keep()?.display());
        }
        ended
    }

    pub(super) fn run_on(&self, bed: &Bed) -> Result<()> {
        let seed = self.seed.unwrap_or_else(random::seed);
        let rounds = schedule::rounds(seed, self.losses, self.kills, NODES.into());
        println!(
            "{} power losses and {} kills, seed {seed}, durability {}",
            self.losses,
            self.kills,
            self.durability.name()
        );
        let mut run = Run::start(bed, self.durability, seed)?;
        let ended = run.take_all(&rounds);
        print!("\n{}", run.tally.table());
        println!("durability {}, seed {seed}", self.durability.name());
        ended?;
        self.durability.verdict(&run.tally)
    }
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Durability::Group => "group",
            Durability::Periodic => "periodic",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Durability::Group => GROUP,
            Durability::Periodic => PERIODIC,
        }
    }

    fn verdict(self, tally: &Tally) -> Result<()> {
        match (self, tally.faults()) {
            (Durability::Group, 0) => Ok(()),
            (Durability::Group, faults) => bail!("{faults} keys are not as acknowledged"),
            (Durability::Periodic, _) if tally.lost() == 0 => {
                bail!("nothing was lost: this does not see what power losses take")
            }
            (Durability::Periodic, _) => Ok(()),
        }
    }
}

impl<'a> Run<'a> {
    fn start(bed: &'a Bed, durability: Durability, seed: u64) -> Result<Run<'a>> {
        let labels = (1..=NODES).map(|number| format!("disk-{number}"));
        let images = labels.map(|label| Image::new(bed.folder(), &label, DISK_MEBIBYTES));
        let images: Vec<Image> = images.collect::<Result<_>>()?;
        let data: Vec<_> = images.iter().map(Image::data).collect();
        let (logs, settings) = (bed.folder().join("logs"), bed::settings(durability.arguments()));
        let interrupt = &bed.interrupt;
        let cluster = Cluster::start_on(&bed.program, &logs, &data, settings, interrupt)?;
        let ledger = Ledger::start(&bed.ledger, &cluster, seed, Sizes::Mixed)?;
        Ok(Run { cluster, ledger, images, interrupt, tally: Tally::default() })
    }

    fn take_all(&mut self, rounds: &[Round]) -> Result<()> {
        for (number, round) in (1..).zip(rounds) {
            self.ledger.write(REST_MS, self.interrupt)?;
            self.run_for(round.run_ms)?;
            self.strike(round)?;
            self.run_for(round.away_ms)?;
            let ready = self.come_back(round).with_context(|| {
                format!("round {number}, after a {} of {}", round.deed.name(), self.hit(round))
            })?;
            let counts = self.ledger.pause(self.interrupt)?;
            let reading = self.ledger.read(1, self.interrupt)?;
            self.tell(number, round, ready, &counts, &reading);
            let losses = self.losses(round)?;
            self.tally.add(round.deed, ready, counts, reading, losses);
        }
        self.look_everywhere()
    }

    fn run_for(&mut self, milliseconds: u64) -> Result<()> {
        let end = Instant::now() + Duration::from_millis(milliseconds);
        while Instant::now() < end {
            self.interrupt.check()?;
            self.cluster.watch()?;
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn strike(&mut self, round: &Round) -> Result<()> {
        for victim in &round.victims {
            self.tally.set_aside_before(health::set_aside(self.cluster.data(*victim)));
        }
        if round.deed == Deed::Loss {
            for victim in &round.victims {
                self.images[*victim].cut_power()?;
            }
        }
        for victim in &round.victims {
            self.cluster.kill(*victim)?;
        }
        if round.deed == Deed::Loss {
            for victim in &round.victims {
                self.images[*victim].remount()?;
            }
        }
        Ok(())
    }

    /// Returns how long it took until all nodes were ready.
    fn come_back(&mut self, round: &Round) -> Result<Duration> {
        let began = Instant::now();
        self.cluster.restart(&round.victims, self.interrupt)?;
        Ok(began.elapsed())
    }

    /// How many of the victims say that they lost data; counts what was set aside.
    fn losses(&mut self, round: &Round) -> Result<u64> {
        let health = Health::look(&self.cluster)?;
        let mut losses = 0;
        for victim in &round.victims {
            let told = health.data_losses(self.cluster.label(*victim));
            losses += u64::from(told.is_some_and(|told| told > 0));
            self.tally.set_aside_after(health::set_aside(self.cluster.data(*victim)));
        }
        Ok(losses)
    }

    fn look_everywhere(&mut self) -> Result<()> {
        let whole =
            health::wait_until_whole(&mut self.cluster, QUIET, WHOLE_PATIENCE, self.interrupt)?;
        match &whole {
            Ok(took) => println!("all replicas whole after {} s", seconds(*took)),
            Err(left) => println!("not whole after {} s: {left}", WHOLE_PATIENCE.as_secs()),
        }
        let reading = self.ledger.read_everywhere(self.interrupt)?;
        let stale: u64 = reading.stale.values().sum();
        println!("read from every replica: {}, {stale} stale replicas", sentence(&reading));
        self.tally.end(&reading);
        Ok(())
    }

    fn tell(&self, number: usize, round: &Round, ready: Duration, counts: &Counts, it: &Reading) {
        let (deed, hit) = (round.deed.name(), self.hit(round));
        println!(
            "{number:>3}. {deed:<10} of {hit:<9} ready after {} s, {} acknowledged, {}",
            seconds(ready),
            counts.acknowledged,
            sentence(it)
        );
        if it.faults() > self.tally.last_faults() {
            it.examples.iter().for_each(|example| println!("     {example}"));
        }
    }

    /// The victims in short.
    fn hit(&self, round: &Round) -> String {
        if round.victims.len() == self.cluster.len() {
            return "all".to_owned();
        }
        let labels = round.victims.iter().map(|victim| (victim + 1).to_string());
        format!("node {}", labels.collect::<Vec<_>>().join("+"))
    }
}

/// What was found, in words.
fn sentence(reading: &Reading) -> String {
    let Reading { keys, lost, late, wrong, unread, .. } = reading;
    format!("{keys} keys read: {lost} lost, {late} late, {wrong} wrong, {unread} unread")
}
