//! Where members listen: a client that does not find one there asks the others anew.
//!
//! ```text
//!  a dial to a member fails, or another node answers there    in doubt
//!  the next frame of those that name a layout                 names none: the answer brings the
//!                                                             layout with the addresses of today
//!  the same layout, other addresses                           taken for members not connected
//! ```
//!
//! Nodes learn addresses by gossip, each at its own time, and no number says whose are newer. So an
//! answer that moves a member away from where it answers is out of date, and is passed over as a
//! whole; for a member that was not found any other address may be tried. At worst it is asked for
//! again, and pauses grow.

use super::Client;
use crate::ids::{NodeId, Text};
use crate::layout::LayoutVersion;
use crate::message::LayoutUpdate;
use crate::time::{Duration, Instant, Now};

/// The pause after the first question; it doubles with each that brings no other address.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// How often it doubles: each answer is a whole layout, and 16 s are soon enough for a member that
/// others stand in for.
const DOUBLINGS_MAX: u32 = 6;

/// Whether the known addresses are to be asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt {
    /// A member was not found since they were asked for.
    is_open: bool,
    /// Questions since another address was learnt.
    asked: u32,
    /// Before that nobody is asked again.
    pause: Instant,
}

impl Doubt {
    /// A member was not found where it should be.
    pub(super) fn raise(&mut self) {
        self.is_open = true;
    }

    /// Whether the frame that is sent `now` is to ask.
    fn asks(&mut self, now: Now) -> bool {
        let asks = self.is_open && self.pause <= now.instant;
        if asks {
            self.is_open = false;
            self.pause = now.instant + PAUSE_FIRST * (1 << self.asked.min(DOUBLINGS_MAX));
            self.asked = self.asked.saturating_add(1);
        }
        asks
    }
}

impl Client {
    /// The layout that a frame names as the newest one known: none, to be sent it once more.
    pub(super) fn told_version(&mut self, now: Now) -> LayoutVersion {
        match &self.layout {
            Some(known) if !self.doubt.asks(now) => known.layout.version(),
            Some(_) | None => LayoutVersion(0),
        }
    }

    /// Something answers at `address`, or nothing does: is that where a member should be?
    #[cold]
    pub(super) fn doubt_address(&mut self, address: &Text, answers: Option<NodeId>) {
        if self.member_at(address).is_some_and(|member| answers != Some(member)) {
            self.doubt.raise();
        }
    }

    /// Whether an update of the known version tells of other addresses that may be right.
    #[cold]
    pub(super) fn is_readdressed(&self, update: &LayoutUpdate) -> bool {
        let Some(known) = &self.layout else { return false };
        let is_gone = |(node, link)| {
            let found = self.links.get(link).map(|connection| &connection.address);
            found == known.address(node) && found != update.address(node)
        };
        known.layout.hash() == update.layout.hash()
            && known.addresses != update.addresses
            && !self.links.up().any(is_gone)
    }
}
