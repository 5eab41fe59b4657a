//! `cargo xtask wasm`: the WebAssembly modules of the npm package.
//!
//! ```text
//! wasm/ --cargo--> .wasm --wasm-bindgen--> .wasm + .js + .d.ts --wasm-opt--> npm/wasm/<module>/
//! ```
//!
//! wasm-bindgen runs as a library, pinned to the version that the crate is built with, so there is
//! no program to install. wasm-opt comes with the package's development dependencies.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use wasm_bindgen_cli_support::Bindgen;

use crate::workspace::Workspace;
use crate::{npm, process};

/// The target of everything that runs in a browser.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The crate that all modules are built from.
pub(crate) const PACKAGE: &str = "quorate-wasm";

/// What Node.js 20 can load. Never `-all`: what that gives, it refuses.
const OPTIMISE: [&str; 7] = [
    "-O3",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];
/// The file in a module's folder that says what the module was built from.
const STAMP: &str = ".inputs";
/// Files outside of crates that decide what is built.
const SHARED_INPUTS: [&str; 5] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "npm/package-lock.json",
    "tests/xtask/src/wasm.rs",
];

/// Builds the WebAssembly modules into npm/wasm/client, npm/wasm/sim and npm/wasm/vectors.
///
/// Each module is a build of the crate `wasm/` with the feature of its name. A module whose
/// sources have not changed since its last build is left as it is.
#[derive(Args, Default)]
pub(crate) struct Wasm {
    /// Build only these modules.
    #[arg(value_enum)]
    modules: Vec<Module>,
    /// Build with cargo's profile `dev`: sooner done, far larger, with names in stack traces.
    #[arg(long)]
    dev: bool,
    /// Build even where nothing has changed.
    #[arg(long)]
    force: bool,
}

/// A build of the crate with one feature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
enum Module {
    /// The client, alone: what an application ships.
    Client,
    /// A whole cluster in one tab: what the demo and tests run.
    Sim,
    /// What vectors are checked with: it is in no package.
    Vectors,
}

impl Wasm {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let modules =
            if self.modules.is_empty() { Module::value_variants() } else { &self.modules };
        modules.iter().try_for_each(|module| self.build(workspace, *module))
    }

    fn build(&self, workspace: &Workspace, module: Module) -> Result<()> {
        let folder = npm::folder(workspace).join("wasm").join(module.name());
        let profile = if self.dev { "dev" } else { "wasm" };
        let stamp = format!("{profile} {:016x}\n", inputs(workspace)?);
        let found = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
        if found == stamp && !self.force {
            println!("npm/wasm/{}: unchanged", module.name());
            return Ok(());
        }

        let optimiser = npm::program(workspace, "wasm-opt")?;
        let compiled = compile(workspace, module, profile)?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        bind(&compiled, &folder, self.dev)
            .with_context(|| format!("wasm-bindgen on {}", compiled.display()))?;
        if !self.dev {
            optimise(&optimiser, &folder)?;
        }
        for file in fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name();
            println!(
                "npm/wasm/{}/{}: {} bytes",
                module.name(),
                name.display(),
                file.metadata()?.len()
            );
        }
        fs::write(folder.join(STAMP), stamp)?;
        Ok(())
    }
}

impl Module {
    /// The name of its feature and of its folder.
    fn name(self) -> &'static str {
        match self {
            Module::Client => "client",
            Module::Sim => "sim",
            Module::Vectors => "vectors",
        }
    }
}

/// Builds the crate and returns its `.wasm`.
fn compile(workspace: &Workspace, module: Module, profile: &str) -> Result<PathBuf> {
    workspace.add_target(TARGET)?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "-p", PACKAGE, "--lib", "--target", TARGET]);
    process::run(cargo.args(["--profile", profile, "--features", module.name()]))?;
    // All modules have this name: what is here is the one that was built last.
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(workspace.target.join(TARGET).join(folder).join("quorate_wasm.wasm"))
}

/// Writes the module and its JavaScript face into `folder`.
fn bind(compiled: &Path, folder: &Path, names: bool) -> Result<()> {
    Bindgen::new()
        .input_path(compiled)
        .web(true)?
        .omit_default_module_path(true)
        .reset_state_function(true)
        .typescript(true)
        .remove_producers_section(true)
        .remove_name_section(!names)
        .generate(folder)
}

fn optimise(optimiser: &Path, folder: &Path) -> Result<()> {
    let bound = folder.join("quorate_wasm_bg.wasm");
    let optimised = folder.join("optimised.wasm");
    process::run(Command::new(optimiser).args(OPTIMISE).arg(&bound).arg("-o").arg(&optimised))?;
    fs::rename(optimised, bound)?;
    Ok(())
}

/// A hash of every file that the modules are built from.
fn inputs(workspace: &Workspace) -> Result<u64> {
    let mut folders: Vec<&str> = workspace.closure(PACKAGE)?.into_iter().collect();
    folders.extend(SHARED_INPUTS);
    let mut hasher = DefaultHasher::new();
    for file in workspace.files(&folders) {
        let content = fs::read(workspace.root.join(&file)).with_context(|| file.clone())?;
        (file, content).hash(&mut hasher);
    }
    Ok(hasher.finish())
}
