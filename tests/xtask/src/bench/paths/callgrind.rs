//! Counts under callgrind, and what makes two counts comparable.
//!
//! Two numbers are the same in every run, in every folder and under every C library: instructions of
//! the program's own code, and calls of the allocator. Instructions of the C library are not: those
//! of `malloc` depend on what stood in memory before, those of `memcpy` on what the processor can
//! do, up to a tenth of the whole. They are shown, and left out of the budget. What hash functions
//! choose by the processor (AVX2, AVX-512 in BLAKE3) is chosen by the one that valgrind simulates.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::workspace::Workspace;

/// The program that runs the paths.
pub(super) const PROGRAM: &str = "quorate-paths";

/// The function of [`PROGRAM`] that runs what is counted, once for each path.
const COUNTED: &str = "quorate_paths::counted";

/// The functions of the C library that allocate.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// What one step of a path costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Of the program's own code.
    pub(crate) instructions: f64,
    /// Calls of the allocator.
    pub(crate) allocations: f64,
}

/// What was counted of one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) path: String,
    pub(crate) cost: Cost,
    /// Instructions of the C library and the program together.
    pub(crate) everything: f64,
}

/// Why nothing can be counted here that compares with the budget.
pub(super) fn missing(workspace: &Workspace) -> Result<Option<String>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Some("the budget is one for Linux on x86-64".to_owned()));
    }
    if !process::exists("valgrind") {
        return Ok(Some("valgrind is not installed".to_owned()));
    }
    if std::env::var_os("RUSTFLAGS").is_some_and(|flags| !flags.is_empty()) {
        return Ok(Some("RUSTFLAGS change what is compiled".to_owned()));
    }
    let toolchain = fs::read_to_string(workspace.root.join("rust-toolchain.toml"))?;
    let pinned = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let pinned = pinned.context("rust-toolchain.toml names no channel")?.trim_matches('"');
    let running = process::capture(workspace.command("rustc").arg("--version"))?;
    Ok((running.split(' ').nth(1) != Some(pinned)).then(|| {
        format!("the budget is that of Rust {pinned}, and this is {}", running.trim_end())
    }))
}

/// Counts the paths whose name contains one of the words; all, where there are none.
pub(super) fn count(program: &Path, folder: &Path, words: &[String]) -> Result<Vec<Count>> {
    let dump = folder.join("dump");
    let mut valgrind = Command::new("valgrind");
    // The surroundings of a process lie on its stack: none, so that they do not matter.
    valgrind.env_clear().args(["-q", "--tool=callgrind", "--dump-instr=yes"]);
    valgrind.args(["--compress-strings=no", "--compress-pos=no"]);
    valgrind.arg(format!("--toggle-collect={COUNTED}")).arg(format!("--dump-after={COUNTED}"));
    valgrind.arg(format!("--callgrind-out-file={}", dump.display())).arg(program).args(words);
    let printed = process::capture(&mut valgrind)?;
    let mut counts = Vec::new();
    for (line, number) in printed.lines().zip(1_u32..) {
        let (path, steps) = line.split_once(' ').context("a name and a number of steps")?;
        let steps: f64 = steps.parse()?;
        let text = fs::read_to_string(folder.join(format!("dump.{number}")))?;
        let sums = Sums::read(&text).with_context(|| format!("the dump of {path}"))?;
        let cost = Cost {
            instructions: sums.own as f64 / steps,
            allocations: sums.allocations as f64 / steps,
        };
        counts.push(Count { path: path.to_owned(), cost, everything: sums.all as f64 / steps });
    }
    Ok(counts)
}

/// The sums over one dump.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    own: u64,
    all: u64,
    allocations: u64,
}

impl Sums {
    /// Reads the lines that say what a function itself costs, instruction by instruction:
    ///
    /// ```text
    /// ob=<object>          of the functions that follow
    /// fn=<function>
    /// 0x98930 3281 1483    address, line, and how often that instruction ran
    /// calls=...            the next line is what the function that is called costs
    /// ```
    fn read(text: &str) -> Result<Sums> {
        let mut sums = Sums::default();
        let (mut object, mut function, mut of_callee) = ("", "", false);
        let mut total = None;
        // The first instruction of each allocator, and how often it ran: so often it was called.
        let mut entries: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("ob=") {
                object = name;
            } else if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if line.starts_with("calls=") {
                of_callee = true;
            } else if let Some(sum) = line.strip_prefix("totals: ") {
                total = Some(sum.parse::<u64>()?);
            } else if let Some(fields) = line.strip_prefix("0x")
                && !std::mem::take(&mut of_callee)
            {
                let fields: Vec<&str> = fields.split(' ').collect();
                let [address, _, count] = fields[..] else { bail!("`{line}` is no cost") };
                let (address, count) = (u64::from_str_radix(address, 16)?, count.parse::<u64>()?);
                sums.all += count;
                if object.rsplit('/').next() == Some(PROGRAM) {
                    sums.own += count;
                } else if ALLOCATORS.contains(&function) {
                    let entry = entries.entry(function).or_insert((address, 0));
                    if address < entry.0 {
                        *entry = (address, 0);
                    }
                    if address == entry.0 {
                        entry.1 += count;
                    }
                }
            }
        }
        sums.allocations = entries.values().map(|(_, count)| count).sum();
        ensure!(total == Some(sums.all), "its lines do not add up to its total");
        ensure!(sums.own > 0, "it has no cost of {PROGRAM}");
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
positions: instr line
events: Ir

ob=/folder/quorate-paths
fn=counted
0x100 7 2
0x104 8 2
cob=/lib/libc.so.6
cfi=malloc.c
cfn=malloc
calls=3 0x900 30
0x108 8 999

ob=/lib/libc.so.6
fl=malloc.c
fn=malloc
0x904 31 3
0x900 30 3
0x908 32 1

ob=/folder/quorate-paths
fn=other
0x200 1 5

totals: 16
";

    #[test]
    fn the_program_is_told_from_the_c_library_and_calls_from_their_callees() {
        let sums = Sums::read(DUMP).unwrap();
        assert_eq!(sums, Sums { own: 9, all: 16, allocations: 3 });
    }

    #[test]
    fn a_dump_that_does_not_add_up_or_tells_of_something_else_is_an_error() {
        assert!(Sums::read(&DUMP.replace("totals: 16", "totals: 17")).is_err());
        assert!(Sums::read(&DUMP.replace("totals: 16", "")).is_err());
        assert!(Sums::read(&DUMP.replace("quorate-paths", "another")).is_err());
        assert!(Sums::read(&DUMP.replace("0x200 1 5", "0x200 5")).is_err());
    }
}
