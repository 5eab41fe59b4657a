//! `quorate store`, as an operator sees it.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use quorate_cluster::{Cluster, Settings, quorate, run};
use serde_json::Value;
use tempfile::TempDir;

const ONE: Settings =
    Settings { nodes: 1, replication: 1, r: 1, w: 1, storage: "fjall", slots: 64, more: &[] };

const RECORDS: usize = 50;

/// What `quorate store` says: its exit code, stdout and stderr.
fn store(arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    Ok(text(&quorate([&["store"], arguments].concat())?.stdin(Stdio::null()).output()?))
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(arguments: &[&str]) -> Result<Value> {
    let (code, stdout, stderr) = store(&[arguments, &["-o", "json"]].concat())?;
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    Ok(serde_json::from_str(&stdout)?)
}

/// A path as an argument.
fn at(path: &Path) -> Result<&str> {
    path.to_str().context("a path of this test")
}

/// A cluster of one node with some records, one of them in conflict and one deleted, that has
/// stopped.
async fn stopped() -> Result<Cluster> {
    let mut cluster = Cluster::started(ONE).await?;
    let client = cluster.client().await?;
    for number in 0..RECORDS {
        client.put(format!("key {number}"), format!("value {number}"), None).await?;
    }
    client.put("key 0", "another", None).await?;
    client.delete("key 1", None).await?;
    assert_eq!(cluster.terminate("n1")?.code(), Some(0));
    Ok(cluster)
}

#[test]
fn a_stopped_node_is_looked_into_backed_up_and_restored() -> Result<()> {
    run(async {
        let mut cluster = stopped().await?;
        let data = cluster.data("n1");
        let data = at(&data)?;
        let place = TempDir::new()?;
        let (backup, new) = (place.path().join("n1.backup"), place.path().join("new"));
        let (backup, new) = (at(&backup)?, at(&new)?);

        let (code, told, error) = store(&["inspect", data, "--slots"])?;
        assert_eq!((code, &*error), (Some(0), ""));
        for fact in ["(n1)", "records: 50", "layout: version 1", "saved by a clean stop", "bytes"] {
            assert!(told.contains(fact), "{fact}: {told}");
        }
        let told = json(&["inspect", data, "--slots"])?;
        assert_eq!((&told["label"], &told["records"]), (&"n1".into(), &RECORDS.into()));
        assert_eq!((&told["siblings"], &told["dead"]), (&1.into(), &1.into()));
        assert_eq!((&told["trees_saved"], &told["damaged"]), (&true.into(), &0.into()));
        let slots = told["slots"].as_array().context("slots")?;
        let in_slots: u64 = slots.iter().filter_map(|slot| slot["records"].as_u64()).sum();
        assert_eq!(in_slots, RECORDS as u64);
        assert!(json(&["inspect", data])?["slots"].is_null(), "only where it is asked for");

        let (code, told, error) = store(&["verify", data])?;
        assert_eq!((code, &*told, &*error), (Some(0), "50 records and 0 hints are whole", ""));

        let (code, told, error) = store(&["export", data, backup])?;
        assert_eq!((code, &*error), (Some(0), ""));
        assert!(told.starts_with("50 records and 0 hints are in "), "{told}");
        let (code, _, error) = store(&["export", data, backup])?;
        assert!(code == Some(1) && error.contains("--force"), "{error}");
        assert_eq!(json(&["export", data, backup, "--force"])?["records"], RECORDS);
        let names: Vec<_> =
            fs::read_dir(place.path())?.map(|it| it.map(|it| it.file_name())).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let piped = quorate(["store", "export", data, "-"])?.output()?;
        assert_eq!(piped.status.code(), Some(0));
        assert_eq!(piped.stdout.len(), fs::read(backup)?.len());

        let imported = json(&["import", backup, new])?;
        assert_eq!((&imported["records"], &imported["label"]), (&RECORDS.into(), &"n1".into()));
        let told = json(&["inspect", new])?;
        assert_eq!((&told["records"], &told["siblings"]), (&RECORDS.into(), &1.into()));
        assert!(told["label"].is_null() && told["layout"].is_null(), "{told}");
        let mut again = quorate(["store", "import", "-", new])?;
        let (code, told, error) = text(&again.stdin(fs::File::open(backup)?).output()?);
        assert_eq!((code, &*error), (Some(0), ""));
        assert!(told.ends_with("0 of them told something new"), "{told}");

        // The node noticed none of it.
        cluster.start("n1")?;
        cluster.settle().await?;
        let counters = cluster.status()?["nodes"][0]["counters"].clone();
        assert_eq!((&counters["trees_kept"], &counters["trees_counted"]), (&1.into(), &0.into()));
        Ok(())
    })
}

#[test]
fn an_import_into_a_member_keeps_what_was_written_since() -> Result<()> {
    run(async {
        let mut cluster = stopped().await?;
        let data = cluster.data("n1");
        let backup = cluster.directory.path().join("n1.backup");
        store(&["export", at(&data)?, at(&backup)?])?;
        cluster.start("n1")?;
        cluster.settle().await?;
        let client = cluster.client().await?;
        client.put("key 2", "later", None).await?;
        cluster.terminate("n1")?;
        let (code, _, error) = store(&["import", at(&backup)?, at(&data)?])?;
        assert_eq!(code, Some(0), "{error}");
        cluster.start("n1")?;
        cluster.settle().await?;
        let client = cluster.client().await?;
        for number in 3..RECORDS {
            let entry = client.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [format!("value {number}")]);
        }
        assert_eq!(client.get("key 0").await?.values.len(), 2);
        assert_eq!(client.get("key 2").await?.values.len(), 2, "neither write has seen the other");
        let counters = cluster.status()?["nodes"][0]["counters"].clone();
        assert_eq!(counters["trees_counted"], 1, "the saved trees do not tell what was imported");
        Ok(())
    })
}

