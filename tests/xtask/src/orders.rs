//! A child process that is told lines of text and says some itself: one that obeys answers each
//! order, a line of JSON, with one of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quorate_host::Interrupt;
use serde::de::DeserializeOwned;
use serde_json::Value;

const POLL: Duration = Duration::from_millis(100);
/// No order takes longer: each call that it makes has a deadline.
const PATIENCE: Duration = Duration::from_secs(600);

/// Ends when it is dropped.
pub(crate) struct Obedient {
    /// For errors.
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
}

impl Obedient {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Obedient> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the program that started it.
        let child = command.process_group(0).spawn();
        let mut child = child.with_context(|| format!("{name} does not start"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Obedient { name, child, lines })
    }

    /// Gives an order, and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        order: &Value,
        interrupt: &Interrupt,
    ) -> Result<T> {
        self.tell(&order.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            match self.hear()? {
                Some(answer) => return serde_json::from_str(&answer).context(answer),
                None if Instant::now() < deadline => {}
                None => bail!("{} does not answer {order}", self.name),
            }
        }
    }

    /// Says a line to it.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} does not listen", self.name))
    }

    /// What it says next, if that is soon.
    pub(crate) fn hear(&mut self) -> Result<Option<String>> {
        match self.lines.recv_timeout(POLL) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} has ended ({})", self.name, self.child.wait()?)
            }
        }
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
