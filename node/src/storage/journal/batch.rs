//! One batch of a journal, read and checked without keeping it.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::Xxh3;

/// What an entry begins with.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;

/// The last bytes of each batch.
const MAGIC: [u8; 4] = [b'F', b'J', b'L', 3];

/// A value, a deletion, a deletion of the last value. A pointer to a value elsewhere has a number
/// of its own, which no journal holds.
const VALUE_KINDS: u8 = 3;

/// As it is, lz4.
const COMPRESSIONS: u8 = 2;

const PLAIN: u8 = 0;

/// A sequence number farther ahead than this is none that the engine gave.
const LEAP_MAX: u64 = 1 << 32;

/// Bytes of a start entry.
const START_BYTES: usize = 13;

/// Bytes of an item behind its first one, and before its key.
const ITEM_HEAD_BYTES: usize = 20;

/// Bytes from which it can be told that no batch begins with them.
pub(super) const BEGINNING_BYTES: usize = START_BYTES + 1 + 2;

const CHUNK_BYTES: usize = 64 * 1024;

/// A journal, and how far it is read.
#[derive(Debug)]
pub(super) struct Reader<R> {
    inner: BufReader<R>,
    at: u64,
    chunk: Vec<u8>,
}

/// A batch that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The engine's number of its commit. Invariant: higher than those of the batches before.
    pub(super) seqno: u64,
}

impl<R: Read + Seek> Reader<R> {
    pub(super) fn new(inner: R) -> Reader<R> {
        Reader {
            inner: BufReader::with_capacity(CHUNK_BYTES, inner),
            at: 0,
            chunk: vec![0; CHUNK_BYTES],
        }
    }

    /// How far it is read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn seek(&mut self, at: u64) -> io::Result<()> {
        self.inner.seek(SeekFrom::Start(at))?;
        self.at = at;
        Ok(())
    }

    /// The bytes from `at` on, at most so many.
    pub(super) fn block(&mut self, at: u64, bytes: usize, block: &mut Vec<u8>) -> io::Result<()> {
        self.seek(at)?;
        block.clear();
        self.at += (&mut self.inner).take(bytes as u64).read_to_end(block)? as u64;
        Ok(())
    }

    /// The batch that begins here; `None` where no whole one does.
    ///
    /// # Errors
    /// What the file system says; never that of a file that ends.
    pub(super) fn batch(&mut self) -> io::Result<Option<Batch>> {
        match self.entries() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read,
        }
    }

    fn entries(&mut self) -> io::Result<Option<Batch>> {
        let start = self.at;
        let head = self.bytes()?;
        let Some(Beginning { items, seqno }) = Beginning::of(&head) else { return Ok(None) };
        let mut hash = Xxh3::new();
        for _ in 0..items {
            if !self.entry(&mut hash)? {
                return Ok(None);
            }
        }
        let [tag] = self.bytes()?;
        if tag != END {
            return Ok(None);
        }
        let checksum = u64::from_le_bytes(self.bytes()?);
        let whole = checksum == hash.digest() && self.bytes()? == MAGIC;
        Ok(whole.then_some(Batch { start, end: self.at, seqno }))
    }

    /// An entry between start and end. False where there is none.
    fn entry(&mut self, hash: &mut Xxh3) -> io::Result<bool> {
        let tag = self.bytes()?;
        hash.update(&tag);
        match tag {
            [CLEAR] => {
                let keyspace: [u8; 8] = self.bytes()?;
                hash.update(&keyspace);
                Ok(true)
            }
            [ITEM] => {
                let head: [u8; ITEM_HEAD_BYTES] = self.bytes()?;
                hash.update(&head);
                let Some(bytes) = item_bytes(&head) else { return Ok(false) };
                self.hash(bytes, hash)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn hash(&mut self, mut bytes: u64, hash: &mut Xxh3) -> io::Result<()> {
        while bytes > 0 {
            let length = bytes.min(CHUNK_BYTES as u64);
            let chunk = &mut self.chunk[..length as usize];
            self.inner.read_exact(chunk)?;
            hash.update(chunk);
            self.at += length;
            bytes -= length;
        }
        Ok(())
    }
}

/// What a start entry says.
struct Beginning {
    items: u32,
    seqno: u64,
}

impl Beginning {
    fn of(bytes: &[u8; START_BYTES]) -> Option<Beginning> {
        let (tag, rest) = bytes.split_first()?;
        let (items, seqno) = rest.split_first_chunk()?;
        let items = u32::from_le_bytes(*items);
        let seqno = u64::from_le_bytes(seqno.try_into().ok()?);
        (*tag == START).then_some(Beginning { items, seqno })
    }
}

/// Bytes of the key and the value of an item; `None` where its head is none.
fn item_bytes(head: &[u8; ITEM_HEAD_BYTES]) -> Option<u64> {
    let ([kind, compression], rest) = head.split_first_chunk()?;
    let (_keyspace, rest) = rest.split_first_chunk::<8>()?;
    let (key, rest) = rest.split_first_chunk()?;
    let (value, stored) = rest.split_first_chunk()?;
    let key = u64::from(u16::from_le_bytes(*key));
    let value = u64::from(u32::from_le_bytes(*value));
    let stored = u64::from(u32::from_le_bytes(stored.try_into().ok()?));
    let known = *kind < VALUE_KINDS && *compression < COMPRESSIONS;
    (known && (*compression != PLAIN || value == stored)).then_some(key + stored)
}

/// Whether the engine may have given `seqno` to the batch behind the one of `before`.
pub(super) fn follows(seqno: u64, before: Option<u64>) -> bool {
    match before {
        Some(before) => seqno.checked_sub(before).is_some_and(|leap| (1..LEAP_MAX).contains(&leap)),
        None => seqno < 1 << 63,
    }
}

/// Whether a batch behind the one of `before` may begin with these bytes.
pub(super) fn may_begin(bytes: &[u8; BEGINNING_BYTES], before: Option<u64>) -> bool {
    let Some((start, [tag, kind, compression])) = bytes.split_first_chunk() else { return false };
    let known = match *tag {
        ITEM => *kind < VALUE_KINDS && *compression < COMPRESSIONS,
        CLEAR => true,
        _ => false,
    };
    known && Beginning::of(start).is_some_and(|it| it.items > 0 && follows(it.seqno, before))
}
