//! The browser of the browser tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// The variable through which tests find the browser; set by a person, it decides.
pub(super) const VARIABLE: &str = "CHROME_BIN";

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A Chromium of this machine, which Debian's package brings where there is none.
pub(super) fn find_or_install() -> Result<PathBuf> {
    if let Some(program) = find() {
        return Ok(program);
    }
    if !process::exists("apt-get") || !is_root()? {
        bail!(
            "no Chromium was found: install one (on Debian: `sudo apt-get install chromium`), \
             or set {VARIABLE} to its path"
        );
    }
    println!("installing chromium");
    apt_get(&["update"])?;
    apt_get(&["install", "-y", "--no-install-recommends", "chromium"])?;
    find().context("the package chromium was installed, and brought no program of that name")
}

fn find() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os(VARIABLE) {
        return Some(program.into());
    }
    let paths = std::env::var_os("PATH")?;
    let candidates =
        std::env::split_paths(&paths).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    candidates.into_iter().find(|program| program.is_file())
}

fn is_root() -> Result<bool> {
    Ok(process::capture(Command::new("id").arg("-u"))?.trim() == "0")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    process::run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}
