//! What `cargo xtask test` runs of all this: less of the same.

use anyhow::Result;
use clap::Args;

use super::bed::Bed;
use super::damage::{Case, Damage};
use super::power::Power;
use super::random;
use crate::profile::Profile;
use crate::verify::Tally;
use crate::workspace::Workspace;

const LOSSES: usize = 3;
const KILLS: usize = 3;
const KEYS: u64 = 500;
const CASES: [Case; 4] = [Case::JournalBit, Case::JournalZeros, Case::Emptied, Case::OldCopy];

/// A few power losses, and some of the damages. The last line counts them.
#[derive(Args)]
pub(crate) struct Suite {}

impl Suite {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<()> {
        let bed = Bed::build(workspace, Profile::Dev)?;
        let seed = random::seed();
        let power = Power::new(LOSSES, KILLS, seed).run_on(&bed);
        bed.interrupt.check()?;
        if let Err(error) = &power {
            println!("error: {error:#}");
        }
        let failed = u32::from(power.is_err());
        let power = Tally { passed: 1 - failed, failed, skipped: 0 };
        let Tally { passed, failed, .. } = power + Damage::new(&CASES, KEYS, seed).run_on(&bed)?;
        if failed > 0 {
            println!("the logs of the nodes are kept in {}", bed.keep()?.display());
        }
        println!("disks {passed} passed, {failed} failed");
        if failed > 0 {
            // All has been said.
            std::process::exit(1);
        }
        Ok(())
    }
}
