//! The program under test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::PATIENCE;

/// A command that runs `quorate`: the one of `QUORATE_BIN`, or the one beside this test, built
/// fresh.
pub fn quorate<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| locate().map_err(|error| format!("{error:#}")));
    let program = program.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_remove("QUORATE_SEEDS").env_remove("QUORATE_SECRET");
    Ok(command)
}

fn locate() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("QUORATE_BIN") {
        return Ok(program.into());
    }
    // target/PROFILE/deps/THIS-TEST
    let test = std::env::current_exe()?;
    let directory = test.parent().and_then(|deps| deps.parent()).context("no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "quorate-node", "--bin", "quorate"]);
    if directory.ends_with("release") {
        build.arg("--release");
    }
    let target = directory.parent().context("no target directory")?;
    let status = build.arg("--target-dir").arg(target).status()?;
    ensure!(status.success(), "the program does not build");
    Ok(directory.join("quorate"))
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The first line that it printed: what it tells of itself.
    pub announced: serde_json::Value,
}

impl Process {
    /// Starts a program with `-o json` and waits for its first line.
    ///
    /// # Errors
    /// With all that it wrote to stderr, where it ends before that.
    pub fn start(mut command: Command) -> Result<Process> {
        let mut child =
            command.args(["-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("stdout is piped")?);
        let stderr = child.stderr.take().context("stderr is piped")?;
        // Somebody must read it, or the program waits once the pipe is full.
        let log = thread::spawn(move || {
            let mut log = String::new();
            let _ = BufReader::new(stderr).read_to_string(&mut log);
            log
        });
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        if line.is_empty() {
            let status = child.wait()?;
            let log = log.join().unwrap_or_default();
            bail!("the program ended with {status}: {log}");
        }
        Ok(Process { child, announced: serde_json::from_str(&line)? })
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning, and does not wait until it has ended.
    pub(crate) fn send_kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    /// Ends it without warning.
    pub fn kill(mut self) -> Result<()> {
        self.send_kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        let pid = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "no signal sent");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the program does not stop");
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program wrote to stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
