//! The runner as a command: what it prints, and how it ends.

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-simulate"));
    command.args(arguments.split_whitespace());
    command
}

fn run(arguments: &str) -> Output {
    command(arguments).output().expect("cargo has built it")
}

fn stdout(arguments: &str) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it prints texts")
}

#[test]
fn a_reader_who_goes_ends_nothing_with_a_panic() {
    let mut child = command("sim --seed 0 --ops 20 --log")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn properties_are_a_table_for_people_and_programs() {
    assert!(stdout("sim --properties").lines().any(|line| line == "no-acknowledged-write-lost"));
    assert!(stdout("sim --properties --json").starts_with(r#"[{"definition":"#));
    assert_eq!(run("sim --properties --seed 1").status.code(), Some(2));
}

#[test]
fn a_script_is_carried_out_until_some_time_is_over() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let file = format!("{folder}/script.json");
    let script = r#"{"options":{"nodes":3},"actions":[
        {"at":2500,"do":"put","client":0,"key":"a","value":"1"},
        {"at":3000.5,"do":"get","client":1,"key":"a"}]}"#;
    std::fs::write(&file, script).unwrap();
    let said = stdout(&format!("sim --script {file}"));
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].ends_with("call 1: written, siblings=1"), "{said}");
    assert!(lines[1].ends_with(r#"call 2: found ["1"], 0 tombstones"#), "{said}");
    assert!(lines[2].starts_with("trace "), "{said}");
    let cut = stdout(&format!("sim --script {file} --until 2500 --json"));
    assert!(cut.starts_with(r#"{"ended":[],"now":2500.0,"trace":""#), "{cut}");

    std::fs::write(&file, r#"{"actions":[{"at":5,"do":"restart","node":0}]}"#).unwrap();
    let refused = run(&format!("sim --script {file}"));
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(said, "error: action 1, at 5 ms: node 0 is up\n");
}

#[test]
fn usage_says_what_people_type() {
    assert!(stdout("sim --help").contains("Usage: cargo xtask sim [OPTIONS]"));
    assert!(stdout("hash --help").contains("Usage: quorate-simulate hash [OPTIONS]"));
    let is_told = stdout("sim --help").contains("mutant");
    assert_eq!(is_told, cfg!(feature = "mutants"));
}

#[test]
fn a_call_that_never_began_is_named_at_the_end_of_the_log() {
    let output = stdout("sim --seed 0 --ops 20 --log 3 --call 0:99999");
    assert!(output.contains("\nno call c0/99999 began\n"), "{output}");
}

#[test]
fn gossip_is_measured_for_people_and_programs() {
    let table = stdout("gossip --members 8,5 --seeds 2");
    let sizes = table.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    assert_eq!(sizes.collect::<Vec<u64>>(), [5, 8], "{table}");
    let json = stdout("gossip --members 5 --seeds 1 --json");
    assert!(json.starts_with(r#"{"rows":[{"bytes_per_second":"#), "{json}");
    assert_eq!(run("gossip --members 3").status.code(), Some(2));
}
