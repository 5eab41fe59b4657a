//! `layout`: who belongs to the cluster and holds what, and how that changes.
//!
//! ```text
//!  join leave remove set ──▶ staged ──▶ plan (look) ──▶ commit ──▶ a new layout ──▶ data moves
//!                              └─────── revert
//! ```

mod follow;
mod history;
mod plan;
mod session;
mod show;
mod stage;

pub(super) use follow::await_member;
pub(super) use stage::leave;

use clap::{Args, Subcommand};

use super::args::ReachArgs;
use super::failure::Failure;
use super::output::Format;

/// Show or change which nodes hold the data.
///
/// Nodes are staged to join, leave or change; `plan` shows what that would move; `commit` puts it
/// in force, and the data moves while clients go on. Nothing fails meanwhile.
///
/// Examples:
///   quorate layout show
///   quorate layout join n6 n7
///   quorate layout plan
///   quorate layout commit --watch
///   quorate layout leave n2          its data moves away first
///   quorate layout remove n3         it is dead; the others take over
///   quorate layout set n4 --weight 2 --zone east
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Layout {
    #[command(subcommand)]
    command: Command,
}

// Each command's own documentation is its help.
#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Show),
    Join(stage::Join),
    Leave(stage::Leave),
    Remove(stage::Remove),
    Set(stage::Set),
    Plan(plan::Plan),
    Commit(plan::Commit),
    /// Take back all that is staged.
    Revert(Plain),
    /// Show how the layouts came about, as one node remembers it.
    History(Plain),
}

/// A command with no arguments of its own.
#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    reach: ReachArgs,
}

impl Layout {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        match self.command {
            Command::Show(show) => show.run(output),
            Command::Join(join) => join.run(output),
            Command::Leave(leave) => leave.run(output),
            Command::Remove(remove) => remove.run(output),
            Command::Set(set) => set.run(output),
            Command::Plan(plan) => plan.run(output),
            Command::Commit(commit) => commit.run(output),
            Command::Revert(Plain { reach }) => stage::revert(reach, output),
            Command::History(Plain { reach }) => history::run(reach, output),
        }
    }
}
