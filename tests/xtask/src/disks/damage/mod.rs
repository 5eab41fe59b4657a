//! `cargo xtask disks damage`: the disk of one node is damaged, and the node must become whole again.

mod case;
mod harm;
mod outcome;
mod trial;

use anyhow::{Result, bail};
use clap::Args;

use super::bed::Bed;
use super::random;
use super::report::table;
use crate::profile::Profile;
use crate::verify::Tally;
use crate::workspace::Workspace;
pub(in crate::disks) use case::Case;
use outcome::Outcome;
use trial::Trial;

/// Damages the disk of one node of five in eight ways, each on a cluster of its own.
///
/// After so many acknowledged writes one node is killed, its data directory is damaged, and it is
/// started again. No acknowledged write may be lost, and the node must hold all that it should
/// within 60 s per 100 MB of data, with nobody's help. The cases of a full and of a broken disk
/// happen to a node that runs; they need root, and are left out without.
///
/// The exit status is 0 where every case went well.
#[derive(Args)]
pub(crate) struct Damage {
    /// Only these cases; separate them by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Case::ALL)]
    cases: Vec<Case>,
    /// Acknowledged writes before the damage.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..))]
    keys: u64,
    /// Decides the place of the damage, and all keys and values [default: drawn].
    #[arg(long)]
    seed: Option<u64>,
}

impl Damage {
    /// Some cases with so many writes.
    pub(super) fn new(cases: &[Case], keys: u64, seed: u64) -> Damage {
        Damage { cases: cases.to_vec(), keys, seed: Some(seed) }
    }

    pub(super) fn run(&self, workspace: &Workspace) -> Result<()> {
        let bed = Bed::build(workspace, Profile::Release)?;
        let failed = self.run_on(&bed)?.failed;
        if failed > 0 {
            let kept = bed.keep()?;
            bail!("{failed} cases did not go well; the data and logs are in {}", kept.display());
        }
        Ok(())
    }

    /// Prints a table, and counts the cases.
    pub(super) fn run_on(&self, bed: &Bed) -> Result<Tally> {
        let seed = self.seed.unwrap_or_else(random::seed);
        println!("{} writes in each case, seed {seed}", self.keys);
        let mut rows = vec![outcome::heads()];
        let mut tally = Tally::default();
        for case in self.cases.iter().copied() {
            if let Some(reason) = super::missing().filter(|_| case.needs_disk()) {
                println!("{}: skipped: {reason}", case.name());
                tally.skipped += 1;
                continue;
            }
            println!("{}", case.name());
            let outcome = Trial::run(bed, case, self.keys, seed);
            bed.interrupt.check()?;
            let outcome = outcome.unwrap_or_else(|error| Outcome::impossible(&error));
            outcome.remarks.iter().for_each(|remark| println!("    {remark}"));
            match outcome.is_sound() {
                true => tally.passed += 1,
                false => tally.failed += 1,
            }
            rows.push(outcome.row(case));
        }
        print!("\n{}seed {seed}\n", table(&rows));
        Ok(tally)
    }
}
