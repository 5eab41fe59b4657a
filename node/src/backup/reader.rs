//! Reads a backup, and lets nothing out that was not compared with its checksum.

use std::fmt;
use std::io::{self, Read};

use bytes::{Buf, Bytes};

use super::section::{CHECKSUM_BYTES, Chain, Entry, HEAD_BYTES, Kind, decode_entry};
use super::{Header, MAGIC, VERSION};

/// A backup that is being read.
#[derive(Debug)]
pub struct BackupReader<R> {
    input: R,
    /// Bytes that were read.
    at: u64,
    chain: Chain,
    records: u64,
    hints: u64,
    ended: bool,
}

/// A backup that cannot be used from some place on.
#[derive(Debug)]
pub struct BackupError {
    /// The byte, counted from 0, where the section with the problem begins.
    pub at: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a backup.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// It does not begin as a backup does.
    NoBackup,
    /// It has a version that this program cannot read.
    Version(u16),
    /// It ends too early.
    Truncated,
    /// A checksum does not match.
    Checksum,
    /// It says something that no backup says, under a checksum that matches.
    Malformed(&'static str),
    /// Something follows behind its end.
    BehindEnd,
    /// It could not be read.
    Io(io::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BackupError { at, problem } = self;
        match problem {
            Problem::NoBackup => write!(f, "it does not begin as a backup of `quorate store`"),
            Problem::Version(version) => write!(
                f,
                "it has version {version}, and this program reads version {VERSION}: use the \
                 program that wrote it"
            ),
            Problem::Truncated => write!(f, "it is cut off: its end is missing from byte {at} on"),
            Problem::Checksum => {
                write!(f, "it is damaged: what begins at byte {at} does not match its checksum")
            }
            Problem::Malformed(what) => write!(f, "it is malformed: {what}, at byte {at}"),
            Problem::BehindEnd => write!(f, "something follows behind its end, at byte {at}"),
            Problem::Io(error) => write!(f, "it cannot be read at byte {at}: {error}"),
        }
    }
}

impl std::error::Error for BackupError {}

impl<R: Read> BackupReader<R> {
    /// Reads the beginning of a backup.
    ///
    /// # Errors
    /// Where that is not whole.
    pub fn open(mut input: R) -> Result<(BackupReader<R>, Header), BackupError> {
        let mut preamble = [0; MAGIC.len() + size_of::<u16>()];
        let wrong = |problem| BackupError { at: 0, problem };
        input.read_exact(&mut preamble).map_err(|error| wrong(cut_off(error)))?;
        let (magic, mut version) = preamble.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(wrong(Problem::NoBackup));
        }
        let version = version.get_u16();
        if version != VERSION {
            return Err(wrong(Problem::Version(version)));
        }
        let chain = Chain::begin(&preamble);
        let at = preamble.len() as u64;
        let mut reader = BackupReader { input, at, chain, records: 0, hints: 0, ended: false };
        let wrong = |problem| BackupError { at, problem };
        let (kind, body) = reader.section().map_err(wrong)?;
        let header = Some(body).filter(|_| kind == Kind::Header);
        let header = header.and_then(|body| serde_json::from_slice(&body).ok());
        let header = header.ok_or(wrong(Problem::Malformed("its header does not decode")))?;
        Ok((reader, header))
    }

    /// What comes next; `None` at its end, where that is whole and nothing follows.
    ///
    /// # Errors
    /// Where it is not whole. Nothing can be read from there on.
    pub fn read(&mut self) -> Result<Option<Entry>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        let at = self.at;
        self.read_entry().map_err(|problem| {
            let behind = matches!(problem, Problem::BehindEnd);
            BackupError { at: if behind { self.at } else { at }, problem }
        })
    }

    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.at
    }

    /// Records that were read.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Hints that were read.
    pub fn hints(&self) -> u64 {
        self.hints
    }

    fn read_entry(&mut self) -> Result<Option<Entry>, Problem> {
        let (kind, body) = self.section()?;
        match kind {
            Kind::Header => Err(Problem::Malformed("it has a second header")),
            Kind::Record | Kind::Hint => {
                let entry = decode_entry(kind, body).map_err(Problem::Malformed)?;
                match entry {
                    Entry::Record { .. } => self.records += 1,
                    Entry::Hint { .. } => self.hints += 1,
                }
                Ok(Some(entry))
            }
            Kind::End => self.end(&body).map(|()| None),
        }
    }

    fn end(&mut self, body: &[u8]) -> Result<(), Problem> {
        let counted = [self.records.to_be_bytes(), self.hints.to_be_bytes()].concat();
        if body != counted {
            return Err(Problem::Malformed("its end tells another number of entries"));
        }
        // Reads on, whatever interrupts it.
        let mut behind = Vec::new();
        (&mut self.input).take(1).read_to_end(&mut behind).map_err(Problem::Io)?;
        if !behind.is_empty() {
            return Err(Problem::BehindEnd);
        }
        self.ended = true;
        Ok(())
    }

    /// The next section, after its checksum was compared.
    fn section(&mut self) -> Result<(Kind, Bytes), Problem> {
        const BODY_AT: usize = CHECKSUM_BYTES + HEAD_BYTES;
        let mut section = vec![0; BODY_AT];
        self.input.read_exact(&mut section[CHECKSUM_BYTES..]).map_err(cut_off)?;
        let (kind, mut length) = (section[CHECKSUM_BYTES], &section[CHECKSUM_BYTES + 1..]);
        let length = length.get_u32() as usize;
        // A length that is damaged takes no more memory than the file has bytes.
        let found = (&mut self.input).take(length as u64).read_to_end(&mut section);
        if found.map_err(Problem::Io)? < length {
            return Err(Problem::Truncated);
        }
        let mut checksum = [0; CHECKSUM_BYTES];
        self.input.read_exact(&mut checksum).map_err(cut_off)?;
        if self.chain.go_on(&mut section) != u64::from_be_bytes(checksum) {
            return Err(Problem::Checksum);
        }
        self.at += (HEAD_BYTES + length + CHECKSUM_BYTES) as u64;
        let kind = Kind::of(kind).ok_or(Problem::Malformed("it has a section of no known kind"))?;
        Ok((kind, Bytes::from(section).split_off(BODY_AT)))
    }
}

fn cut_off(error: io::Error) -> Problem {
    match error.kind() == io::ErrorKind::UnexpectedEof {
        true => Problem::Truncated,
        false => Problem::Io(error),
    }
}
