//! The demo as tests: folders at the limits, damage that must be found, a demo that stays up.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::{Context, Result, bail, ensure};
use quorate_host::{Interrupt, ports};

use super::folder::Listing;
use super::report::Report;
use super::steps::Course;
use super::trial::Trial;
use super::{POLL, Parts};
use crate::cluster::{Cluster, Settings};
use crate::node_binary;
use crate::process;
use crate::profile::Profile;
use crate::verify::Tally;
use crate::workspace::Workspace;

const KEY_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// How long a demo that was built may take to come up, or to stop: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

const ONE_DIES: Course = Course::OneDies { victim: 2 };
const HINTS_COME_HOME: Course = Course::HintsComeHome { victims: [1, 3] };
/// So many that two nodes hold at least one of them.
const DELETED: [&str; 8] = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"];

struct Suite<'a> {
    workspace: &'a Workspace,
    parts: Parts,
    interrupt: Interrupt,
}

type Case = (&'static str, fn(&Suite) -> Result<()>);

const CASES: [Case; 6] = [
    (
        "two nodes that die and come back hold what they missed of the project's own sources",
        own_sources,
    ),
    ("an empty folder is no error", empty),
    ("files at the limits are kept, files beyond them are refused by name", limits),
    ("a lost and an altered value are found", damage),
    ("a demo that stays up refuses a second one and leaves no process behind", staying_up),
    ("a demo that is killed leaves no process behind", killed),
];

/// Runs every case, also after one has failed.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let state = workspace.target.join("demo");
    let suite = Suite {
        workspace,
        parts: Parts::build(workspace, Profile::Dev, &state)?,
        interrupt: Interrupt::watch()?,
    };
    let mut tally = Tally::default();
    for (name, case) in CASES {
        suite.interrupt.check()?;
        let verdict = match case(&suite) {
            Ok(()) => {
                tally.passed += 1;
                "ok".to_owned()
            }
            Err(error) => {
                tally.failed += 1;
                format!("FAILED, {error:#}")
            }
        };
        println!("demo: {name}: {verdict}\n");
    }
    Ok(tally)
}

fn own_sources(suite: &Suite) -> Result<()> {
    let listing = Listing::of_project(suite.workspace);
    let report = suite.trial(&listing, HINTS_COME_HOME, None)?;
    ensure!(report.is_sound() && report.equal >= 100, "{} files came back", report.equal);
    let copies = report.alone.as_ref().map_or(0, |alone| alone.handed_over);
    ensure!(report.missed > 0 && copies > 0, "{} were missed, {copies} read", report.missed);
    Ok(())
}

fn empty(suite: &Suite) -> Result<()> {
    let folder = suite.folder("empty")?;
    let report = suite.trial(&suite.listing(&folder)?, ONE_DIES, None)?;
    ensure!(report.is_sound() && report.equal == 0);
    Ok(())
}

