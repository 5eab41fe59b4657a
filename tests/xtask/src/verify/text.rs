//! Checks on the text of sources: their size, and what must not stand in them.

use std::fs;

use anyhow::Result;

use super::{Verdict, none};
use crate::proto;
use crate::workspace::Workspace;

const FOLDERS: [&str; 6] = ["core", "node", "wasm", "npm", "tests", "examples"];
const SOURCES: [&str; 11] =
    [".rs", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".css", ".html", ".proto", ".sh"];

/// Lines in a source file that gives no reason for more.
const LINES_MAX: usize = 500;
/// A reason for more: this, in one of the first [`REASON_LINES`] lines, and then the reason.
const REASON: &str = "Above 500 lines:";
const REASON_LINES: usize = 15;
/// Files with a limit of their own, which no reason lifts.
const OWN_LIMIT: [(&str, usize); 2] = [("core/src/node.rs", 350), ("ARCHITECTURE.md", 300)];

/// Split, so that this file does not hold what it looks for.
const MARKERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn sizes(workspace: &Workspace) -> Result<Verdict> {
    let mut found = Vec::new();
    let mut paths = FOLDERS.to_vec();
    paths.push("ARCHITECTURE.md");
    for (file, text) in texts(workspace, &paths)? {
        found.extend(oversize(&file, &text));
    }
    none("files above their limit", &found)
}

pub(super) fn markers(workspace: &Workspace) -> Result<Verdict> {
    let mut found = Vec::new();
    for (file, text) in texts(workspace, &["."])? {
        found.extend(
            marked(&text).map(|(number, line)| format!("{file}:{number}: {}", line.trim())),
        );
    }
    none("reminders in place of work", &found)
}

/// The README prints these whole, so that what it shows is what the tests run.
const PRINTED: [&str; 2] =
    ["examples/quickstart/quickstart.js", "examples/rust-client/src/main.rs"];

pub(super) fn readme(workspace: &Workspace) -> Result<Verdict> {
    let readme = fs::read_to_string(workspace.root.join("README.md"))?;
    let mut found = Vec::new();
    for file in PRINTED {
        let source = fs::read_to_string(workspace.root.join(file))?;
        if !prints(&readme, &source) {
            found.push(format!("README.md does not print {file} as it is: copy it anew"));
        }
    }
    none("examples in the README", &found)
}

/// Whether a page holds a source as a block of code of its own.
fn prints(page: &str, source: &str) -> bool {
    page.split("```").skip(1).step_by(2).any(|block| {
        block.split_once('\n').is_some_and(|(_, code)| code.trim_end() == source.trim_end())
    })
}

/// Hand-written sources and prose with their content.
fn texts(workspace: &Workspace, paths: &[&str]) -> Result<Vec<(String, String)>> {
    let wanted = |file: &String| {
        file.ends_with(".md") || SOURCES.iter().any(|extension| file.ends_with(extension))
    };
    let mut texts = Vec::new();
    for file in workspace.files(paths).into_iter().filter(wanted) {
        let bytes = fs::read(workspace.root.join(&file))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !text.starts_with(proto::MARK) {
            texts.push((file, text));
        }
    }
    Ok(texts)
}

fn oversize(file: &str, text: &str) -> Option<String> {
    let count = text.lines().count();
    if let Some((_, limit)) = OWN_LIMIT.iter().find(|(name, _)| *name == file) {
        return (count > *limit).then(|| format!("{file}: {count} lines, {limit} allowed"));
    }
    let reason =
        |line: &str| line.split_once(REASON).is_some_and(|(_, why)| !why.trim().is_empty());
    if count <= LINES_MAX || file.ends_with(".md") || text.lines().take(REASON_LINES).any(reason) {
        return None;
    }
    Some(format!("{file}: {count} lines, {LINES_MAX} allowed without a line \"{REASON} why\""))
}

/// Lines that hold a marker as a word of its own, with their numbers.
fn marked(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(move |(_, line)| line.split(|c| !is_part(c)).any(|word| MARKERS.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_prints_an_example_only_to_the_letter() {
        let page = "# Name\n```js\nlet a = 1;\nlet b = 2;\n```\nand\n```sh\nls\n```\n";
        assert!(prints(page, "let a = 1;\nlet b = 2;\n"));
        assert!(!prints(page, "let a = 1;\n"));
        assert!(!prints(page, "and\n"));
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        let long = "line\n".repeat(LINES_MAX + 1);
        assert!(oversize("node/src/a.rs", &long).is_some());
        assert!(oversize("node/src/a.rs", &format!("//! {REASON}\n{long}")).is_some());
        assert!(oversize("node/src/a.rs", &format!("//! {REASON} one table.\n{long}")).is_none());
        assert!(oversize("node/src/a.rs", &"line\n".repeat(LINES_MAX)).is_none());
    }

    #[test]
    fn no_reason_lifts_the_limit_of_the_dispatcher_and_the_map() {
        for (file, limit) in OWN_LIMIT {
            let text = format!("//! {REASON} one table.\n{}", "line\n".repeat(limit));
            assert!(oversize(file, &text).is_some(), "{file}");
        }
    }

    #[test]
    fn a_marker_is_found_as_a_word_of_its_own() {
        let text = MARKERS.map(|marker| format!("fine\n// {marker}: later\n{marker}L\n")).concat();
        let lines: Vec<usize> = marked(&text).map(|(number, _)| number).collect();
        assert_eq!(lines, [2, 5, 8]);
    }
}
