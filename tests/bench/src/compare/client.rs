//! One client process with its task.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use quorate_host::Interrupt;

use super::outcome::Outcome;
use super::system::{Client, Kind};
use super::task::Task;
use super::{busy, cpu};

const POLL: Duration = Duration::from_millis(100);
/// How long a client may take to connect and to end.
const PATIENCE: Duration = Duration::from_secs(180);
/// What it may take to fill so many keys: a machine may be slow.
const FILLED_PER_SECOND_MIN: u64 = 1_000;

/// Where the programs of clients are.
pub(crate) struct Programs<'a> {
    /// A folder with `tests/bench/clients` in which `quorate` is installed.
    pub(crate) quorate: &'a Path,
    /// The same with the clients of the others.
    pub(crate) peers: Option<&'a Path>,
    /// More arguments of Node.js.
    pub(crate) node: &'a [String],
}

/// What a client did, and what the servers took for it.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) server_seconds: f64,
    /// What all processes of the machine took in that time.
    pub(crate) busy_seconds: Option<f64>,
}

impl Programs<'_> {
    pub(crate) fn command(&self, client: Client, kind: Kind, task: &Task) -> Result<Command> {
        let argument = serde_json::to_string(task)?;
        let mut command = match client {
            Client::Node(adapter) => {
                let folder = if kind.is_peer() { self.peers } else { Some(self.quorate) };
                let folder = folder.context("the clients of peers come with --peers")?;
                let mut node = Command::new("node");
                node.args(self.node).arg(folder.join("driver.mjs")).arg(adapter);
                node
            }
            Client::Native(store) => {
                let mut native = Command::new(std::env::current_exe()?);
                native.args(["load", store]);
                native
            }
        };
        command.arg(argument);
        Ok(command)
    }
}

/// Runs a client until it has told its outcome.
pub(crate) fn run(
    mut command: Command,
    task: &Task,
    servers: &[u32],
    interrupt: &Interrupt,
) -> Result<Done> {
    // Ctrl-C is for this program. Its client ends when its own input does, so it does not live on.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let child = command.spawn();
    let program = command.get_program().display().to_string();
    let mut child = Ended(child.with_context(|| format!("{program} does not start"))?);
    let output = child.0.stdout.take().context("a client has an output")?;
    let (sender, lines) = mpsc::channel();
    // Ends with the client's output.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let filling = u64::from(task.keys) / FILLED_PER_SECOND_MIN;
    let loading = task.warm_up_seconds + task.seconds;
    let patience = PATIENCE + Duration::from_secs(filling) + Duration::from_secs_f64(loading);
    let deadline = Instant::now() + patience;
    let taken = || Ok::<_, anyhow::Error>((cpu::seconds(servers)?, busy::seconds()));
    let (mut begun, mut ended) = (None, None);
    loop {
        interrupt.check()?;
        ensure!(Instant::now() < deadline, "a client did not end in time");
        let line = match lines.recv_timeout(POLL) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => bail!("a client failed: {}", child.0.wait()?),
        };
        match line.as_str() {
            "begin" => begun = Some(taken()?),
            "end" => ended = Some(taken()?),
            line if line.starts_with('{') => {
                let outcome: Outcome = serde_json::from_str(line).context("a client's outcome")?;
                let ((from, busy_from), (to, busy_to)) =
                    begun.zip(ended).context("a client has measured nothing")?;
                let busy_seconds = busy_to.zip(busy_from).map(|(to, from)| to - from);
                return Ok(Done { outcome, server_seconds: to - from, busy_seconds });
            }
            other => println!("{other}"),
        }
    }
}

/// A child that is killed where it was not waited for.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends by itself, unless it hangs.
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::super::draws::{self, GET};
    use super::super::load::Load;
    use super::super::task::Span;
    use super::*;

    const KIND: Kind = Kind::Quorate { storage: "memory", durability: "group" };

    /// What the driver tells of a load on a map.
    fn done(load: &str, draws: &[u32], change: impl Fn(&mut Task)) -> Done {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("draws");
        draws::write(&path, draws).unwrap();
        let load: Load = load.parse().unwrap();
        let span = Span { warm_up_seconds: 0.05, seconds: 0.2 };
        let mut task = Task::new(&load, 10, span, path);
        change(&mut task);
        let clients = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients");
        let programs = Programs { quorate: &clients, peers: None, node: &[] };
        let command = programs.command(Client::Node("map"), KIND, &task).unwrap();
        run(command, &task, &[], &Interrupt::watch().unwrap()).unwrap()
    }

    #[test]
    fn the_driver_does_what_was_drawn_and_tells_it() {
        let Done { outcome, .. } = done("4:75:100", &[GET | 1, GET | 2, 3, GET | 9], |_| {});
        let gets: u64 = outcome.gets.iter().map(|(_, count)| count).sum();
        let puts: u64 = outcome.puts.iter().map(|(_, count)| count).sum();
        assert!(puts > 100 && gets.abs_diff(3 * puts) <= 4 * 3, "{gets} gets, {puts} puts");
        assert_eq!((outcome.errors, outcome.error), (0, None));
        assert!((0.19..10.0).contains(&outcome.seconds) && outcome.cpu_seconds > 0.0);
    }

    #[test]
    fn a_get_that_finds_no_value_is_an_error() {
        // Only keys below the number of keys are filled.
        let Done { outcome, .. } = done("1:100:100", &[GET | 1, GET | 1_000], |_| {});
        assert!(outcome.errors > 0 && outcome.operations() > 0);
        assert!(outcome.error.unwrap().contains("holds another value"));
    }

    #[test]
    fn an_open_loop_keeps_its_rate() {
        let Done { outcome, .. } = done("2000/s:0:100", &[1, 2], |_| {});
        let rate = outcome.operations() as f64 / outcome.seconds;
        assert!((500.0..4_000.0).contains(&rate), "{rate} operations per second");
        assert!(!outcome.bound_reached);
    }

    #[test]
    fn an_open_loop_that_is_full_says_so() {
        let Done { outcome, .. } = done("100000/s:0:100", &[1, 2], |task| task.under_way_max = 3);
        assert!(outcome.bound_reached);
    }
}
