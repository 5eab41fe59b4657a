//! Who may come in: HELLO, WELCOME, REJECT.
//!
//! Pure questions about a configuration. They decide on versions, clusters, credentials and ids;
//! whether there is room for one more connection is for the embedder to say, and whether an id
//! lives elsewhere for the [`peers`](crate::peers).

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::NodeConfig;
use crate::ids::{Incarnation, NodeId};
use crate::layout::LayoutVersion;
use crate::message::{
    Defaults, Hello, LayoutUpdate, PROTOCOL_VERSION, Reject, RejectCode, Role, Welcome, saturate,
};

/// The newest layout that a node knows.
type Layout<'a> = Option<&'a Arc<LayoutUpdate>>;

/// The first frame of a node that dials another.
pub(crate) fn hello(config: &NodeConfig, layout: Layout<'_>) -> Hello {
    Hello {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        cluster: Some(config.cluster),
        role: Role::Node { id: config.id, incarnation: config.incarnation },
        layout_version: version(layout),
        credentials: config.credentials.clone(),
    }
}

/// The answer to a HELLO.
pub(crate) fn welcome(
    config: &NodeConfig,
    layout: Layout<'_>,
    down: Vec<NodeId>,
    hello: &Hello,
) -> Result<Welcome, Reject> {
    let (min, max) = (hello.version_min, hello.version_max);
    if !(min..=max).contains(&PROTOCOL_VERSION) {
        return Err(reject(
            RejectCode::Version,
            format!("this node speaks version {PROTOCOL_VERSION}, not {min} to {max}: upgrade"),
        ));
    }
    if let Some(cluster) = hello.cluster.filter(|cluster| *cluster != config.cluster) {
        return Err(reject(
            RejectCode::Cluster,
            format!("this node belongs to cluster {}, not {cluster}", config.cluster),
        ));
    }
    // Lengths and bytes are compared in a time that does not depend on where they differ.
    if !same(&hello.credentials, &config.credentials) {
        return Err(reject(
            RejectCode::Credentials,
            String::from("wrong or missing credentials: use the secret of the cluster"),
        ));
    }
    if let Role::Node { id, incarnation } = hello.role {
        identity(config, id, incarnation)?;
    }
    let limits = &config.limits;
    Ok(Welcome {
        version: PROTOCOL_VERSION,
        cluster: config.cluster,
        node: config.id,
        label: config.label.clone(),
        incarnation: config.incarnation,
        defaults: Defaults {
            r: config.r,
            w: config.w,
            allow_weak: config.allow_weak,
            key_bytes_max: saturate(limits.key_bytes_max),
            value_bytes_max: saturate(limits.value_bytes_max),
            calls_max: saturate(limits.calls_per_peer_max),
            strict: config.strict,
        },
        layout: layout.filter(|_| hello.layout_version < version(layout)).cloned(),
        down,
    })
}

/// Whether the answer to this node's own HELLO comes from whom it meant; `None`: from anybody else.
pub(crate) fn accepts(
    config: &NodeConfig,
    expected: Option<NodeId>,
    welcome: &Welcome,
) -> Result<(), Reject> {
    if welcome.version != PROTOCOL_VERSION {
        let text = format!("the node answered with version {}", welcome.version);
        return Err(reject(RejectCode::Version, text));
    }
    if welcome.cluster != config.cluster {
        let text = format!("the node belongs to cluster {}", welcome.cluster);
        return Err(reject(RejectCode::Cluster, text));
    }
    identity(config, welcome.node, welcome.incarnation)?;
    if let Some(expected) = expected.filter(|expected| *expected != welcome.node) {
        let text = format!("node {} answered at the address of {expected}", welcome.node);
        return Err(reject(RejectCode::Identity, text));
    }
    Ok(())
}

fn version(layout: Layout<'_>) -> LayoutVersion {
    layout.map_or(LayoutVersion(0), |update| update.layout.version())
}

/// Refuses the node's own id: it reached itself, or somebody runs with a copy of its data.
fn identity(config: &NodeConfig, id: NodeId, incarnation: Incarnation) -> Result<(), Reject> {
    if id != config.id {
        return Ok(());
    }
    let text = if incarnation == config.incarnation {
        String::from("this is the node itself, under another address")
    } else {
        elsewhere(id)
    };
    Err(reject(RejectCode::Identity, text))
}

/// Two processes have one id.
pub(crate) fn lives_elsewhere(id: NodeId) -> Reject {
    reject(RejectCode::Identity, elsewhere(id))
}

fn elsewhere(id: NodeId) -> String {
    format!(
        "another process runs as node {id}: two have the same data directory, or a copy of it; \
         stop one of them"
    )
}

fn reject(code: RejectCode, text: String) -> Reject {
    Reject { code, text }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b));
    a.len() == b.len() && differences == 0
}
