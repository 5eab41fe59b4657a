//! One node of a cluster: a process on a leash.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(10);
/// Lines of a node's log that an error shows.
const LOG_LINES: usize = 5;

pub(super) struct Node {
    pub(super) label: String,
    pub(super) port: u16,
    pub(super) log: PathBuf,
    pub(super) data: PathBuf,
    /// Arguments of `serve` that only this node has, or that all have.
    pub(super) arguments: Vec<String>,
    pub(super) running: Option<Running>,
}

pub(super) struct Running {
    child: Child,
    /// `None` once the node was asked to stop.
    leash: Option<Leash>,
}

impl Node {
    pub(super) fn start(&mut self, program: &Path) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut serve = Command::new(program);
        serve.args(["serve", "--label", &self.label]).args(&self.arguments);
        serve.arg(format!("--listen=127.0.0.1:{}", self.port));
        serve.arg("--data").arg(&self.data);
        serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C is for the program that started it, which then stops its nodes in order.
        let child = serve.process_group(0).spawn().context("the node's binary does not start")?;
        let id = child.id();
        // In this order: a node that gets no leash is still killed when this is dropped.
        let running = self.running.insert(Running { child, leash: None });
        running.leash = Some(Leash::tie(id)?);
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn process(&self) -> Result<u32> {
        let running = self.running.as_ref().context("the node does not run")?;
        Ok(running.child.id())
    }

    /// An error where the process ended.
    pub(super) fn watch(&mut self) -> Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        if let Some(status) = running.child.try_wait()? {
            self.running = None;
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
            bail!("{} ended by itself ({status}). The end of its log:\n  {last}", self.label);
        }
        Ok(())
    }

    pub(super) fn kill(&mut self) -> Result<u32> {
        let mut running = self.running.take().context("the node does not run")?;
        let id = running.child.id();
        running.child.kill()?;
        Ok(id)
    }

    pub(super) fn ask_to_stop(&mut self) {
        if let Some(leash) = self.running.as_mut().and_then(|running| running.leash.take()) {
            leash.pull();
        }
    }

    /// Waits until the process has stopped; false where it had to be killed at the deadline.
    pub(super) fn stopped(&mut self, deadline: Instant) -> bool {
        let Some(mut running) = self.running.take() else { return true };
        while Instant::now() < deadline {
            // An error says that there is nothing to wait for.
            if !matches!(running.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Untied while the process is not reaped yet, so its id is nobody else's.
        if let Some(leash) = self.leash.take() {
            leash.untie();
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell that sends SIGTERM to one process as soon as its own standard input ends: when it is
/// pulled, and when the program that holds the other end dies, however it dies. A process that is
/// stopped goes on, so that it can hear it.
struct Leash {
    shell: Child,
}

impl Leash {
    fn tie(id: u32) -> Result<Leash> {
        let mut shell = Command::new("sh");
        let script = "read -r _; kill -CONT \"$1\"; kill -TERM \"$1\"";
        shell.args(["-c", script, "leash", &id.to_string()]);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let shell = shell.process_group(0).spawn().context("`sh` does not start")?;
        Ok(Leash { shell })
    }

    fn pull(mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }

    fn untie(mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
