//! Steps of a plan, in words.

use std::fmt;

use quorate_core::message::QuorumChoice;
use quorate_core::time::Instant;

use super::plan::{Act, Kind, Loses, Plan, Shown, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instant(us) = self.at;
        write!(f, "{:>5}  {:>4}.{:06}  {}", self.number, us / 1_000_000, us % 1_000_000, self.act)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Call { client, key, kind, quorum, ttl } => {
                let QuorumChoice { r, w } = quorum;
                let key = Plan::key(*key);
                match kind {
                    Kind::Get => write!(f, "c{client} gets {key:?} (R={r})"),
                    Kind::Session(shown) => write!(f, "c{client} gets {key:?} {shown}"),
                    Kind::Put(shown) => {
                        write!(f, "c{client} puts {key:?} {shown} (W={w})")?;
                        ttl.map_or(Ok(()), |ttl| write!(f, " for {ttl:?}"))
                    }
                    Kind::Delete(shown) => {
                        write!(f, "c{client} deletes {key:?} {shown} (R={r} W={w})")
                    }
                }
            }
            Act::Burst { node, key, puts } => {
                write!(f, "{puts} puts without names of {:?} at n{node}", Plan::key(*key))
            }
            Act::Layout { node, weights } => {
                let weights = weights.iter().map(|weight| match weight {
                    Some(weight) => weight.to_string(),
                    None => "-".to_owned(),
                });
                let weights: Vec<String> = weights.collect();
                write!(f, "n{node} is asked for a layout with the weights {}", weights.join(" "))
            }
            Act::Lose { node } => write!(f, "n{node} is lost for good, and its disk"),
            Act::Cancel { client } => write!(f, "c{client} takes its last call back"),
            Act::Crash { node, effects, kept, stops, loses, lasts } => {
                write!(f, "n{node} {}", if *stops { "stops" } else { "crashes" })?;
                if let Some(effects) = effects {
                    write!(f, " after {effects} more effects")?;
                }
                write!(f, " for {lasts:?}, {kept} per mille of the unsynced tail stay")?;
                match loses {
                    Loses::Nothing => Ok(()),
                    Loses::Everything => write!(f, ", its disk is emptied"),
                    Loses::SinceSnapshot => write!(f, ", its disk is an older snapshot"),
                }
            }
            Act::Snapshot { node } => write!(f, "n{node}: a snapshot of the disk is taken"),
            Act::Rot { node, key, lasts } => {
                let key = Plan::key(*key);
                write!(f, "n{node}: {key:?} rots; it starts again after {lasts:?}")
            }
            Act::Pause { node, lasts } => write!(f, "n{node} stands still for {lasts:?}"),
            Act::Clock { node, jump_ms, ppm } => {
                write!(f, "n{node}: the wall clock jumps by {jump_ms} ms and drifts by {ppm} ppm")
            }
            Act::Disk { node, temper, lasts } => {
                write!(f, "n{node}: the disk for {lasts:?}: {temper:?}")
            }
            Act::Partition { links, known, lasts, flaps } => {
                write!(f, "cut for {lasts:?}, {flaps} flaps, known: {known}:")?;
                links.iter().try_for_each(|(from, to)| write!(f, " {from}->{to}"))
            }
            Act::Clog { from, to, lasts } => write!(f, "{from}->{to} is clogged for {lasts:?}"),
            Act::HangUp { a, b } => write!(f, "{a}-{b}: the connections break"),
            Act::KillClient { client, effects } => {
                write!(f, "c{client} vanishes after {effects} more effects")
            }
            Act::Freeze { client, lasts } => write!(f, "c{client} stands still for {lasts:?}"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Nothing => f.write_str("blindly"),
            Shown::Newest => f.write_str("with the newest context"),
            Shown::Own => f.write_str("with its own last context"),
            Shown::Older(back) => write!(f, "with the context {back} before the newest"),
        }
    }
}
