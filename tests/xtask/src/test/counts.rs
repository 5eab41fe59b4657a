//! How many tests passed, failed and were skipped, read from the output of a test runner.

use crate::verify::Tally;

/// Counts of Rust's own test runner: the sum over its `test result:` lines.
pub(super) fn libtest(output: &str) -> Tally {
    let results = lines(output).filter_map(|line| {
        let (_, numbers) = line.split_once("test result: ")?.1.split_once(". ")?;
        let count = |name: &str| {
            let part = numbers.split(';').find_map(|part| part.trim().strip_suffix(name))?;
            part.trim().parse().ok()
        };
        Some(Tally {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
        })
    });
    results.fold(Tally::default(), |sum, tally| sum + tally)
}

/// Counts of Node's test runner, as TAP (`# pass 3`) or for people (`ℹ pass 3`), summed over runs.
pub(super) fn node(output: &str) -> Tally {
    let mut sum = Tally::default();
    for line in lines(output) {
        let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
            continue;
        };
        let Some((name, number)) = rest.split_once(' ') else {
            continue;
        };
        let Ok(count) = number.trim().parse::<u32>() else {
            continue;
        };
        match name {
            "pass" => sum.passed += count,
            "fail" | "cancelled" => sum.failed += count,
            "skipped" | "todo" => sum.skipped += count,
            _ => {}
        }
    }
    sum
}

/// Counts of the simulator: seeds that passed and failed, or mutants that were caught or not; and of
/// what is done to disks.
pub(super) fn simulator(output: &str) -> Tally {
    let results = lines(output).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["seeds" | "mutants" | "disks", passed, "passed,", failed, "failed"] = words[..] else {
            return None;
        };
        let (passed, failed) = (passed.parse().ok()?, failed.parse().ok()?);
        Some(Tally { passed, failed, skipped: 0 })
    });
    results.fold(Tally::default(), |sum, tally| sum + tally)
}

/// The failed tests that the output of any of the runners names, each once.
pub(super) fn failed(output: &str) -> Vec<String> {
    let mut failed: Vec<String> = Vec::new();
    for line in lines(output) {
        let line = line.trim();
        let rust = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
        let node = line.strip_prefix("✖ ").filter(|name| *name != "failing tests:");
        let seed =
            Some(line).filter(|line| line.starts_with("seed ") && line.contains(" violates "));
        let name = rust.or(node).or(seed).map(str::to_owned);
        failed.extend(name.filter(|name| !failed.contains(name)));
    }
    failed
}

/// Lines without colours and other escape sequences.
fn lines(output: &str) -> impl Iterator<Item = String> {
    output.lines().map(|line| {
        let mut parts = line.split("\u{1b}[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |plain, part| {
            let end = part.find(|character: char| character.is_ascii_alphabetic());
            plain + end.map_or("", |end| &part[end + 1..])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(passed: u32, failed: u32, skipped: u32) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn results_of_every_rust_test_binary_are_summed() {
        let output = "
running 3 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests quorate_core
test result: \u{1b}[31mFAILED\u{1b}[0m. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
all doctests ran in 0.31s; merged doctests compilation took 0.22s
";
        assert_eq!(libtest(output), tally(6, 2, 1));
    }

    #[test]
    fn seeds_and_mutants_are_counted_where_the_simulator_sums_them_up() {
        let output = "
seed 7 violates read-your-writes
seeds           184 passed, 16 failed
seeds 0 to 199, 500 calls each
mutants         6 passed, 1 failed
";
        assert_eq!(simulator(output), tally(190, 17, 0));
        assert_eq!(simulator("error: 3 passed, 1 failed"), tally(0, 0, 0));
    }

    #[test]
    fn failed_tests_are_named_once() {
        let output = "
test one::passes ... ok
test one::fails ... \u{1b}[31mFAILED\u{1b}[0m
seed 7 violates read-your-writes
  replay     cargo xtask sim --seed 7 --ops 500
✔ passes (0.5ms)
  ✖ breaks (1.5ms)
✖ failing tests:
✖ breaks (1.5ms)
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";
        let names = ["one::fails", "seed 7 violates read-your-writes", "breaks (1.5ms)"];
        assert_eq!(failed(output), names);
    }

    #[test]
    fn output_without_results_counts_nothing() {
        assert_eq!(libtest("error[E0432]: unresolved import\n0 passed"), tally(0, 0, 0));
        assert_eq!(node("# Subtest: pass 3 times\nok 1 - pass 3\n# pass none"), tally(0, 0, 0));
    }

    #[test]
    fn both_reporters_of_node_are_read_and_runs_are_summed() {
        let tap =
            "# tests 6\n# suites 0\n# pass 3\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n";
        let spec =
            "\u{1b}[34mℹ tests 4\u{1b}[39m\n\u{1b}[34mℹ pass 3\u{1b}[39m\nℹ fail 0\nℹ todo 1\n";
        assert_eq!(node(&format!("{tap}{spec}")), tally(6, 2, 2));
    }
}
