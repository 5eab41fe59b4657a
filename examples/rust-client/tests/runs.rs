//! Runs the example as its README says, against a cluster of its own.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use quorate_cluster::{Cluster, Settings, run};

#[test]
fn the_example_shows_a_conflict_and_its_merge() -> Result<()> {
    run(async {
        let cluster = Cluster::started(Settings::default()).await?;
        let label = cluster.labels().into_iter().next().context("a cluster has members")?;
        let mut example = Command::new(env!("CARGO_BIN_EXE_rust-client"));
        let output = example.arg(cluster.address(&label)?).output()?;
        let told = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<&str> = told.lines().collect();
        let [both, merged] = lines[..] else { anyhow::bail!("two lines are wanted: {told}") };
        assert!(both.contains("milk,bread") && both.contains("milk,eggs"), "{both}");
        assert_eq!(merged, "merged: b\"bread,eggs,milk\", siblings: 1");
        Ok(())
    })
}