#[test]
fn what_a_lost_cluster_held_is_there_again_in_another_one() -> Result<()> {
    run(async {
        let lost = stopped().await?;
        let backup = lost.directory.path().join("n1.backup");
        store(&["export", at(&lost.data("n1"))?, at(&backup)?])?;
        let mut cluster =
            Cluster::started(Settings { nodes: 2, replication: 2, w: 2, ..ONE }).await?;
        for label in ["n1", "n2"] {
            cluster.terminate(label)?;
        }
        for label in ["n1", "n2"] {
            let data = cluster.data(label);
            let (code, _, error) =
                store(&["import", at(&backup)?, at(&data)?, "--into-other-cluster"])?;
            assert_eq!(code, Some(0), "{error}");
        }
        for label in ["n1", "n2"] {
            cluster.start(label)?;
        }
        cluster.settle().await?;
        let client = cluster.client().await?;
        assert_eq!(client.get("key 0").await?.values.len(), 2);
        assert!(client.get("key 1").await?.values.is_empty(), "it was deleted");
        client.put("key 2", "later", Some(&client.get("key 2").await?.context)).await?;
        assert_eq!(client.get("key 2").await?.values, ["later"]);
        for number in 3..RECORDS {
            let entry = client.get(format!("key {number}")).await?;
            assert_eq!(entry.values, [format!("value {number}")]);
        }
        Ok(())
    })
}

#[test]
fn a_directory_in_use_is_refused_by_all_four() -> Result<()> {
    run(async {
        let cluster = Cluster::started(ONE).await?;
        let data = cluster.data("n1");
        let data = at(&data)?;
        let backup = cluster.directory.path().join("n1.backup");
        let backup = at(&backup)?;
        for arguments in [
            &["inspect", data][..],
            &["verify", data],
            &["export", data, backup],
            &["import", backup, data],
        ] {
            let (code, told, error) = store(arguments)?;
            assert_eq!((code, &*told), (Some(1), ""), "{arguments:?}");
            assert!(error.contains("in use") && error.contains("stop its node"), "{error}");
        }
        assert!(!Path::new(backup).exists());
        cluster.client().await?.put("key", "value", None).await?;
        Ok(())
    })
}

#[test]
fn what_is_no_directory_of_a_node_is_told_and_left_alone() -> Result<()> {
    let place = TempDir::new()?;
    let absent = place.path().join("absent");
    let absent = at(&absent)?;
    fs::write(place.path().join("thesis.txt"), "years of work")?;
    let other = at(place.path())?;
    for directory in [absent, other] {
        for arguments in
            [&["inspect", directory][..], &["verify", directory], &["export", directory, "-"]]
        {
            let (code, told, error) = store(arguments)?;
            assert_eq!((code, &*told), (Some(1), ""), "{arguments:?}");
            assert!(error.contains("no data directory of a node"), "{error}");
        }
    }
    let (code, _, error) = store(&["import", at(&place.path().join("thesis.txt"))?, absent])?;
    assert!(code == Some(1) && error.contains("does not begin as a backup"), "{error}");
    let (code, _, error) = store(&["import", absent, absent])?;
    assert!(code == Some(1) && error.contains("cannot be read"), "{error}");
    assert_eq!(fs::read_dir(place.path())?.count(), 1, "nothing was made");
    for arguments in [&[][..], &["inspect"], &["export", other], &["import", other]] {
        assert_eq!(store(arguments)?.0, Some(2), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_backup_that_is_damaged_or_of_another_cluster_is_refused() -> Result<()> {
    run(async {
        let cluster = stopped().await?;
        let data = cluster.data("n1");
        let (backup, new) = (data.with_extension("backup"), data.with_extension("new"));
        let (data, backup, new) = (at(&data)?, at(&backup)?, at(&new)?);
        store(&["export", data, backup])?;
        let whole = fs::read(backup)?;

        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        for (bytes, what) in [(&damaged[..], "damaged"), (&whole[..whole.len() - 1], "cut off")] {
            fs::write(backup, bytes)?;
            let (code, told, error) = store(&["import", backup, new])?;
            assert_eq!((code, &*told), (Some(1), ""));
            assert!(error.contains(what) && error.contains("byte"), "{error}");
            assert!(!Path::new(new).exists(), "nothing is written before all of it was read");
        }
        let mut streamed = quorate(["store", "import", "-", new])?;
        let (code, _, error) = text(&streamed.stdin(fs::File::open(backup)?).output()?);
        assert_eq!(code, Some(4));
        assert!(error.contains("50 records and 0 hints were imported before"), "{error}");

        fs::write(backup, whole)?;
        let other = stopped().await?;
        let other = other.data("n1");
        let other = at(&other)?;
        let (code, _, error) = store(&["import", backup, other])?;
        assert!(code == Some(1) && error.contains("--into-other-cluster"), "{error}");
        assert_eq!(json(&["inspect", other])?["trees_saved"], true, "it was not touched");
        let imported = json(&["import", backup, other, "--into-other-cluster"])?;
        assert_eq!(imported["changed"], RECORDS);
        let told = json(&["inspect", other])?;
        assert_eq!((&told["trees_saved"], &told["siblings"]), (&false.into(), &1.into()));
        Ok(())
    })
}
