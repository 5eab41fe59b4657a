//! `store import`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::failure::{Failure, Kind};
use super::super::output::{Format, print_json, print_line};
use super::progress;
use super::told::{counted, damaged_json, refused};
use crate::backup::{BackupError, BackupReader, Header};
use crate::storage::offline::{ImportError, Imported, Importer};

/// Merge a backup into the data directory of a stopped node.
///
/// Each record of the file is merged with what is there, as if another replica had sent it: nothing
/// is lost, and importing twice changes nothing. A file is read as a whole before anything is
/// written, and refused where it is not whole; what comes from stdin is imported up to where it is
/// damaged.
///
/// An old backup brings back what was deleted since, and so long ago that the tombstone is gone for
/// good (--grace of `quorate serve`): the cluster has nothing left that would say so.
///
/// A node answers for the keys of its own slots, and gives them to the other replicas. So import the
/// backup of a member into the directory of the same member. A directory that is new becomes that of
/// a new node of the same cluster, which has no slots until a layout gives it some. Where a whole
/// cluster is lost, found another one, stop its nodes, and import the backups of all members into
/// each of them with --into-other-cluster; hints become records there.
///
/// Examples:
///   quorate store import n1.backup /var/lib/quorate
///   zstd -d < n1.backup.zst | quorate store import - /var/lib/quorate
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Import {
    /// File that `quorate store export` wrote; `-`: stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Data directory of a node that does not run; made where it does not exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Import even where the directory belongs to another cluster than the backup.
    #[arg(long)]
    into_other_cluster: bool,
}

impl Import {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Import { file, directory, into_other_cluster } = self;
        let importer = Importer::look(directory).map_err(refused)?;
        let check = |header: &Header| match into_other_cluster {
            true => Ok(()),
            false => importer.check_cluster(header).map_err(failure),
        };
        let (header, imported) = if file == Path::new("-") {
            let (mut backup, header) = open(io::stdin().lock()).map_err(|e| refuse(&file, &e))?;
            check(&header)?;
            let imported = import(importer, &header, &mut backup, None)?;
            (header, imported)
        } else {
            let size = check_whole(&file, check)?;
            let (mut backup, header) = begin(&file)?;
            let imported = import(importer, &header, &mut backup, Some(size))?;
            (header, imported)
        };
        tell(&header, &imported, output)
    }
}

/// Reads all of a file; answers its size.
fn check_whole(
    file: &Path,
    check: impl FnOnce(&Header) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let size = file.metadata().map_err(|error| unreadable(file, &error))?.len();
    let (mut backup, header) = begin(file)?;
    check(&header)?;
    let bar = progress::bytes(Some(size), "checked");
    while backup.read().map_err(|error| refuse(file, &error))?.is_some() {
        bar.set_position(backup.bytes());
    }
    bar.finish_and_clear();
    Ok(size)
}

fn begin(file: &Path) -> Result<(BackupReader<BufReader<File>>, Header), Failure> {
    let opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    open(opened).map_err(|error| refuse(file, &error))
}

fn open<R: Read>(input: R) -> Result<(BackupReader<BufReader<R>>, Header), BackupError> {
    BackupReader::open(BufReader::with_capacity(1 << 16, input))
}

fn import(
    importer: Importer,
    header: &Header,
    backup: &mut BackupReader<impl Read>,
    size: Option<u64>,
) -> Result<Imported, Failure> {
    let bar = progress::bytes(size, "imported");
    let imported = importer.import(header, backup, |at| bar.set_position(at));
    bar.finish_and_clear();
    imported.map_err(failure)
}

fn tell(header: &Header, imported: &Imported, output: Format) -> Result<(), Failure> {
    let Imported { records, hints, changed, damaged } = imported;
    match output {
        Format::Json => print_json(&json!({
            "cluster": header.cluster.to_string(),
            "node": header.node.to_string(),
            "label": header.label,
            "written_ms": header.written_ms,
            "records": records,
            "hints": hints,
            "changed": changed,
            "damaged": damaged_json(damaged),
        }))?,
        Format::Table => print_line(&format!(
            "{} and {} are imported, {changed} of them told something new",
            counted(*records, "record"),
            counted(*hints, "hint"),
        ))?,
    }
    for damaged in damaged.named() {
        eprintln!("quorate: {damaged}");
    }
    match damaged.count() {
        0 => Ok(()),
        count => Err(Failure::failed(format_args!(
            "{count} of the backup could not be merged; all else is imported"
        ))),
    }
}

/// Something was written unless the error says otherwise.
fn failure(error: ImportError) -> Failure {
    match error {
        ImportError::Open(error) => refused(error),
        error @ ImportError::OtherCluster { .. } => Failure::failed(error),
        error @ (ImportError::Backup { .. } | ImportError::Storage { .. }) => {
            Failure::new(Kind::Unknown, error)
        }
    }
}

fn refuse(file: &Path, error: &BackupError) -> Failure {
    let name = if file == Path::new("-") { "stdin".into() } else { file.display().to_string() };
    Failure::failed(format_args!("{name} is not imported: {error}"))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format_args!("{} cannot be read: {error}", file.display()))
}
