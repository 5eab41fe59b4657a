//! What several of the commands tell.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_core::ids::{Key, NodeId};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::output::print_line;
use super::super::overview::bytes;
use crate::storage::offline::{Contents, Damaged, DamagedList, Part};
use crate::storage::{JournalState, OpenError};

/// Opens a directory to look at it.
pub(super) fn open(directory: &Path) -> Result<Contents, Failure> {
    let contents = Contents::open(directory).map_err(refused)?;
    let broken: u64 = contents.journals().iter().map(|journal| journal.scan.broken_bytes()).sum();
    if broken > 0 {
        eprintln!(
            "quorate: {} of the engine's journals are not whole: what a power loss or a killed \
             process had not finished, or damage. They are left as they are, and what stands there \
             is not told below",
            bytes(broken)
        );
    }
    Ok(contents)
}

/// Why a directory is not opened, with advice that fits a stopped node.
pub(super) fn refused(error: OpenError) -> Failure {
    if let OpenError::InUse { directory } = &error {
        return Failure::failed(format_args!(
            "data directory {} is in use by another process: stop its node first",
            directory.display()
        ));
    }
    Failure::failed(error)
}

/// The damaged ones, for people.
pub(super) fn print_damaged(damaged: &DamagedList) -> Result<(), Failure> {
    damaged.named().iter().try_for_each(|damaged| print_line(&damaged.to_string()))?;
    match damaged.unnamed() {
        0 => Ok(()),
        more => print_line(&format!("and {more} more")),
    }
}

/// The damaged ones, for programs.
pub(super) fn damaged_json(damaged: &DamagedList) -> Value {
    let one = |damaged: &Damaged| {
        let Damaged { part, key, reason } = damaged;
        let (part, target) = match part {
            Part::Record => ("record", None),
            Part::Hint { target } => ("hint", target.as_ref().map(NodeId::to_string)),
        };
        let key = key.as_ref().map(Key::as_bytes);
        json!({
            "part": part,
            "target": target,
            "key": key.map(|key| key.escape_ascii().to_string()),
            "key_base64": key.map(|key| STANDARD.encode(key)),
            "reason": reason,
        })
    };
    json!({ "count": damaged.count(), "named": damaged.named().iter().map(one).collect::<Vec<_>>() })
}

/// The engine's journals, for programs.
pub(super) fn journals_json(contents: &Contents) -> Value {
    let one = |journal: &JournalState| {
        let JournalState { id, sealed, scan, .. } = journal;
        json!({
            "id": id,
            "sealed": sealed,
            "written_bytes": scan.written_until,
            "whole_bytes": scan.whole_until,
            "broken_bytes": scan.broken_bytes(),
            "whole_batches": scan.batches,
            "whole_batches_behind": scan.batches_behind,
            "whole_bytes_behind": scan.bytes_behind,
        })
    };
    contents.journals().iter().map(one).collect()
}

/// A count with its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