fn limits(suite: &Suite) -> Result<()> {
    let folder = suite.folder("limits")?;
    let value =
        |length: usize| -> Vec<u8> { (0..length).map(|index| (index % 251) as u8).collect() };
    let longest = nested(KEY_BYTES_MAX);
    let beyond = nested(KEY_BYTES_MAX + 1);
    let mut kept = 0;
    for (name, content) in [
        ("nothing in it", value(0)),
        ("one MiB", value(VALUE_BYTES_MAX)),
        ("schlüssel/鍵🔑.txt", value(10)),
        ("two\nlines and a \" and a '", value(11)),
        (&longest, value(12)),
    ] {
        write(&folder.join(name), &content)?;
        kept += 1;
    }
    // Not every file system takes a name that is no UTF-8.
    if write(&folder.join(OsStr::from_bytes(b"caf\xe9")), b"latin").is_ok() {
        kept += 1;
    }
    write(&folder.join("one byte more"), &value(VALUE_BYTES_MAX + 1))?;
    write(&folder.join("far more"), &value(9 * VALUE_BYTES_MAX))?;
    write(&folder.join(&beyond), b"")?;
    symlink("one MiB", folder.join("link"))?;
    let closed = folder.join("closed");
    write(&closed, b"secret")?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000))?;
    // For root no file is closed.
    let unreadable = usize::from(File::open(&closed).is_err());
    kept += 1 - unreadable;

    let listing = suite.listing(&folder)?;
    let report = suite.trial(&listing, ONE_DIES, None)?;
    ensure!(report.is_sound(), "something was lost");
    ensure!(report.equal == kept, "{} came back of {kept}", report.equal);
    ensure!(report.unreadable.len() == unreadable && listing.links == 1);
    let mut refused: Vec<_> = report
        .refused
        .iter()
        .map(|refused| {
            (refused.name.as_str(), refused.what.as_str(), refused.actual, refused.limit)
        })
        .collect();
    refused.sort_unstable();
    let (key, limit) = (KEY_BYTES_MAX as u64, VALUE_BYTES_MAX as u64);
    let mut wanted = [
        (beyond.as_str(), "key", key + 1, key),
        ("one byte more", "value", limit + 1, limit),
        ("far more", "value", 9 * limit, limit),
    ];
    wanted.sort_unstable();
    ensure!(refused == wanted, "refused {refused:?}");
    let text = report.print(&listing);
    ensure!(text.contains("one byte more\n        value of 1,048,577 bytes, limit 1,048,576\n"));
    Ok(())
}

fn damage(suite: &Suite) -> Result<()> {
    let folder = suite.folder("damage")?;
    for name in DELETED.into_iter().chain(["fine", "overwritten", "joined"]) {
        write(&folder.join(name), name.as_bytes())?;
    }
    let meddle = |cluster: &Cluster| {
        for name in DELETED {
            cluster.quorate(&["delete", name])?;
        }
        cluster.quorate(&["delete", "overwritten"])?;
        // One byte differs.
        cluster.quorate(&["put", "overwritten", "overwritteN"])?;
        cluster.quorate(&["put", "joined", "by another value"])?;
        Ok(())
    };
    let report = suite.trial(&suite.listing(&folder)?, HINTS_COME_HOME, Some(meddle))?;
    let names = |list: &[super::report::Named]| {
        let mut names: Vec<_> = list.iter().map(|named| named.name.clone()).collect();
        names.sort_unstable();
        names
    };
    ensure!(!report.is_sound() && report.equal == 1);
    ensure!(names(&report.lost) == DELETED, "lost {:?}", report.lost);
    ensure!(
        names(&report.different) == ["joined", "overwritten"],
        "different {:?}",
        report.different
    );
    let alone = report.alone.context("nobody was left alone")?;
    let (lost, different) = (names(&alone.lost), names(&alone.different));
    ensure!(!lost.is_empty() && lost.iter().all(|name| DELETED.contains(&name.as_str())));
    ensure!(different.iter().all(|name| ["joined", "overwritten"].contains(&name.as_str())));
    Ok(())
}

fn staying_up(suite: &Suite) -> Result<()> {
    let (folder, base) = suite.staying()?;
    let mut first = suite.demo(&folder, base).stdout(Stdio::piped()).spawn()?;
    let up = wait_until_up(&mut first);
    // What follows may fail, and the demo must end all the same.
    let looked = up.and_then(|()| {
        let second = suite.demo(&folder, base).stderr(Stdio::piped()).spawn()?;
        let second = second.wait_with_output()?;
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        let page = format!("a demo is up already at http://127.0.0.1:{}/", base + 1);
        ensure!(!second.status.success() && said.contains(&page), "the second one said {said}");
        let seed = format!("ws://127.0.0.1:{}", base + 1);
        let mut get = Command::new(&suite.parts.program);
        let value = process::capture(get.args(["get", "notes.txt", "--seed", &seed]))?;
        ensure!(value == "kept\n", "after all this, notes.txt is {value:?}");
        Ok(())
    });
    process::run(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &first.id().to_string()]))?;
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = first.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            first.kill()?;
        }
        thread::sleep(POLL);
    };
    looked?;
    ensure!(status.success(), "the demo ended with {status}");
    ports::ensure_free(&ports::behind(base, 3)?).context("a node is left behind")
}

