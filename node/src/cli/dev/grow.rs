//! `dev add` and `dev remove`: a running cluster of `dev` grows and shrinks.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;

use super::super::args::{ReachArgs, block_on};
use super::super::failure::Failure;
use super::super::layout::{await_member, leave};
use super::super::output::{Format, print_json, print_line};
use super::BASE_PORT;
use super::control::{self, Ask};

/// Start one more node in a running `quorate dev`, and see it take over its share.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its zone [default: as --zones of `quorate dev` has it].
    #[arg(long)]
    zone: Option<String>,
    /// Its capacity in relation to the other nodes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    weight: u32,
    #[command(flatten)]
    control: ControlArgs,
}

/// Have a node of a running `quorate dev` hand over what it holds, then stop it.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Its label, such as node-2.
    node: String,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Debug, Args)]
struct ControlArgs {
    /// Where `quorate dev` hears this: its --base-port, or what it printed as `control`.
    #[arg(long, value_name = "HOST:PORT", default_value_t = SocketAddr::from(([127, 0, 0, 1], BASE_PORT)))]
    control: SocketAddr,
}

impl Add {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Add { zone, weight, control: ControlArgs { control } } = self;
        block_on(async {
            let started = control::ask(control, &Ask::Start { zone, weight }).await?;
            let field = |name: &str| started[name].as_str().unwrap_or_default().to_owned();
            let (label, address) = (field("label"), field("address"));
            if output == Format::Table {
                print_line(&format!("{label} runs at {address}, and joins"))?;
            }
            await_member(ReachArgs::to(seeds(control).await?), &label, told(output)).await?;
            if output == Format::Json {
                print_json(&json!({ "label": label, "address": address }))?;
            }
            Ok(())
        })
    }
}

impl Remove {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Remove { node, control: ControlArgs { control } } = self;
        block_on(async {
            leave(ReachArgs::to(seeds(control).await?), &node, told(output)).await?;
            let stopped = control::ask(control, &Ask::Stop { label: node.clone() }).await?;
            match output {
                Format::Json => print_json(&stopped),
                Format::Table => print_line(&format!("{node} is stopped")),
            }
        })
    }
}

/// People see how far it is; programs are told what came of it.
fn told(output: Format) -> Option<Format> {
    Some(output).filter(|output| *output == Format::Table)
}

/// Where the nodes listen.
async fn seeds(control: SocketAddr) -> Result<Vec<String>, Failure> {
    let nodes = control::ask(control, &Ask::Nodes).await?;
    let nodes = nodes["nodes"].as_array().into_iter().flatten();
    Ok(nodes.filter_map(|node| node["address"].as_str().map(str::to_owned)).collect())
}
