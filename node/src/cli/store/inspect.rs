//! `store inspect`.

use std::path::PathBuf;

use clap::Args;
use quorate_core::ids::{NodeId, Remembered};
use quorate_core::ring::Slot;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::output::{Format, print_json, print_line, table};
use super::super::overview::bytes;
use super::progress;
use super::told::{counted, journals_json, open};
use crate::clock::utc;
use crate::storage::Directory;
use crate::storage::offline::{HintsFor, Inventory, SlotCounts};

/// Tell what is in the data directory of a stopped node.
///
/// Whose it is, which layout it knows, when it was last written, whether its node stopped as it
/// should, whether anything was lost, how many records and hints it holds, what they take, and what
/// was set aside. What cannot be read is counted; `quorate store verify`
/// names it.
///
/// Examples:
///   quorate store inspect /var/lib/quorate
///   quorate store inspect /var/lib/quorate --slots -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Inspect {
    /// Data directory of a node that does not run.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Tell each slot that holds records.
    #[arg(long)]
    slots: bool,
}

impl Inspect {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let contents = open(&self.directory)?;
        let bar = progress::entries(&contents);
        let inventory = contents.inventory(|| bar.inc(1)).map_err(Failure::failed)?;
        bar.finish_and_clear();
        let directory = contents.directory();
        match output {
            Format::Json => {
                let mut told = json(directory, &inventory, self.slots);
                told["journals"] = journals_json(&contents);
                print_json(&told)
            }
            Format::Table => {
                print_line(&text(directory, &inventory))?;
                match (self.slots, &inventory.slots) {
                    (false, _) => Ok(()),
                    (true, Some(slots)) => print_line(&slot_table(slots.iter())),
                    (true, None) => print_line("how many slots there are is not known here"),
                }
            }
        }
    }
}

/// What a node is called.
fn label(directory: &Directory, id: NodeId) -> Option<&str> {
    let members = directory.layout()?.layout.members();
    members.iter().find(|member| member.id == id).map(|member| &*member.label)
}

/// One fact on a line.
fn text(directory: &Directory, inventory: &Inventory) -> String {
    let name = directory.label().map(|label| format!(" ({label})")).unwrap_or_default();
    let cluster = directory.identity().map(|identity| identity.cluster.to_string());
    let layout = directory.layout().map_or("none yet".into(), |update| {
        let layout = &update.layout;
        format!(
            "version {}, {} members, {} slots, N={}",
            layout.version(),
            layout.members().len(),
            layout.slot_count().get(),
            layout.replication(),
        )
    });
    let settings = directory.settings().map_or("none yet".into(), |settings| {
        let strict = if settings.strict { ", strict" } else { "" };
        format!("R={} W={}{strict}", settings.r, settings.w)
    });
    let layout = match directory.is_layout_damaged() {
        true => "damaged: the next start sets it aside and asks the others".into(),
        false => layout,
    };
    let commit = inventory
        .commit
        .map_or("none yet".into(), |(mark, written)| format!("{}, {}", mark.0, utc(written)));
    let stop = match inventory.stopped_cleanly {
        true => "clean",
        false => "none, or not clean",
    };
    let lost =
        inventory.standing.lost.map_or("never".into(), |lost| format!("found {}", utc(lost)));
    let refilling = match inventory.standing.refilling {
        _ if inventory.lacks_commits => "; commits are missing that the next start asks others for",
        true => "; what is missing is still to come from the other nodes",
        false => "",
    };
    let asides: String =
        inventory.asides.iter().map(|aside| format!("\nset aside: {aside}")).collect();
    let trees = match inventory.trees_saved {
        true => "saved by a clean stop: the next start counts nothing",
        false => "not saved: the next start counts all records",
    };
    let hints: Vec<String> = inventory
        .hints
        .iter()
        .map(|(target, hints)| {
            let name =
                label(directory, *target).map(|name| format!(" ({name})")).unwrap_or_default();
            let HintsFor { hints, bytes: size } = hints;
            format!("\n  for {target}{name}: {}, {}", counted(*hints, "hint"), bytes(*size))
        })
        .collect();
    let peer = |(id, remembered): &(NodeId, Remembered)| {
        let name = label(directory, *id).map(|name| format!(" ({name})")).unwrap_or_default();
        format!("\n  {id}{name}: commit {}", remembered.mark.0)
    };
    let peers = match inventory.peers.is_empty() {
        true => " nothing yet".into(),
        false => inventory.peers.iter().map(peer).collect::<String>(),
    };
    let damaged = match inventory.damaged {
        0 => String::new(),
        damaged => {
            format!("\ndamaged: {damaged} cannot be read: `quorate store verify` names them")
        }
    };
    let slots = inventory
        .slots
        .as_ref()
        .map_or(String::new(), |slots| format!("\nslots that hold records: {}", slots.len()));
    format!(
        "node: {}{name}\ncluster: {}\nformat: {}\nsettings: {settings}\nlayout: {layout}\n\
         last commit: {commit}\nlast stop: {stop}\ndata lost: {lost}{refilling}\n\
         remembers of other nodes:{peers}\n\
         trees: {trees}\nrecords: {}, {}\n  with several concurrent values: {}\n  \
         dead (only tombstones and expired values): {}\n  with expired values: {}{slots}\n\
         hints: {}{}{damaged}\non disk: {}{asides}",
        directory.node(),
        cluster.unwrap_or_else(|| "none yet".into()),
        Directory::format(),
        inventory.records,
        bytes(inventory.record_bytes),
        inventory.siblings,
        inventory.dead,
        inventory.expired,
        inventory.hints.values().map(|hints| hints.hints).sum::<u64>(),
        hints.concat(),
        bytes(inventory.disk_bytes),
    )
}

