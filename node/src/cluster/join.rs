//! Learns from seeds which cluster a node joins.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::message::{RejectCode, Welcome};
use tokio::time::{Instant, sleep_until};

use super::{Door, KnockError, NO_LAYOUT_WANTED};
use crate::storage::Settings;

/// How long a seed may take to answer.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A restart does not wait for longer than this for seeds that say nothing.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Time to the second round of asking all seeds; it doubles with each round.
const ROUND_FIRST: Duration = Duration::from_millis(100);

/// Time between two rounds at the most.
const ROUND_MAX: Duration = Duration::from_secs(1);

/// Time between two lines in the log.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Why waiting for the seeds is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// Seeds answered, and none of them lets this node in.
    Refused {
        /// The first of them.
        seed: String,
        /// What it says.
        text: String,
    },
    /// Two seeds belong to different clusters.
    Divided {
        /// One seed and its cluster.
        one: (String, ClusterId),
        /// The other.
        other: (String, ClusterId),
    },
    /// A seed belongs to a cluster, so none is to be founded beside it.
    Exists {
        /// The seed.
        seed: String,
        /// Its cluster.
        cluster: ClusterId,
    },
    /// The seeds belong to another cluster than the data directory.
    Foreign {
        /// A seed.
        seed: String,
        /// What it says.
        text: String,
    },
    /// A member with the label and the address of this node may be alive.
    Lives {
        /// Who says so.
        seed: String,
        /// The member.
        id: NodeId,
        /// Its label.
        label: String,
        /// Its address.
        address: String,
    },
    /// Several members have the label and the address of this node.
    Ambiguous {
        /// Who says so.
        seed: String,
        /// Their label.
        label: String,
        /// Their address.
        address: String,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Refused { seed, text } => {
                write!(f, "the seed {seed} does not let this node in: {text}")
            }
            JoinError::Divided { one, other } => write!(
                f,
                "the seeds belong to different clusters: {} to {}, {} to {}; leave out one",
                one.0, one.1, other.0, other.1
            ),
            JoinError::Exists { seed, cluster } => write!(
                f,
                "the seed {seed} belongs to cluster {cluster} already: leave out --found to join \
                 it, or leave out --seed to found another cluster"
            ),
            JoinError::Foreign { seed, text } => write!(
                f,
                "the data directory belongs to another cluster than the seed {seed}: {text}; give \
                 a seed of its own cluster, or a new --data directory to join the seed's"
            ),
            JoinError::Lives { seed, id, label, address } => write!(
                f,
                "node {id} is called {label} and reached at {address}, as this one would be, and \
                 is not down for the seed {seed}: stop it first, or give this one another --label"
            ),
            JoinError::Ambiguous { seed, label, address } => write!(
                f,
                "for the seed {seed} several members are called {label} and reached at {address}: \
                 give this one another --label"
            ),
        }
    }
}

impl std::error::Error for JoinError {}

/// Asks the seeds until one answers, and returns its cluster and what holds there.
///
/// # Errors
/// What waiting does not cure.
pub async fn join(
    seeds: &[String],
    credentials: &Bytes,
) -> Result<(ClusterId, Settings), JoinError> {
    let (mut round, mut next_line) = (ROUND_FIRST, Instant::now());
    loop {
        let next = Instant::now() + round;
        let answers = ask_all(seeds, credentials, None, KNOCK_TIMEOUT).await;
        if let Some(welcome) = judge(&answers)? {
            return Ok((welcome.cluster, settings(welcome)));
        }
        if next_line <= Instant::now() {
            tracing::warn!("waiting for a seed to answer: {}", reasons(&answers).join("; "));
            next_line = Instant::now() + LINE_INTERVAL;
        }
        sleep_until(next).await;
        round = ROUND_MAX.min(2 * round);
    }
}

/// Why each seed gives no answer, each with its address.
fn reasons(answers: &[Answer]) -> Vec<String> {
    let silent = answers.iter().filter_map(|(seed, answer)| Some((seed, answer.as_ref().err()?)));
    let reasons = silent.map(|(seed, error)| match error.to_string() {
        reason if reason.contains(seed) => reason,
        reason => format!("{seed}: {reason}"),
    });
    reasons.collect()
}

