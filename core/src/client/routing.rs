//! Whom a call is sent to.

use super::links::Reach;
use super::{Call, CallId, Client, ClientEffect, Effects, LayoutUpdate, Link, Now, Stage};
use crate::ids::{NodeId, Text};

use alloc::vec::Vec;

/// What there is to be done about a call.
enum Route {
    Send(Link),
    Wait,
    /// Everyone who could serve it was asked.
    Exhausted,
}

/// How the primaries of a key stand, in their order.
#[derive(Default)]
pub(super) struct Found {
    /// The first that is connected and well; nobody behind it was looked at.
    pub(super) ready: Option<Link>,
    busy: Option<Link>,
    pub(super) silent: Option<Link>,
    /// Those that may be dialled, and whether that is in doubt.
    idle: Vec<(Text, bool)>,
    /// Those of which others say that they are down.
    reported: Vec<Text>,
    /// Another node answers where one of them should be.
    displaced: bool,
    pub(super) hopes: Hopes,
}

/// What a call may wait for.
#[derive(Default)]
pub(super) struct Hopes {
    /// A first dial is under way.
    soon: bool,
    /// A dial that comes after a failed one may fail as well, or hang: nobody waits for it alone.
    again: bool,
    /// An address may be dialled after a while.
    later: bool,
}

impl Hopes {
    pub(super) fn add(&mut self, again: bool) {
        self.soon |= !again;
        self.again |= again;
    }
}

/// Requests in flight on a connection until a node has named its own limit.
const IN_FLIGHT_UNTOLD: usize = 64;

impl Client {
    /// Takes a call back from where it was and routes it anew.
    pub(super) fn reroute(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.stage = Stage::Waiting;
        call.copies = None;
        self.waiting.insert(id, ());
        self.set_timer(id, None);
        self.route(now, id, out);
    }

    /// Routes all calls that wait for a connection.
    pub(super) fn route_waiting(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        for id in self.waiting.keys() {
            self.route(now, id, out);
        }
    }

    /// Sends a waiting call if there is somebody to send it to.
    pub(super) fn route(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        if self.ask_copies(now, id, out) {
            return;
        }
        match self.choose(now, id, out) {
            Route::Send(link) => self.send(now, id, link, out),
            Route::Wait => {}
            Route::Exhausted => self.on_exhausted(now, id, out),
        }
    }

    /// A request on `link` was answered: the next in its backlog may go.
    pub(super) fn on_room(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let most = self.in_flight_max();
        while let Some(connection) = self.links.get_mut(link)
            && connection.in_flight() < most
            && let Some((id, ())) = connection.backlog.pop_first()
        {
            self.send(now, id, link, out);
        }
    }

    /// Whom to send a call to: the first primary that is connected and well, those of the client's zone
    /// before others; while none is, one that is about to be; then one that is busy; then any other
    /// node, which passes the call on. Nodes that are down come last.
    fn choose(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) -> Route {
        let Some(call) = self.calls.get(id) else { return Route::Wait };
        let found = match &self.layout {
            _ if self.has_gateway() => self.look_at_gateway(call),
            Some(update) => self.look(now, update, call),
            None => Found::default(),
        };
        let mut hopes = found.hopes;
        if found.displaced {
            self.doubt.raise();
        }
        // Nobody is hung up for the sake of a primary that comes before one that will do.
        if found.ready.is_none() || self.links.has_room() {
            for (address, again) in found.idle {
                if self.links.dial(now, address, out) {
                    hopes.add(again);
                } else {
                    hopes.later = true;
                }
            }
        }
        if let Some(link) = found.ready {
            return Route::Send(link);
        }
        if hopes.soon {
            return Route::Wait;
        }
        if let Some(link) = found.busy {
            return Route::Send(link);
        }
        // No primary can be reached: another node may reach one. Those who refused were asked.
        let Some(call) = self.calls.get(id) else { return Route::Wait };
        let others = self.links.up().filter(|(node, link)| {
            !call.tried.contains(node) && !call.sent.contains(link) && !self.links.is_silent(*link)
        });
        let far = |node| !self.layout.as_ref().is_some_and(|update| self.is_near(update, node));
        let rank = |(node, _): &(NodeId, Link)| (self.standings.is_busy(now, *node), far(*node));
        if let Some((_, link)) = others.min_by_key(rank) {
            return Route::Send(link);
        }
        if !call.is_worth_waiting() {
            // Somebody refused for all: better said now than later.
            return if call.sent.is_empty() { Route::Exhausted } else { Route::Wait };
        }
        let asked = !call.sent.is_empty();
        let refused = call.refusal.is_some();
        let silent = found.silent.or_else(|| {
            let mut silent = self.links.up().filter(|(_, link)| self.links.is_silent(*link));
            silent.find(|(node, _)| !call.tried.contains(node)).map(|(_, link)| link)
        });
        let mut dialled = false;
        for address in found.reported {
            dialled |= self.links.dial(now, address, out);
        }
        match silent {
            // Somebody was asked and may still answer.
            _ if asked || dialled => Route::Wait,
            Some(link) => Route::Send(link),
            // Somebody refused and nobody else is there to be asked.
            None if refused => Route::Exhausted,
            None if hopes.again || hopes.later || !self.links.is_any_up() => Route::Wait,
            None => Route::Exhausted,
        }
    }

