//! What each crate may depend on.

use anyhow::Result;

use super::{Verdict, none};
use crate::process;
use crate::workspace::{Package, Workspace};

/// Dependencies that are at home in some folders only.
struct Home {
    /// A dependency of this name, or of this name and a suffix.
    name: &'static str,
    folders: &'static [&'static str],
}

/// Examples are programs of users, and cluster tests run real sockets: both embed the node's crate.
const HOMES: [Home; 8] = [
    Home {
        name: "tokio",
        folders: &[
            "node",
            "examples",
            "tests/appenders",
            "tests/bench",
            "tests/cluster",
            "tests/ledger",
        ],
    },
    Home { name: "fjall", folders: &["node", "tests/bench"] },
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

/// The feature of wrong variants of the protocol, and the folders of the crates that may name it.
const MUTANTS: &str = "mutants";
const MUTANTS_IN: [&str; 3] = ["core", "tests/sim", "tests/simulate"];

/// Nothing that is shipped, and no test of it, is built with wrong variants of the protocol.
pub(super) fn mutants(workspace: &Workspace) -> Result<Verdict> {
    let found: Vec<String> = workspace.packages.iter().flat_map(turned_on).collect();
    none("wrong variants of the protocol in what is built by default", &found)
}

/// Where a package turns on the mutants, other than by a feature of its own of this name in one of
/// the crates that simulate.
fn turned_on(package: &Package) -> Vec<String> {
    let Package { folder, .. } = package;
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        if dependency.features.iter().any(|feature| feature == MUTANTS) {
            let name = &dependency.name;
            found.push(format!("{folder} asks {name} for the feature {MUTANTS}: leave it out"));
        }
    }
    if package.features.iter().any(|feature| feature == MUTANTS)
        && !MUTANTS_IN.contains(&folder.as_str())
    {
        let folders = MUTANTS_IN.join(", ");
        found.push(format!("{folder} has a feature {MUTANTS}: only {folders} may"));
    }
    for (feature, what) in &package.turns_on {
        let names = what == MUTANTS || what.ends_with(&format!("/{MUTANTS}"));
        if names && feature != MUTANTS {
            found.push(format!("the feature {feature} of {folder} turns on {what}: leave it out"));
        }
    }
    found
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
    use crate::workspace::Dependency;

    fn package(folder: &str, turns_on: &[(&str, &str)], asks: &[&str]) -> Package {
        let owned = |text: &&str| (*text).to_owned();
        let dependency = Dependency {
            name: "quorate-core".to_owned(),
            dev: false,
            features: asks.iter().map(owned).collect(),
            path: None,
        };
        Package {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            features: turns_on.iter().map(|(feature, _)| owned(feature)).collect(),
            turns_on: turns_on
                .iter()
                .map(|(feature, what)| (owned(feature), owned(what)))
                .collect(),
            dependencies: vec![dependency],
        }
    }

    #[test]
    fn mutants_are_turned_on_by_their_own_feature_of_the_simulator_alone() {
        let own = [("mutants", "quorate-sim/mutants"), ("default", "std")];
        assert_eq!(turned_on(&package("tests/simulate", &own, &[])), [""; 0]);
        assert_eq!(turned_on(&package("node", &[("default", "std")], &["std"])), [""; 0]);
        for wrong in [
            package("node", &own, &[]),
            package("wasm", &[], &["mutants"]),
            package("wasm", &[("sim", "quorate-sim/mutants")], &[]),
            package("tests/sim", &[("default", "mutants")], &[]),
            package("tests/sim", &[], &["mutants"]),
        ] {
            assert_eq!(turned_on(&wrong).len(), 1, "{}", wrong.folder);
        }
    }

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
