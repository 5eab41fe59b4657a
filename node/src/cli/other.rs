//! Gets that another program makes, for `bench --pause ... -- PROGRAM`: a client in another
//! language is measured by the same rules as the native one.
//!
//! ```text
//!  PROGRAM ... IN_FLIGHT VALUE_BYTES    with QUORATE_SEEDS in its environment
//!  it writes its keys                   prints `ready`, and gets them over and over
//!  its stdin ends                       it ends, and prints `BEGAN TOOK FAILED` for each get
//! ```
//!
//! `BEGAN` is in microseconds since the Unix epoch, `TOOK` in microseconds, `FAILED` is 0 or 1.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use super::bench::Load;
use super::failure::Failure;
use super::pause::Sample;

/// A program that makes gets.
#[derive(Debug)]
pub(super) struct Other {
    /// Itself and its first arguments.
    pub(super) command: Vec<OsString>,
    /// Where the cluster is.
    pub(super) seeds: Vec<String>,
}

/// The gets of a program that runs. It ends when this is dropped.
pub(super) struct Gets {
    child: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

struct Running(Child);

impl Other {
    /// Starts it, and waits until its keys are written.
    pub(super) async fn start(&self, load: Load) -> Result<Gets, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::failed("no program was named"));
        };
        let mut command = Command::new(program);
        command.args(arguments).env("QUORATE_SEEDS", self.seeds.join(","));
        command.args([load.in_flight.to_string(), load.value_bytes.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = program.display().to_string();
        let failed = move |error| Failure::failed(format_args!("`{name}` did not start: {error}"));
        let mut child = Running(command.spawn().map_err(failed)?);
        let Some(stdout) = child.0.stdout.take() else {
            return Err(Failure::failed("the program has no output"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let wait = move || match lines.next() {
            Some(Ok(line)) if line == "ready" => Ok(Gets { child, lines }),
            Some(Ok(line)) => Err(Failure::failed(format_args!("`ready` was awaited, not {line}"))),
            Some(Err(error)) => Err(Failure::failed(error)),
            None => Err(Failure::failed("the program ended before it was ready")),
        };
        spawn_blocking(wait).await.map_err(Failure::failed)?
    }
}

impl Gets {
    /// Ends it. Gets that began before `started` are left out.
    pub(super) async fn end(mut self, started: SystemTime) -> Result<Vec<Sample>, Failure> {
        let started = started.duration_since(UNIX_EPOCH).map_err(Failure::failed)?.as_micros();
        let read = move || {
            drop(self.child.0.stdin.take());
            let mut samples = Vec::new();
            for line in self.lines {
                let line = line.map_err(Failure::failed)?;
                let said = || Failure::failed(format_args!("this tells of no get: {line}"));
                let (began, sample) = sample(&line).ok_or_else(said)?;
                if let Some(began) = u128::from(began).checked_sub(started) {
                    samples.push(Sample { began: began as u64, ..sample });
                }
            }
            let status = self.child.0.wait().map_err(Failure::failed)?;
            match status.success() {
                true => Ok(samples),
                false => Err(Failure::failed(format_args!("the program failed: {status}"))),
            }
        };
        spawn_blocking(read).await.map_err(Failure::failed)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a line tells: when a get began since the epoch, and the rest.
fn sample(line: &str) -> Option<(u64, Sample)> {
    let mut numbers = line.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (began, took, failed) = (next()?, next()?, next()?);
    let sample = Sample { began, took, failed: failed == 1 };
    (failed <= 1 && numbers.next().is_none()).then_some((began, sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LOAD: Load =
        Load { in_flight: 2, value_bytes: 100, gets: 100, duration: Duration::from_secs(1) };

    fn other(script: &str) -> Other {
        let command = ["sh", "-c", script, "sh"].map(OsString::from).to_vec();
        Other { command, seeds: vec!["ws://a".into(), "ws://b".into()] }
    }

    async fn gets_of(script: &str) -> Result<Vec<Sample>, Failure> {
        let gets = other(script).start(LOAD).await?;
        gets.end(UNIX_EPOCH + Duration::from_micros(1_000)).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_is_told_the_load_and_tells_its_gets_when_its_input_ends() {
        let script = r#"echo ready; cat; echo 1500 $1 0; echo 999 1 0
                        [ "$QUORATE_SEEDS" = ws://a,ws://b ] && echo 2500 $2 1"#;
        let samples = gets_of(script).await.unwrap();
        let told = samples.iter().map(|sample| (sample.began, sample.took, sample.failed));
        assert_eq!(told.collect::<Vec<_>>(), [(500, 2, false), (1_500, 100, true)]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_that_fails_or_babbles_makes_no_measurement() {
        for script in ["exit 1", "echo begin; cat", "echo ready; cat; exit 3"] {
            assert!(gets_of(script).await.is_err(), "{script}");
        }
        for line in ["", "1 2", "1 2 2", "1 2 0 4", "a 2 0"] {
            assert!(gets_of(&format!("echo ready; cat; echo '{line}'")).await.is_err(), "{line}");
        }
    }
}
