//! Asks one node how it is, on a connection of its own.

use std::fmt;

use quorate_core::message::StatusReply;

use super::ClientOptions;
use crate::cluster::{Door, KnockError, NO_LAYOUT_WANTED};

/// Why a node did not say how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    reason: KnockError,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for ProbeError {}

impl From<KnockError> for ProbeError {
    fn from(reason: KnockError) -> ProbeError {
        ProbeError { reason }
    }
}

/// Connects, asks, and hangs up; each of its two questions may take the client's timeout.
pub(super) async fn status(
    address: &str,
    options: &ClientOptions,
) -> Result<StatusReply, ProbeError> {
    let ClientOptions { cluster, timeout, .. } = *options;
    let mut door =
        Door::knock(address, options.credentials(), cluster, timeout, NO_LAYOUT_WANTED).await?;
    Ok(door.status(false).await?)
}
