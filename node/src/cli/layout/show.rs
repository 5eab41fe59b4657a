//! `layout show`.

use clap::Args;
use serde_json::{Value, json};

use super::super::args::{ReachArgs, block_on};
use super::super::failure::Failure;
use super::super::output::{Format, print_json, print_line, table};
use super::super::status::by_label;
use super::follow::{self, Progress};
use super::session::Session;
use super::stage::{staged_json, staged_lines};

/// Show the newest layout, what is staged, and how far a change is.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Stay until nothing changes any more, and show what moves, and why what does not.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: ReachArgs,
}

impl Show {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Show { watch, reach } = self;
        block_on(async {
            let session = Session::open(reach).await?;
            if watch {
                return follow::follow(session, Some(output)).await;
            }
            let progress = Progress::look(&session).await?;
            match output {
                Format::Json => print_json(&json(&session, &progress)?),
                Format::Table => print_line(&text(&session, &progress)?),
            }
        })
    }
}

fn text(session: &Session, progress: &Progress) -> Result<String, Failure> {
    let layout = &session.head()?.layout;
    let mut rows = table(&["node", "id", "zone", "weight", "owns slots", "holds slots"], 3);
    for (member, load) in by_label(layout) {
        rows.add_row([
            member.label.to_string(),
            member.id.to_string(),
            member.zone.to_string(),
            member.weight.to_string(),
            load.slots.to_string(),
            load.replicas.to_string(),
        ]);
    }
    let mut lines = vec![
        format!(
            "layout {}: {} slots, each on {} nodes",
            layout.version(),
            layout.slot_count(),
            layout.replication()
        ),
        rows.to_string(),
    ];
    let staged = staged_lines(session, &session.report.staging);
    if !staged.is_empty() {
        lines.push(format!("staged, and not in force yet:\n  {}", staged.join("\n  ")));
    }
    lines.push(progress.text());
    Ok(lines.join("\n"))
}

fn json(session: &Session, progress: &Progress) -> Result<Value, Failure> {
    let update = session.head()?;
    let layout = &update.layout;
    let members = layout.members().iter().zip(layout.load()).map(|(member, load)| {
        json!({
            "id": member.id.to_string(),
            "label": &*member.label,
            "zone": &*member.zone,
            "weight": member.weight,
            "address": update.address(member.id).map(|address| &**address),
            "slots": load.slots,
            "replicas": load.replicas,
        })
    });
    let live = session.report.live.iter().map(|update| update.layout.version().0);
    Ok(json!({
        "version": layout.version().0,
        "hash": format!("{:032x}", layout.hash()),
        "slots": layout.slot_count().get(),
        "replication": layout.replication(),
        "members": members.collect::<Vec<_>>(),
        "in_force": live.collect::<Vec<_>>(),
        "read": session.report.read.0,
        "staged": staged_json(session, &session.report.staging),
        "progress": progress.json(),
    }))
}