fn slot_table<'a>(slots: impl Iterator<Item = (&'a Slot, &'a SlotCounts)>) -> String {
    let mut rows = table(&["slot", "records", "bytes"], 0);
    for (slot, SlotCounts { records, bytes }) in slots {
        rows.add_row([slot.to_string(), records.to_string(), bytes.to_string()]);
    }
    rows.to_string()
}

fn json(directory: &Directory, inventory: &Inventory, with_slots: bool) -> Value {
    let hints = inventory.hints.iter().map(|(target, hints)| {
        let HintsFor { hints, bytes } = hints;
        json!({
            "target": target.to_string(),
            "label": label(directory, *target),
            "hints": hints,
            "bytes": bytes,
        })
    });
    let peers = inventory.peers.iter().map(|(id, Remembered { mark, life })| {
        json!({
            "node": id.to_string(),
            "label": label(directory, *id),
            "durable_mark": mark.0,
            "life": life.0,
        })
    });
    let layout = directory.layout().map(|update| {
        let layout = &update.layout;
        json!({
            "version": layout.version().0,
            "replication": layout.replication(),
            "slots": layout.slot_count().get(),
            "members": layout.members().len(),
        })
    });
    let mut told = json!({
        "node": directory.node().to_string(),
        "cluster": directory.identity().map(|identity| identity.cluster.to_string()),
        "label": directory.label(),
        "format": Directory::format(),
        "settings": directory.settings(),
        "layout": layout,
        "layout_damaged": directory.is_layout_damaged(),
        "durable_mark": inventory.commit.map(|(mark, _)| mark.0),
        "written_ms": inventory.commit.map(|(_, written)| written.0),
        "peers": peers.collect::<Vec<_>>(),
        "stopped_cleanly": inventory.stopped_cleanly,
        "lost_ms": inventory.standing.lost.map(|lost| lost.0),
        "refilling": inventory.standing.refilling,
        "lacks_commits": inventory.lacks_commits,
        "set_aside": inventory.asides,
        "trees_saved": inventory.trees_saved,
        "records": inventory.records,
        "record_bytes": inventory.record_bytes,
        "siblings": inventory.siblings,
        "dead": inventory.dead,
        "expired": inventory.expired,
        "hints": hints.collect::<Vec<_>>(),
        "slots_with_records": inventory.slots.as_ref().map(|slots| slots.len()),
        "damaged": inventory.damaged,
        "disk_bytes": inventory.disk_bytes,
    });
    if with_slots {
        let slot = |(slot, counts): (&Slot, &SlotCounts)| json!({ "slot": slot.0, "records": counts.records, "bytes": counts.bytes });
        told["slots"] =
            inventory.slots.as_ref().map_or(Value::Null, |slots| slots.iter().map(slot).collect());
    }
    told
}
