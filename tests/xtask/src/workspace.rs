//! Where things are: the root of the project, its crates and the folder that cargo builds into.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{process, sources};

/// The project as `cargo metadata` describes it.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The folder that cargo builds into; follows `CARGO_TARGET_DIR`.
    pub(crate) target: PathBuf,
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
}

/// One crate of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to [`Workspace::root`], with `/` between its parts.
    pub(crate) folder: String,
    pub(crate) features: Vec<String>,
    /// What its features turn on, each with the feature that does.
    pub(crate) turns_on: Vec<(String, String)>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a crate's dependencies, of whatever kind.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    /// The features that it asks for by name.
    pub(crate) features: Vec<String>,
    /// The folder of a dependency that is itself part of the project.
    pub(crate) path: Option<PathBuf>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Workspace> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let mut cargo = Command::new(cargo_program());
        cargo.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        let text = process::capture(cargo.arg(manifest))?;
        let metadata: Value = serde_json::from_str(&text).context("reading `cargo metadata`")?;
        let root = PathBuf::from(string(&metadata["workspace_root"])?);
        let packages =
            array(&metadata["packages"]).iter().map(|package| Package::read(&root, package));
        Ok(Workspace {
            target: PathBuf::from(string(&metadata["target_directory"])?),
            packages: packages.collect::<Result<_>>()?,
            root,
        })
    }

    /// A cargo command that runs at the root.
    pub(crate) fn cargo(&self) -> Command {
        self.command(cargo_program())
    }

    /// A command that runs at the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The folders of `name` and of every crate of the project that it is built from, relative to
    /// the root.
    pub(crate) fn closure(&self, name: &str) -> Result<BTreeSet<&str>> {
        let first = self.package(name).with_context(|| format!("no crate {name}"))?;
        let mut folders = BTreeSet::new();
        let mut open = vec![first];
        while let Some(package) = open.pop() {
            if !folders.insert(package.folder.as_str()) {
                continue;
            }
            let needed = package.dependencies.iter().filter(|dependency| !dependency.dev);
            let paths = needed.filter_map(|dependency| dependency.path.as_ref());
            open.extend(paths.filter_map(|path| {
                self.packages.iter().find(|package| self.root.join(&package.folder) == *path)
            }));
        }
        Ok(folders)
    }

    /// Sources of the project that are one of `patterns` or below it (see [`sources::is_below`]),
    /// relative to the root.
    pub(crate) fn files(&self, patterns: &[&str]) -> Vec<String> {
        let paths = sources::of_project(&self.root).into_iter();
        let texts = paths.filter_map(|path| String::from_utf8(path).ok());
        let wanted = |file: &String| patterns.iter().any(|one| sources::is_below(file, one));
        texts.filter(wanted).filter(|file| self.root.join(file).is_file()).collect()
    }

    /// Makes the standard library of `target` available.
    pub(crate) fn add_target(&self, target: &str) -> Result<()> {
        let sysroot = process::capture(self.command("rustc").args(["--print", "sysroot"]))?;
        if Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir() {
            return Ok(());
        }
        println!("adding the target {target}");
        process::run(self.command("rustup").args(["target", "add", target]))
            .with_context(|| format!("the Rust target {target} is missing and was not added"))
    }
}

impl Package {
    fn read(root: &Path, package: &Value) -> Result<Package> {
        let manifest = PathBuf::from(string(&package["manifest_path"])?);
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
        let folder = folder.with_context(|| format!("{} is outside", manifest.display()))?;
        let features = package["features"].as_object().context("features")?;
        let turns_on = features.iter().map(|(feature, list)| {
            let list = strings(list)?;
            Ok(list.into_iter().map(|what| (feature.clone(), what)).collect())
        });
        let turns_on: Vec<Vec<(String, String)>> = turns_on.collect::<Result<_>>()?;
        let dependencies = array(&package["dependencies"]).iter().map(|dependency| {
            Ok(Dependency {
                name: string(&dependency["name"])?.to_owned(),
                dev: dependency["kind"] == "dev",
                features: strings(&dependency["features"])?,
                path: dependency["path"].as_str().map(PathBuf::from),
            })
        });
        Ok(Package {
            name: string(&package["name"])?.to_owned(),
            folder: folder.display().to_string().replace('\\', "/"),
            features: features.keys().cloned().collect(),
            turns_on: turns_on.into_iter().flatten().collect(),
            dependencies: dependencies.collect::<Result<_>>()?,
        })
    }
}

/// The cargo that runs this program, so that nested calls use the same toolchain.
fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn string(value: &Value) -> Result<&str> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => bail!("`cargo metadata` has {value} in place of a text"),
    }
}

fn strings(value: &Value) -> Result<Vec<String>> {
    array(value).iter().map(|text| string(text).map(str::to_owned)).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
