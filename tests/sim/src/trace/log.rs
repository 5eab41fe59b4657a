//! A log for people: one line for each observation that passes a filter.
//!
//! ```text
//!    2.000000  c0          put      k        c0/1 "milk" blind
//!    2.000000  c0   -> n2  PUT      k        c0/1 "milk" blind
//!    2.000710  n2   <- c0  PUT      k        c0/1 "milk" blind
//!        time  place   other  kind  key      what matters (see `words`)
//! ```
//!
//! `->` is a frame that is sent, `<-` one that arrives, `-x` one that goes no further; why stands
//! in brackets at the end. What a machine says to another is in capitals.

use std::collections::VecDeque;

use quorate_core::ids::{Incarnation, Key, NodeId};
use quorate_core::machine::{Event, StoreOp, StoreOutcome};
use quorate_core::time::Instant;

use super::lines::{at, at_client, frame, line, time};
use super::ties::Ties;
use super::words::{self, Lives, Words};
use crate::detail::Detail;
use crate::network::Place;
use crate::observation::{
    Applied, CallerGone, CallerThawed, Cancelled, Closed, Crashed, Delivered, Destroyed, Handed,
    Observation, Removed, Replaced, Resumed, Sent, Started, Stepped, Stopped, Synced, Told,
};

/// Which lines are of interest; an empty filter lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only what concerns this node.
    pub node: Option<usize>,
    /// Only what concerns this key. What befalls a whole node or client concerns every key.
    pub key: Option<Key>,
    /// Only what concerns this call: the client and the number of its call.
    pub call: Option<(usize, u64)>,
    /// Keep only so many of the last lines; zero: all.
    pub last: usize,
}

/// The lines so far.
pub(crate) struct Log {
    filter: LogFilter,
    lines: VecDeque<String>,
    ties: Ties,
    lives: Lives,
    /// Whether the last line tells that a frame was sent, and nothing happened since.
    just_sent: bool,
    /// Whether anything that happened has passed the filter.
    has_passed: bool,
}

impl Log {
    pub(crate) fn new(filter: LogFilter) -> Log {
        let ties = Ties::new(filter.call);
        Log {
            filter,
            lines: VecDeque::new(),
            ties,
            lives: Lives::new(),
            just_sent: false,
            has_passed: false,
        }
    }

    /// Tells which life of a node its data call so.
    pub(crate) fn name_life(&mut self, node: NodeId, incarnation: Incarnation, life: u64) {
        self.lives.insert((node, incarnation), life);
    }

    /// Writes the line of an observation, if it has one that passes the filter.
    pub(crate) fn observe(&mut self, now: Instant, seen: &Observation<'_>) {
        self.ties.learn(seen);
        self.just_sent = false;
        if self.ties.follow(seen) && has_node(&self.filter, places(seen)) {
            let mut words = Words { text: String::new(), lives: &self.lives };
            if let Some(columns) = line(&self.ties, &mut words, seen)
                && (has_key(&self.filter, columns.key) || concerns_all_keys(seen))
            {
                let line = columns.line(now, &words.text);
                self.keep(line);
                self.has_passed = true;
                self.just_sent = matches!(seen, Observation::Sent(_));
            }
        }
    }

    /// The same for what happens beside.
    pub(crate) fn detail(&mut self, now: Instant, seen: &Detail<'_>) {
        let just_sent = std::mem::take(&mut self.just_sent);
        let mut words = Words { text: String::new(), lives: &self.lives };
        let ties = &mut self.ties;
        let (follows, places, columns) = match *seen {
            Detail::Stopped { from, to, message, by } => {
                let follows = ties.follows_frame(from, to, message);
                let mut columns = frame(ties, &mut words, (from, to), message);
                columns.arrow = "-x";
                words.add(format_args!("({})", words::obstacle(by)));
                (follows, [Some(from.place()), Some(to.place())], columns)
            }
            Detail::Learned { node, ticket } => return ties.learned(node, ticket),
            Detail::Answered { node, ticket, op, outcome } => {
                let kind = match outcome {
                    StoreOutcome::Read { record } => {
                        match record {
                            Some(record) => words.record(record),
                            None => words.add("nothing"),
                        }
                        "read"
                    }
                    StoreOutcome::Refused(refusal) => {
                        words.refusal(refusal);
                        "apply"
                    }
                    StoreOutcome::Failed(error) => {
                        words.add(format_args!("failed: {}", words::store_error(*error)));
                        "storage"
                    }
                    StoreOutcome::HintsFound { hints, more } => {
                        let more = if *more { " and more" } else { "" };
                        words.add(format_args!("{}{more}", hints.len()));
                        "hints"
                    }
                    StoreOutcome::HintRemoved { bytes: None } => {
                        words.add("stays");
                        "hint"
                    }
                    StoreOutcome::StatesScanned { .. }
                    | StoreOutcome::RecordsScanned { .. }
                    | StoreOutcome::Confirmed(_)
                    | StoreOutcome::Removed { .. }
                    | StoreOutcome::HintRemoved { bytes: Some(_) }
                    | StoreOutcome::HintsCounted(_)
                    | StoreOutcome::Applied { .. }
                    | StoreOutcome::Durable => return,
                };
                let key = match op {
                    StoreOp::Apply { key, .. }
                    | StoreOp::Read { key, .. }
                    | StoreOp::RemoveHint { key, .. }
                    | StoreOp::Remove { key, .. } => Some(key),
                    StoreOp::FindHints { .. }
                    | StoreOp::CountHints
                    | StoreOp::ScanStates { .. }
                    | StoreOp::ScanRecords { .. }
                    | StoreOp::Confirm { .. }
                    | StoreOp::SaveStanding { .. }
                    | StoreOp::Remember(_)
                    | StoreOp::SaveLayouts(_) => None,
                };
                let follows = ties.follows_answer(node, ticket);
                (follows, [Some(Place::Node(node)), None], at(node, kind, key))
            }
            Detail::SyncFailed { node, waiting } => {
                words.add(format_args!("failed, {waiting} changes waited"));
                (true, [Some(Place::Node(node)), None], at(node, "sync", None))
            }
            Detail::Paused { node } => {
                (true, [Some(Place::Node(node)), None], at(node, "paused", None))
            }
            Detail::Frozen { client } => {
                let columns = at_client(client, "frozen");
                (ties.follows_client(client), [Some(Place::Client(client)), None], columns)
            }
        };
        let scene = !matches!(seen, Detail::Stopped { .. } | Detail::Answered { .. });
        if follows
            && (has_key(&self.filter, columns.key) || scene)
            && has_node(&self.filter, places)
        {
            let line = columns.line(now, &words.text);
            if just_sent && matches!(seen, Detail::Stopped { .. }) {
                // One line for a frame that does not even leave.
                self.lines.pop_back();
            }
            self.keep(line);
            self.has_passed = true;
        }
    }

