//! `store export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::failure::{Failure, Kind};
use super::super::output::{Format, print_json, print_line};
use super::progress;
use super::told::{counted, damaged_json, open};
use crate::storage::offline::{Contents, Exported};

/// Write all that is in the data directory of a stopped node to a file: a backup.
///
/// The file holds all records and hints, and says whose they are. It has checksums, and an end that
/// tells how much there is, so that a part is not taken for the whole; `quorate store import` reads
/// it. It takes its name when it is whole. What cannot be read is named and left out, and the exit
/// code is 1.
///
/// Each node has its own backup: together they hold each key as often as the cluster does.
///
/// Examples:
///   quorate store export /var/lib/quorate n1.backup
///   quorate store export /var/lib/quorate - | zstd > n1.backup.zst
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Export {
    /// Data directory of a node that does not run.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// File to write; `-`: stdout.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Export { directory, file, force } = self;
        let to_stdout = file == Path::new("-");
        if !to_stdout {
            check_free(&file, force)?;
        }
        let contents = open(&directory)?;
        let exported = match to_stdout {
            true => export(&contents, io::stdout().lock())?,
            false => {
                let mut partial = Partial::beside(&file)?;
                let exported = export(&contents, &mut partial.file)?;
                check_free(&file, force)?;
                partial.finish(&file).map_err(|error| unwritten(&file, &error))?;
                exported
            }
        };
        // What goes to stdout is the backup.
        if !to_stdout {
            tell(&exported, &file, output)?;
        }
        for damaged in exported.damaged.named() {
            eprintln!("quorate: {damaged}");
        }
        match exported.damaged.count() {
            0 => Ok(()),
            count => Err(Failure::failed(format_args!(
                "{count} could not be read, and left out; all else is exported"
            ))),
        }
    }
}

fn export(contents: &Contents, output: impl Write) -> Result<Exported, Failure> {
    let bar = progress::entries(contents);
    let exported = contents.export(BufWriter::new(output), || bar.inc(1));
    bar.finish_and_clear();
    exported.map_err(Failure::failed)
}

fn tell(exported: &Exported, file: &Path, output: Format) -> Result<(), Failure> {
    let Exported { records, hints, damaged } = exported;
    match output {
        Format::Json => print_json(&json!({
            "records": records,
            "hints": hints,
            "damaged": damaged_json(damaged),
        })),
        Format::Table => print_line(&format!(
            "{} and {} are in {}",
            counted(*records, "record"),
            counted(*hints, "hint"),
            file.display()
        )),
    }
}

fn check_free(file: &Path, force: bool) -> Result<(), Failure> {
    if !force && file.symlink_metadata().is_ok() {
        let text =
            format!("{} is there already: nothing is replaced without --force", file.display());
        return Err(Failure::new(Kind::Failed, text));
    }
    Ok(())
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format_args!("{} cannot be written: {error}", file.display()))
}

/// A file under another name until it is whole. Dropping it removes it.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn beside(file: &Path) -> Result<Partial, Failure> {
        let name = file.file_name().ok_or_else(|| {
            Failure::new(Kind::Usage, format_args!("{} is no name of a file", file.display()))
        })?;
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let path = file.with_file_name(partial);
        let opened = File::create_new(&path).map_err(|error| unwritten(&path, &error))?;
        Ok(Partial { path, file: opened })
    }

    /// Gives it its name, synced.
    fn finish(self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, name)?;
        let directory = name.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It is gone where it got its name.
        let _ = fs::remove_file(&self.path);
    }
}
