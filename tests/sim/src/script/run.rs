//! A script that is carried out, and written on.

use std::collections::VecDeque;

use quorate_core::message::CallId;
use quorate_core::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

use super::action::{Action, PlannedMember, Refusal, Timed};
use super::options::RunOptions;
use super::plan::PlanView;
use crate::invariants::Violation;
use crate::sight::{Happening, Location, Milliseconds, Sight, View};
use crate::world::World;

/// Virtual time that may pass at once: all that happens meanwhile is kept.
const ADVANCE_MAX: Duration = Duration::from_secs(600);

/// Everything that a run follows from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// What the world is made of.
    #[serde(default)]
    pub options: RunOptions,
    /// What is done to it, in the order of the times.
    #[serde(default)]
    pub actions: Vec<Timed>,
}

/// A world at work, its clients, and all that was done to it.
pub struct Run {
    pub(super) world: World,
    pub(super) clients: usize,
    /// The calls that were made, by their numbers, which count from 1.
    pub(super) calls: Vec<Call>,
    options: RunOptions,
    done: Vec<Timed>,
    /// What the script says and whose time has yet to come.
    to_come: VecDeque<Timed>,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) client: usize,
    pub(super) id: CallId,
    pub(super) key: String,
}

impl Run {
    /// A world at time 0, whose nodes have just begun to look for each other.
    ///
    /// # Errors
    /// A script that cannot work, with a sentence about what is wrong.
    pub fn new(script: Script) -> Result<Run, Refusal> {
        let Script { options, actions } = script;
        let (config, clients) = options.check().map_err(Refusal::new)?;
        if let Some(place) = actions.windows(2).position(|pair| pair[0].at > pair[1].at) {
            let (number, at) = (place + 2, actions[place + 1].at.get());
            let why = format!("action {number}, at {at} ms, stands behind a later one");
            return Err(Refusal::new(why));
        }
        let mut world = World::begin(config);
        world.watch(Sight::new());
        for _ in 0..clients {
            world.add_client();
        }
        let (calls, done) = (Vec::new(), Vec::new());
        Ok(Run { world, clients, calls, options, done, to_come: actions.into() })
    }

    /// Does something now, and notes it in the script; answers the number of the call that it makes,
    /// if it makes one.
    ///
    /// # Errors
    /// What cannot be done; nothing has changed then.
    pub fn act(&mut self, action: Action) -> Result<Option<u64>, Refusal> {
        let call = self.carry_out(&action)?;
        let now = self.world.now();
        // What is due at once comes before the next action, however much time passes until that one:
        // so a replay, which does not know how time was cut in pieces, is the same run.
        self.world.run_until(now);
        self.done.push(Timed { at: Milliseconds(now), action });
        Ok(call)
    }

    /// Lets time pass, and does what the script says when its time comes.
    ///
    /// # Errors
    /// An action that cannot be done: time stands at it, and it is left out. Too much time: nothing
    /// has changed.
    pub fn advance(&mut self, time: Duration) -> Result<(), Refusal> {
        if time > ADVANCE_MAX {
            let why = format!("no more than {} ms can pass at once", ADVANCE_MAX.as_millis());
            return Err(Refusal::new(why));
        }
        let until = self.world.now() + time;
        let is_due = |next: &&Timed| next.at <= Milliseconds(until);
        while let Some(next) = self.to_come.front().filter(is_due).cloned() {
            self.to_come.pop_front();
            self.world.run_until(next.at.0);
            let (number, at) = (self.done.len() + 1, next.at.get());
            self.act(next.action)
                .map_err(|why| Refusal::new(format!("action {number}, at {at} ms: {why}")))?;
        }
        self.world.run_until(until);
        Ok(())
    }

    /// What happened since this was asked last.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        self.world.take_happenings()
    }

    /// The first promise that was broken.
    pub fn violation(&self) -> Option<&Violation> {
        self.world.violation()
    }

    /// The time since the beginning.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// All there is to be seen.
    pub fn view(&self) -> View {
        View::of(&self.world)
    }

    /// Where a key lives.
    pub fn locate(&self, key: &str) -> Location {
        Location::of(&self.world, key)
    }

    /// What a layout of these members would move.
    ///
    /// # Errors
    /// Why there can be no such layout.
    pub fn plan(&self, members: &[PlannedMember]) -> Result<PlanView, Refusal> {
        let planned = self.members(members)?;
        PlanView::of(&self.world.newest_layout().layout, planned)
    }

    /// The options, what was done so far, and what is to come.
    pub fn script(&self) -> Script {
        let actions = self.done.iter().chain(&self.to_come).cloned().collect();
        Script { options: self.options.clone(), actions }
    }

    /// The hash of everything that happened: equal for equal runs, on every platform.
    pub fn trace(&self) -> u64 {
        self.world.trace_hash()
    }
}