/// Checks that the seeds that answer belong to `cluster`. Seeds that say nothing are no error: a
/// node that knows its cluster starts without them.
///
/// # Errors
/// `Foreign` or `Refused` where no seed lets this node in, and one says why.
pub async fn same_cluster(
    seeds: &[String],
    credentials: &Bytes,
    cluster: ClusterId,
) -> Result<(), JoinError> {
    let answers = ask_all(seeds, credentials, Some(cluster), CHECK_TIMEOUT).await;
    match judge(&answers) {
        Ok(_) | Err(JoinError::Divided { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Checks that none of the seeds belongs to a cluster, before one is founded.
///
/// # Errors
/// `Exists`, or `Refused` by a seed that is there and does not say whose it is.
pub async fn nobody_there(seeds: &[String], credentials: &Bytes) -> Result<(), JoinError> {
    let answers = ask_all(seeds, credentials, None, CHECK_TIMEOUT).await;
    for (seed, answer) in answers {
        match answer {
            Ok(welcome) => return Err(JoinError::Exists { seed, cluster: welcome.cluster }),
            // Whoever refuses is somebody.
            Err(KnockError::Rejected(reject)) => {
                return Err(JoinError::Refused { seed, text: reject.text });
            }
            Err(KnockError::Unreachable(_)) => {}
        }
    }
    Ok(())
}

type Answer = (String, Result<Welcome, KnockError>);

async fn ask_all(
    seeds: &[String],
    credentials: &Bytes,
    cluster: Option<ClusterId>,
    patience: Duration,
) -> Vec<Answer> {
    let asked = seeds.iter().map(async |seed| {
        let door =
            Door::knock(seed, credentials.clone(), cluster, patience, NO_LAYOUT_WANTED).await;
        (seed.clone(), door.map(|door| door.welcome))
    });
    join_all(asked).await
}

/// The first welcome, where the seeds agree; `None` where waiting may help.
fn judge(answers: &[Answer]) -> Result<Option<&Welcome>, JoinError> {
    let mut welcomes =
        answers.iter().filter_map(|(seed, answer)| Some((seed, answer.as_ref().ok()?)));
    if let Some((first, welcome)) = welcomes.next() {
        let other = welcomes.find(|(_, other)| other.cluster != welcome.cluster);
        return other.map_or(Ok(Some(welcome)), |(seed, other)| {
            let one = (first.clone(), welcome.cluster);
            Err(JoinError::Divided { one, other: (seed.clone(), other.cluster) })
        });
    }
    for (seed, answer) in answers {
        let Err(KnockError::Rejected(reject)) = answer else { continue };
        let (seed, text) = (seed.clone(), reject.text.clone());
        match reject.code {
            RejectCode::Cluster => return Err(JoinError::Foreign { seed, text }),
            RejectCode::Version | RejectCode::Credentials | RejectCode::Malformed => {
                return Err(JoinError::Refused { seed, text });
            }
            // There may be room again.
            RejectCode::Identity | RejectCode::Full => {}
        }
    }
    Ok(None)
}

/// What a node that joins remembers of its cluster.
fn settings(welcome: &Welcome) -> Settings {
    let defaults = welcome.defaults;
    Settings {
        r: defaults.r,
        w: defaults.w,
        strict: defaults.strict,
        allow_weak: defaults.allow_weak,
        replication: None,
        slots: None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::Incarnation;
    use quorate_core::message::{Defaults, Reject};

    use super::*;

    fn welcome(cluster: u64) -> Result<Welcome, KnockError> {
        Ok(Welcome {
            version: 1,
            cluster: ClusterId(cluster),
            node: NodeId(1),
            label: "a".into(),
            incarnation: Incarnation(1),
            defaults: Defaults {
                r: 2,
                w: 2,
                allow_weak: false,
                key_bytes_max: 1,
                value_bytes_max: 1,
                calls_max: 1,
                strict: true,
            },
            layout: None,
            down: Vec::new(),
        })
    }

    fn rejected(code: RejectCode) -> Result<Welcome, KnockError> {
        Err(KnockError::Rejected(Reject { code, text: "no".into() }))
    }

    fn silent() -> Result<Welcome, KnockError> {
        Err(KnockError::Unreachable("nobody".into()))
    }

    fn judged(answers: impl IntoIterator<Item = Result<Welcome, KnockError>>) -> &'static str {
        let answers = answers.into_iter().map(|answer| ("ws://a:1".to_owned(), answer));
        match judge(&answers.collect::<Vec<_>>()) {
            Ok(Some(_)) => "joins",
            Ok(None) => "waits",
            Err(JoinError::Refused { .. }) => "refused",
            Err(JoinError::Divided { .. }) => "divided",
            Err(JoinError::Foreign { .. } | JoinError::Exists { .. }) => "foreign",
            Err(JoinError::Lives { .. } | JoinError::Ambiguous { .. }) => "taken",
        }
    }

    #[test]
    fn one_seed_that_answers_is_enough() {
        assert_eq!(judged([silent(), welcome(1)]), "joins");
        assert_eq!(judged([rejected(RejectCode::Credentials), welcome(1)]), "joins");
        assert_eq!(judged([silent(), rejected(RejectCode::Full)]), "waits");
    }

    #[test]
    fn what_waiting_does_not_cure_is_an_error() {
        assert_eq!(judged([silent(), rejected(RejectCode::Credentials)]), "refused");
        assert_eq!(judged([rejected(RejectCode::Cluster)]), "foreign");
        assert_eq!(judged([welcome(1), silent(), welcome(2)]), "divided");
    }

    #[test]
    fn what_holds_in_the_cluster_is_remembered() {
        let settings = settings(&welcome(1).unwrap());
        assert_eq!((settings.r, settings.w, settings.strict), (2, 2, true));
        assert_eq!((settings.replication, settings.slots), (None, None));
    }
}
