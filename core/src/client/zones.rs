//! The zone of a client: whom it prefers, and what it counts.
//!
//! Preference is for speed: any primary will do. A local call is another matter: it is counted in the
//! zone, wherever its coordinator is.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{CallError, Client, ErrorCode, LayoutUpdate};
use crate::ids::{NodeId, Text};

impl Client {
    /// Whether a node is in the client's zone, where it has one.
    pub(super) fn is_near(&self, update: &LayoutUpdate, node: NodeId) -> bool {
        self.config.zone.as_ref().is_some_and(|zone| update.layout.is_in(node, zone))
    }

    /// These nodes, those of the client's zone first, each group in its order.
    pub(super) fn nearest_first<'a>(
        &self,
        update: &LayoutUpdate,
        nodes: &'a [NodeId],
    ) -> Cow<'a, [NodeId]> {
        if self.config.zone.is_none() {
            return Cow::Borrowed(nodes);
        }
        // No sort, whose code weighs more than all of this file.
        let (mut ordered, far): (Vec<NodeId>, Vec<NodeId>) =
            nodes.iter().partition(|node| self.is_near(update, **node));
        ordered.extend(far);
        Cow::Owned(ordered)
    }

    /// Those of the primaries of a key that count, in the order in which they are asked for their
    /// copies: in a local call those of its zone, where there are any.
    pub(super) fn counted<'a>(
        &self,
        update: &LayoutUpdate,
        primaries: &'a [NodeId],
        zone: Option<&Text>,
    ) -> Cow<'a, [NodeId]> {
        let mut counted = self.nearest_first(update, primaries);
        if zone.is_some() {
            let near = counted.iter().filter(|node| self.is_near(update, **node)).count();
            if near > 0 {
                counted.to_mut().truncate(near);
            }
        }
        counted
    }
}

impl CallError {
    /// Says in which zone alone was counted, where too few were found there.
    pub(super) fn counted_in(self, zone: Option<&Text>) -> CallError {
        match (self.code, zone) {
            (ErrorCode::QuorumUnavailable | ErrorCode::Timeout, Some(zone)) => {
                let text = alloc::format!("only nodes of the zone `{zone}` count in a local call");
                CallError { text: Some(text.into()), ..self }
            }
            _ => self,
        }
    }
}
