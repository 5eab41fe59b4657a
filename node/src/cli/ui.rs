//! The ring page of `serve` and `dev`, and what it is told.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::args::AskOptions;
use super::status::cluster_json;
use crate::server::{AskCluster, Ui};

/// Time for the answer of one node: the page asks again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The ring page of the node at `address`, which tells what `quorate status -o json` does and
/// whether the page offers writes; `None` where this program was built without the page.
pub(super) fn ui(address: &str, credentials: Bytes, writes: bool) -> Option<Ui> {
    let options = AskOptions { seeds: vec![address.to_owned()], patience: PATIENCE, credentials };
    let ask: AskCluster = Box::new(move || {
        let options = options.clone();
        Box::pin(async move {
            let told = cluster_json(&options).await.map_err(|failure| failure.to_string());
            told.map(|mut told| {
                told["ui"] = json!({ "writes": writes });
                told.to_string()
            })
        })
    });
    Ui::new(ask)
}
