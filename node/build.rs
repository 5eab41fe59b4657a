//! The ring page is a part of the program: a release is built anew whenever the page is. Other
//! builds read its files when they are asked for.

use std::path::Path;

/// `cargo xtask page` touches it when it makes the folder: what is not there always counts as
/// changed, so cargo must not be told to watch that.
const SELF: &str = "build.rs";
const PAGE: &str = "page";

fn main() {
    println!("cargo::rerun-if-changed={SELF}");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release && Path::new(PAGE).exists() {
        println!("cargo::rerun-if-changed={PAGE}");
    }
}
