//! Somebody watches: what happens is kept for people, and views of it, too, where nobody can stop
//! the run.

use quorate_core::layout::Member;
use quorate_core::machine::Ticket;
use std::sync::Arc;

use quorate_core::message::LayoutUpdate;

use super::{World, member, unix};
use crate::config::WorldConfig;
use crate::network::{Place, Weather};
use crate::sight::{Happening, Sight, View};
use crate::trace::Lives;

impl World {
    /// From here on, keeps what happens. It changes nothing of that.
    pub(crate) fn watch(&mut self, mut sight: Sight) {
        for slot in &self.nodes {
            if let Some(node) = &slot.node {
                sight.name_life(slot.id, node.view().config().incarnation, slot.life);
            }
        }
        self.sight = Some(Box::new(sight));
        self.look_around();
    }

    /// What happened since this was asked last; nothing where nobody watches.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        self.sight.as_mut().map(|sight| sight.take()).unwrap_or_default()
    }

    /// Ends the watching.
    pub(crate) fn take_sight(&mut self) -> Option<Box<Sight>> {
        self.sight.take()
    }

    /// The lives of the nodes, as far as somebody watched.
    pub(crate) fn lives(&self) -> Option<&Lives> {
        self.sight.as_ref().map(|sight| sight.lives())
    }

    /// A node goes on with what it asked its storage for.
    pub(super) fn go_on(&mut self, node: usize, ticket: Ticket) {
        if let Some(sight) = &mut self.sight {
            sight.on_stored(node, ticket);
        }
    }

    /// An event is over; keeps a view where one is due.
    pub(super) fn look_around(&mut self) {
        let Some(sight) = &mut self.sight else { return };
        sight.on_event_over();
        if !sight.recorder().is_some_and(|recorder| recorder.is_due(self.now)) {
            return;
        }
        let view = View::of(self);
        if let Some(recorder) = self.sight.as_mut().and_then(|sight| sight.recorder()) {
            recorder.keep(self.now, view);
        }
    }

    /// How the world was made.
    pub(crate) fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// A node as it would be a member of a layout unless somebody says otherwise.
    pub(crate) fn as_it_is(&self, node: usize) -> Member {
        member(node, &self.config)
    }

    /// The newest layout that any node knows, one that is down included.
    pub(crate) fn newest_layout(&self) -> &Arc<LayoutUpdate> {
        let of_nodes = (0..self.nodes.len()).filter_map(|node| match self.node(node) {
            Some(node) => node.view().newest_layout(),
            None => self.disks[node].layouts().map(|layouts| layouts.head()),
        });
        let rank = |update: &&Arc<LayoutUpdate>| (update.layout.version(), update.layout.hash());
        of_nodes.max_by_key(rank).unwrap_or(&self.layout)
    }

    /// Starts of a node so far.
    pub(crate) fn starts(&self, node: usize) -> u64 {
        let slot = &self.nodes[node];
        slot.life + u64::from(slot.node.is_some())
    }

    /// By how many milliseconds the wall clock of a node is ahead.
    pub(crate) fn clock_ahead(&self, node: usize) -> i64 {
        let shown = self.nodes[node].clock.read(self.now).unix.0;
        i64::try_from(shown).unwrap_or(i64::MAX)
            - i64::try_from(unix(self.now).0).unwrap_or(i64::MAX)
    }

    /// The weather of a directed link.
    pub(crate) fn weather(&self, from: Place, to: Place) -> Weather {
        self.network.weather(from, to)
    }

    /// Whether nothing gets through between two places, in at least one direction.
    pub(crate) fn is_cut(&self, a: Place, b: Place) -> bool {
        self.network.is_cut(a, b)
    }
}
