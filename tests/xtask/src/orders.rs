//! A child process that is given orders, a line of JSON each, and answers each with one of its own.

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
    answers: Receiver<String>,
}

impl Obedient {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Obedient> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the program that started it.
        let child = command.process_group(0).spawn();
        let mut child = child.with_context(|| format!("{name} does not start"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Obedient { name, child, answers })
    }

    /// Gives an order, and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        order: &Value,
        interrupt: &Interrupt,
    ) -> Result<T> {
        let name = self.name;
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{order}").with_context(|| format!("{name} has ended"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            match self.answers.recv_timeout(POLL) {
                Ok(answer) => return serde_json::from_str(&answer).context(answer),
                Err(RecvTimeoutError::Disconnected) => bail!("{name} has ended"),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => bail!("{name} does not answer {order}"),
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
