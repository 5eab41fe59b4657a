//! `quorate layout`: nodes join, leave and are removed, as an operator sees it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use bytes::Bytes;
use quorate_cluster::{Cluster, Process, Settings, eventually, quorate, run};
use serde_json::{Value, json};

const THREE: Settings =
    Settings { nodes: 3, replication: 2, r: 1, w: 2, storage: "memory", slots: 64, more: &[] };

const KEYS: u64 = 50;

/// What the program ended with and printed.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    /// What it printed first, or each line of it.
    fn json(&self) -> Result<Value> {
        self.lines()?.into_iter().next().with_context(|| self.stderr.clone())
    }

    fn lines(&self) -> Result<Vec<Value>> {
        let values = serde_json::Deserializer::from_str(&self.stdout).into_iter();
        Ok(values.collect::<Result<_, _>>()?)
    }
}

/// `quorate layout` against one node.
struct Operator {
    seed: String,
}

impl Operator {
    fn at(cluster: &Cluster, label: &str) -> Result<Operator> {
        Ok(Operator { seed: format!("--seed={}", cluster.address(label)?) })
    }

    fn run(&self, arguments: &[&str]) -> Result<Told> {
        let all = [&["layout"], arguments, &[&self.seed]].concat();
        let output = quorate(all)?.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Ok(Told {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// What it says where it does as it is told.
    fn text(&self, arguments: &[&str]) -> Result<String> {
        let told = self.run(arguments)?;
        anyhow::ensure!(told.code == Some(0), "{arguments:?}: {told:?}");
        Ok(told.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let told = self.run(&[arguments, &["-o", "json"]].concat())?;
        anyhow::ensure!(told.code == Some(0), "{arguments:?}: {told:?}");
        told.json()
    }

    /// Waits until `layout show` tells what is wanted.
    async fn shows(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(what, || async { self.json(&["show"]).ok().filter(&wanted) }).await
    }
}

/// How `arguments` are refused: the exit code, and a part of the sentence.
fn check_refused(at: &Operator, arguments: &[&str], code: i32, part: &str) -> Result<()> {
    let told = at.run(arguments)?;
    assert_eq!(told.code, Some(code), "{arguments:?}: {told:?}");
    assert!(told.stderr.contains(part), "{arguments:?}: {told:?}");
    Ok(())
}

fn members(shown: &Value) -> BTreeSet<&str> {
    let members = shown["members"].as_array().into_iter().flatten();
    members.filter_map(|member| member["label"].as_str()).collect()
}

fn is_settled(shown: &Value) -> bool {
    shown["progress"]["settled"] == true
}

fn value(number: u64) -> Bytes {
    Bytes::from(format!("value {number}").into_bytes())
}

async fn check_values(cluster: &Cluster) -> Result<()> {
    let client = cluster.client().await?;
    for number in 0..KEYS {
        let entry = client.get(format!("key {number}")).await?;
        assert_eq!(entry.values, [value(number)], "key {number}");
    }
    Ok(())
}

/// Nothing is staged, and nobody new but `n4` is there.
fn check_wrong_uses(at: &Operator) -> Result<()> {
    let wrong: [(&[&str], &str); 9] = [
        (&["join", "n9"], "nobody has heard of n9: choose from n4"),
        (&["join", "n1"], "n1 is a member already"),
        (&["join", "n4", "--weight=0"], "give a weight of 1 or more"),
        (&["join"], "NODE"),
        (&["leave", "n4"], "n4 is no member"),
        (&["remove", "n4"], "n4 is no member"),
        (&["set", "n1"], "say what to set"),
        (&["set", "n1", "--weight=0"], "quorate layout leave"),
        (&["set", "n1", "n2", "--label=x"], "a label is for one node"),
    ];
    for (arguments, part) in wrong {
        check_refused(at, arguments, 2, part)?;
    }
    check_refused(at, &["remove", "n1"], 1, "n1 is up: `quorate layout leave n1`")?;
    check_refused(at, &["plan"], 1, "nothing is staged")?;
    check_refused(at, &["commit"], 1, "nothing is staged")?;
    let nobody = Operator { seed: "--seed=ws://127.0.0.1:1".into() };
    check_refused(&nobody, &["show"], 1, "no node answers")?;
    assert_eq!(at.json(&["show"])?["staged"], json!([]));
    Ok(())
}

/// A newcomer is staged at one node, looked at and taken back at others, and joins.
fn join(cluster: &Cluster) -> Result<()> {
    let [n1, n2, n3] = ["n1", "n2", "n3"].map(|label| Operator::at(cluster, label));
    let (n1, n2, n3) = (n1?, n2?, n3?);
    let staged = n1.json(&["join", "n4"])?["staged"].clone();
    assert_eq!(staged[0]["label"], "n4");
    assert_eq!([&staged[0]["member"], &staged[0]["auto"]], [true, false]);
    let told = n1.text(&["set", "n2", "--zone=east"])?;
    assert!(told.contains("n4 (weight 1) joins"), "{told}");
    assert!(told.contains("n2 (weight 1) becomes n2 (weight 1, zone east)"), "{told}");
    // What is said of one node by and by adds up.
    let told = n1.json(&["set", "n2", "--weight=2"])?;
    let n2_staged = &told["staged"].as_array().context("a list")?;
    let n2_staged = n2_staged.iter().find(|it| it["label"] == "n2").context("n2")?;
    assert_eq!([&n2_staged["weight"], &n2_staged["zone"]], [&json!(2), &json!("east")]);
    assert_eq!(n1.text(&["revert"])?, "nothing is staged");
    check_refused(&n1, &["commit"], 1, "nothing is staged")?;

    n1.text(&["join", "--all", "--weight=5"])?;
    let plan = n1.json(&["plan"])?;
    assert_eq!([&plan["from"], &plan["to"]], [1, 2]);
    assert_eq!(plan["staged"][0]["weight"], 5);
    assert!(plan["replicas_sent"].as_u64() > Some(0), "{plan}");
    let new = plan["nodes"].as_array().into_iter().flatten().find(|node| node["label"] == "n4");
    let new = new.context("the newcomer is in the plan")?;
    assert_eq!((&new["slots"]["before"], &new["slots"]["after"]), (&json!(0), &json!(40)));
    let plan = n1.text(&["plan"])?;
    for part in ["from layout 1 to 2:", "0 → 40", "quorate layout commit --from 1"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    assert!(n2.text(&["show"])?.starts_with("layout 1: 64 slots, each on 2 nodes"));
    check_refused(&n3, &["commit", "--from=7"], 1, "layout 1 is in force by now")?;
    Ok(())
}

#[test]
fn nodes_join_leave_and_are_removed() -> Result<()> {
    run(async {
        let mut cluster = Cluster::started(THREE).await?;
        let client = cluster.client().await?;
        for number in 0..KEYS {
            client.put(format!("key {number}"), value(number), None).await?;
        }
        cluster.start("n4")?;
        cluster.settle().await?;
        let [n1, n3] = [Operator::at(&cluster, "n1")?, Operator::at(&cluster, "n3")?];
        let shown = n1.json(&["show"])?;
        assert_eq!((&shown["version"], &shown["in_force"]), (&json!(1), &json!([1])));
        assert_eq!(members(&shown), BTreeSet::from(["n1", "n2", "n3"]));
        assert!(is_settled(&shown), "{shown}");
        check_wrong_uses(&n1)?;

        join(&cluster)?;
        n3.shows("n3 hears what is staged", |shown| shown["staged"] != json!([])).await?;
        let told = n3.text(&["commit", "--from=1", "--watch"])?;
        assert!(told.starts_with("layout 2 is in force:\n  n4 (weight 5) joins"), "{told}");
        assert!(told.ends_with("layout 2 is settled: every node holds what it is to hold"));
        check_refused(&n3, &["commit", "--from=1"], 1, "layout 2 is in force by now")?;
        check_refused(&n3, &["join", "--all"], 1, "all nodes are members")?;
        let shown = Operator::at(&cluster, "n4")?.json(&["show"])?;
        assert_eq!(members(&shown), BTreeSet::from(["n1", "n2", "n3", "n4"]));
        check_values(&cluster).await?;

        // One leaves; it is let go by itself once it has handed over what it holds.
        assert!(n1.text(&["leave", "n2"])?.contains("n2 leaves"));
        let told = n1.run(&["commit", "--watch", "-o", "json"])?;
        let lines = told.lines()?;
        assert_eq!((told.code, &lines[0]["committed"]), (Some(0), &json!(3)), "{told:?}");
        let last = lines.last().context("how far it is")?;
        assert_eq!((&last["settled"], &last["newest"]), (&json!(true), &json!(4)), "{last}");
        assert!(cluster.terminate("n2")?.success());
        check_values(&cluster).await?;

        // One is dead, and is removed.
        cluster.kill("n3")?;
        let is_down = |status: &Value| {
            let nodes = status["nodes"].as_array().into_iter().flatten();
            let seen = nodes.flat_map(|node| node["members"].as_array().into_iter().flatten());
            seen.filter(|seen| seen["label"] == "n3" && seen["state"] == "down").count() == 2
        };
        let found_down = || async { cluster.status().ok().filter(is_down) };
        eventually("both others find that n3 is down", found_down).await?;
        check_refused(&n1, &["leave", "n3"], 1, "n3 is down, so it cannot hand anything over")?;
        assert!(n1.text(&["remove", "n3"])?.contains("n3 is removed"));
        let told = n1.text(&["commit", "--watch"])?;
        assert!(told.ends_with("layout 5 is settled: every node holds what it is to hold"));
        check_values(&cluster).await?;
        // One that is up is given up by force alone, and that is taken back here.
        assert!(n1.text(&["remove", "n4", "--force"])?.contains("n4 is removed"));
        assert_eq!(n1.text(&["revert"])?, "nothing is staged");

        // One joins without being asked to.
        let mut arguments = cluster.serve("n5")?;
        arguments.push("--auto-join".into());
        let newcomer = Process::start(quorate(&arguments)?)?;
        let joined = |shown: &Value| is_settled(shown) && members(shown).contains("n5");
        let shown = n1.shows("n5 is a member", joined).await?;
        assert_eq!(members(&shown), BTreeSet::from(["n1", "n4", "n5"]));
        newcomer.terminate()?;
        check_history(&n1)
    })
}

fn check_history(at: &Operator) -> Result<()> {
    let past = at.json(&["history"])?;
    let past = past.as_array().context("a list")?;
    let labels = |members: &Value| -> Vec<String> {
        let members = members.as_array().into_iter().flatten();
        members.filter_map(|it| it["label"].as_str()).map(str::to_owned).collect()
    };
    let told: Vec<_> = past.iter().map(|past| past["version"].as_u64()).collect();
    assert_eq!(told, (1..=6).map(Some).collect::<Vec<_>>());
    assert_eq!(labels(&past[0]["joined"]).len(), 3);
    assert_eq!(labels(&past[1]["joined"]), ["n4"]);
    assert_eq!(labels(&past[2]["changed"]), ["n2"]);
    assert_eq!(labels(&past[3]["left"]), ["n2"]);
    assert_eq!(labels(&past[4]["left"]), ["n3"]);
    assert_eq!(labels(&past[5]["joined"]), ["n5"]);
    let text = at.text(&["history"])?;
    for part in ["+ n4 (weight 5", "= n2 (weight 0", "- n3"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    Ok(())
}
