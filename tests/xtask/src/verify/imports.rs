//! Core and simulator as WebAssembly import nothing: no clock, no entropy, no JavaScript.
//!
//! Each crate is linked whole, so that a function which nothing calls counts, too. A module that
//! does not hold the crate's functions would pass without saying anything, so that is a failure.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use super::{Verdict, none};
use crate::workspace::Workspace;
use crate::{process, wasm};

/// The crates that may import nothing.
const PURE: [&str; 2] = ["quorate-core", "quorate-sim"];

pub(super) fn check(workspace: &Workspace) -> Result<Verdict> {
    workspace.add_target(wasm::TARGET)?;
    let mut imports = Vec::new();
    for package in PURE {
        let name = package.replace('-', "_");
        let module = read(&link(workspace, package, &name)?, &name)?;
        ensure!(module.functions > 0, "the module to be checked holds nothing of {package}");
        println!("{} functions of {package}", module.functions);
        imports.extend(module.imports.into_iter().map(|import| format!("{package}: {import}")));
    }
    none("as WebAssembly, a crate that should be pure imports", &imports)
}

/// What a module says of itself.
#[derive(Default)]
struct Module {
    /// `module.name`, in order.
    imports: Vec<String>,
    /// Functions of the crate that is looked at.
    functions: usize,
}

/// `name`: of the crate, as functions carry it.
fn read(bytes: &[u8], name: &str) -> Result<Module> {
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::ImportSection(section) = payload {
            for import in section.into_imports() {
                let import = import?;
                let kind = if matches!(import.ty, TypeRef::Func(_)) { "function" } else { "value" };
                module.imports.push(format!("the {kind} {}.{}", import.module, import.name));
            }
        } else if let Payload::CustomSection(section) = payload
            && let KnownCustom::Name(names) = section.as_known()
        {
            for named in names {
                let Name::Function(functions) = named? else {
                    continue;
                };
                for function in functions {
                    module.functions += usize::from(function?.name.contains(name));
                }
            }
        }
    }
    Ok(module)
}

/// Builds a crate and links all of it into one module.
fn link(workspace: &Workspace, package: &str, name: &str) -> Result<Vec<u8>> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "-p", package, "--target", wasm::TARGET]);
    let messages = process::capture(cargo.arg("--message-format=json-render-diagnostics"))?;
    let library = messages.lines().find_map(|line| library(line, name));
    let library = library.context("cargo named no library")?;
    // Procedural macros are built for this machine, so they lie with its own libraries.
    let folders = [workspace.target.join(wasm::TARGET), workspace.target.clone()];

    let folder = workspace.target.join("xtask");
    fs::create_dir_all(&folder)?;
    let (program, module) = (folder.join("imports.rs"), folder.join("imports.wasm"));
    // It brings an allocator and a panic handler, and names the crate.
    fs::write(&program, format!("#![crate_type = \"cdylib\"]\nextern crate {name} as _;\n"))?;
    let mut rustc = workspace.command("rustc");
    rustc.args(["--edition", "2024", "--target", wasm::TARGET]);
    rustc.arg("--extern").arg(format!("{name}={library}"));
    for folder in folders {
        rustc.arg("-L").arg(format!("dependency={}", folder.join("debug/deps").display()));
    }
    // rustc links what the program needs of the crate, and the whole comes on top: twice the same.
    rustc.arg("-C").arg("link-args=--no-gc-sections --allow-undefined --allow-multiple-definition");
    for argument in ["--whole-archive", &library, "--no-whole-archive"] {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    process::run(rustc.arg(&program).arg("-o").arg(&module))?;
    Ok(fs::read(module)?)
}

/// The `.rlib` of the crate `name`, where this line of cargo's output is about it.
fn library(line: &str, name: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message["filenames"].as_array()?;
    let library = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".rlib"))?;
    (message["target"]["name"] == name).then(|| library.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(module (import "env" "now" (func)))`
    const WITH_IMPORT: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x0b\x01\x03env\x03now\0\0";
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn an_import_is_found_and_named() {
        let module = read(WITH_IMPORT, "core").unwrap();
        assert_eq!(module.imports, ["the function env.now"]);
        assert!(none("imports", &module.imports).is_err());
    }

    #[test]
    fn a_module_without_imports_has_none() {
        assert!(read(EMPTY, "core").unwrap().imports.is_empty());
    }

    #[test]
    fn bytes_that_are_no_module_are_an_error() {
        assert!(read(b"MZ", "core").is_err());
    }
}
