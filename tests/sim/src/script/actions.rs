//! Carrying an action out. Everything is checked before anything changes.

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::client::CallOptions;
use quorate_core::layout::Member;
use quorate_core::message::LayoutUpdate;
use quorate_core::time::Duration;

use super::action::{Action, PlannedMember, Refusal};
use super::run::{Call, Run};
use crate::network::{Place, Weather};
use crate::observation::Asked;
use crate::sight::Milliseconds;

/// The longest delay of a link.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The farthest jump of a clock: a year.
const JUMP_MAX_MS: u64 = 365 * 24 * 3_600 * 1_000;

type Done = Result<(), Refusal>;

impl Run {
    /// Does it; answers the number of the call that it makes, if it makes one.
    pub(super) fn carry_out(&mut self, action: &Action) -> Result<Option<u64>, Refusal> {
        match action {
            Action::Get { client, key } => return self.call(*client, key, Asked::Get).map(Some),
            Action::Put { client, key, value, after } => {
                let context = self.context(*after, key)?;
                let value = Bytes::copy_from_slice(value.as_bytes());
                return self.call(*client, key, Asked::Put { value, context }).map(Some);
            }
            Action::Delete { client, key, after } => {
                let context = self.context(*after, key)?;
                return self.call(*client, key, Asked::Delete { context }).map(Some);
            }
            Action::Crash { node } => {
                self.check_up(*node)?;
                self.world.crash(*node);
            }
            Action::Stop { node } => {
                self.check_up(*node)?;
                self.world.stop(*node);
            }
            Action::Restart { node } => {
                self.check_down(*node)?;
                self.world.restart(*node);
            }
            Action::Wipe { node } => {
                self.check_down(*node)?;
                self.world.wipe(*node);
            }
            Action::Pause { node } => {
                self.check_up(*node)?;
                if self.world.is_paused(*node) {
                    return Err(Refusal::new(format!("node {node} stands still already")));
                }
                self.world.pause(*node);
            }
            Action::Resume { node } => {
                self.check_node(*node)?;
                if !self.world.is_paused(*node) {
                    return Err(Refusal::new(format!("node {node} does not stand still")));
                }
                self.world.resume(*node);
            }
            Action::CrashZone { zone } => {
                self.in_zone(zone, true)?.into_iter().for_each(|node| self.world.crash(node));
            }
            Action::RestartZone { zone } => {
                self.in_zone(zone, false)?.into_iter().for_each(|node| self.world.restart(node));
            }
            Action::Partition { side } => self.partition(side)?,
            Action::Heal => self.world.heal(),
            Action::Link { a, b, delay, loss } => self.link([*a, *b], *delay, *loss)?,
            Action::Clock { node, by } => {
                self.check_node(*node)?;
                if by.unsigned_abs() > JUMP_MAX_MS {
                    return Err(Refusal::new(format!("by: {by} ms are more than a year")));
                }
                self.world.jump_clock(*node, *by);
            }
            Action::Layout { members, through } => self.change_layout(members, *through)?,
        }
        Ok(None)
    }

    fn call(&mut self, client: usize, key: &str, asked: Asked) -> Result<u64, Refusal> {
        if client >= self.clients {
            let last = self.clients - 1;
            let why = format!("there is no client {client}: they are numbered from 0 to {last}");
            return Err(Refusal::new(why));
        }
        let options = CallOptions { receipt: true, ..CallOptions::default() };
        let id = self.world.call(client, key, asked, options);
        self.calls.push(Call { client, id, key: key.to_owned() });
        Ok(self.calls.len() as u64)
    }

    /// What a call showed its client.
    fn context(&self, after: Option<u64>, key: &str) -> Result<Bytes, Refusal> {
        let Some(number) = after else { return Ok(Bytes::new()) };
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let Some(call) = place.and_then(|place| self.calls.get(place)) else {
            let why = format!("after: there is no call {number}, {} were made", self.calls.len());
            return Err(Refusal::new(why));
        };
        if call.key != key {
            let why = format!("after: call {number} was about {:?}, not {key:?}", call.key);
            return Err(Refusal::new(why));
        }
        match self.world.ended(call.client, call.id) {
            None => Err(Refusal::new(format!("after: call {number} has not ended yet"))),
            Some(Err(_)) => Err(Refusal::new(format!("after: call {number} failed"))),
            Some(Ok(finished)) => Ok(finished.context()),
        }
    }

