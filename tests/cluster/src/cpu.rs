//! What processes have cost.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Linux counts the time of a process in these, whatever its own clock ticks.
const TICK: Duration = Duration::from_millis(10);

/// Which field of `/proc/PROCESS/stat` is the user time, counted behind the name of the program.
const USER_TIME: usize = 11;

/// Processor time that a process has spent outside of the kernel (Linux).
///
/// # Errors
/// Where there is no such process.
pub fn user_time(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a name in parentheses")?;
    let ticks = fields.split_whitespace().nth(USER_TIME).context("a user time")?;
    Ok(TICK * ticks.parse::<u32>()?)
}
