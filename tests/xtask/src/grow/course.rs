//! What is done to the cluster, one change after the other.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use quorate_host::Interrupt;
use serde_json::Value;

use super::clients::Clients;
use super::report::{Change, Report};
use crate::cluster::Cluster;

/// A change takes so long at most, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(250);

/// Indexes of the nodes that leave.
const LEAVING: [usize; 2] = [1, 2];
/// The one that is destroyed.
const DESTROYED: usize = 3;

pub(super) struct Course<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) clients: Clients,
    /// Where nodes keep what they have.
    pub(super) folder: &'a Path,
    pub(super) interrupt: &'a Interrupt,
    /// How long clients are measured before and after.
    pub(super) calm: Duration,
    pub(super) keys: u32,
}

impl Course<'_> {
    pub(super) fn run(mut self) -> Result<Report> {
        println!("storing {} keys of 1 KiB", self.keys);
        self.clients.fill(self.keys, self.interrupt)?;
        self.phase("before")?;
        self.wait(self.calm)?;
        let changes = vec![self.two_join()?, self.two_leave()?, self.one_is_replaced()?];
        self.phase("after")?;
        self.wait(self.calm)?;
        let seen = self.clients.end(self.interrupt)?;
        let held = self.clients.read(self.interrupt)?;
        Ok(Report::new(seen, &held, changes))
    }

    fn two_join(&mut self) -> Result<Change> {
        self.phase("two join")?;
        let added = [self.cluster.add(self.folder)?, self.cluster.add(self.folder)?];
        self.await_known(&added)?;
        let labels = added.map(|index| self.cluster.label(index).to_owned());
        self.quorate(&["layout", "join", &labels[0], &labels[1]])?;
        self.commit("two join")
    }

    fn two_leave(&mut self) -> Result<Change> {
        self.phase("two leave")?;
        let labels = LEAVING.map(|index| self.cluster.label(index).to_owned());
        self.quorate(&["layout", "leave", &labels[0], &labels[1]])?;
        let change = self.commit("two leave")?;
        for index in LEAVING {
            self.cluster.retire(index)?;
        }
        Ok(change)
    }

    fn one_is_replaced(&mut self) -> Result<Change> {
        self.phase("one is destroyed and replaced")?;
        self.cluster.kill(DESTROYED)?;
        std::fs::remove_dir_all(self.cluster.data(DESTROYED))?;
        let added = self.cluster.add(self.folder)?;
        self.await_known(&[added])?;
        let (gone, new) = (self.cluster.label(DESTROYED), self.cluster.label(added));
        let (gone, new) = (gone.to_owned(), new.to_owned());
        // Nobody has to be sure that it is down: it is.
        self.quorate(&["layout", "remove", &gone, "--force"])?;
        self.quorate(&["layout", "join", &new])?;
        self.commit("one is destroyed and replaced")
    }

    /// Commits what is staged, and waits until all is moved.
    fn commit(&mut self, name: &str) -> Result<Change> {
        let plan: Value = serde_json::from_str(&self.quorate(&["layout", "plan", "-o", "json"])?)?;
        let before = self.moved()?;
        let began = Instant::now();
        self.quorate(&["layout", "commit"])?;
        loop {
            self.wait(POLL)?;
            let shown = self.quorate(&["layout", "show", "-o", "json"])?;
            let shown: Value = serde_json::from_str(&shown)?;
            if shown["progress"]["settled"] == true {
                break;
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{name}: not settled after {} s: {}",
                PATIENCE.as_secs(),
                shown["progress"]
            );
        }
        let seconds = began.elapsed().as_secs_f64();
        let after = self.moved()?;
        let bytes = plan["bytes_sent"].as_u64().context("bytes of a plan")?;
        let change = Change {
            name: name.to_owned(),
            seconds,
            forecast_bytes: bytes,
            moved_bytes: after.bytes.saturating_sub(before.bytes),
            moved_records: after.records.saturating_sub(before.records),
            slots_moved: plan["slots_moved"].as_u64().unwrap_or(0),
            slots_moved_least: plan["slots_moved_least"].as_u64().unwrap_or(0),
        };
        println!("{}", change.text());
        Ok(change)
    }

    /// What all nodes that run have moved since they started.
    fn moved(&self) -> Result<Moved> {
        let status: Value = serde_json::from_str(&self.quorate(&["status", "-o", "json"])?)?;
        let nodes = status["nodes"].as_array().context("nodes of a status")?;
        let sum = |name: &str| {
            nodes.iter().filter_map(|node| node["counters"][name].as_u64()).sum::<u64>()
        };
        // Both ends of a comparison count what goes over.
        let bytes = sum("anti_entropy_bytes") / 2;
        Ok(Moved { bytes, records: sum("records_taken") + sum("records_given") })
    }

    /// Until the others have heard of nodes.
    fn await_known(&mut self, indexes: &[usize]) -> Result<()> {
        let began = Instant::now();
        loop {
            let members: Value = serde_json::from_str(&self.quorate(&["members", "-o", "json"])?)?;
            let members = members.as_array().context("members")?;
            let is_up = |index: &usize| {
                let label = self.cluster.label(*index);
                members.iter().any(|it| it["label"] == label && it["state"] == "up")
            };
            if indexes.iter().all(is_up) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the nodes did not meet");
            self.wait(POLL)?;
        }
    }

    fn phase(&mut self, name: &str) -> Result<()> {
        println!("{name}");
        self.clients.phase(name, self.interrupt)
    }

    fn quorate(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.quorate(arguments)
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.interrupt.check()?;
            self.cluster.watch()?;
            thread::sleep(POLL.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Moved {
    bytes: u64,
    records: u64,
}
