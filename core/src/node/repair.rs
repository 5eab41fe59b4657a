//! An operator has everything compared.

use super::Node;
use crate::machine::{Effect, Effects};
use crate::message::RepairRefusal;
use crate::ring::Slot;
use crate::time::Now;

impl Node {
    /// Compares a slot, or everything that this node holds, with all other primaries as soon as it
    /// can be done; [`NodeView::comparisons`](super::NodeView::comparisons) tells when it was. Returns how many pairs of a slot and
    /// another primary are due.
    ///
    /// # Errors
    /// Why nothing is compared.
    pub fn repair(
        &mut self,
        now: Now,
        slot: Option<Slot>,
        out: &mut Effects<Effect>,
    ) -> Result<u32, RepairRefusal> {
        let (mut turn, parts) = self.turn(now, out);
        parts.anti_entropy.repair(&mut turn, slot)
    }
}
