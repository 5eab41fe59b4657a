//! What each crate may depend on.

use anyhow::Result;

use super::{Verdict, none};
use crate::process;
use crate::workspace::Workspace;

/// Dependencies that are at home in some folders only.
struct Home {
    /// A dependency of this name, or of this name and a suffix.
    name: &'static str,
    folders: &'static [&'static str],
}

/// Examples are programs of users, and cluster tests run real sockets: both embed the node's crate.
const HOMES: [Home; 8] = [
    Home { name: "tokio", folders: &["node", "examples", "tests/cluster"] },
    Home { name: "fjall", folders: &["node"] },
    Home { name: "getrandom", folders: &["node", "wasm"] },
    Home { name: "wasm-bindgen", folders: &["wasm"] },
    Home { name: "js-sys", folders: &["wasm"] },
    Home { name: "web-sys", folders: &["wasm"] },
    Home { name: "serde-wasm-bindgen", folders: &["wasm"] },
    // The library that makes the JavaScript face of a module: it runs while building.
    Home { name: "wasm-bindgen-cli-support", folders: &["tests/xtask"] },
];

pub(super) fn purity(workspace: &Workspace) -> Result<Verdict> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            if let Some(home) = violated(&package.folder, &dependency.name) {
                let folders = home.folders.join(", ");
                found.push(format!(
                    "{} names {}: only {folders} may",
                    package.folder, dependency.name
                ));
            }
        }
    }
    none("dependencies in the wrong crate", &found)
}

pub(super) fn deny(workspace: &Workspace) -> Result<Verdict> {
    if !process::exists("cargo-deny") {
        return Ok(Verdict::Skipped("cargo-deny is not installed".to_owned()));
    }
    // Advisories are fetched from outside; what is checked in can be checked anywhere.
    process::run(workspace.cargo().args([
        "deny",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    Ok(Verdict::Passed)
}

/// The rule that `folder` breaks by naming `dependency`.
fn violated(folder: &str, dependency: &str) -> Option<&'static Home> {
    let named = |home: &&Home| {
        let rest = dependency.strip_prefix(home.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    // The longest name is the closest: `wasm-bindgen-cli-support` is not at home in wasm/.
    let home = HOMES.iter().filter(named).max_by_key(|home| home.name.len())?;
    let inside = |parent: &&str| {
        folder.strip_prefix(*parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    (!home.folders.iter().any(inside)).then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_refused_outside_of_its_home() {
        for (folder, dependency) in [
            ("core", "tokio"),
            ("core", "getrandom"),
            ("wasm", "tokio-tungstenite"),
            ("node", "wasm-bindgen"),
            ("nodes", "tokio"),
            ("tests/sim", "js-sys"),
            ("tests/xtask", "wasm-bindgen"),
        ] {
            assert!(violated(folder, dependency).is_some(), "{folder} {dependency}");
        }
    }

    #[test]
    fn a_dependency_is_welcome_at_home() {
        for (folder, dependency) in [
            ("node", "tokio"),
            ("node", "tokio-tungstenite"),
            ("wasm", "wasm-bindgen"),
            ("examples/rust-client", "tokio"),
            ("tests/xtask", "wasm-bindgen-cli-support"),
            ("core", "tokiofree"),
        ] {
            assert!(violated(folder, dependency).is_none(), "{folder} {dependency}");
        }
    }
}
