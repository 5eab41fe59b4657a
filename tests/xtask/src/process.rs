//! Child processes. None of them can read the terminal, so none of them can wait for a person.

use std::io::{self, IsTerminal, PipeReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long output may still come after a child has ended, from children that it left behind.
const AFTER_EXIT: Duration = Duration::from_secs(2);

/// Runs `command` with its output passed through; an error where it does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    succeeded(command, status)
}

/// Runs `command` and returns what it printed; an error where it does not succeed.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| cannot_start(command))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("output of `{}`", line(command)))
}

/// Runs `command` with its output passed through as it comes, and returns that output, too.
pub(crate) fn tee(command: &mut Command) -> Result<(bool, String)> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always").env("FORCE_COLOR", "1");
    }
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    // Lets go of our own ends of the pipe: else it would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (sender, chunks) = mpsc::channel();
    thread::spawn(move || forward(reader, &sender));
    let mut output = Vec::new();
    let mut ended: Option<ExitStatus> = None;
    loop {
        match chunks.recv_timeout(AFTER_EXIT) {
            Ok(chunk) => output.extend_from_slice(&chunk),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if ended.is_some() => break,
            Err(RecvTimeoutError::Timeout) => ended = child.try_wait()?,
        }
    }
    let status = child.wait()?;
    Ok((status.success(), String::from_utf8_lossy(&output).into_owned()))
}

/// Whether a program of this name is found.
pub(crate) fn exists(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// The command as one would type it, without its environment.
pub(crate) fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Copies what comes out of a pipe to our own output, and to whoever counts in it.
fn forward(mut reader: PipeReader, sender: &Sender<Vec<u8>>) {
    let mut chunk = [0; 8192];
    while let Ok(count @ 1..) = reader.read(&mut chunk) {
        let mut out = io::stdout().lock();
        // A closed terminal is no reason to stop counting.
        let _ = out.write_all(&chunk[..count]).and_then(|()| out.flush());
        if sender.send(chunk[..count].to_vec()).is_err() {
            return;
        }
    }
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

fn cannot_start(command: &Command) -> String {
    format!("`{}` did not start; is it installed?", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_both_streams_is_returned_with_the_verdict() {
        let (success, output) =
            tee(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"])).unwrap();
        assert!(!success);
        assert_eq!(output, "one\ntwo\n");
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_run() {
        let started = std::time::Instant::now();
        let (success, output) =
            tee(Command::new("sh").args(["-c", "sleep 30 & echo done"])).unwrap();
        assert!(success && output == "done\n");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn an_error_names_the_command_as_typed() {
        let error = run(Command::new("sh").args(["-c", "exit 1"])).unwrap_err();
        assert!(error.to_string().starts_with("`sh -c exit 1` failed"), "{error}");
    }
}
