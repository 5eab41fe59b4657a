//! `cargo xtask demo`: a folder through a cluster of real nodes and back, while nodes die.
//!
//! ```text
//! folder --> runner.mjs (Node.js) --> packed npm package --WebSocket--> five `quorate serve`
//!    '------ compared byte for byte <------------------------------------' some are killed
//! ```
//!
//! With `--check` two nodes die one after the other and come back while files are put. When no node
//! holds a hint any more all others die, and the two must have everything that they are to hold.

mod claim;
mod folder;
mod hints;
mod report;
mod steps;
pub(crate) mod suite;
mod trial;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use quorate_host::{Interrupt, ports};

use crate::cluster::{Cluster, Settings};
use crate::node_binary;
use crate::packed::Packed;
use crate::page;
use crate::profile::Profile;
use crate::run_folder::RunFolder;
use crate::workspace::Workspace;
use claim::Claim;
use folder::Listing;
use steps::Course;
use trial::Trial;

const BASE_PORT: u16 = 7100;
const POLL: Duration = Duration::from_millis(100);
/// With one node dead there must be another that can stand in for it.
const NODES_CHECK_MIN: u16 = 4;

/// Puts a folder into a real cluster, kills a node half-way, and reads everything back.
///
/// Builds the WebAssembly modules, the npm package, the ring page and the node, and starts the nodes
/// on loopback, each a process of its own, with N=3 and R=W=2. The files go in and out through the
/// packed npm package in Node.js; their keys are their paths. What comes back is compared byte for
/// byte. Then the cluster stays up until Ctrl-C, and its page shows it.
///
/// The exit status is 0 where nothing was lost. Files beyond a limit are refused and listed.
#[derive(Args)]
pub(crate) struct Demo {
    /// The folder [default: the project's own sources].
    path: Option<PathBuf>,
    /// Two nodes die and come back, and must be handed over all that they missed; then end.
    ///
    /// When no node holds a hint any more the other nodes are killed, and everything that the two
    /// are to hold is read from them alone. The last line is the result as JSON. Uses free ports,
    /// so it can run beside a demo that is up.
    #[arg(long)]
    check: bool,
    /// How many nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: u16,
    /// The nodes listen on the ports behind this one [default: 7100; free ports with --check].
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Where the running demo is remembered and keeps its data.
    #[arg(long, value_name = "DIR", hide = true)]
    state: Option<PathBuf>,
}

/// What every trial needs, built once.
struct Parts {
    program: PathBuf,
    packed: Packed,
    folder: RunFolder,
}

impl Parts {
    fn build(workspace: &Workspace, profile: Profile, state: &Path) -> Result<Parts> {
        println!("building the node, the WebAssembly modules and the npm package");
        let program = node_binary::build(workspace, profile)?;
        let folder = RunFolder::new(state)?;
        let packed = Packed::install(workspace, &folder.path().join("client"))?;
        Ok(Parts { program, packed, folder })
    }
}

impl Demo {
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let state = self.state.clone().unwrap_or_else(|| workspace.target.join("demo"));
        let base_port = self.base_port.or((!self.check).then_some(BASE_PORT));
        // All that can be refused is refused before anything is built.
        ensure!(
            !self.check || self.nodes >= NODES_CHECK_MIN,
            "--check wants --nodes {NODES_CHECK_MIN} or more: of fewer none can stand in for \
             another"
        );
        let claim = if self.check { None } else { Some(Claim::take(&state)?) };
        if let Some(base) = base_port {
            ports::ensure_free(&ports::behind(base, self.nodes)?)?;
        }
        let listing = match &self.path {
            Some(path) => Listing::of_folder(path, &state)?,
            None => Listing::of_project(workspace),
        };
        // Before the node, of which the page becomes a part.
        let ui: &[&str] = match self.check {
            true => &[],
            false => {
                page::build(workspace)?;
                &["--ui", "--ui-writes"]
            }
        };
        let parts = Parts::build(workspace, Profile::Release, &state)?;

