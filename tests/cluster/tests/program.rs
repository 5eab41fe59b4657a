//! The command line, as a script sees it.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use quorate_cluster::{Cluster, Process, Settings, quorate, run};

const ONE: Settings = Settings { nodes: 1, replication: 1, r: 1, w: 1, storage: "fjall" };

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
        assert_eq!(json(&["ring", "k"])?["nodes"][0]["label"], "n1");
        assert_eq!(json(&["ring"])?["slots"], 64);
        let status = json(&["status"])?;
        assert_eq!((&status["up"], &status["nodes"][0]["records"]), (&1.into(), &1.into()));
        let bench = json(&["bench", "--seconds=1", "--in-flight=8", "--value-bytes=10"])?;
        assert!(bench["runs"][0]["ops_per_second"].as_f64().is_some_and(|ops| ops > 0.0));
        assert_eq!(bench["runs"][0]["errors"], 0);
        Ok(())
    })
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let cluster = Cluster::new(ONE)?;
    let address = cluster.address("n1")?;
    let _taken = TcpListener::bind(address.trim_start_matches("ws://"))?;
    let output = quorate(cluster.serve("n1"))?.output()?;
    let (port, error) = (address.rsplit(':').next().context("a port")?, text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(port) && error.contains("--listen"), "{error}");
    Ok(())
}

#[test]
fn two_processes_do_not_share_a_directory() -> Result<()> {
    run(async {
        let mut cluster = Cluster::new(ONE)?;
        cluster.start("n1")?;
        let mut second = cluster.serve("n1");
        second.extend(["--listen".into(), "127.0.0.1:0".into()]);
        let output = quorate(second)?.output()?;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains("in use") && error.contains("--data"), "{error}");
        let client = cluster.client().await?;
        client.put("key", "value", None).await?;
        Ok(())
    })
}

#[test]
fn a_directory_of_another_node_is_refused() -> Result<()> {
    let mut cluster = Cluster::new(Settings { nodes: 2, replication: 2, r: 2, ..ONE })?;
    cluster.start("n1")?;
    cluster.terminate("n1")?;
    let mut other = cluster.serve("n2");
    other.extend(["--data".into(), cluster.data("n1").display().to_string()]);
    // The last one counts.
    let first = other.iter().position(|argument| argument == "--data").context("--data")?;
    other.drain(first..first + 2);
    let output = quorate(other)?.output()?;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let ids: Vec<&str> = cluster.file.members.iter().map(|member| &*member.id).collect();
    assert!(ids.iter().all(|id| error.contains(id)), "{error}");
    Ok(())
}

#[test]
fn a_member_that_is_not_there_is_named() -> Result<()> {
    let cluster = Cluster::new(ONE)?;
    let output = quorate(cluster.serve("n7"))?.output()?;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("n7") && error.contains("n1"), "{error}");
    Ok(())
}

#[test]
fn dev_runs_a_cluster_that_survives_its_process() -> Result<()> {
    let directory = tempfile::TempDir::new()?;
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
