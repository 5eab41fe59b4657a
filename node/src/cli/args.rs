//! Arguments that several commands share.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::future::Future;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use clap::Args;
use quorate_core::limits::{TTL_MAX, ZONE_BYTES_MAX};

use super::failure::{Failure, Kind};
use crate::client::{Client, ClientOptions};

/// Where a cluster is.
#[derive(Debug, Args)]
pub(super) struct ReachArgs {
    /// Address of a node, such as ws://127.0.0.1:7101; repeat it for more. One that answers is
    /// enough.
    #[arg(
        long = "seed",
        value_name = "URL",
        env = "QUORATE_SEEDS",
        value_delimiter = ',',
        default_value = "ws://127.0.0.1:7101"
    )]
    seeds: Vec<String>,
    /// The cluster's secret, where it has one.
    #[arg(long, env = "QUORATE_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

impl ReachArgs {
    /// A cluster without a secret.
    pub(super) fn to(seeds: Vec<String>) -> ReachArgs {
        ReachArgs { seeds, secret: None }
    }

    /// How its nodes are asked; `patience` is for one answer.
    pub(super) fn ask_options(self, patience: Duration) -> AskOptions {
        let credentials = Bytes::from(self.secret.unwrap_or_default());
        AskOptions { seeds: self.seeds, patience, credentials }
    }
}

/// How a cluster is reached.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// Time for a whole operation, retries included.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,
    /// Answers that end a read [default: as the cluster is configured].
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    r: u8,
    /// Acknowledgements that end a write [default: as the cluster is configured].
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    w: u8,
    /// Only the key's own replicas count: no other node may stand in for one that is down.
    #[arg(long, conflicts_with = "sloppy")]
    strict: bool,
    /// Other nodes may stand in for replicas that are down [default: as the cluster is configured].
    #[arg(long)]
    sloppy: bool,
    /// The zone that this machine is in, as nodes name theirs: replicas there are asked first.
    #[arg(long, value_name = "NAME", env = "QUORATE_ZONE", value_parser = zone)]
    zone: Option<String>,
    /// Count replicas of --zone alone: the others follow in the background, and may be down.
    #[arg(long, requires = "zone")]
    local: bool,
}

impl ClientArgs {
    /// Addresses of nodes.
    pub(super) fn seeds(&self) -> &[String] {
        &self.reach.seeds
    }

    /// Connects and runs `task`, on a runtime of its own.
    pub(super) fn run<T, F>(self, task: impl FnOnce(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let ClientArgs { reach, timeout, r, w, strict, sloppy, zone, local } = self;
        let ReachArgs { seeds, secret } = reach;
        let strict = (strict || sloppy).then_some(strict);
        let options = ClientOptions { timeout, r, w, strict, secret, ..ClientOptions::to(seeds) };
        let counted_in = zone.clone().filter(|_| local);
        let options = ClientOptions { zone, local, ..options };
        block_on(async {
            let client = Client::connect(options).await?;
            if let Some(zone) = counted_in {
                check_zone(&client, &zone).await?;
            }
            task(client).await
        })
    }
}

/// Counting in a zone that has no replica of a key is counting in all of them: where that is so for
/// each key, its name is wrong.
async fn check_zone(client: &Client, zone: &str) -> Result<(), Failure> {
    let Some(update) = client.snapshot().await?.layout else { return Ok(()) };
    let zones = update.layout.members().iter().map(|member| &*member.zone);
    let zones: BTreeSet<&str> = zones.collect();
    if zones.contains(zone) {
        return Ok(());
    }
    let named = zones.iter().filter(|zone| !zone.is_empty()).map(|zone| format!("{zone:?}"));
    let named: Vec<String> = named.collect();
    let there_are = match &named[..] {
        [] => "nodes name none: leave out --local".to_owned(),
        _ => format!("there are {}", named.join(", ")),
    };
    Err(Failure::new(Kind::Usage, format_args!("no node is in zone {zone:?}; {there_are}")))
}

/// How nodes are asked one by one, without regard to the ring.
#[derive(Clone, Debug)]
pub(super) struct AskOptions {
    /// Addresses to begin with.
    pub(super) seeds: Vec<String>,
    /// Time for one answer.
    pub(super) patience: Duration,
    /// What must be shown.
    pub(super) credentials: Bytes,
}

impl From<ClientArgs> for AskOptions {
    fn from(arguments: ClientArgs) -> AskOptions {
        arguments.reach.ask_options(arguments.timeout)
    }
}

/// Runs a future to its end on this thread.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::failed)?.block_on(future)
}

