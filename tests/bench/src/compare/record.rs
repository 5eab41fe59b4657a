//! All that was measured, as JSON, with what it was measured on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::goals::Reached;
use super::sample::Sample;
use super::task::Span;

/// Writes the samples and the goals.
pub(crate) fn write(path: &Path, samples: &[Sample], judged: &[Reached], span: Span) -> Result<()> {
    let goals = judged.iter().map(|Reached { goal, ratio }| {
        json!({
            "goal": goal.name(),
            "load": goal.load().to_string(),
            "wanted": goal.bound().text(),
            "median": ratio.map(|ratio| ratio.median),
            "min": ratio.map(|ratio| ratio.min),
            "max": ratio.map(|ratio| ratio.max),
            "met": ratio.is_some_and(|ratio| goal.bound().holds(ratio.median)),
        })
    });
    let all = json!({
        "machine": machine(),
        "seconds": span.seconds,
        "warm_up_seconds": span.warm_up_seconds,
        "samples": samples.iter().map(Sample::json).collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&all)? + "\n";
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Processors, and versions of what is compared where it is installed.
fn machine() -> Value {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "unix_seconds": unix.map_or(0, |unix| unix.as_secs()),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": version("uname", "-r"),
        "node": version("node", "--version"),
        "redis": version("redis-server", "--version"),
        "etcd": version("etcd", "--version"),
    })
}

/// The first line of what a program says of itself.
fn version(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}
