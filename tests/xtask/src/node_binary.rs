//! The node's binary. Whatever runs real nodes runs this one, so it is built once.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::profile::Profile;
use crate::workspace::Workspace;

/// The variable through which tests and examples find the binary. Set by a person, it names a
/// binary to be used as it is.
pub(crate) const VARIABLE: &str = "QUORATE_BIN";

/// Builds `quorate` and says where it is.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        ensure!(path.is_file(), "{VARIABLE} names no file: {}", path.display());
        println!("{VARIABLE} names the node's binary: {}", path.display());
        return Ok(std::path::absolute(path)?);
    }
    profile.build(workspace, "quorate-node", "quorate")
}
