//! Runs clusters of `quorate serve` processes for the tests in `tests/`.
//!
//! Nothing here sleeps for a fixed time to let something happen: whoever waits polls a condition
//! and gives up at a deadline.

mod cluster;

mod cpu;

mod program;

mod wire;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use cluster::{Cluster, Settings};
pub use cpu::user_time;
pub use program::{Process, quorate};
pub use wire::Wire;

/// How long anything may take that should take a moment: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `condition` gives something.
pub async fn eventually<T, F>(what: &str, mut condition: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain: {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a test on a runtime of its own.
pub fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(test)
}
