//! Writes a backup, one section after the other.

use std::io::{self, Write};

use bytes::BufMut;
use quorate_core::causality::Record;
use quorate_core::ids::{Key, NodeId};

use super::section::{CHECKSUM_BYTES, Chain, HEAD_BYTES, Kind, encode_entry};
use super::{Header, MAGIC, VERSION};

/// A backup that is being written. Without [`finish`](BackupWriter::finish) it is not whole.
#[derive(Debug)]
pub struct BackupWriter<W> {
    output: W,
    chain: Chain,
    records: u64,
    hints: u64,
    /// The section that is being made, behind room for the checksum before it.
    section: Vec<u8>,
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup.
    ///
    /// # Errors
    /// Of `output`.
    pub fn begin(mut output: W, header: &Header) -> io::Result<BackupWriter<W>> {
        let mut preamble = MAGIC.to_vec();
        preamble.put_u16(VERSION);
        output.write_all(&preamble)?;
        let chain = Chain::begin(&preamble);
        let mut writer = BackupWriter { output, chain, records: 0, hints: 0, section: Vec::new() };
        let header = serde_json::to_vec(header)?;
        writer.write(Kind::Header, |body| body.put_slice(&header))?;
        Ok(writer)
    }

    /// Adds an own copy, or a hint where there is a target.
    ///
    /// # Errors
    /// Of `output`; `InvalidInput`, and nothing was written, where the record takes more than 4 GiB.
    pub fn add(&mut self, target: Option<NodeId>, key: &Key, record: Record) -> io::Result<()> {
        let kind = if target.is_some() { Kind::Hint } else { Kind::Record };
        self.write(kind, |body| encode_entry(target, key, record, body))?;
        let count = if target.is_some() { &mut self.hints } else { &mut self.records };
        *count += 1;
        Ok(())
    }

    /// Writes the end, and gives the output back.
    ///
    /// # Errors
    /// Of `output`.
    pub fn finish(mut self) -> io::Result<W> {
        let (records, hints) = (self.records, self.hints);
        self.write(Kind::End, |body| {
            body.put_u64(records);
            body.put_u64(hints);
        })?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn write(&mut self, kind: Kind, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        const BODY_AT: usize = CHECKSUM_BYTES + HEAD_BYTES;
        let section = &mut self.section;
        section.clear();
        section.resize(BODY_AT, 0);
        body(section);
        let length = u32::try_from(section.len() - BODY_AT)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "it takes too many bytes"))?;
        section[CHECKSUM_BYTES] = kind as u8;
        section[CHECKSUM_BYTES + 1..BODY_AT].copy_from_slice(&length.to_be_bytes());
        let checksum = self.chain.go_on(section);
        self.output.write_all(&section[CHECKSUM_BYTES..])?;
        self.output.write_all(&checksum.to_be_bytes())
    }
}