fn killed(suite: &Suite) -> Result<()> {
    let (folder, base) = suite.staying()?;
    let mut demo = suite.demo(&folder, base).stdout(Stdio::piped()).spawn()?;
    let up = wait_until_up(&mut demo);
    demo.kill()?;
    demo.wait()?;
    up?;
    // The nodes end in good order, which takes a moment.
    let ports = ports::behind(base, 3)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && ports::ensure_free(&ports).is_err() {
        thread::sleep(POLL);
    }
    ports::ensure_free(&ports).context("a node is left behind")
}

/// Reads what a demo prints until it says how to stop it.
fn wait_until_up(demo: &mut Child) -> Result<()> {
    let stdout = demo.stdout.take().context("stdout is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next().transpose()? {
        println!("    {line}");
        if line.starts_with("Ctrl-C stops") {
            // Somebody must read on, or the demo may wait for it.
            thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
            return Ok(());
        }
    }
    bail!("the demo did not come up")
}

impl Suite<'_> {
    /// A new folder for files.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.parts.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn listing(&self, folder: &Path) -> Result<Listing> {
        Listing::of_folder(folder, Path::new("/nowhere"))
    }

    /// A folder with one file, and the port below three free ones.
    fn staying(&self) -> Result<(PathBuf, u16)> {
        let folder = self.folder("staying")?;
        write(&folder.join("notes.txt"), b"kept\n")?;
        loop {
            let base = ports::free(1)?[0];
            if ports::ensure_free(&ports::behind(base, 3)?).is_ok() {
                return Ok((folder, base));
            }
        }
    }

    /// One trial on a cluster of its own.
    fn trial(
        &self,
        listing: &Listing,
        course: Course,
        meddle: Option<fn(&Cluster) -> Result<()>>,
    ) -> Result<Report> {
        let settings =
            Settings { nodes: 5, storage: "fjall", fanout: "all", base_port: None, arguments: &[] };
        let folder = self.parts.folder.path().join("cluster");
        let mut cluster = Cluster::start(&self.parts.program, &folder, settings, &self.interrupt)?;
        let trial = Trial {
            packed: &self.parts.packed,
            listing,
            folder: self.parts.folder.path(),
            cluster: &mut cluster,
            course,
            interrupt: &self.interrupt,
            meddle,
        };
        let report = trial.run()?;
        println!("{}", report.print(listing));
        report.check(listing)?;
        cluster.stop()?;
        Ok(report)
    }

    /// A demo of three nodes as a person runs it, with a state of its own.
    fn demo(&self, folder: &Path, base_port: u16) -> Command {
        let mut demo = self.workspace.cargo();
        demo.args(["--quiet", "xtask", "demo", "--nodes=3"]).arg(folder);
        demo.arg(format!("--base-port={base_port}"));
        demo.arg("--state").arg(self.parts.folder.path().join("state"));
        demo.env(node_binary::VARIABLE, &self.parts.program).stdin(Stdio::null());
        demo
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content).with_context(|| path.display().to_string())
}

/// A path of so many bytes, of names that a file system takes.
fn nested(bytes: usize) -> String {
    const FOLDER: usize = 200;
    let depth = bytes / (FOLDER + 1) - 1;
    let folders = iter::repeat_n(format!("{}/", "d".repeat(FOLDER)), depth);
    let path: String = folders.collect();
    let rest = bytes - path.len() - 1;
    // A file, or two folders of a file's length: names end at 255 bytes.
    format!("{path}{}/{}", "e".repeat(rest / 2), "f".repeat(rest - rest / 2))
}
