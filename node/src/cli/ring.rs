//! `ring`.

use std::ffi::OsString;

use clap::Args;
use quorate_core::message::LayoutUpdate;
use quorate_core::ring::Position;
use serde_json::json;

use super::args::{ClientArgs, bytes};
use super::failure::Failure;
use super::output::{Format, print_json, print_line, table};
use super::status::by_label;
use crate::client::{Client, ClientError};

/// Show who holds what, or where a key lives.
///
/// Without a key: the slots that each member owns and those that it holds as a primary. With a
/// key: its preference list, primaries first. Nothing is asked but the layout.
///
/// Examples:
///   quorate ring
///   quorate ring greeting
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Ring {
    /// A key to locate.
    key: Option<OsString>,
    #[command(flatten)]
    client: ClientArgs,
}

impl Ring {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let key = self.key.map(bytes);
        self.client.run(async |client: Client| {
            let layout = client.snapshot().await?.layout.ok_or(ClientError::Closed)?;
            match key {
                Some(key) => locate(&client, &layout, &key, output).await,
                None => load(&layout, output),
            }
        })
    }
}

async fn locate(
    client: &Client,
    update: &LayoutUpdate,
    key: &[u8],
    output: Format,
) -> Result<(), Failure> {
    let location = client.locate(key).await?;
    let position = Position::of(key);
    let role = |index: usize| match index {
        0 => "coordinator",
        _ if index < location.primaries => "primary",
        _ => "fallback",
    };
    if output == Format::Json {
        let nodes = location.nodes.iter().enumerate().map(|(index, member)| {
            json!({
                "label": &*member.label,
                "id": member.id.to_string(),
                "zone": &*member.zone,
                "address": update.address(member.id).map(|address| &**address),
                "primary": index < location.primaries,
            })
        });
        return print_json(&json!({
            "position": position.to_string(),
            "slot": location.slot.0,
            "nodes": nodes.collect::<Vec<_>>(),
        }));
    }
    let mut rows = table(&["#", "role", "node", "zone", "address"], usize::MAX);
    for (index, member) in location.nodes.iter().enumerate() {
        let address = update.address(member.id).map_or("", |address| address);
        let number = (index + 1).to_string();
        rows.add_row([&number, role(index), &member.label, &member.zone, address]);
    }
    print_line(&format!("position {position}, slot {}\n{rows}", location.slot))
}

fn load(update: &LayoutUpdate, output: Format) -> Result<(), Failure> {
    let layout = &update.layout;
    let loads = layout.load();
    let held: u64 = loads.iter().map(|load| u64::from(load.replicas)).sum();
    if output == Format::Json {
        let members = layout.members().iter().zip(&loads).map(|(member, load)| {
            json!({
                "label": &*member.label,
                "id": member.id.to_string(),
                "zone": &*member.zone,
                "weight": member.weight,
                "address": update.address(member.id).map(|address| &**address),
                "slots": load.slots,
                "replicas": load.replicas,
            })
        });
        let owners: Vec<u16> = layout.owners().to_vec();
        return print_json(&json!({
            "version": layout.version().0,
            "slots": layout.slot_count().get(),
            "replication": layout.replication(),
            "members": members.collect::<Vec<_>>(),
            "owners": owners,
        }));
    }
    let mut rows = table(
        &["node", "zone", "address", "weight", "owns slots", "holds slots", "of all data"],
        3,
    );
    for (member, load) in by_label(layout) {
        let address = update.address(member.id).map_or("", |address| address);
        let share = f64::from(load.replicas) / held.max(1) as f64 * 100.0;
        rows.add_row([
            member.label.to_string(),
            member.zone.to_string(),
            address.to_owned(),
            member.weight.to_string(),
            load.slots.to_string(),
            load.replicas.to_string(),
            format!("{share:.1} %"),
        ]);
    }
    print_line(&format!(
        "layout {}: {} slots, each on {} nodes\n{rows}",
        layout.version(),
        layout.slot_count(),
        layout.replication()
    ))
}
