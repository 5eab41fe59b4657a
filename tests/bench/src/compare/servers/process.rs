//! One server: a process on a leash.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(10);
/// How long a server may take to stop when it is asked to.
const PATIENCE: Duration = Duration::from_secs(20);
/// Lines of a server's log that an error shows.
const LOG_LINES: usize = 5;

/// A running server. It ends when this is dropped, and when this program ends, however it does.
pub(crate) struct Process {
    child: Child,
    /// A shell that sends SIGTERM to the server as soon as its own standard input ends.
    leash: Option<Child>,
    label: String,
    log: PathBuf,
}

impl Process {
    /// Starts a server that logs to a file in `folder`.
    pub(crate) fn start(mut command: Command, label: &str, folder: &Path) -> Result<Process> {
        let log = folder.join(format!("{label}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // Ctrl-C is for this program, which then stops its servers in order.
        command.process_group(0);
        let child = command.spawn();
        let program = command.get_program().display().to_string();
        let child = child.with_context(|| format!("{program} does not start"))?;
        let id = child.id().to_string();
        // In this order: a server that gets no leash is still killed when this is dropped.
        let mut process = Process { child, leash: None, label: label.to_owned(), log };
        let mut shell = Command::new("sh");
        shell.args(["-c", "read -r _; kill -TERM \"$1\"", "leash", &id]);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        process.leash = Some(shell.spawn().context("`sh` does not start")?);
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error where the server has ended.
    pub(crate) fn watch(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
        bail!("{} ended by itself ({status}). The end of its log:\n  {last}", self.label);
    }

    /// Asks the server to stop, and does not wait for it.
    pub(crate) fn ask_to_stop(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            drop(leash.stdin.take());
            // The shell ends as soon as it has sent the signal.
            let _ = leash.wait();
        }
    }

    fn has_stopped(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            // An error says that there is nothing to wait for.
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_stop();
        if !self.has_stopped(Instant::now() + PATIENCE) {
            eprintln!("{} did not stop when asked, and was killed", self.label);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_server_is_gone_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(sh("exec sleep 600"), "sleeper", folder.path()).unwrap();
        let path = format!("/proc/{}", process.id());
        assert!(Path::new(&path).exists());
        drop(process);
        assert!(!Path::new(&path).exists());
    }

    #[test]
    fn a_server_that_ended_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo port in use; exit 7";
        let mut process = Process::start(sh(script), "short", folder.path()).unwrap();
        assert!(process.has_stopped(Instant::now() + PATIENCE));
        let error = process.watch().unwrap_err().to_string();
        assert!(
            error.contains("short ended by itself") && error.contains("port in use"),
            "{error}"
        );
    }
}
