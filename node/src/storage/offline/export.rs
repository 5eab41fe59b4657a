//! A backup of a directory.

use std::fmt;
use std::io::{self, Write};

use super::contents::{Contents, Stored};
use super::damage::{Damaged, DamagedList, Part};
use crate::backup::{BackupWriter, Header, LayoutOutline};
use crate::clock::Clock;
use crate::storage::OpenError;

/// What a backup was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Own copies in it.
    pub records: u64,
    /// Hints in it.
    pub hints: u64,
    /// What cannot be read, and is not in it.
    pub damaged: DamagedList,
}

/// A directory of which no backup can be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// It cannot be read at all.
    Open(OpenError),
    /// Its node has come into no cluster, and it holds nothing.
    NoCluster,
    /// The backup cannot be written; what was written of it is not whole.
    Output(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Open(error) => error.fmt(f),
            ExportError::NoCluster => {
                f.write_str("its node belongs to no cluster yet: there is nothing to export")
            }
            ExportError::Output(error) => write!(f, "the backup cannot be written: {error}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl Contents {
    /// Writes all records and hints that can be read. `seen` is called after each. Holds one of them
    /// in memory at a time.
    ///
    /// # Errors
    /// All of [`ExportError`].
    pub fn export(
        &self,
        output: impl Write,
        mut seen: impl FnMut(),
    ) -> Result<Exported, ExportError> {
        let mut writer =
            BackupWriter::begin(output, &self.header()?).map_err(ExportError::Output)?;
        let mut exported = Exported::default();
        for stored in self.records().chain(self.hints()) {
            let written = stored.map(|stored| exported.write(stored, &mut writer));
            match written {
                Ok(written) => written.map_err(ExportError::Output)?,
                Err(damaged) => exported.damaged.push(damaged),
            }
            seen();
        }
        writer.finish().map_err(ExportError::Output)?;
        Ok(exported)
    }

    fn header(&self) -> Result<Header, ExportError> {
        let directory = &self.directory;
        let known = directory.identity().zip(directory.settings());
        let (identity, settings) = known.ok_or(ExportError::NoCluster)?;
        Ok(Header {
            cluster: identity.cluster,
            node: identity.node,
            label: directory.label().map(str::to_owned),
            written_ms: Clock::start().now().unix.0,
            settings,
            layout: directory.layout().map(|update| LayoutOutline::of(update)),
        })
    }
}

impl Exported {
    fn write(&mut self, stored: Stored, writer: &mut BackupWriter<impl Write>) -> io::Result<()> {
        let Stored { part, key, held, .. } = stored;
        let (target, count) = match part {
            Part::Record => (None, &mut self.records),
            Part::Hint { target } => (target, &mut self.hints),
        };
        match writer.add(target, &key, held.into_record()) {
            Ok(()) => *count += 1,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let reason = error.to_string();
                self.damaged.push(Damaged { part, key: Some(key), reason });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
