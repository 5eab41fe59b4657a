//! Layouts that change on the stage.

use std::sync::Arc;

use quorate_core::layout::{Member, plan};
use quorate_core::message::{LayoutId, LayoutSpan, LayoutUpdate};

use super::Stage;

impl Stage {
    /// The layout that follows the one of the stage, in which its primaries of the key hold nothing.
    pub(crate) fn layout_without_primaries(&self) -> LayoutUpdate {
        let primaries = self.primaries();
        let former = &self.layout.layout;
        let weight = |id: u64| u32::from(!primaries.contains(&(id as usize - 1)));
        let member = |member: &Member| Member { weight: weight(member.id.0), ..member.clone() };
        let members = former.members().iter().map(member).collect();
        let layout = plan(former, members).unwrap();
        LayoutUpdate { layout, addresses: self.layout.addresses.clone() }
    }

    /// The layout that follows the one of the stage, of which a node is no member.
    pub(crate) fn layout_without(&self, node: usize) -> LayoutUpdate {
        let members = self.layout.layout.members().iter();
        let members = members.filter(|member| member.id.0 as usize != node + 1).cloned().collect();
        let layout = plan(&self.layout.layout, members).unwrap();
        let addresses = self.layout.addresses[1..].to_vec();
        LayoutUpdate { layout, addresses }
    }

    /// `node` holds the layout of the stage and another one to be in force, and reads by the first.
    pub(crate) fn learn(&mut self, node: usize, newest: &LayoutUpdate) {
        let read = self.layout.layout.version();
        let span = LayoutSpan { head: LayoutId::of(newest), oldest: read, read };
        let live = [Arc::new(self.layout.clone()), Arc::new(newest.clone())];
        self.facts.learn((self.now, node), span, &live);
    }

    /// A node that is a primary of the key neither by the layout of the stage nor by another one.
    pub(crate) fn stranger(&self, newest: &LayoutUpdate) -> usize {
        let (former, next) = (self.primaries(), self.primaries_by(newest));
        let mut nodes = 0..self.layout.layout.members().len();
        nodes.find(|node| !former.contains(node) && !next.contains(node)).unwrap()
    }

    /// The primaries of the key by a layout.
    pub(crate) fn primaries_by(&self, update: &LayoutUpdate) -> Vec<usize> {
        let layout = &update.layout;
        let ids = layout.primaries(layout.slot_of(self.key.as_bytes())).iter();
        ids.map(|id| id.0 as usize - 1).collect()
    }
}