    fn partition(&mut self, side: &[usize]) -> Done {
        side.iter().try_for_each(|node| self.check_node(*node))?;
        let others = (0..self.world.node_count()).filter(|node| !side.contains(node)).count();
        if side.is_empty() || others == 0 {
            return Err(Refusal::new("side: nodes are to stand on both sides of a partition"));
        }
        self.world.partition(side);
        Ok(())
    }

    fn link(&mut self, [a, b]: [usize; 2], delay: Option<Milliseconds>, loss: Option<u32>) -> Done {
        self.check_node(a)?;
        self.check_node(b)?;
        if a == b {
            return Err(Refusal::new(format!("node {a} has no link to itself")));
        }
        let mut weather = Weather::default();
        if let Some(delay) = delay {
            let least = Duration::from_micros(delay.0.0);
            if least > DELAY_MAX {
                let most = DELAY_MAX.as_millis();
                return Err(Refusal::new(format!("delay: {} ms are above {most}", delay.get())));
            }
            let spread = weather.delay_max - weather.delay_min;
            (weather.delay_min, weather.delay_max) = (least, least + spread);
        }
        weather.loss = loss.unwrap_or(weather.loss);
        if weather.loss > 1_000 {
            return Err(Refusal::new(format!("loss: {} of 1000 frames", weather.loss)));
        }
        let (a, b) = (Place::Node(a), Place::Node(b));
        self.world.set_weather(a, b, weather);
        self.world.set_weather(b, a, weather);
        Ok(())
    }

    fn change_layout(&mut self, members: &[PlannedMember], through: Option<usize>) -> Done {
        let members = self.members(members)?;
        let newest = self.world.newest_layout().clone();
        let through = match through {
            Some(node) => {
                self.check_up(node)?;
                node
            }
            None => (0..self.world.node_count())
                .find(|node| self.serves(*node) && self.head(*node) == Some(&newest))
                .ok_or_else(|| Refusal::new("no node that is up knows the newest layout"))?,
        };
        let Some(planned_from) = self.head(through).map(|update| update.layout.version()) else {
            return Err(Refusal::new(format!("node {through} knows no layout")));
        };
        match self.world.change_layout(through, planned_from, members) {
            None => Err(Refusal::new(format!("node {through} stands still"))),
            Some(Err(refusal)) => Err(Refusal::new(refusal.to_string())),
            Some(Ok(_)) => Ok(()),
        }
    }

    /// Nodes as members of a layout.
    pub(super) fn members(&self, members: &[PlannedMember]) -> Result<Vec<Member>, Refusal> {
        let member = |planned: &PlannedMember| {
            self.check_node(planned.node)?;
            Ok(self.world.as_member(planned.node, planned.weight))
        };
        members.iter().map(member).collect()
    }

    /// The newest layout that a node knows.
    fn head(&self, node: usize) -> Option<&Arc<LayoutUpdate>> {
        self.world.node(node)?.view().newest_layout()
    }

    fn serves(&self, node: usize) -> bool {
        self.world.node(node).is_some() && !self.world.is_paused(node)
    }

    /// The nodes of a zone that are up, or down.
    fn in_zone(&self, zone: &str, up: bool) -> Result<Vec<usize>, Refusal> {
        let in_zone = |node: &usize| *self.world.as_it_is(*node).zone == *zone;
        let all: Vec<usize> = (0..self.world.node_count()).filter(in_zone).collect();
        if all.is_empty() {
            return Err(Refusal::new(format!("there is no zone {zone:?}")));
        }
        let concerned: Vec<usize> =
            all.into_iter().filter(|node| self.world.node(*node).is_some() == up).collect();
        if concerned.is_empty() {
            let state = if up { "down" } else { "up" };
            return Err(Refusal::new(format!("all nodes of zone {zone:?} are {state} already")));
        }
        Ok(concerned)
    }

    fn check_node(&self, node: usize) -> Done {
        let last = self.world.node_count() - 1;
        if node <= last {
            return Ok(());
        }
        let why = format!("there is no node {node}: they are numbered from 0 to {last}");
        Err(Refusal::new(why))
    }

    fn check_up(&self, node: usize) -> Done {
        self.check_node(node)?;
        match self.world.node(node) {
            Some(_) => Ok(()),
            None => Err(Refusal::new(format!("node {node} is down"))),
        }
    }

    fn check_down(&self, node: usize) -> Done {
        self.check_node(node)?;
        match self.world.node(node) {
            None => Ok(()),
            Some(_) => Err(Refusal::new(format!("node {node} is up"))),
        }
    }
}