    /// A node has handled an input, and all that it wanted done is done.
    pub(crate) fn on_stepped(&mut self) {
        self.ties.on_stepped();
    }

    /// A line of the run itself.
    pub(crate) fn note(&mut self, now: Instant, line: String) {
        self.just_sent = false;
        self.keep(format!("{}  {line}", time(now)));
    }

    /// The lines, and behind them the word that the filter selects nothing, where it does not.
    pub(crate) fn into_lines(mut self) -> Vec<String> {
        let LogFilter { node, key, call, last: _ } = &self.filter;
        let is_narrow = node.is_some() || key.is_some() || call.is_some();
        if let (Some((client, call)), false) = (call, self.ties.has_begun()) {
            self.lines.push_back(format!("no call c{client}/{call} began"));
        } else if is_narrow && !self.has_passed {
            self.lines.push_back("no line passed the filter".to_owned());
        }
        self.lines.into()
    }

    fn keep(&mut self, line: String) {
        if self.filter.last > 0 && self.lines.len() == self.filter.last {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

fn has_node(filter: &LogFilter, places: [Option<Place>; 2]) -> bool {
    filter.node.is_none_or(|node| places.contains(&Some(Place::Node(node))))
}

fn has_key(filter: &LogFilter, key: Option<&Key>) -> bool {
    filter.key.as_ref().is_none_or(|wanted| key == Some(wanted))
}

/// Whether something befalls a whole node or client.
fn concerns_all_keys(seen: &Observation<'_>) -> bool {
    matches!(
        seen,
        Observation::CallerGone(_)
            | Observation::CallerThawed(_)
            | Observation::Crashed(_)
            | Observation::Stopped(_)
            | Observation::Started(_)
            | Observation::Replaced(_)
            | Observation::Resumed(_)
            | Observation::Told(Told { event: Event::StorageFailed(_), .. })
    )
}

fn places(seen: &Observation<'_>) -> [Option<Place>; 2] {
    match *seen {
        Observation::Sent(Sent { from, to, .. })
        | Observation::Delivered(Delivered { from, to, .. }) => {
            [Some(from.place()), Some(to.place())]
        }
        Observation::Closed(Closed { a, b }) => [Some(a.place()), Some(b.place())],
        Observation::Handed(Handed { node, .. })
        | Observation::Applied(Applied { node, .. })
        | Observation::Synced(Synced { node, .. })
        | Observation::Removed(Removed { node, .. })
        | Observation::Crashed(Crashed { node, .. })
        | Observation::Stopped(Stopped { node, .. })
        | Observation::Started(Started { node, .. })
        | Observation::Replaced(Replaced { node, .. })
        | Observation::Resumed(Resumed { node, .. })
        | Observation::Destroyed(Destroyed { node, .. })
        | Observation::Told(Told { node, .. })
        | Observation::Stepped(Stepped { node, .. }) => [Some(Place::Node(node)), None],
        Observation::Cancelled(Cancelled { client, .. })
        | Observation::CallerGone(CallerGone { client })
        | Observation::CallerThawed(CallerThawed { client, .. }) => {
            [Some(Place::Client(client)), None]
        }
        Observation::CallStarted(_) | Observation::CallEnded(_) => [None, None],
    }
}
