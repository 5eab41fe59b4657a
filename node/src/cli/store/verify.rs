//! `store verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::output::{Format, print_json, print_line};
use super::progress;
use super::told::{counted, damaged_json, journals_json, open, print_damaged};
use crate::storage::offline::Verified;

/// Check all that is in the data directory of a stopped node.
///
/// Each record and hint is read and compared with its checksum, and each value with that of the
/// client that wrote it. What is damaged is named by its key, and the exit code is 1. A node says of
/// such a key that it cannot tell, so others answer for it; it never says that there is nothing.
///
/// A journal of the engine that is not whole counts as damaged where it had been synced as a whole.
/// The end of the newest one may be what a power loss left: it is told, and no damage.
///
/// Commits that were synced and are missing at the end count as damage, too. What else the engine lost
/// without a trace cannot be seen here, only by comparing with other replicas: `quorate repair`.
///
/// Example:
///   quorate store verify /var/lib/quorate
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Verify {
    /// Data directory of a node that does not run.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Verify {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let contents = open(&self.directory)?;
        let bar = progress::entries(&contents);
        let verified = contents.verify(|| bar.inc(1)).map_err(Failure::failed)?;
        bar.finish_and_clear();
        let Verified { records, hints, damaged, lacks_commits } = &verified;
        let (told_records, told_hints) = (counted(*records, "record"), counted(*hints, "hint"));
        match output {
            Format::Json => print_json(&json!({
                "records": records,
                "hints": hints,
                "damaged": damaged_json(damaged),
                "lacks_commits": lacks_commits,
                "journals": journals_json(&contents),
            }))?,
            Format::Table => {
                print_damaged(damaged)?;
                print_line(&format!("{told_records} and {told_hints} are whole"))?;
                if *lacks_commits {
                    print_line(
                        "commits that were synced are missing: the node refills itself when it \
                         starts",
                    )?;
                }
            }
        }
        let sealed = contents.journals().iter().filter(|journal| journal.sealed);
        let broken = sealed.filter(|journal| !journal.scan.is_whole()).count() as u64;
        match damaged.count() + broken + u64::from(*lacks_commits) {
            0 => Ok(()),
            count => Err(Failure::failed(format_args!("damaged: {count}"))),
        }
    }
}
