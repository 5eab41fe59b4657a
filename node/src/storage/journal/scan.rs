//! How much of a journal is whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::mem;

use super::batch::{BEGINNING_BYTES, Batch, Reader, follows, may_begin};

const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes that are read in vain, at most, in the search for whole batches behind a broken place:
/// bytes of a value may look like the beginning of a long batch again and again.
const VAIN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Where the unbroken row of whole batches ends that it begins with.
    pub whole_until: u64,
    /// Behind its last byte that is not zero: the engine fills it up with zeros in advance.
    pub written_until: u64,
    /// The batches of that row.
    pub batches: u64,
    /// Whole batches that stand behind a broken place: evidence, no more. Bytes of a value may look
    /// like one, and the search for them has a bound.
    pub batches_behind: u64,
    /// Bytes of those.
    pub bytes_behind: u64,
}

impl Scan {
    /// Reads a journal from its start, a block at a time.
    pub(super) fn of(file: &File) -> io::Result<Scan> {
        let mut reader = Reader::new(file);
        reader.seek(0)?;
        let Row { whole_until, batches, last } = Row::read(&mut reader)?;
        let written_until = written_until(file, whole_until)?;
        let mut scan = Scan { whole_until, written_until, batches, ..Scan::default() };
        if !scan.is_whole() {
            scan.search(&mut reader, last)?;
        }
        Ok(scan)
    }

    /// Whether nothing stands behind the whole batches.
    pub fn is_whole(&self) -> bool {
        self.whole_until == self.written_until
    }

    /// Bytes that are in no batch of the unbroken row.
    pub fn broken_bytes(&self) -> u64 {
        self.written_until - self.whole_until
    }

    /// Looks for whole batches behind the broken place, whose numbers are higher than `last`.
    fn search(&mut self, reader: &mut Reader<&File>, mut last: Option<u64>) -> io::Result<()> {
        let mut vain = 0;
        let mut at = self.whole_until + 1;
        let mut block = Vec::new();
        while at < self.written_until && vain < VAIN_BYTES_MAX {
            reader.block(at, BLOCK_BYTES, &mut block)?;
            let found = block
                .windows(BEGINNING_BYTES)
                .filter_map(<[u8]>::first_chunk)
                .position(|bytes| may_begin(bytes, last));
            let Some(found) = found else {
                let searched = block.len().saturating_sub(BEGINNING_BYTES - 1);
                if searched == 0 {
                    return Ok(());
                }
                at += searched as u64;
                continue;
            };
            at += found as u64;
            reader.seek(at)?;
            match reader.batch()? {
                Some(batch) => {
                    self.batches_behind += 1;
                    self.bytes_behind += batch.end - batch.start;
                    last = Some(batch.seqno);
                    at = batch.end;
                }
                None => {
                    vain += reader.at() - at + block.len() as u64;
                    at += 1;
                }
            }
        }
        Ok(())
    }
}

/// The batches that a journal begins with.
struct Row {
    whole_until: u64,
    batches: u64,
    /// The number of the last one.
    last: Option<u64>,
}

impl Row {
    /// Reads up to the first place where no batch begins that may stand there.
    ///
    /// No checksum covers the number of a batch. Where two numbers are out of order, the batches
    /// around them tell which of the two is wrong.
    fn read(reader: &mut Reader<&File>) -> io::Result<Row> {
        let mut row = Row { whole_until: 0, batches: 0, last: None };
        let mut former = Row { whole_until: 0, batches: 0, last: None };
        while let Some(batch) = reader.batch()? {
            if !follows(batch.seqno, row.last) {
                let next = reader.batch()?;
                let this_is_wrong = next.is_some_and(|next| follows(next.seqno, row.last));
                let may_be_right = row.batches > 0 && follows(batch.seqno, former.last);
                return Ok(if may_be_right && !this_is_wrong { former } else { row });
            }
            let Batch { end: whole_until, seqno, .. } = batch;
            let batches = row.batches + 1;
            former = mem::replace(&mut row, Row { whole_until, batches, last: Some(seqno) });
        }
        Ok(row)
    }
}

/// Behind the last byte that is not zero, and not before `from`.
fn written_until(mut file: &File, from: u64) -> io::Result<u64> {
    static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > from {
        let start = end.saturating_sub(BLOCK_BYTES as u64).max(from);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        // A comparison of whole blocks is many times as fast as a look at each byte.
        if block != ZEROS[..block.len()]
            && let Some(last) = block.iter().rposition(|byte| *byte != 0)
        {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(from)
}