        let interrupt = Interrupt::watch()?;
        let settings = Settings {
            nodes: self.nodes,
            storage: "fjall",
            fanout: "all",
            base_port,
            arguments: ui,
        };
        let folder = parts.folder.path().join("cluster");
        println!("starting {} nodes on 127.0.0.1, N=3, R=W=2, storage fjall", self.nodes);
        let mut cluster = Cluster::start(&parts.program, &folder, settings, &interrupt)?;
        let victim = cluster.len() / 2;
        let course = match self.check {
            true => Course::HintsComeHome { victims: [victim - 1, victim + 1] },
            false => Course::OneDies { victim },
        };
        let trial = Trial {
            packed: &parts.packed,
            listing: &listing,
            folder: parts.folder.path(),
            cluster: &mut cluster,
            course,
            interrupt: &interrupt,
            meddle: None,
        };
        let report = trial.run()?;
        print!("{}", report.print(&listing));
        let checked = report.check(&listing);
        if !report.is_sound() || checked.is_err() {
            cluster.stop()?;
            let kept = parts.folder.keep()?;
            let kept = format!("the data and logs of the nodes are kept in {}", kept.display());
            return match checked {
                Ok(()) => bail!("see above; {kept}"),
                Err(error) => Err(error.context(kept)),
            };
        }
        if self.check {
            println!("{}", report.json(&listing));
        }
        if let Some(claim) = claim {
            if cluster.running() < cluster.len() {
                cluster.restart(&[victim], &interrupt)?;
                println!("\n{} was started again.", cluster.label(victim));
            }
            stay_up(claim, &mut cluster, victim, &listing, &interrupt)?;
        }
        cluster.stop()
    }
}

/// Until somebody asks for the end.
fn stay_up(
    mut claim: Claim,
    cluster: &mut Cluster,
    victim: usize,
    listing: &Listing,
    interrupt: &Interrupt,
) -> Result<()> {
    claim.announce(&cluster.page(0))?;
    let program = quoted(&cluster.program.display().to_string());
    let seed = cluster.seed(0);
    println!("\nThe {} nodes stay up. Their page:\n", cluster.running());
    println!("  {}\n\nTo try, in another terminal:\n", cluster.page(0));
    let get = match readable_key(listing) {
        Some(key) => quoted(&key),
        None => "greeting".to_owned(),
    };
    for command in ["status", "put greeting hello", &format!("get {get}")] {
        println!("  {program} {command} --seed {seed}");
    }
    let (label, id) = (cluster.label(victim), cluster.process(victim)?);
    println!("\nTo see a node go down, watch the members and kill {label}:\n");
    println!("  {program} members --watch --seed {seed}\n  kill -9 {id}");
    println!("\nCtrl-C stops the nodes and removes their data (or: kill {}).", std::process::id());
    while !interrupt.is_asked() {
        if let Err(error) = cluster.watch() {
            println!("{error:#}\n{} nodes are left", cluster.running());
        }
        if cluster.running() == 0 {
            bail!("no node is left");
        }
        thread::sleep(POLL);
    }
    println!("\nstopping {} nodes", cluster.running());
    Ok(())
}

/// A key to be shown to people: a text of some kilobytes, with a name that they can type.
fn readable_key(listing: &Listing) -> Option<String> {
    const BYTES_MAX: u64 = 16 * 1024;
    let plain = |key: &str| {
        !key.starts_with('-') && key.chars().all(|c| c.is_ascii_graphic()) && key.len() <= 60
    };
    let small = |key: &str| {
        let found = listing.root.join(key).metadata();
        found.is_ok_and(|found| (1..=BYTES_MAX).contains(&found.len()))
    };
    let keys = || listing.files.iter().filter_map(|path| std::str::from_utf8(path).ok());
    let mut texts = keys().filter(|key| key.ends_with(".md") || key.ends_with(".txt"));
    let found = texts.find(|key| plain(key) && small(key));
    found.or_else(|| keys().find(|key| plain(key) && small(key))).map(str::to_owned)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