/// The name of a zone.
fn zone(text: &str) -> Result<String, String> {
    if (1..=ZONE_BYTES_MAX).contains(&text.len()) {
        return Ok(text.into());
    }
    Err(format!("write the name of a zone, of 1 to {ZONE_BYTES_MAX} bytes, or leave it out"))
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, such as 2.5")?;
    let positive = seconds > 0.0;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    positive.then_some(duration).ok_or_else(|| "write more than 0 seconds".into())
}

/// A time with its unit, more than zero; a number alone is seconds.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let positive = time(text).map(|time| Some(time).filter(|time| !time.is_zero()));
    positive?.ok_or_else(|| "write more than zero".into())
}

/// A time with its unit, zero or more; a number alone is seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err("the unit is one of ms, s, m, h and d".into()),
    };
    let number: f64 = digits.parse().map_err(|_| "write a time such as 30s, 1.5h or 7d")?;
    let duration = Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())?;
    if duration > TTL_MAX {
        return Err("100 years of 365 days are the most".into());
    }
    Ok(duration)
}

/// The bytes of an argument, whatever they are.
pub(super) fn bytes(argument: OsString) -> Bytes {
    Bytes::from(argument.into_vec())
}

/// A context as it is printed.
pub(super) fn to_token(context: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(context)
}

/// A context as it was printed.
pub(super) fn from_token(token: &str) -> Result<Bytes, Failure> {
    let wrong = |_| {
        let text = "the context is no base64url: use what an earlier get, put or delete printed";
        Failure::new(Kind::Usage, text)
    };
    URL_SAFE_NO_PAD.decode(token.trim()).map(Bytes::from).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ClientArgs, Duration, TTL_MAX, ZONE_BYTES_MAX, span};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        client: ClientArgs,
    }

    #[test]
    fn what_is_counted_in_a_zone_names_it() {
        let parse = |arguments: &[&str]| Line::try_parse_from([&["quorate"], arguments].concat());
        let line = parse(&["--local", "--zone", "eu"]).expect("they belong together");
        assert_eq!((line.client.zone.as_deref(), line.client.local), (Some("eu"), true));
        let line = parse(&["--zone", "eu"]).expect("a preference");
        assert!(!line.client.local);
        let long = "z".repeat(ZONE_BYTES_MAX + 1);
        for (arguments, said) in [
            (&["--local"][..], "--zone <NAME>"),
            (&["--zone", ""], "the name of a zone"),
            (&["--zone", &long], "1 to 1024 bytes"),
        ] {
            let error = parse(arguments).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_time_has_a_unit_and_is_neither_zero_nor_endless() {
        for (text, expected) in [
            ("30", Some(Duration::from_secs(30))),
            ("30s", Some(Duration::from_secs(30))),
            ("250ms", Some(Duration::from_millis(250))),
            ("1.5m", Some(Duration::from_secs(90))),
            ("2h", Some(Duration::from_secs(7_200))),
            ("36500d", Some(TTL_MAX)),
            ("36501d", None),
            ("0s", None),
            ("-1s", None),
            ("inf", None),
            ("1e300d", None),
            ("nan", None),
            ("s", None),
            ("5 s", None),
            ("5w", None),
            ("", None),
        ] {
            assert_eq!(span(text).ok(), expected, "{text:?}");
        }
    }
}
