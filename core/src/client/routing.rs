//! Whom a call is sent to.

use super::links::Reach;
use super::{
    CallError, CallId, Client, ClientEffect, Effects, ErrorCode, LayoutVersion, Link, Now, Stage,
};

/// What there is to be done about a call.
enum Route {
    Send(Link),
    Wait,
    /// Everyone who could serve it was asked.
    Exhausted,
}

/// Requests in flight on a connection until a node has named its own limit.
const IN_FLIGHT_UNTOLD: usize = 64;

impl Client {
    /// Takes a call back from where it was and routes it anew.
    pub(super) fn reroute(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.stage = Stage::Waiting;
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
        match self.choose(now, id, out) {
            Route::Send(link) => self.send(now, id, link, out),
            Route::Wait => {}
            Route::Exhausted => {
                let refusal = self.calls.get(id).and_then(|call| call.refusal);
                let error = match refusal {
                    Some((failure, node)) => CallError::of(failure, Some(node)),
                    None => CallError::new(ErrorCode::Timeout),
                };
                self.fail(id, error, out);
            }
        }
    }

    /// A request on `link` was answered: the next in its backlog may go.
    pub(super) fn on_room(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let most = self.in_flight_max();
        while let Some(connection) = self.links.get_mut(link)
            && connection.in_flight.len() < most
            && let Some((id, ())) = connection.backlog.pop_first()
        {
            self.send(now, id, link, out);
        }
    }

    fn choose(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) -> Route {
        let Some(update) = self.layout.clone() else { return Route::Wait };
        let Some(call) = self.calls.get(id) else { return Route::Wait };
        let slot = update.layout.slot_of(call.key.as_bytes());
        let primaries = update.layout.primaries(slot);
        let untried = primaries.iter().filter(|node| !call.tried.contains(node));
        let mut up = None;
        let mut soon = false;
        // A dial that comes after a failed one may fail as well, or hang: nobody waits for it
        // alone.
        let mut again = false;
        let mut later = false;
        for node in untried {
            let address = update.address(*node);
            match (self.links.reach(now, *node, address), address) {
                (Reach::Up(link), _) => {
                    up = Some(link);
                    break;
                }
                (Reach::Opening { again: false }, _) => soon = true,
                (Reach::Opening { again: true }, _) => again = true,
                (Reach::Idle { again: before }, Some(address)) => {
                    self.links.dial(now, address.clone(), out);
                    soon |= !before;
                    again |= before;
                }
                (Reach::Idle { .. }, None) | (Reach::Failed, _) => later = true,
            }
        }
        if let Some(link) = up {
            return Route::Send(link);
        }
        if soon {
            return Route::Wait;
        }
        // No primary can be reached: another node may reach one. Those who refused were asked.
        let gateway = self.links.up().find(|(node, _)| !call.tried.contains(node));
        match gateway {
            Some((_, link)) => Route::Send(link),
            // Somebody was asked and may still answer.
            None if !call.sent.is_empty() => Route::Wait,
            // Somebody refused and nobody else is there to be asked: better said now than later.
            None if call.refusal.is_some() => Route::Exhausted,
            None if again || later || !self.links.is_any_up() => Route::Wait,
            None => Route::Exhausted,
        }
    }

    fn send(&mut self, now: Now, id: CallId, link: Link, out: &mut Effects<ClientEffect>) {
        let most = self.in_flight_max();
        let version = self.layout.as_ref().map_or(LayoutVersion(0), |known| known.layout.version());
        let Some(connection) = self.links.get_mut(link) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        self.waiting.remove(id);
        if connection.in_flight.len() >= most {
            call.stage = Stage::Queued(link);
            connection.backlog.insert(id, ());
            return;
        }
        connection.on_sent(now, id);
        call.stage = Stage::Sent(link);
        call.sent.push(link);
        call.attempts += 1;
        if call.attempts > 1 {
            self.stats.retries += 1;
        }
        let message = call.message(id, now.instant, version);
        let patience = call.patience(now.instant);
        call.asked = now.instant;
        self.set_timer(id, Some(patience));
        out.push(ClientEffect::Send { link, message });
    }

    fn in_flight_max(&self) -> usize {
        let told = self.defaults.map(|defaults| defaults.calls_max as usize);
        told.unwrap_or(IN_FLIGHT_UNTOLD).max(1)
    }
}