    /// How the primaries of a call stand that were not asked yet.
    fn look(&self, now: Now, update: &LayoutUpdate, call: &Call) -> Found {
        let mut found = Found::default();
        let slot = update.layout.slot_of(call.key.as_bytes());
        let primaries = update.layout.primaries(slot);
        let primaries = self.nearest_first(update, primaries);
        for node in primaries.iter().filter(|node| !call.tried.contains(node)) {
            let address = update.address(*node);
            match (self.links.reach(now, *node, address), address) {
                (Reach::Up(link) | Reach::Silent(link), _) if call.sent.contains(&link) => {}
                (Reach::Up(link), _) if self.standings.is_busy(now, *node) => {
                    found.busy.get_or_insert(link);
                }
                (Reach::Up(link), _) => {
                    found.ready = Some(link);
                    return found;
                }
                (Reach::Silent(link), _) => {
                    found.silent.get_or_insert(link);
                }
                (Reach::Opening { again }, _) => found.hopes.add(again),
                (Reach::Idle { .. }, Some(address)) if self.standings.is_reported(now, *node) => {
                    found.reported.push(address.clone());
                }
                (Reach::Idle { again }, Some(address)) => {
                    // Nobody waits for a node alone that somebody else could not reach.
                    let again = again || self.standings.down(*node).is_some();
                    found.idle.push((address.clone(), again));
                }
                (Reach::Taken, _) => {
                    found.displaced = true;
                    found.hopes.later = true;
                }
                (Reach::Idle { .. }, None) | (Reach::Failed, _) => found.hopes.later = true,
            }
        }
        found
    }

    fn send(&mut self, now: Now, id: CallId, link: Link, out: &mut Effects<ClientEffect>) {
        let most = self.in_flight_max();
        let Some(connection) = self.links.get_mut(link) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        self.waiting.remove(id);
        if connection.in_flight() >= most {
            call.stage = Stage::Queued(link);
            connection.backlog.insert(id, ());
            return;
        }
        connection.on_sent(now, id);
        let version = self.told_version(now);
        let Some(call) = self.calls.get_mut(id) else { return };
        call.stage = Stage::Sent(link);
        call.sent.push(link);
        call.attempts += 1;
        if call.attempts > 1 {
            self.stats.retries += 1;
        }
        let message = call.message(id, now.instant, version);
        let patience = call.patience(now.instant);
        self.set_timer(id, Some(patience));
        out.push(ClientEffect::Send { link, message });
    }

    pub(super) fn in_flight_max(&self) -> usize {
        let told = self.defaults.map(|defaults| defaults.calls_max as usize);
        told.unwrap_or(IN_FLIGHT_UNTOLD).max(1)
    }
}
