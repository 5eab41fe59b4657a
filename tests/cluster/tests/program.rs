//! The command line, as a script sees it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use quorate_cluster::{Cluster, Process, Settings, quorate, run};
use tempfile::TempDir;

const ONE: Settings =
    Settings { nodes: 1, replication: 1, r: 1, w: 1, storage: "fjall", slots: 64, more: &[] };

/// Runs the program to its end, with `stdin` as its input.
fn quorate_with(arguments: &[&str], stdin: &[u8]) -> Result<Output> {
    let mut command = quorate(arguments)?;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn()?;
    let mut input = child.stdin.take().context("stdin is piped")?;
    // A program that refuses its arguments reads nothing.
    let _ = input.write_all(stdin);
    drop(input);
    Ok(child.wait_with_output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[test]
fn values_pass_through_unharmed() -> Result<()> {
    run(async {
        let cluster = Cluster::started(ONE).await?;
        let seed = format!("--seed={}", cluster.address("n1")?);
        let value: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let put = quorate_with(&["put", "bytes", &seed], &value)?;
        assert_eq!(put.status.code(), Some(0), "{}", text(&put.stderr));
        let get = quorate_with(&["get", "bytes", &seed], b"")?;
        assert_eq!(get.status.code(), Some(0));
        assert!(get.stdout == value, "what came out is not what went in");
        let empty = quorate_with(&["put", "empty", "", &seed], b"")?;
        assert_eq!(empty.status.code(), Some(0));
        let get = quorate_with(&["get", "empty", &seed], b"")?;
        assert_eq!((get.status.code(), get.stdout.len()), (Some(0), 0));
        Ok(())
    })
}

#[test]
fn a_local_call_is_counted_in_its_zone() -> Result<()> {
    run(async {
        let more = &["--zone", "eu"];
        let settings = Settings { nodes: 3, replication: 3, r: 2, w: 2, more, ..ONE };
        let cluster = Cluster::started(settings).await?;
        let seed = format!("--seed={}", cluster.address("n1")?);
        let local = ["-o", "json", "--local", "--zone", "eu", &seed];
        let put = quorate_with(&[&["put", "k", "v"], &local[..]].concat(), b"")?;
        assert_eq!(put.status.code(), Some(0), "{}", text(&put.stderr));
        let get = quorate_with(&[&["get", "k", "--all"], &local[..]].concat(), b"")?;
        for output in [&put, &get] {
            let told = text(&output.stdout).replace([' ', '\n'], "");
            assert!(told.contains(r#""zone":"eu""#), "{told}");
        }
        let nowhere = quorate_with(&["get", "k", "--local", "--zone=us", &seed], b"")?;
        assert_eq!(nowhere.status.code(), Some(2));
        let told = text(&nowhere.stderr);
        assert!(told.contains(r#"no node is in zone "us"; there are "eu""#), "{told}");
        let refused = quorate_with(&["get", "k", "--local", &seed], b"")?;
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("--zone <NAME>"), "{}", text(&refused.stderr));
        Ok(())
    })
}

#[test]
fn exit_codes_tell_absent_from_conflict() -> Result<()> {
    run(async {
        let cluster = Cluster::started(ONE).await?;
        let seed = format!("--seed={}", cluster.address("n1")?);
        let code = |arguments: &[&str]| -> Result<(Option<i32>, String)> {
            let output = quorate_with(&[arguments, &[&seed]].concat(), b"")?;
            Ok((output.status.code(), text(&output.stdout)))
        };
        assert_eq!(code(&["get", "k"])?.0, Some(3));
        let (put, context) = code(&["put", "k", "1"])?;
        assert_eq!(put, Some(0));
        assert_eq!(code(&["put", "k", "2"])?.0, Some(0));
        assert_eq!(code(&["get", "k"])?.0, Some(5));
        assert_eq!(code(&["get", "k", "--all"])?, (Some(0), "2\n1".into()));

        let file = cluster.directory.path().join("k.context");
        let file = format!("--context-file={}", file.display());
        assert_eq!(code(&["get", "k", "--all", &file])?.0, Some(0));
        assert_eq!(code(&["put", "k", "3", &file])?.0, Some(0));
        assert_eq!(code(&["get", "k"])?, (Some(0), "3".into()));
        // A context from before the merge adds a sibling; one that is none is refused.
        assert_eq!(code(&["put", "k", "4", "--context", &context])?.0, Some(0));
        assert_eq!(code(&["get", "k"])?.0, Some(5));
        assert_eq!(code(&["put", "k", "5", "--context", "?"])?.0, Some(2));
        assert_eq!(code(&["put", "k", "5", "--context", "AAAA"])?.0, Some(1));
        assert_eq!(code(&["delete", "k"])?.0, Some(0));
        assert_eq!(code(&["get", "k"])?.0, Some(3));
        assert_eq!(quorate_with(&["get"], b"")?.status.code(), Some(2));
        assert_eq!(
            quorate_with(&["get", "k", "--seed=ws://127.0.0.1:1", "--timeout=0.2"], b"")?
                .status
                .code(),
            Some(1)
        );
        Ok(())
    })
}

#[test]
fn json_is_json() -> Result<()> {
    run(async {
        let cluster = Cluster::started(ONE).await?;
        let seed = format!("--seed={}", cluster.address("n1")?);
        let json = |arguments: &[&str]| -> Result<serde_json::Value> {
            let output = quorate_with(&[arguments, &[&seed, "-o", "json"]].concat(), b"")?;
            Ok(serde_json::from_slice(&output.stdout)?)
        };
        assert_eq!(json(&["put", "k", "value"])?["siblings"], 1);
        assert_eq!(json(&["get", "k"])?["values"][0]["base64"], "dmFsdWU=");
        assert!(json(&["get", "k"])?["values"][0]["expires_ms"].is_null());
        assert_eq!(json(&["ring", "k"])?["nodes"][0]["label"], "n1");
        assert_eq!(json(&["ring"])?["slots"], 64);
        let status = json(&["status"])?;
        assert_eq!((&status["up"], &status["nodes"][0]["records"]), (&1.into(), &1.into()));
        assert_eq!(json(&["put", "lease", "value", "--ttl", "7d"])?["siblings"], 1);
        let lease = json(&["get", "lease"])?;
        let moment = |name: &str| lease["values"][0][name].as_u64().unwrap_or_default();
        assert_eq!(moment("expires_ms") - moment("written_ms"), 7 * 86_400_000);
        let bench = json(&["bench", "--seconds=1", "--in-flight=8", "--value-bytes=10"])?;
        assert!(bench["runs"][0]["ops_per_second"].as_f64().is_some_and(|ops| ops > 0.0));
        assert_eq!(bench["runs"][0]["errors"], 0);
        Ok(())
    })
}

/// What `serve` says on stderr where it refuses to start, and its exit code.
fn refusal(arguments: &[String]) -> Result<(Option<i32>, String)> {
    let output = quorate(arguments)?.stdin(Stdio::null()).output()?;
    Ok((output.status.code(), text(&output.stderr)))
}

/// The arguments of `serve` on a free port, with a data directory.
fn serve(data: &Path, more: &[&str]) -> Vec<String> {
    let data = format!("--data={}", data.display());
    let arguments = ["serve", "--listen=127.0.0.1:0", &data];
    arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let directory = TempDir::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let listen = format!("--listen=127.0.0.1:{port}");
    let data = format!("--data={}", directory.path().display());
    let (code, error) = refusal(&["serve", "--found=1", &listen, &data].map(str::to_owned))?;
    assert_eq!(code, Some(1));
    assert!(error.contains(&port) && error.contains("--listen"), "{error}");
    Ok(())
}

#[test]
fn two_processes_do_not_share_a_directory() -> Result<()> {
    run(async {
        let mut cluster = Cluster::new(ONE)?;
        cluster.start("n1")?;
        let (code, error) = refusal(&serve(&cluster.data("n1"), &["--found=1", "--slots=64"]))?;
        assert_eq!(code, Some(1));
        assert!(error.contains("in use") && error.contains("--data"), "{error}");
        cluster.settle().await?;
        let client = cluster.client().await?;
        client.put("key", "value", None).await?;
        Ok(())
    })
}

#[test]
fn a_node_of_no_cluster_is_told_how_to_come_into_one() -> Result<()> {
    let directory = TempDir::new()?;
    let (code, error) = refusal(&serve(directory.path(), &[]))?;
    assert_eq!(code, Some(2));
    assert!(error.contains("--found") && error.contains("--seed"), "{error}");
    Ok(())
}

#[test]
fn an_address_that_nobody_can_reach_is_refused() -> Result<()> {
    let directory = TempDir::new()?;
    let data = format!("--data={}", directory.path().display());
    let everywhere = ["serve", "--listen=0.0.0.0:0", "--found=1", &data].map(str::to_owned);
    let (code, error) = refusal(&everywhere)?;
    assert_eq!(code, Some(2));
    assert!(error.contains("0.0.0.0") && error.contains("--advertise"), "{error}");
    let advertised = [&everywhere[..], &["--advertise=ws://127.0.0.1:7".into()]].concat();
    let node = Process::start(quorate(advertised)?)?;
    assert_eq!(node.announced["address"], "ws://127.0.0.1:7");
    Ok(())
}

#[test]
fn a_node_starts_again_with_the_same_command_line_or_with_less() -> Result<()> {
    run(async {
        let mut cluster = Cluster::new(Settings { nodes: 2, replication: 2, r: 2, ..ONE })?;
        cluster.start("n1")?;
        cluster.start("n2")?;
        cluster.settle().await?;
        let ids = |cluster: &Cluster| -> Result<Vec<serde_json::Value>> {
            let told = ["n1", "n2"].map(|label| cluster.announced(label).cloned());
            told.into_iter().map(|told| Ok(told?["id"].clone())).collect()
        };
        let before = ids(&cluster)?;
        for label in ["n1", "n2"] {
            cluster.terminate(label)?;
        }
        // The founder says the same as before; the other one needs no seed, which is not there yet.
        let alone = serve(&cluster.data("n2"), &[]);
        let second = Process::start(quorate(alone)?)?;
        assert_eq!(second.announced["id"], before[1]);
        second.terminate()?;
        cluster.start("n1")?;
        cluster.start("n2")?;
        assert_eq!(ids(&cluster)?, before);
        cluster.settle().await
    })
}

#[test]
fn a_founder_says_the_same_when_it_starts_again() -> Result<()> {
    let directory = TempDir::new()?;
    let founder = serve(directory.path(), &["--found=2"]);
    Process::start(quorate(&founder)?)?.terminate()?;
    let (code, error) = refusal(&serve(directory.path(), &["--found=2", "--slots=64"]))?;
    assert_eq!(code, Some(2));
    assert!(error.contains("--slots 1024"), "{error}");
    // Without a layout it cannot know how many to wait for.
    let (code, error) = refusal(&serve(directory.path(), &[]))?;
    assert_eq!(code, Some(2));
    assert!(error.contains("--found"), "{error}");
    Process::start(quorate(&founder)?)?.terminate()?;
    Ok(())
}

#[test]
fn a_node_of_one_cluster_does_not_come_into_another() -> Result<()> {
    let mut cluster = Cluster::new(ONE)?;
    cluster.start("n1")?;
    let seed = format!("--seed={}", cluster.address("n1")?);
    let directory = TempDir::new()?;
    let other = Process::start(quorate(serve(directory.path(), &["--found=1"]))?)?;
    let names = [&cluster.announced("n1")?["cluster"], &other.announced["cluster"]];
    let names = names.map(|name| name.as_str().unwrap_or("?").to_owned());
    other.terminate()?;
    for more in [&[seed.as_str()][..], &[seed.as_str(), "--found=1"]] {
        let (code, error) = refusal(&serve(directory.path(), more))?;
        assert_eq!(code, Some(1));
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
    // Nor is a second cluster founded beside a seed that has one.
    let empty = TempDir::new()?;
    let (code, error) = refusal(&serve(empty.path(), &[&seed, "--found=1"]))?;
    assert_eq!(code, Some(1));
    assert!(error.contains(&names[0]) && error.contains("--found"), "{error}");
    // A node that has joined founds nothing.
    Process::start(quorate(serve(empty.path(), &[&seed]))?)?.terminate()?;
    let (code, error) = refusal(&serve(empty.path(), &["--found=1"]))?;
    assert_eq!(code, Some(2));
    assert!(error.contains("leave out --found"), "{error}");
    Ok(())
}

#[test]
fn whoever_does_not_know_the_secret_stays_outside() -> Result<()> {
    let founders = TempDir::new()?;
    let founder = serve(founders.path(), &["--found=2", "--secret=sesame"]);
    let founder = Process::start(quorate(founder)?)?;
    let address = founder.announced["address"].as_str().context("an address")?;
    let seed = format!("--seed={address}");
    let directory = TempDir::new()?;
    for wrong in [&[seed.as_str()][..], &[seed.as_str(), "--secret=guess"]] {
        let (code, error) = refusal(&serve(directory.path(), wrong))?;
        assert_eq!(code, Some(1));
        assert!(error.contains("secret"), "{error}");
    }
    Process::start(quorate(serve(directory.path(), &[&seed, "--secret=sesame"]))?)?;
    Ok(())
}

#[test]
fn a_node_waits_for_its_seed() -> Result<()> {
    let (first, second) = (TempDir::new()?, TempDir::new()?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut waiting = quorate(serve(second.path(), &[&format!("--seed=ws://{address}")]))?;
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut log = BufReader::new(waiting.stderr.take().context("stderr is piped")?);
    // Nobody answers as long as the listener accepts nothing.
    let mut line = String::new();
    log.read_line(&mut line)?;
    assert!(line.contains("waiting for a seed") && line.contains(&address), "{line}");
    drop(listener);
    let data = format!("--data={}", first.path().display());
    let founder = ["serve", "--found=2", &format!("--listen={address}"), &data].map(str::to_owned);
    let founder = Process::start(quorate(founder)?)?;
    let mut ready = String::new();
    let mut stdout = BufReader::new(waiting.stdout.take().context("stdout is piped")?);
    stdout.read_line(&mut ready)?;
    let cluster = founder.announced["cluster"].as_str().context("a cluster")?;
    assert!(ready.contains(cluster), "{ready}");
    waiting.kill()?;
    waiting.wait()?;
    Ok(())
}

#[test]
fn status_and_members_tell_who_is_down() -> Result<()> {
    run(async {
        let settings = Settings {
            nodes: 3,
            replication: 3,
            r: 2,
            w: 2,
            storage: "memory",
            ..Settings::default()
        };
        let mut cluster = Cluster::started(settings).await?;
        let seed = format!("--seed={}", cluster.address("n1")?);
        let watch = ["members", "--watch", "--interval=0.1", "-o", "json", &seed];
        let mut watch = quorate(watch)?.stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(watch.stdout.take().context("stdout is piped")?).lines();
        let mut next = || -> Result<serde_json::Value> {
            Ok(serde_json::from_str(&lines.next().context("the watch ended")??)?)
        };
        for label in ["n1", "n2", "n3"] {
            let first = next()?;
            assert_eq!(first["member"]["label"], label);
        }
        cluster.kill("n3")?;
        let down = loop {
            let change = next()?;
            assert_eq!(change["member"]["label"], "n3", "{change}");
            if change["change"] == "down" {
                break change;
            }
        };
        assert_eq!(down["member"]["witnesses"].as_array().map(Vec::len), Some(2), "{down}");
        let status = cluster.status()?;
        assert_eq!(status["up"], 2);
        assert_eq!(status["members"][2]["state"], "down");
        assert!(
            status["attention"][0].as_str().is_some_and(|it| it.starts_with("node n3 is down"))
        );
        let told = status["attention"].to_string();
        assert!(!told.contains("collected"), "it is away for less than the grace time: {told}");
        let table = quorate_with(&["status", &seed], b"")?;
        assert!(text(&table.stdout).contains("! node n3 is down for"), "{}", text(&table.stdout));
        cluster.start("n3")?;
        while next()?["change"] != "up" {}
        watch.kill()?;
        watch.wait()?;
        Ok(())
    })
}

#[test]
fn dev_runs_a_cluster_that_survives_its_process() -> Result<()> {
    let directory = TempDir::new()?;
    let data = format!("--data={}", directory.path().display());
    let dev = ["dev", "--base-port=0", "--nodes=3", "--storage=fjall", &data];
    let address = |process: &Process| -> Result<String> {
        let address = process.announced["nodes"][1]["address"].as_str().context("an address")?;
        Ok(format!("--seed={address}"))
    };

    let first = Process::start(quorate(dev)?)?;
    let put = quorate_with(&["put", "k", "value", &address(&first)?], b"")?;
    assert_eq!(put.status.code(), Some(0), "{}", text(&put.stderr));
    assert_eq!(first.terminate()?.code(), Some(0));

    let second = Process::start(quorate(dev)?)?;
    let get = quorate_with(&["get", "k", &address(&second)?], b"")?;
    assert_eq!(text(&get.stdout), "value");
    Ok(())
}
