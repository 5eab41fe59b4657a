//! How far a command is, where stderr is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::storage::offline::Contents;

/// A bar over all records and hints of a directory, as far as the engine knows how many there are.
pub(super) fn entries(contents: &Contents) -> ProgressBar {
    let entries = contents.estimated_entries();
    bar(entries, "{elapsed} {wide_bar} {human_pos} of about {human_len} records")
}

/// A bar over the bytes of a file; without its size it only counts.
pub(super) fn bytes(size: Option<u64>, what: &'static str) -> ProgressBar {
    let bar = match size {
        Some(size) => bar(size, "{elapsed} {wide_bar} {bytes} of {total_bytes} {msg}"),
        None => bar(0, "{elapsed} {bytes} {msg}"),
    };
    bar.with_message(what)
}

fn bar(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
