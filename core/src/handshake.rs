//! Who may come in: HELLO, WELCOME, REJECT.
//!
//! Pure questions about a configuration. They decide on versions, clusters, credentials and ids;
//! whether there is room for one more connection is for the embedder to say.

use alloc::format;
use alloc::string::String;

use crate::config::NodeConfig;
use crate::ids::NodeId;
use crate::message::{Defaults, Hello, PROTOCOL_VERSION, Reject, RejectCode, Role, Welcome};

/// The first frame of a node that dials another.
pub(crate) fn hello(config: &NodeConfig) -> Hello {
    Hello {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        cluster: Some(config.cluster),
        role: Role::Node { id: config.id, incarnation: config.incarnation },
        layout_version: config.layout.layout.version(),
        credentials: config.credentials.clone(),
    }
}

/// The answer to a HELLO.
pub(crate) fn welcome(config: &NodeConfig, hello: &Hello) -> Result<Welcome, Reject> {
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
    if let Role::Node { id, .. } = hello.role {
        identity(config, id)?;
    }
    let current = config.layout.layout.version();
    let limits = &config.limits;
    let label = config.layout.layout.member(config.id).map(|member| member.label.clone());
    Ok(Welcome {
        version: PROTOCOL_VERSION,
        cluster: config.cluster,
        node: config.id,
        label: label.unwrap_or_default(),
        incarnation: config.incarnation,
        defaults: Defaults {
            r: config.r,
            w: config.w,
            allow_weak: config.allow_weak,
            key_bytes_max: saturate(limits.key_bytes_max),
            value_bytes_max: saturate(limits.value_bytes_max),
            calls_max: saturate(limits.calls_per_peer_max),
        },
        layout: (hello.layout_version < current).then(|| config.layout.clone()),
    })
}

/// Whether the answer to this node's own HELLO comes from whom it meant.
pub(crate) fn accepts(
    config: &NodeConfig,
    expected: NodeId,
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
    if welcome.node != expected {
        let text = format!("node {} answered at the address of {expected}", welcome.node);
        return Err(reject(RejectCode::Identity, text));
    }
    Ok(())
}

fn identity(config: &NodeConfig, id: NodeId) -> Result<(), Reject> {
    if id == config.id {
        return Err(reject(
            RejectCode::Identity,
            format!("node id {id} is this node's own: two nodes run with one identity"),
        ));
    }
    if config.layout.layout.member(id).is_none() {
        return Err(reject(
            RejectCode::Identity,
            format!("node {id} is not a member of the layout: add it to the cluster first"),
        ));
    }
    Ok(())
}

fn reject(code: RejectCode, text: String) -> Reject {
    Reject { code, text }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b));
    a.len() == b.len() && differences == 0
}

fn saturate(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}
