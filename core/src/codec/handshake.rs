//! HELLO and its answers.

use alloc::sync::Arc;

use super::{DecodeError, byte, layout, malformed, nodes_in, nodes_out, text, wire};
use crate::ids::{ClusterId, Incarnation, NodeId};
use crate::layout::LayoutVersion;
use crate::message::{Defaults, Hello, Reject, RejectCode, Role, Welcome};

#[cold]
pub(super) fn hello_out(hello: &Hello) -> wire::Hello {
    let (role, node, incarnation) = match hello.role {
        Role::Client => (wire::Role::Client, None, 0),
        Role::Node { id, incarnation } => (wire::Role::Node, Some(id.0), incarnation.0),
    };
    wire::Hello {
        version_min: hello.version_min,
        version_max: hello.version_max,
        cluster: hello.cluster.map(|cluster| cluster.0),
        role: role.into(),
        node,
        incarnation,
        layout_version: hello.layout_version.0,
        credentials: hello.credentials.clone(),
    }
}

pub(super) fn hello_in(hello: wire::Hello) -> Result<Hello, DecodeError> {
    let role = match (hello.role(), hello.node) {
        (wire::Role::Client, None) => Role::Client,
        (wire::Role::Node, Some(id)) => {
            Role::Node { id: NodeId(id), incarnation: Incarnation(hello.incarnation) }
        }
        (wire::Role::Unspecified | wire::Role::Client | wire::Role::Node, _) => {
            return Err(malformed("a HELLO names the role client, or node with an id"));
        }
    };
    Ok(Hello {
        version_min: hello.version_min,
        version_max: hello.version_max,
        cluster: hello.cluster.map(ClusterId),
        role,
        layout_version: LayoutVersion(hello.layout_version),
        credentials: hello.credentials,
    })
}

pub(super) fn welcome_out(welcome: &Welcome) -> wire::Welcome {
    wire::Welcome {
        version: welcome.version,
        cluster: welcome.cluster.0,
        node: welcome.node.0,
        label: welcome.label.as_ref().into(),
        incarnation: welcome.incarnation.0,
        defaults: Some(wire::Defaults {
            r: welcome.defaults.r.into(),
            w: welcome.defaults.w.into(),
            allow_weak: welcome.defaults.allow_weak,
            key_bytes_max: welcome.defaults.key_bytes_max,
            value_bytes_max: welcome.defaults.value_bytes_max,
            calls_max: welcome.defaults.calls_max,
            strict: welcome.defaults.strict,
        }),
        layout: welcome.layout.as_deref().map(layout::layout_out),
        down: nodes_out(&welcome.down),
    }
}

#[cold]
pub(super) fn welcome_in(welcome: wire::Welcome) -> Result<Welcome, DecodeError> {
    let defaults = welcome.defaults.ok_or(malformed("a WELCOME without defaults"))?;
    Ok(Welcome {
        version: welcome.version,
        cluster: ClusterId(welcome.cluster),
        node: NodeId(welcome.node),
        label: text(welcome.label),
        incarnation: Incarnation(welcome.incarnation),
        defaults: Defaults {
            r: byte(defaults.r, "R is above 255")?,
            w: byte(defaults.w, "W is above 255")?,
            allow_weak: defaults.allow_weak,
            key_bytes_max: defaults.key_bytes_max,
            value_bytes_max: defaults.value_bytes_max,
            calls_max: defaults.calls_max,
            strict: defaults.strict,
        },
        layout: welcome.layout.map(layout::layout_in).transpose()?.map(Arc::new),
        down: nodes_in(welcome.down),
    })
}

pub(super) fn reject_out(reject: &Reject) -> wire::Reject {
    let code = match reject.code {
        RejectCode::Version => wire::RejectCode::RejectVersion,
        RejectCode::Cluster => wire::RejectCode::RejectCluster,
        RejectCode::Credentials => wire::RejectCode::RejectCredentials,
        RejectCode::Identity => wire::RejectCode::RejectIdentity,
        RejectCode::Full => wire::RejectCode::RejectFull,
        RejectCode::Malformed => wire::RejectCode::RejectMalformed,
    };
    wire::Reject { code: code.into(), text: reject.text.clone() }
}

#[cold]
pub(super) fn reject_in(reject: wire::Reject) -> Result<Reject, DecodeError> {
    let code = match reject.code() {
        wire::RejectCode::RejectVersion => RejectCode::Version,
        wire::RejectCode::RejectCluster => RejectCode::Cluster,
        wire::RejectCode::RejectCredentials => RejectCode::Credentials,
        wire::RejectCode::RejectIdentity => RejectCode::Identity,
        wire::RejectCode::RejectFull => RejectCode::Full,
        wire::RejectCode::RejectMalformed => RejectCode::Malformed,
        wire::RejectCode::RejectUnspecified => return Err(malformed("a REJECT without a code")),
    };
    Ok(Reject { code, text: reject.text })
}
