//! What the hot paths of core may cost.

use anyhow::Result;

use super::{Verdict, none};
use crate::bench::paths;
use crate::workspace::Workspace;

pub(super) fn budget(workspace: &Workspace) -> Result<Verdict> {
    Ok(match paths::hold(workspace)? {
        paths::Verdict::Kept => Verdict::Passed,
        paths::Verdict::Skipped(reason) => Verdict::Skipped(reason),
        paths::Verdict::Exceeded(found) => none("paths above their budget", &found)?,
    })
}
